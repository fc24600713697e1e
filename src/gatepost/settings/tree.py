"""Owns the settings tree and what follows from it: issuer, our hosts, our origins, lives that have a default elsewhere.

Refuses to read anything or to judge combinations: `loading.load_settings` is the one way to a checked tree. The
composition root, the web floor and the command line read it.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from gatepost.core.loopback import is_loopback
from gatepost.core.permissions import BUILT_IN_ROLES
from gatepost.errors import SettingsError
from gatepost.settings.addresses import (
    LOCAL_NAMES,
    Authority,
    database_path,
    issuer_origin,
    issuer_path,
    origin_of,
    parse_authority,
    parse_origin,
    parse_prefix,
)
from gatepost.settings.brand import Brand
from gatepost.settings.fields import Folder, IssuerUrl, Items, Permission, RoleName
from gatepost.settings.listing import Row, rows_of, warnings_of
from gatepost.settings.sections import (
    Cookies,
    Database,
    Guesses,
    Keys,
    Limits,
    Log,
    Metrics,
    Origins,
    Passwords,
    Proxy,
    Revocation,
    Server,
    Sessions,
    Tokens,
)

Profile = Literal["development", "production"]
Roles = Mapping[RoleName, Annotated[tuple[Permission, ...], Items]]


def _profile_for(values: dict[str, Any]) -> Profile:
    """Development cookies travel without Secure, so a public address never gets that profile by default."""
    url: str | None = values["url"]
    return "development" if url is None or is_loopback(issuer_origin(url).host) else "production"


def _with_built_in(roles: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {**dict.fromkeys(BUILT_IN_ROLES, ()), **roles}


class Settings(BaseModel):
    """Everything an installation decides, checked and frozen."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    url: IssuerUrl | None = Field(
        default=None, description="public address and issuer, with the prefix when mounted"
    )
    profile: Profile = Field(
        default_factory=_profile_for, description="development (loopback only) or production"
    )
    data: Folder = Field(default=Path("data"), description="folder of everything the server keeps")
    docs: bool | None = Field(
        default=None, description="serve /docs and /openapi.json; default only when not mounted"
    )
    server: Server = Field(default_factory=Server)
    database: Database = Field(default_factory=Database)
    sessions: Sessions = Field(default_factory=Sessions)
    revocation: Revocation = Field(default_factory=Revocation)
    tokens: Tokens = Field(default_factory=Tokens)
    keys: Keys = Field(default_factory=Keys)
    passwords: Passwords = Field(default_factory=Passwords)
    cookies: Cookies = Field(default_factory=Cookies)
    roles: Annotated[Roles, AfterValidator(_with_built_in)] = Field(
        default={}, description="role and its permissions"
    )
    origins: Origins = Field(default_factory=Origins)
    proxy: Proxy = Field(default_factory=Proxy)
    limits: Limits = Field(default_factory=Limits)
    guesses: Guesses = Field(default_factory=Guesses)
    brand: Brand = Field(default_factory=Brand)
    metrics: Metrics = Field(default_factory=Metrics)
    log: Log = Field(default_factory=Log)

    _prefix: str = PrivateAttr("")
    _extra_hosts: tuple[str, ...] = PrivateAttr(())
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def issuer(self) -> str:
        """The URL that tokens name as `iss` and every link begins with (RFC 8414 section 2)."""
        if self.url is not None:
            return self.url
        scheme = "https" if self.server.tls_cert else "http"
        return f"{scheme}://localhost:{self.server.port}{self._prefix}"

    @property
    def host(self) -> str:
        """The host name of the issuer, without port; IPv6 in brackets."""
        return issuer_origin(self.issuer).host

    @property
    def secure(self) -> bool:
        """Whether people reach us over https."""
        return self.issuer.startswith("https://")

    @property
    def development(self) -> bool:
        """Whether the development profile is in force."""
        return self.profile == "development"

    @property
    def audiences(self) -> tuple[str, ...]:
        """Everyone a token can be for: the issuer first, each once."""
        return tuple(dict.fromkeys((self.issuer, *self.tokens.audiences)))

    @property
    def access_ttl(self) -> timedelta:
        """The life of an access token."""
        return self.tokens.access_ttl or self.revocation.horizon

    @property
    def refresh_grace(self) -> timedelta:
        """How long the token before the current one gets the same answer again, as long as that one is unused."""
        tokens = self.tokens
        longest = self.revocation.horizon if tokens.refresh_grace_while_unused else tokens.refresh_grace
        return max(tokens.refresh_grace, longest)

    @property
    def refresh_ttl(self) -> timedelta:
        """The life of a refresh token."""
        return self.tokens.refresh_ttl or self.sessions.absolute

    @property
    def rotate_every(self) -> timedelta | None:
        """How long a key signs or seals; None for ever."""
        return self.keys.rotate_every or None

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None when everything is kept in memory and forgotten at the end."""
        return self.data / "gatepost.db" if self.database.url is None else database_path(self.database.url)

    @property
    def extra_hosts(self) -> tuple[str, ...]:
        """Host names that a test added."""
        return self._extra_hosts

    def is_our_host(self, host_header: str) -> bool:
        """Whether a Host header names us; anything that is not exactly `host[:port]` does not."""
        authority = parse_authority(host_header)
        if authority is None:
            return False
        return authority.host in self._extra_hosts or self._is_configured(authority)

    def is_our_name(self, host_header: str) -> bool:
        """Whether a Host header has our name, on whatever port: enough to send somebody on to the right one."""
        authority = parse_authority(host_header)
        if authority is None:
            return False
        return authority.host == self.host or self.is_our_host(host_header)

    def is_our_origin(self, origin: str, scheme: str, host: str) -> bool:
        """Whether an Origin header, on a request with this scheme and Host, is us or registered; "null" never is."""
        presented = parse_origin(origin)
        if presented is None:
            return False
        if presented == issuer_origin(self.issuer) or str(presented) in self.origins.trusted:
            return True
        # Outside development only the issuer counts: over plain http the network chooses both scheme and Host. And a
        # Host that is not ours proves nothing: a name rebound to this machine would match itself.
        by_address = self.development or bool(self._extra_hosts)
        return by_address and self.is_our_host(host) and presented == origin_of(scheme, parse_authority(host))

    def with_prefix(self, prefix: str) -> Self:
        """A copy mounted under `prefix` ("" or "/auth"): part of the issuer unless `url` names it already.

        `SettingsError` when `url` is set and does not end with the prefix.
        """
        try:
            parse_prefix(prefix)
        except ValueError as refusal:
            raise SettingsError(f"The mount prefix {refusal}.") from None
        path = "" if self.url is None else issuer_path(self.url)
        if self.url is not None and prefix and not path.endswith(prefix):
            source = self._sources.get("url", "argument")
            raise SettingsError(f"url ({source}) must end with the prefix of the mount; add {prefix} to it.")
        return self._with(_prefix=prefix)

    def with_port(self, port: int) -> Self:
        """A copy with the port that was really opened (it was asked for as 0)."""
        return self.model_copy(update={"server": self.server.model_copy(update={"port": port})})

    def with_extra_hosts(self, *names: str) -> Self:
        """A copy that also answers to these host names, on any port: for tests, never for an installation."""
        return self._with(_extra_hosts=tuple(name.lower() for name in names))

    def with_sources(self, sources: Mapping[str, str]) -> Self:
        """A copy that knows where each dotted key came from; the loader makes it."""
        return self._with(_sources=dict(sources))

    def describe(self) -> list[Row]:
        """Key, value in force and source of every setting, secrets masked."""
        return rows_of(self, self._sources)

    def warnings(self) -> list[str]:
        """What is allowed but deserves a thought, one sentence each."""
        return warnings_of(self)

    def _is_configured(self, authority: Authority) -> bool:
        if self.development and authority.host in LOCAL_NAMES:
            return True
        if self.url is None:
            return False
        ours = issuer_origin(self.url)
        if self.development:
            return authority.host == ours.host
        return origin_of(ours.scheme, authority) == ours

    def _with(self, **private: object) -> Self:
        copy = self.model_copy()
        for name, value in private.items():
            setattr(copy, name, value)
        return copy
