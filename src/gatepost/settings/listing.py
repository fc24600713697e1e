"""Owns what `gatepost settings show` and `settings check` say about a tree: each value with its source, and warnings.

Refuses to stop anything: what must stop the start is a rule. A value that holds a password is never printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gatepost.settings.addresses import MEMORY_URL, has_password
from gatepost.settings.amounts import duration_text
from gatepost.settings.keys import OPEN_SECTION, Key, dotted, leaves

if TYPE_CHECKING:
    from gatepost.settings.tree import Settings

DEFAULT = "default"
HIDDEN = "(hidden: it holds a password)"


class Row(NamedTuple):
    """One setting: dotted key, the value in force as text, and where it came from."""

    key: str
    value: str
    source: str


def rows_of(settings: Settings, sources: Mapping[str, str]) -> list[Row]:
    """Every setting in the order of the tree; what has its default elsewhere shows the value in force."""
    rows: list[Row] = []
    for key in leaves(type(settings)):
        if key == (OPEN_SECTION,):
            rows += [_row((OPEN_SECTION, role), held, sources) for role, held in settings.roles.items()]
        else:
            rows.append(_row(key, _in_force(settings, key), sources))
    return rows


def warnings_of(settings: Settings) -> list[str]:
    """What is allowed but deserves a thought, one sentence each."""
    sessions, grace = settings.sessions, settings.tokens.refresh_grace
    doubts = (
        (
            settings.development,
            "The development profile is on: cookies travel without Secure, so use it on this machine only.",
        ),
        (
            settings.database_file is None,
            "The database is kept in memory: every account, session and key is gone when the server stops.",
        ),
        (
            settings.access_ttl > timedelta(minutes=15),
            "Access tokens live longer than 15 minutes: a service that does not follow the log accepts a stolen one "
            "until then.",
        ),
        *_doubts_about_revocation(settings),
        (
            sessions.absolute > timedelta(days=30),
            "sessions.absolute is above 30 days, the longest that NIST SP 800-63B-4 allows without signing in again.",
        ),
        (
            grace > timedelta(seconds=10),
            "tokens.refresh_grace is above 10 seconds: a thief of the last refresh token has that much longer.",
        ),
        (
            settings.passwords.min_length < 15,
            "passwords.min_length is below 15, which is too short for a password without a second factor.",
        ),
        (
            not settings.development and settings.log.level == "debug",
            "log.level is debug in production: the log grows fast.",
        ),
    )
    return [sentence for applies, sentence in doubts if applies]


def _doubts_about_revocation(settings: Settings) -> tuple[tuple[bool, str], ...]:
    return (
        (
            settings.revocation.horizon > timedelta(minutes=15),
            "revocation.horizon is above 15 minutes: facts stay in memory and sealed cookies are believed for longer.",
        ),
        (
            settings.revocation.when_stale == "allow",
            "revocation.when_stale is allow: what is ended while the log is out of reach is accepted until it expires.",
        ),
    )


def value_text(value: object) -> str:
    """A value as the settings file could write it, on one line; a password in it is hidden."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return duration_text(value)
    text = (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
    return HIDDEN if has_password(text) else text


def _row(key: Key, value: object, sources: Mapping[str, str]) -> Row:
    return Row(dotted(key), value_text(value), sources.get(dotted(key), DEFAULT))


def _in_force(settings: Settings, key: Key) -> object:
    if key == ("tokens", "access_ttl"):
        return settings.access_ttl
    if key == ("tokens", "refresh_ttl"):
        return settings.refresh_ttl
    if key == ("database", "url"):
        file = settings.database_file
        return MEMORY_URL if file is None else f"sqlite:///{file}"
    if key == ("sessions", "url"):
        return settings.sessions.url or "database"
    value: object = settings
    for part in key:
        value = getattr(value, part)
    return value
