"""Rows about what is written: a refresh and a sign-in inside the service, beside the least that either must do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from argon2.low_level import Type as Variant
from argon2.low_level import verify_secret

from benchmarks.measuring import Contender, Part, Work, race
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import EMAIL, HERE, PASSWORD, World, crowd, sign_in, world
from gatepost.carriers.jws import sign
from gatepost.core.passwords import normalise
from gatepost.core.sessions import Carrier

MILLISECONDS: Final = 1e3
_MICROSECONDS: Final = 1e6
_CROWD: Final = 64
_CLAIMS: Final = b"x" * 330
_ANSWER: Final = b"x" * 800


def refresh(sizes: Sizes) -> Row:
    """One rotation of a refresh token, durable on SQLite."""
    with world() as w, plain_database() as commit:
        private = w.authority.ring.signing

        def least() -> None:
            commit()
            sign(private, "at+jwt", _CLAIMS)

        entries = race(
            (
                Contender(
                    Part.OURS, "Tokens.refresh", _rotating(w), "read, decide, sign, seal, commit (FULL)"
                ),
                Contender(
                    Part.LIMIT,
                    "commit and signature",
                    least,
                    "one row of the same size written with synchronous=FULL, one ES256 signature",
                ),
                Contender(Part.LIMIT, "commit", commit),
                Contender(Part.LIMIT, "signature", lambda: sign(private, "at+jwt", _CLAIMS)),
            ),
            sizes.disk,
            _MICROSECONDS,
        )
    return Row(
        "refresh",
        "Refresh, inside the service",
        Unit.MICROSECONDS,
        entries,
        (Target("Tokens.refresh", 2, "commit and signature"),),
    )


def sign_in_row(sizes: Sizes) -> Row:
    """One whole sign-in with a password, by cookie and by token."""
    with world() as w:
        account, _ = w.authority.store.account_by_email(EMAIL)
        stored = ((account.password_hash if account else None) or "").encode()
        secret = normalise(PASSWORD)
        emails = cycle(crowd(w.authority, _CROWD))
        entries = race(
            (
                Contender(
                    Part.OURS,
                    "SignIn.sign_in, cookie",
                    lambda: sign_in(w.authority, Carrier.COOKIE, next(emails)),
                    "look-up, hash, session, audit row, durable commit",
                ),
                Contender(
                    Part.OURS,
                    "SignIn.sign_in, token",
                    lambda: sign_in(w.authority, Carrier.TOKEN, next(emails)),
                    "the same with an access and a refresh token",
                ),
                Contender(
                    Part.LIMIT,
                    "one Argon2id",
                    lambda: verify_secret(stored, secret, Variant.ID),
                    "19 MiB, 2 passes, 1 lane: the same parameters, on one thread",
                ),
            ),
            sizes.hashing,
            MILLISECONDS,
        )
    return Row(
        "sign-in",
        "Sign-in, inside the service",
        Unit.MILLISECONDS,
        entries,
        (
            Target("SignIn.sign_in, cookie", 1.1, "one Argon2id"),
            Target("SignIn.sign_in, token", 1.1, "one Argon2id"),
        ),
    )


def _rotating(w: World) -> Work:
    newest = w.pair.refresh

    def rotate() -> None:
        nonlocal newest
        newest = w.authority.tokens.refresh(newest.reveal(), HERE).refresh

    return rotate


@contextmanager
def plain_database() -> Iterator[Work]:
    """One durable commit as the bare driver makes it, in the same kind of file on the same disk."""
    with (
        TemporaryDirectory(prefix="gatepost-bench-") as folder,
        closing(sqlite3.connect(Path(folder) / "plain.db", isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE family (id INTEGER PRIMARY KEY, rotor BLOB, generation INTEGER)")
        connection.execute("INSERT INTO family VALUES (1, x'00', 0)")
        generations = count()

        def commit() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "UPDATE family SET rotor = ?, generation = ? WHERE id = 1", (_ANSWER, next(generations))
            )
            connection.execute("COMMIT")

        yield commit
