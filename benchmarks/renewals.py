"""Rows about renewals inside a request: what a request waits for that brings a carrier past its time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measuring import Contender, Part, Work, race
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import HERE, World, world
from benchmarks.writes import plain_database
from gatepost.carriers.jws import sign
from gatepost.carriers.presented import SealedCookie, TokenCookies
from gatepost.carriers.sealed import open_session
from gatepost.web.cookies import cookies_of

_MILLISECONDS: Final = 1e3
_OURS: Final = "Renewals.renew"
_CONTENTS: Final = b"x" * 400
_CLAIMS: Final = b"x" * 330


def renewals(sizes: Sizes) -> tuple[Row, Row]:
    """The sealed cookie from its record, tokens in cookies by a rotation; both with the new Set-Cookie values."""
    with world() as w, plain_database() as commit, _point_read(w) as read:
        private, box = w.authority.ring.signing, AESGCM(w.authority.ring.sealing.raw)

        def commit_and_sign() -> None:
            commit()
            sign(private, "at+jwt", _CLAIMS)

        def read_and_seal() -> None:
            read()
            box.encrypt(bytes(12), _CONTENTS, b"")

        from_record, rotated = "point read and AES-256-GCM", "commit and signature"
        sealed = race(
            (
                Contender(Part.OURS, _OURS, _renewing(w, w.sealed), "one read, no write", from_record),
                Contender(Part.LIMIT, from_record, read_and_seal, "by the bare drivers"),
            ),
            sizes.disk,
            _MILLISECONDS,
        )
        tokens = race(
            (
                Contender(
                    Part.OURS, _OURS, _renewing(w, w.in_cookies), "one rotation: one durable commit", rotated
                ),
                Contender(
                    Part.LIMIT,
                    rotated,
                    commit_and_sign,
                    "one row of the same size written with synchronous=FULL, one ES256 signature",
                ),
            ),
            sizes.disk,
            _MILLISECONDS,
        )
    return (
        Row("renew-sealed", "Renewal inside a request, sealed", Unit.MILLISECONDS, sealed),
        Row(
            "renew-token-cookie",
            "Renewal inside a request, token-cookie",
            Unit.MILLISECONDS,
            tokens,
            (Target(_OURS, 2, rotated),),
        ),
    )


def _renewing(w: World, presented: SealedCookie | TokenCookies) -> Work:
    renewal, names = w.authority.renewals, w.authority.cookies

    def renew() -> None:
        nonlocal presented
        renewed = renewal.renew(presented, HERE)
        cookies_of(names, renewed.credential, renewed.life)
        presented = renewed.presented

    return renew


@contextmanager
def _point_read(w: World) -> Iterator[Work]:
    ring, issuer = w.authority.ring, w.authority.settings.issuer
    session = open_session(w.sealed.value, ring.opening, issuer).contents.sid
    with closing(sqlite3.connect(w.authority.settings.database_file)) as connection:
        yield lambda: connection.execute("SELECT * FROM session WHERE id = ?", (session,)).fetchone()
