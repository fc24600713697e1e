"""Where secrets may be sent: a server whose URL nobody on the way can read or answer for, and the client that asks it.

Owns the one judgement of such a URL and the one form in which a client shows its secret. Sends nothing: `calling.py`
does, and the command line for itself.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote_plus, urlsplit

from gatepost.core.loopback import is_loopback
from gatepost.core.secrets import Secret
from gatepost.errors import SettingsError

_NO_ISSUER: Final = "Name the issuer as it stands in tokens, like https://auth.example.com."


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is. `path` is what its own paths begin with, "" where it stands at the root."""

    secure: bool
    host: str
    port: int | None
    path: str = ""

    @classmethod
    def at(cls, url: str) -> Self:
        """The server of a URL. Raises `SettingsError` where somebody on the way could read what is sent to it."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SettingsError(_NO_ISSUER) from None
        if not host or not _is_plain(url) or parts.username is not None or parts.query or parts.fragment:
            raise SettingsError(_NO_ISSUER)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise SettingsError(
                "An issuer is asked over https only, or over http on this machine: on the way anybody could read what "
                "is sent, and change what comes back."
            )
        return cls(parts.scheme == "https", host, port, parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Credential:
    """The client that asks, made with `gatepost client create`, and its secret."""

    client_id: str
    secret: Secret

    @property
    def header(self) -> Secret:
        """The value of an Authorization header: both form-encoded before they are joined (RFC 6749 section 2.3.1)."""
        joined = f"{quote_plus(self.client_id)}:{quote_plus(self.secret.reveal())}"
        return Secret(f"Basic {b64encode(joined.encode()).decode()}")


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url
