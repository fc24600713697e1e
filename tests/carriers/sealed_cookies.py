"""Sealed cookies for tests: genuine ones, and those that somebody who had our key would make.

Owns no tests. Called by the tests of the sealed cookie.
"""

import json
from datetime import timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatepost.carriers.sealed import SealedSession, SealingKey, SealingTerms, open_session, seal_session
from gatepost.core.secrets import Secret, encode
from gatepost.core.sessions import Session
from gatepost.errors import Malformed
from gatepost.testing.randomness import SeededRandomness
from tests.builders import ISSUER, LIMITS, NOW, make_view

HORIZON = timedelta(minutes=10)
TERMS = SealingTerms(ISSUER, LIMITS, HORIZON)
KEY = SealingKey("key-1", b"k" * 32)
OPENING = {KEY.header: KEY}
SECRET = Secret(encode(b"s" * 32))
RANDOM = SeededRandomness(7)
HEADER = {"alg": "dir", "enc": "A256GCM", "kid": "key-1", "typ": "gatepost-session+jwe"}


def contents(session: Session | None = None, **changes: Any) -> SealedSession:
    """What a cookie of a session, `ada`'s by default, sealed at `NOW` holds."""
    return msgspec.structs.replace(SealedSession.of(make_view(session), SECRET, TERMS, NOW), **changes)


def sealed(what: SealedSession | None = None, key: SealingKey = KEY) -> str:
    """The text of a cookie."""
    return seal_session(what or contents(), key, RANDOM).reveal()


def forged(plain: bytes, header: dict[str, str] | None = None, nonce: bytes = b"n" * 12) -> str:
    """What somebody who had our key would make of any bytes, under any header."""
    segment = encode(json.dumps(HEADER if header is None else header, separators=(",", ":")).encode())
    box = AESGCM(KEY.raw).encrypt(nonce, plain, segment.encode())
    return f"{segment}..{encode(nonce)}.{encode(box[:-16])}.{encode(box[-16:])}"


def refused(text: str) -> bool:
    """Whether a text is refused, in the one way there is."""
    try:
        open_session(text, OPENING, ISSUER)
    except Malformed:
        return True
    return False
