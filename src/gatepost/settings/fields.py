"""Owns the kinds of value a setting can have: durations, sizes, lists, files, URLs, origins, networks, names.

Refuses to know which setting uses which. The sections are written in these types. A refusal is a `ValueError` whose
text continues the sentence "NAME ..."; it never repeats the value, which may be a secret put in the wrong place.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, InstanceOf, ValidationInfo

from gatepost.core.claims import why_not_own
from gatepost.core.secrets import Secret
from gatepost.settings.addresses import parse_database, parse_issuer, parse_listen_host, parse_origin
from gatepost.settings.amounts import duration_text, parse_duration, parse_size, refuse_truth_value

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_PERMISSION = re.compile(r"[!-+\--~]{1,128}", re.ASCII)
# The characters that an Authorization header can carry (RFC 6750 section 2.1).
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{32,512}=*", re.ASCII)
# 32 bytes: the last of 43 characters carries four bits of them.
_MASTER_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_AUDIENCE = re.compile(r"[!-~]{1,255}", re.ASCII)


def split_items(value: object) -> object:
    """Text becomes a list: a JSON array when it begins with a bracket, else the parts between commas."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("must be a list: items with commas between them, or a JSON array") from None
    return items


def directory_of(info: ValidationInfo) -> Path:
    """The folder that relative paths in settings start from."""
    directory = (info.context or {}).get("directory")
    return directory if isinstance(directory, Path) else Path.cwd()


def _pattern(pattern: re.Pattern[str], refusal: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(refusal)
        return text

    return check


def _path(value: Path, info: ValidationInfo) -> Path:
    if "\0" in str(value):
        raise ValueError("must be a path without NUL bytes")
    return directory_of(info).absolute() / value


def _folder(value: Path) -> Path:
    if value.exists() and not value.is_dir():
        raise ValueError("must name a folder, and there is a file of that name")
    return value


def _readable(value: Path) -> Path:
    try:
        with value.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(
            f"must name a file that can be read ({(error.strerror or 'it cannot').lower()})"
        ) from None
    return value


def _audience(text: str) -> str:
    if text == "*" or _AUDIENCE.fullmatch(text) is None:
        raise ValueError("must name services in visible ASCII without blanks, never *")
    return text


def _claim(name: str) -> str:
    if refusal := why_not_own(name):
        raise ValueError(refusal)
    return name


def _bearer(value: object) -> object:
    if isinstance(value, Secret):
        value = value.reveal()
    if not isinstance(value, str) or _BEARER.fullmatch(value) is None:
        raise ValueError("must be 32 to 512 letters, digits or -._~+/ (openssl rand -hex 32 makes one)")
    return Secret(value)


def _master_key(value: object) -> object:
    if isinstance(value, Secret):
        value = value.reveal()
    if not isinstance(value, str) or _MASTER_KEY.fullmatch(value.strip()) is None:
        raise ValueError(
            "must be 256 random bits in base64url, 43 characters, as a master.key file holds them"
        )
    return Secret(value.strip())


def _cookie(text: str) -> str:
    if text.lower().startswith(("__host-", "__secure-", "__http-")):
        raise ValueError("must be the bare name; the prefix that browsers enforce is put before it by itself")
    return _pattern(
        _COOKIE_NAME,
        "must be 1 to 64 characters of a cookie name: letters and digits, with - or _ between them",
    )(text)


def _origin(text: str) -> str:
    origin = parse_origin(text)
    if origin is None:
        raise ValueError("must be an origin such as https://app.example.com, without path, never * or null")
    return str(origin)


def _network(value: object) -> object:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(
            "must be an address or network such as 10.0.0.0/8, with no bits set past the mask"
        ) from None


def _database(text: str, info: ValidationInfo) -> str:
    return parse_database(text, directory_of(info))


def _same_as_database(text: str) -> str:
    if text != "database":
        raise ValueError(
            'asks for sessions outside the database, which a later release brings; set sessions.url to "database"'
        )
    return text


@dataclass(frozen=True, slots=True)
class Lasting:
    """A duration between two limits, both allowed. A value, so that the reference can say which."""

    shortest: timedelta
    longest: timedelta

    def __call__(self, value: timedelta) -> timedelta:
        """The value; ValueError outside the limits."""
        if value < self.shortest:
            raise ValueError(f"must be at least {duration_text(self.shortest)}")
        if value > self.longest:
            raise ValueError(f"must be at most {duration_text(self.longest)}")
        return value


def lasting(shortest: timedelta = timedelta(), longest: timedelta = timedelta.max) -> AfterValidator:
    """Limits of a duration, for an annotation."""
    return AfterValidator(Lasting(shortest, longest))


Whole = Annotated[int, BeforeValidator(refuse_truth_value)]
Bytes = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Items: Final = BeforeValidator(split_items)

Folder = Annotated[Path, AfterValidator(_path), AfterValidator(_folder)]
ReadableFile = Annotated[Path, AfterValidator(_path), AfterValidator(_readable)]

IssuerUrl = Annotated[str, AfterValidator(parse_issuer)]
ListenHost = Annotated[str, AfterValidator(parse_listen_host)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
SessionsUrl = Annotated[str, AfterValidator(_same_as_database)]

CookieName = Annotated[str, AfterValidator(_cookie)]
TrustedOrigin = Annotated[str, AfterValidator(_origin)]
BearerSecret = Annotated[InstanceOf[Secret], BeforeValidator(_bearer)]
MasterKeySecret = Annotated[InstanceOf[Secret], BeforeValidator(_master_key)]
Network = Annotated[IpNetwork, BeforeValidator(_network)]
Audience = Annotated[str, AfterValidator(_audience)]
ClaimName = Annotated[str, AfterValidator(_claim)]
Word = Annotated[
    str, AfterValidator(_pattern(re.compile(r"\S(?:.*\S)?"), "must be words that are not empty"))
]
RoleName = Annotated[
    str,
    AfterValidator(
        _pattern(_ROLE, "must be named with a small letter first, then at most 31 of a-z, 0-9 and -")
    ),
]
Permission = Annotated[
    str,
    AfterValidator(_pattern(_PERMISSION, "must list permissions in visible ASCII without comma or blank")),
]
