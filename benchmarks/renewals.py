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
    with world() as w:
        return _sealed(w, sizes), _in_cookies(w, sizes)


def _sealed(w: World, sizes: Sizes) -> Row:
    box, least = AESGCM(w.authority.ring.sealing.raw), "point read and AES-256-GCM"
    with _point_read(w) as read:

        def read_and_seal() -> None:
            read()
            box.encrypt(bytes(12), _CONTENTS, b"")

        entries = race(
            (
                Contender(Part.OURS, _OURS, _renewing(w, w.sealed), "one read, no write", least),
                Contender(Part.LIMIT, least, read_and_seal, "by the bare drivers"),
            ),
            sizes.disk,
            _MILLISECONDS,
        )
    return Row("renew-sealed", "Renewal inside a request, sealed", Unit.MILLISECONDS, entries)


def _in_cookies(w: World, sizes: Sizes) -> Row:
    private, least = w.authority.ring.signing, "commit and signature"
    with plain_database() as commit:

        def commit_and_sign() -> None:
            commit()
            sign(private, "at+jwt", _CLAIMS)

        note = "one row of the same size written with synchronous=FULL, one ES256 signature"
        entries = race(
            (
                Contender(
                    Part.OURS, _OURS, _renewing(w, w.in_cookies), "one rotation: one durable commit", least
                ),
                Contender(Part.LIMIT, least, commit_and_sign, note),
            ),
            sizes.disk,
            _MILLISECONDS,
        )
    target = (Target(_OURS, 2, least),)
    return Row(
        "renew-token-cookie", "Renewal inside a request, token-cookie", Unit.MILLISECONDS, entries, target
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
