"""Owns the sections of the settings: every key, its type, its limits and its default, each with the reason for it.

Refuses to read files or variables and to compare keys of different sections: `loading` and `rules` do. The tree
puts the sections together.
"""

import os
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatepost.core.guesses import GuessRules
from gatepost.settings.fields import (
    Audience,
    BearerSecret,
    Bytes,
    ClaimName,
    CookieName,
    DatabaseUrl,
    Duration,
    Items,
    ListenHost,
    MasterKeySecret,
    Network,
    ReadableFile,
    SessionsUrl,
    TrustedOrigin,
    Whole,
    Word,
    lasting,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST_SESSION = 400 * DAY
MOST_HASHES = 16
MOST_WORKERS = 64


class Section(BaseModel):
    """What all sections share: frozen, no unknown key, no value of theirs in any error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )


def _at_most_absolute(longest: timedelta, values: dict[str, Any]) -> timedelta:
    """A default that follows a shortened `absolute`, so that one setting is enough to shorten all."""
    absolute: timedelta = values["absolute"]
    return min(longest, absolute)


def _cores() -> int:
    """The cores this process may use: a hash keeps one core busy for its whole time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST_HASHES, allowed or 1))


class Server(Section):
    """Where `gatepost serve` listens; unused when mounted in another application."""

    host: ListenHost = Field(default="127.0.0.1", description="address to listen on")
    port: Whole = Field(default=8400, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    workers: Whole = Field(
        default=1, ge=1, le=MOST_WORKERS, description="server processes on one port and one database"
    )
    tls_cert: ReadableFile | None = Field(
        default=None, description="file with the TLS certificate chain (PEM)"
    )
    tls_key: ReadableFile | None = Field(
        default=None, description="file with the key of that certificate (PEM)"
    )
    redirect_port: Whole | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="plain-http port that sends people on to https and serves nothing",
    )


class Database(Section):
    """Where accounts, sessions, keys and the revocation log are kept."""

    url: DatabaseUrl | None = Field(
        default=None, description="sqlite:///path or memory://; default gatepost.db in data"
    )


class Sessions(Section):
    """How long a sign-in lasts and how many an account may have."""

    url: SessionsUrl | None = Field(default=None, description="where session records lie: the database")
    absolute: Annotated[Duration, lasting(SECOND, LONGEST_SESSION)] = Field(
        default=30 * DAY,
        description="longest life of a session (NIST 800-63B-4: 30 days)",
    )
    idle: Annotated[Duration, lasting(SECOND)] = Field(
        default_factory=lambda values: _at_most_absolute(7 * DAY, values),
        description="a session unused for so long ends",
    )
    visitor_idle: Annotated[Duration, lasting(SECOND)] = Field(
        default_factory=lambda values: _at_most_absolute(30 * DAY, values),
        description="a visitor session with data, unused for so long, ends",
    )
    visitor_empty: Annotated[Duration, lasting(SECOND)] = Field(
        default_factory=lambda values: _at_most_absolute(HOUR, values),
        description="a visitor session without data is forgotten after this",
    )
    reauthenticate_after: Annotated[Duration, lasting(SECOND, LONGEST_SESSION)] = Field(
        default=15 * MINUTE,
        description="age of a sign-in from which dangerous acts ask for the password again",
    )
    per_account: Whole = Field(
        default=100, ge=1, le=10_000, description="live sessions of one account; the idlest ends"
    )
    data_limit: Bytes = Field(
        default=16_384, ge=0, le=1_048_576, description="bytes of application data in one session"
    )
    carry_over: Annotated[tuple[Word, ...], Items] = Field(
        default=("*",), description="names of a visitor's data that sign-in moves over; * moves all"
    )


class Revocation(Section):
    """How long anything may be believed without asking, and how fresh that belief must be."""

    horizon: Annotated[Duration, lasting(SECOND, DAY)] = Field(
        default=10 * MINUTE, description="longest belief in anything not read again"
    )
    bound: Annotated[Duration, lasting(timedelta(milliseconds=50), MINUTE)] = Field(
        default=SECOND,
        description="longest time from revoke to refused anywhere",
    )
    leeway: Annotated[Duration, lasting(longest=MINUTE)] = Field(
        default=30 * SECOND, description="how far two clocks may differ (ASVS 9.2.1)"
    )
    request_deadline: Annotated[Duration, lasting(SECOND, 5 * MINUTE)] = Field(
        default=30 * SECOND, description="longest life of a request"
    )
    when_stale: Literal["refuse", "ask", "allow"] = Field(
        default="refuse",
        description="what a check does when the log was out of reach for longer than the bound",
    )


class Tokens(Section):
    """Access and refresh tokens."""

    algorithm: Literal["ES256", "EdDSA", "RS256", "HS256"] = Field(
        default="ES256", description="how access tokens are signed; HS256 is for one service with one secret"
    )
    audiences: Annotated[tuple[Audience, ...], Items] = Field(
        default=(), description="services tokens are for, beside us"
    )
    permissions: bool = Field(
        default=False,
        description="say in tokens what their roles permit, for services that have no table of roles",
    )
    claims: Annotated[tuple[ClaimName, ...], Items] = Field(
        default=(), description="claims that an application's own hook may add to access tokens"
    )
    access_ttl: Annotated[Duration, lasting(SECOND)] | None = Field(
        default=None, description="life of an access token; default and limit revocation.horizon"
    )
    refresh_grace_while_unused: bool = Field(
        False, description="keep that grace for a horizon, for clients that are killed before they save"
    )
    refresh_grace: Annotated[Duration, lasting(longest=MINUTE)] = Field(
        default=10 * SECOND,
        description="how long the token before the current one still gets the same answer",
    )
    refresh_ttl: Annotated[Duration, lasting(SECOND)] | None = Field(
        default=None, description="life of a refresh token; default and limit sessions.absolute"
    )


class Keys(Section):
    """How long keys sign and seal, and under which master key they lie."""

    rotate_every: Annotated[Duration, lasting(longest=LONGEST_SESSION)] = Field(
        default=90 * DAY, description="how long a key signs or seals before the next takes over; 0 is never"
    )
    jwks_cache: Annotated[Duration, lasting(SECOND, DAY)] = Field(
        default=5 * MINUTE, description="how long others may keep the list of public keys"
    )
    master: MasterKeySecret | None = Field(
        default=None, description="master key; default the file master.key in data"
    )
    master_before: MasterKeySecret | None = Field(
        default=None, description="the one before it, while keys may still lie under that"
    )


class Passwords(Section):
    """What a password must be and how dear a guess is made."""

    profile: Literal["owasp", "strong"] = Field(
        default="owasp", description="cost of one Argon2id hash (factors.password)"
    )
    min_length: Whole = Field(
        default=15, ge=8, le=64, description="fewest characters when it is the only factor"
    )
    own_words: Annotated[tuple[Word, ...], Items] = Field(
        default=(), description="own names no password may consist of"
    )
    breach_file: ReadableFile | None = Field(default=None, description="file of leaked passwords, one a line")


class Cookies(Section):
    """How our cookies are called, and how large the one may be that holds a whole session."""

    name: CookieName = Field(default="gatepost", description="the word in all our cookies' names")
    sealed_limit: Bytes = Field(
        default=3072, ge=1024, le=4096, description="bytes of a sealed cookie, name and value together"
    )


class Origins(Section):
    """Other web origins whose pages may act for a signed-in person."""

    trusted: Annotated[tuple[TrustedOrigin, ...], Items] = Field(
        default=(), description="scheme://host[:port], exactly"
    )


class Proxy(Section):
    """Whose word on the client's address, scheme and host is believed."""

    trusted: Annotated[tuple[Network, ...], Items] = Field(
        default=(), description="addresses or networks of our proxies"
    )


class Limits(Section):
    """What one request, one address or all of them together may use."""

    body: Bytes = Field(default=65_536, ge=1024, le=16_777_216, description="bytes of a request's body")
    headers: Bytes = Field(default=32_768, ge=4096, le=1_048_576, description="bytes of a request's headers")
    hashes: Whole = Field(
        default_factory=_cores, ge=1, le=MOST_HASHES, description="password hashes at once; default the cores"
    )
    hash_queue: Whole = Field(default=16, ge=0, le=1024, description="sign-ins that may wait for a hash")
    hash_wait: Annotated[Duration, lasting(timedelta(milliseconds=1), MINUTE)] = Field(
        default=5 * SECOND, description="how long they wait"
    )
    visits_per_minute: Whole = Field(
        default=60, ge=1, le=1_000_000, description="visitor sessions one address may begin"
    )
    sign_ups_per_minute: Whole = Field(
        default=100, ge=1, le=1_000_000, description="sign-ups one address may try"
    )


class Guesses(Section):
    """How fast somebody may try passwords. What signs in does not count, only what does not."""

    per_account: Whole = Field(
        default=10, ge=1, le=1000, description="wrong passwords for one account before it becomes slow"
    )
    wait: Annotated[Duration, lasting(SECOND, HOUR)] = Field(
        default=MINUTE, description="how long the next one has to wait then; doubled by each that follows"
    )
    longest_wait: Annotated[Duration, lasting(SECOND, DAY)] = Field(
        default=15 * MINUTE, description="longest of these waits"
    )
    remembered: Annotated[Duration, lasting(MINUTE, 30 * DAY)] = Field(
        default=3 * HOUR, description="how long after the last one all are forgotten"
    )
    per_address: Whole = Field(
        default=100, ge=1, le=1_000_000, description="wrong passwords from one address in a minute"
    )
    overall: Whole = Field(
        default=1000,
        ge=1,
        le=100_000_000,
        description="wrong passwords of all in a minute, beyond which an address has a tenth of its own",
    )

    @property
    def rules(self) -> GuessRules:
        """The same for the decisions of core."""
        return GuessRules(
            free=self.per_account,
            first_wait=self.wait,
            longest_wait=self.longest_wait,
            remembered=self.remembered,
            per_address=self.per_address,
            overall=self.overall,
        )


class Metrics(Section):
    """Who may read what the server counts."""

    served: bool | None = Field(default=None, description="serve /metrics; default only when not mounted")
    bearer: BearerSecret | None = Field(
        default=None, description="secret that lets a scraper in from elsewhere than this machine"
    )


class Log(Section):
    """What the server writes about itself."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least weight of a line"
    )
    format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else JSON"
    )
