"""Rows about the check itself: known and unknown cookies and tokens, beside their limits and the libraries."""

import hashlib
import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any, Final

import jwt
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from itsdangerous import TimestampSigner
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from benchmarks.measuring import Contender, Part, Work, race
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import World, fill, forgetful_guard, fresh_tokens, world
from gatepost.carriers.jws import VerifyingKey, decode_segment, parse_compact
from gatepost.carriers.presented import Bearer, OpaqueCookie
from gatepost.core.secrets import digest

MICROSECONDS: Final = 1e6
_FOURTEEN_DAYS: Final = 14 * 24 * 3600
_LIVE_FACTS: Final = 10_000
_TAKING_TURNS: Final = 16
_OUR_NOTE: Final = "revocation (10,000 live facts), expiry, lease and roles are all checked"
_NO_REVOCATION: Final = "nobody can end what it accepts"


def known_cookie(sizes: Sizes) -> Row:
    """A session cookie that this process has seen before."""
    with world(facts=_LIVE_FACTS) as w:
        check, cookie = w.authority.guard.check, w.cookie
        check(cookie)
        value = cookie.value
        record = {hashlib.sha256(value.encode()).digest(): check(cookie)}
        signer = TimestampSigner("a secret of the application")
        signed = signer.sign(b64encode(json.dumps({"account": 1, "cart": []}).encode()))
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: check(cookie), _OUR_NOTE),
                Contender(
                    Part.LIMIT,
                    "digest and dictionary",
                    lambda: record[hashlib.sha256(value.encode()).digest()],
                    "checks nothing",
                ),
                Contender(
                    Part.RIVAL,
                    "Starlette SessionMiddleware",
                    lambda: json.loads(b64decode(signer.unsign(signed, max_age=_FOURTEEN_DAYS))),
                    f"what it does to read its signed cookie; {_NO_REVOCATION}, and its content is readable",
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


def known_token(sizes: Sizes) -> Row:
    """An access token that this process has seen before."""
    with world(facts=_LIVE_FACTS) as w:
        check, bearer = w.authority.guard.check, w.bearer
        token = bearer.token
        record = {token: check(bearer)}
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: check(bearer), _OUR_NOTE),
                Contender(Part.LIMIT, "dictionary hit", lambda: record[token], "checks nothing"),
                *_rivals(w, lambda: token),
            ),
            sizes.memory,
            MICROSECONDS,
        )
    return Row(
        "known-token",
        "Known access token",
        Unit.MICROSECONDS,
        entries,
        (Target("Guard.check", 3), Target("Guard.check", 1 / 50, "PyJWT")),
        "the libraries have no memory and verify the signature again.",
    )


def new_token(sizes: Sizes) -> Row:
    """An access token that is seen for the first time."""
    with world(facts=_LIVE_FACTS) as w:
        tokens = fresh_tokens(w, _TAKING_TURNS)
        guard = forgetful_guard(w.authority)
        bearers = cycle([Bearer(token) for token in tokens])
        turns = cycle(tokens)
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: guard.check(next(bearers)), _OUR_NOTE),
                Contender(
                    Part.LIMIT,
                    "cryptography verify",
                    _raw_verify(w, tokens),
                    "the signature alone, already decoded; no claim is read",
                ),
                *_rivals(w, lambda: next(turns)),
            ),
            sizes.memory,
            MICROSECONDS,
        )
    return Row(
        "new-token",
        "Access token seen for the first time (ES256)",
        Unit.MICROSECONDS,
        entries,
        (Target("Guard.check", 1.25, "cryptography verify"),),
    )


def new_session(sizes: Sizes) -> Row:
    """A session cookie that is seen for the first time, on SQLite."""
    with world(facts=_LIVE_FACTS) as w:
        cookies = fill(w.authority, sizes.sessions)
        guard = forgetful_guard(w.authority)
        presented = _spread([OpaqueCookie(cookie) for cookie in cookies])
        handles = _spread([digest(cookie) for cookie in cookies])
        file = w.authority.settings.database_file
        connection = sqlite3.connect(f"{file}")
        engine = sa.create_engine(f"sqlite:///{file}")
        entries = race(
            (
                Contender(Part.OURS, "Guard.check", lambda: guard.check(next(presented)), _OUR_NOTE),
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
                    f"the same row through a connection pool; decides nothing, {_NO_REVOCATION} without a write",
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


def _raw_verify(w: World, tokens: list[str]) -> Work:
    parsed = [parse_compact(token) for token in tokens]
    public = _key(w, tokens[0]).public
    algorithm = ECDSA(SHA256())
    pieces = cycle(
        [
            (_der(decode_segment(compact.signature)), f"{compact.header}.{compact.payload}".encode())
            for compact in parsed
        ]
    )

    def verify() -> None:
        signature, signed = next(pieces)
        public.verify(signature, signed, algorithm)

    return verify


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _key(w: World, token: str) -> VerifyingKey:
    return w.authority.ring.key_of(parse_compact(token))


def _rivals(w: World, token: Callable[[], str]) -> tuple[Contender, Contender]:
    issuer = w.authority.settings.issuer
    public = _key(w, w.bearer.token).public
    keys = KeySet.import_key_set(json.loads(w.authority.ring.jwks()))
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": issuer}
    )

    def by_joserfc() -> object:
        decoded = joserfc_jwt.decode(token(), keys, algorithms=["ES256"])
        claims.validate(decoded.claims)
        return decoded

    return (
        Contender(
            Part.RIVAL,
            "PyJWT",
            lambda: jwt.decode(token(), public, algorithms=["ES256"], audience=issuer, issuer=issuer),
            f"decode with issuer and audience, key at hand; {_NO_REVOCATION} before it expires",
        ),
        Contender(
            Part.RIVAL,
            "joserfc",
            by_joserfc,
            f"decode and validate, keys at hand; {_NO_REVOCATION} before it expires",
        ),
    )
