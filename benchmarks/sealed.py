"""Rows about the sealed cookie: known, seen for the first time, and made, beside a JWE library and a signed cookie."""

import hashlib
import json
from collections.abc import Mapping
from itertools import cycle
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measuring import Contender, Part, race
from benchmarks.results import Row, Target, Unit
from benchmarks.rivals import NO_REVOCATION, JoserfcBox, SignedSession
from benchmarks.sizes import Sizes
from benchmarks.world import LIVE_FACTS, OUR_NOTE, World, forgetful_guard, world
from gatepost.carriers.presented import SealedCookie
from gatepost.carriers.sealed import open_session, seal_session

_MICROSECONDS: Final = 1e6
_TAKING_TURNS: Final = 16
_RAW: Final = "AES-256-GCM alone"
_JWE: Final = "joserfc, JWE"
_SIGNED: Final = "Starlette SessionMiddleware"
_JWE_NOTE: Final = f"dir, A256GCM, the same contents as JSON; no time is checked, {NO_REVOCATION}"
_SIGNED_NOTE: Final = f"itsdangerous over the same contents as JSON in base64: readable, and {NO_REVOCATION}"
_RAW_NOTE: Final = "of the same contents, packed; no text is read or written"


def sealed(sizes: Sizes) -> tuple[Row, ...]:
    """A cookie that is known, one that is opened, one that is made."""
    with world(facts=LIVE_FACTS) as w:
        return (_known(w, sizes), _opened(w, sizes), _made(w, sizes))


class _Contents:
    """One session's contents in every form."""

    def __init__(self, w: World) -> None:
        ring, issuer = w.authority.ring, w.authority.settings.issuer
        self.key = ring.sealing
        self.ours = open_session(w.sealed.value, ring.opening, issuer).contents
        self.packed = msgspec.msgpack.encode(self.ours)
        self.plain: Mapping[str, Any] = json.loads(msgspec.json.encode(self.ours))
        self.jwe, self.signed = JoserfcBox(self.key.raw), SignedSession()


def _rivals(of: _Contents) -> tuple[Contender, ...]:
    """Both reading what they have made."""
    boxed, signed = of.jwe.seal(of.plain), of.signed.seal(of.plain)
    return (
        Contender(Part.RIVAL, _JWE, lambda: of.jwe.open(boxed), _JWE_NOTE, _RAW),
        Contender(Part.RIVAL, _SIGNED, lambda: of.signed.open(signed), _SIGNED_NOTE),
    )


def _decrypting(of: _Contents) -> Contender:
    box, nonce, header = AESGCM(of.key.raw), bytes(12), of.key.header.encode()
    made = box.encrypt(nonce, of.packed, header)
    return Contender(Part.LIMIT, _RAW, lambda: box.decrypt(nonce, made, header), _RAW_NOTE)


def _known(w: World, sizes: Sizes) -> Row:
    check, cookie, of = w.authority.guard.check, w.sealed, _Contents(w)
    record = {hashlib.sha256(cookie.value.encode()).digest(): check(cookie)}
    limit = "digest and dictionary"
    entries = race(
        (
            Contender(Part.OURS, "Guard.check", lambda: check(cookie), OUR_NOTE, limit),
            Contender(
                Part.LIMIT,
                limit,
                lambda: record[hashlib.sha256(cookie.value.encode()).digest()],
                "checks nothing",
            ),
            _decrypting(of),
            *_rivals(of),
        ),
        sizes.memory,
        _MICROSECONDS,
    )
    return Row(
        "known-sealed",
        f"Known sealed cookie ({len(cookie.value)} bytes)",
        Unit.MICROSECONDS,
        entries,
        (Target("Guard.check", 3, limit),),
    )


def _opened(w: World, sizes: Sizes) -> Row:
    of, guard, ring, issuer = (
        _Contents(w),
        forgetful_guard(w.authority),
        w.authority.ring,
        w.authority.settings.issuer,
    )
    randomness = w.authority.identifiers.randomness
    cookies = [seal_session(of.ours, of.key, randomness).reveal() for _ in range(_TAKING_TURNS)]
    presented, turns = cycle(map(SealedCookie, cookies)), cycle(cookies)
    entries = race(
        (
            Contender(Part.OURS, "Guard.check", lambda: guard.check(next(presented)), OUR_NOTE, _RAW),
            Contender(
                Part.OURS,
                "open_session",
                lambda: open_session(next(turns), ring.opening, issuer),
                "as it is read for its contents: opened and every field checked",
                _RAW,
            ),
            _decrypting(of),
            *_rivals(of),
        ),
        sizes.memory,
        _MICROSECONDS,
    )
    return Row("new-sealed", "Sealed cookie seen for the first time", Unit.MICROSECONDS, entries)


def _made(w: World, sizes: Sizes) -> Row:
    of, randomness = _Contents(w), w.authority.identifiers.randomness
    box, header = AESGCM(of.key.raw), of.key.header.encode()
    entries = race(
        (
            Contender(Part.OURS, "seal_session", lambda: seal_session(of.ours, of.key, randomness), "", _RAW),
            Contender(
                Part.LIMIT,
                _RAW,
                lambda: box.encrypt(randomness.bytes(12), of.packed, header),
                "with 12 random bytes; " + _RAW_NOTE,
            ),
            Contender(Part.RIVAL, _JWE, lambda: of.jwe.seal(of.plain), _JWE_NOTE, _RAW),
            Contender(Part.RIVAL, _SIGNED, lambda: of.signed.seal(of.plain), _SIGNED_NOTE),
        ),
        sizes.memory,
        _MICROSECONDS,
    )
    return Row("seal", "Sealing a cookie", Unit.MICROSECONDS, entries)
