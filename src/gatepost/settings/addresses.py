"""Owns the strict reading of hosts, origins and the URLs that settings hold.

Refuses to decide which of them are ours: the tree does. Pure. Everything here may be handed hostile text (a Host or
Origin header), so a text is either read whole by an ASCII pattern or not at all; nothing is trimmed or guessed.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MEMORY_URL = "memory://"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 300
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?", re.ASCII)
_URL = re.compile(r"(https?)://([^/?#]*)(/[^?#]*)?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", re.ASCII)
_NUMBER_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PASSWORD_PARAMETER = re.compile(r"[?&;](?:password|passwd|pass|pwd|token|secret)=", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Authority:
    """A host in lower case (IPv6 in brackets, shortest form) and the port as written, if one was."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """A web origin with its port filled in, so that equal origins are equal values (RFC 6454 section 5)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """The origin as a browser writes it: the default port is left out."""
        return f"{self.scheme}://{self.host}" + ("" if self.is_default_port else f":{self.port}")

    @property
    def is_default_port(self) -> bool:
        """Whether a browser leaves the port out."""
        return self.port == _DEFAULT_PORTS[self.scheme]


def parse_authority(text: str) -> Authority | None:
    """`host[:port]` as in a Host header (RFC 9110 section 7.2), or None when it is anything else."""
    found = _AUTHORITY.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    host = _literal(found[1]) if found[1].startswith("[") else _named(found[1])
    port = None if found[2] is None else int(found[2])
    if host is None or (port is not None and port > 65535):
        return None
    return Authority(host, port)


def parse_origin(text: str) -> Origin | None:
    """`scheme://host[:port]` with http or https and nothing after it, or None; "null" and "*" are None."""
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in _DEFAULT_PORTS:
        return None
    return origin_of(scheme, parse_authority(rest))


def origin_of(scheme: str, authority: Authority | None) -> Origin | None:
    """The origin of a request with this scheme and Host; None when either cannot be read."""
    if authority is None or scheme not in _DEFAULT_PORTS:
        return None
    port = _DEFAULT_PORTS[scheme] if authority.port is None else authority.port
    return Origin(scheme, authority.host, port)


def parse_listen_host(text: str) -> str:
    """The address or name to listen on, unchanged; an IPv6 address has no brackets here."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if _named(text) is None:
            raise ValueError(
                "must be an address to listen on such as 127.0.0.1, ::1 or a host name"
            ) from None
    return text


def parse_issuer(text: str) -> str:
    """The issuer URL unchanged; clients compare it as text, so there is one way to write it (RFC 8414 section 2)."""
    if "@" in text:
        raise ValueError("must not hold a user name or password; remove everything up to the @")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or fragment; end it before the ? or #")
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("must begin with https:// (http:// on loopback) and name a host")
    if text.endswith("/"):
        raise ValueError("must not end with a slash; remove it")
    _require_canonical_origin(f"{found[1]}://{found[2]}")
    if _PATH.fullmatch(found[3] or "") is None:
        raise ValueError("must have a plain path such as /auth: letters, digits and the signs - . _ ~")
    return text


def _require_canonical_origin(text: str) -> None:
    origin = parse_origin(text)
    if origin is None:
        raise ValueError(
            "must name a host in plain ASCII (an international name as xn--...) and a valid port"
        )
    if origin.host in ("0.0.0.0", "[::]"):  # noqa: S104  (refused here, not listened on)
        raise ValueError("must name a host that people can visit, not the address for listening everywhere")
    if str(origin) != text:
        raise ValueError(
            "must be written as browsers write it: host in lower case, no port when it is the usual one"
        )


def issuer_origin(url: str) -> Origin:
    """The origin of a URL that `parse_issuer` accepted."""
    scheme, _, rest = url.partition("://")
    origin = parse_origin(f"{scheme}://{rest.partition('/')[0]}")
    if origin is None:
        raise ValueError("is not a URL that was checked")
    return origin


def issuer_path(url: str) -> str:
    """The path of a URL that `parse_issuer` accepted: "" or "/auth"."""
    _, slash, path = url.partition("://")[2].partition("/")
    return slash + path


def parse_prefix(text: str) -> str:
    """A mount prefix: "" or a plain path such as "/auth", without a slash at its end."""
    if _PATH.fullmatch(text) is None:
        raise ValueError('must be "" or a plain path such as "/auth" that does not end with a slash')
    return text


def parse_database(text: str, directory: Path) -> str:
    """The database URL in one form: `memory://`, or `sqlite:///` and an absolute path."""
    if text in (MEMORY_URL, "sqlite://", "sqlite:///:memory:"):
        return MEMORY_URL
    scheme, mark, path = text.partition(":///")
    if scheme == "sqlite" and mark and path and "?" not in path and "\0" not in path:
        return f"sqlite:///{directory.absolute() / path}"
    if text.startswith("sqlite:"):
        raise ValueError("must be sqlite:///relative/path.db, sqlite:////absolute/path.db or memory://")
    raise ValueError("asks for a database that this version does not run on; use sqlite:///path/to/file.db")


def database_path(url: str) -> Path | None:
    """The SQLite file of a URL that `parse_database` made; None for memory."""
    return None if url == MEMORY_URL else Path(url.removeprefix("sqlite:///"))


def has_password(url: str) -> bool:
    """Whether a URL carries a password, in its authority or as a parameter; doubtful cases count as yes."""
    rest = url.partition("://")[2]
    # The last @ ends the user part: an unescaped / or @ inside the password must not hide it.
    user = "" if rest.startswith("/") else rest.rpartition("@")[0]
    return ":" in user or _PASSWORD_PARAMETER.search(url) is not None


def _literal(text: str) -> str | None:
    try:
        return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
    except ValueError:
        return None


def _named(text: str) -> str | None:
    if len(text) > 253 or _NAME.fullmatch(text) is None:
        return None
    # Browsers read a last label that is a number as IPv4 in any base ("127.1", "0x7f.1"): only the plain form passes.
    if _NUMBER_LABEL.fullmatch(text.rpartition(".")[2]) is None:
        return text.lower()
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None
