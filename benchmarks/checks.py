"""Rows about the check of an opaque cookie, known and unknown, beside its limits; `tokens.py` has tokens."""

import hashlib
import sqlite3
from collections.abc import Iterable
from itertools import cycle
from typing import Any, Final

import sqlalchemy as sa

from benchmarks.measuring import Contender, Part, Work, race
from benchmarks.results import Row, Target, Unit
from benchmarks.rivals import NO_REVOCATION, SignedSession
from benchmarks.sizes import Sizes
from benchmarks.world import LIVE_FACTS, OUR_NOTE, fill, forgetful_guard, world
from gatepost.carriers.presented import OpaqueCookie
from gatepost.core.secrets import digest

MICROSECONDS: Final = 1e6


def known_cookie(sizes: Sizes) -> Row:
    """A session cookie that this process has seen before."""
    with world(facts=LIVE_FACTS) as w:
        check, cookie = w.authority.guard.check, w.cookie
        check(cookie)
        value = cookie.value
        record = {hashlib.sha256(value.encode()).digest(): check(cookie)}
        rival = SignedSession()
        signed = rival.seal({"account": 1, "cart": []})
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: check(cookie), OUR_NOTE),
                Contender(
                    Part.LIMIT,
                    "digest and dictionary",
                    lambda: record[hashlib.sha256(value.encode()).digest()],
                    "checks nothing",
                ),
                Contender(
                    Part.RIVAL,
                    "Starlette SessionMiddleware",
                    lambda: rival.open(signed),
                    f"what it does to read its signed cookie; {NO_REVOCATION}, and its content is readable",
                ),
            ),
            sizes.memory,
            MICROSECONDS,
        )
    return Row(
        "known-cookie",
        "Known session cookie",
        Unit.MICROSECONDS,
        entries,
        (
            Target("Guard.check", 3, "digest and dictionary"),
            Target("Guard.check", 1, "Starlette SessionMiddleware"),
        ),
    )


def new_session(sizes: Sizes) -> Row:
    """A session cookie that is seen for the first time, on SQLite."""
    with world(facts=LIVE_FACTS) as w:
        cookies = fill(w.authority, sizes.sessions)
        guard = forgetful_guard(w.authority)
        presented = _spread([OpaqueCookie(cookie) for cookie in cookies])
        handles = _spread([digest(cookie) for cookie in cookies])
        file = w.authority.settings.database_file
        connection = sqlite3.connect(f"{file}")
        engine = sa.create_engine(f"sqlite:///{file}")
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: guard.check(next(presented)), OUR_NOTE),
                Contender(
                    Part.LIMIT,
                    "sqlite3 point read",
                    lambda: connection.execute(
                        "SELECT * FROM session WHERE handle = ?", (next(handles),)
                    ).fetchone(),
                    "the session's row alone, nothing made of it",
                ),
                Contender(
                    Part.RIVAL,
                    "SQLAlchemy Core",
                    _core_read(engine, handles),
                    f"the same row through a connection pool; decides nothing, {NO_REVOCATION} without a write",
                ),
            ),
            sizes.memory,
            MICROSECONDS,
        )
        engine.dispose()
        connection.close()
    return Row(
        "new-session",
        f"Session cookie seen for the first time, SQLite, {sizes.sessions:,} sessions",
        Unit.MICROSECONDS,
        entries,
        (Target("Guard.check", 5, "sqlite3 point read"),),
    )


def _spread(values: list[Any]) -> Any:
    # In an order of their own, so that neighbours in the file are not read one after the other.
    return cycle(sorted(values, key=lambda value: hashlib.sha256(repr(value).encode()).digest()))


def _core_read(engine: sa.Engine, handles: Iterable[bytes]) -> Work:
    statement, given = sa.text("SELECT * FROM session WHERE handle = :handle"), iter(handles)

    def read() -> object:
        with engine.connect() as connection:
            return connection.execute(statement, {"handle": next(given)}).one()

    return read
