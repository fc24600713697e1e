"""Forged sealed cookies over HTTP (F8): sealed with the server's own key, and wrong in one thing only.

Without the key there is nothing to forge but noise; what a thief of the key can do is in `test_stolen_key.py`. None is
believed and nothing is given in exchange.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.sealed import SealingKey
from gatepost.core.secrets import encode
from gatepost.core.sessions import Carrier
from gatepost.machine import SystemRandomness
from tests.attacks.targets import Target, text_of

NONCE = b"n" * 12


@pytest.fixture
def genuine(es256: Target) -> str:
    """A sealed cookie of the member."""
    value = es256.cookies[Carrier.SEALED]
    assert es256.in_cookie(value, "sealed").status == 200
    return value


def require_worthless(target: Target, value: str) -> None:
    """Fail if a cookie is believed, or anything is given for it."""
    reply = target.in_cookie(value, "sealed")
    assert (reply.status, reply.json["code"], reply.cookies) == (401, "invalid_token", ()), value


def plain_of(key: SealingKey, value: str) -> bytes:
    """What is in a genuine cookie."""
    header, _, nonce, box, tag = value.split(".")
    both = decode_strictly(box) + decode_strictly(tag)
    return AESGCM(key.raw).decrypt(decode_strictly(nonce), both, header.encode())


def sealed(key: SealingKey, plain: bytes, header: Any = None, nonce: bytes = NONCE) -> str:
    """What whoever has the key makes of any bytes, under any header."""
    segment = key.header if header is None else encode(text_of(header))
    box = AESGCM(key.raw).encrypt(nonce, plain, segment.encode())
    return f"{segment}..{encode(nonce)}.{encode(box[:-16])}.{encode(box[-16:])}"


def other_headers(key: SealingKey) -> Iterator[dict[str, Any]]:
    """Headers that our key does not write."""
    header = msgspec.json.decode(decode_strictly(key.header))
    for name, values in {
        "alg": ("none", "DIR", "A256KW", "PBES2-HS256+A128KW", ["dir"]),
        "enc": ("A128GCM", "A256CBC-HS512", "none"),
        "typ": ("at+jwt", "JWT", "JWE", ""),
        "kid": ("", "other", "../" + key.kid, key.kid + "\0", [key.kid], "k" * 600),
    }.items():
        yield from ({**header, name: value} for value in values)
        yield {member: value for member, value in header.items() if member != name}
    extra: tuple[dict[str, Any], ...] = ({"zip": "DEF"}, {"crit": ["exp"]}, {"p2c": 2**31}, {"cty": "JWT"})
    yield from ({**header, **more} for more in extra)
    yield dict(reversed(header.items()))


def test_a_sealed_cookie_under_another_header_is_refused(es256: Target, genuine: str) -> None:
    """Everything else is genuine, so only the header can be the reason; under our own header it is believed."""
    key = es256.authority.ring.sealing
    plain = plain_of(key, genuine)
    assert es256.in_cookie(sealed(key, plain), "sealed").status == 200
    for header in other_headers(key):
        require_worthless(es256, sealed(key, plain, header))


def test_a_sealed_cookie_has_one_text(es256: Target, genuine: str) -> None:
    """The border between box and tag stays, a nonce has 96 bits, the place of the key is empty, no bit is stray."""
    key = es256.authority.ring.sealing
    header, _, nonce, box, tag = genuine.split(".")
    both = decode_strictly(box) + decode_strictly(tag)
    for place in (0, 1, 12, 15, 17, 32):
        cut = len(both) - place
        require_worthless(es256, f"{header}..{nonce}.{encode(both[:cut])}.{encode(both[cut:])}")
    for size in (8, 9, 13, 16, 32):
        require_worthless(es256, sealed(key, plain_of(key, genuine), nonce=b"n" * size))
    for text in (
        f"{header}.AAAA.{nonce}.{box}.{tag}",
        f"{header}.{nonce}.{box}.{tag}",
        f"{genuine}.",
        f"{genuine}==",
    ):
        require_worthless(es256, text)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in set(alphabet) - {genuine[-1]}:
        require_worthless(es256, genuine[:-1] + letter)


def test_a_sealed_cookie_of_another_installation_is_refused(es256: Target, genuine: str) -> None:
    """Of a stranger's key with our key's name, and of another issuer that was given our very key."""
    key = es256.authority.ring.sealing
    plain = plain_of(key, genuine)
    require_worthless(es256, sealed(SealingKey(key.kid, SystemRandomness().bytes(32)), plain))
    for issuer in ("https://auth.example.org", es256.claims["iss"] + "/", es256.claims["iss"].upper()):
        contents = msgspec.msgpack.decode(plain) | {"iss": issuer}
        require_worthless(es256, sealed(key, msgspec.msgpack.encode(contents)))


def test_the_secret_in_a_sealed_cookie_is_no_opaque_cookie(es256: Target, genuine: str) -> None:
    """The record keeps its digest where those of opaque cookies are looked up, but not the same digest."""
    secret = es256.authority.sealed.read(genuine).secret
    assert es256.in_cookie(secret, "").status == 401


def test_contents_that_are_not_those_of_a_session_are_refused(es256: Target, genuine: str) -> None:
    """Members missing, added or of another kind, other formats, depth and nothing at all: 401 and never a 5xx."""
    key = es256.authority.ring.sealing
    plain = plain_of(key, genuine)
    contents = msgspec.msgpack.decode(plain)
    for name in contents:
        rest = {member: value for member, value in contents.items() if member != name}
        require_worthless(es256, sealed(key, msgspec.msgpack.encode(rest)))
        for value in (1.5, -1, [1], b"x"):
            require_worthless(es256, sealed(key, msgspec.msgpack.encode(contents | {name: value})))
    deep = msgspec.msgpack.encode(contents | {"data": {"a": "hole"}}).replace(
        b"\xa4hole", b"\x91" * 1500 + b"\x90"
    )
    for strange in (b"", b"\xc1", plain[:-1], plain + b"\0", deep, msgspec.json.encode(contents["data"])):
        require_worthless(es256, sealed(key, strange))
    require_worthless(es256, sealed(key, msgspec.msgpack.encode(contents | {"admin": True})))
