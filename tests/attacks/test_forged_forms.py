"""Access tokens of a forged form or signature, over HTTP, for each algorithm (F8, RFC 7515, RFC 8725).

Other serializations and encodings of genuine tokens, signatures that only look like one, and those of other keys. Each
is shown as a bearer token and in a cookie, and asked about; it must get what garbage gets, letter by letter.
"""

import json
import zlib
from collections.abc import Iterator

from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.jws import LONGEST
from gatepost.core.secrets import encode
from tests.attacks.signatures import P256_ORDER, second_form, strange_key, tricks
from tests.attacks.targets import Target, text_of


def encrypted(target: Target) -> Iterator[str]:
    """Compact JWEs of five segments that cost whoever opens them dear."""
    bomb = encode(zlib.compress(b"0" * 4_000_000)[2:-4])
    for header in (
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31 - 1, "p2s": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 10**18, "p2s": "AA", "zip": "DEF"},
        {"alg": "RSA1_5", "enc": "A128CBC-HS256"},
        {"alg": "RSA-OAEP", "enc": "A256GCM"},
        {"alg": "ECDH-ES", "enc": "A256GCM", "epk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}},
        {"alg": "A256KW", "enc": "A256GCM"},
        {**target.header, "enc": "A256GCM", "zip": "DEF"},
    ):
        for key in ("", "A" * 342):
            yield f"{encode(text_of(header))}.{key}.{'A' * 16}.{bomb}.{'A' * 22}"
            yield f"{target.key.verifying.header('at+jwt')}.{key}.{'A' * 16}.{bomb}.{'A' * 22}"


def test_an_encrypted_token_is_refused_and_costs_nothing(target: Target) -> None:
    """Zip bombs, PBES2 with thousands of millions of rounds, invalid curves: five segments are not three."""
    for token in encrypted(target):
        target.require_refused(token)


def other_forms(target: Target) -> Iterator[str]:
    """What is not three segments of base64url within the limit."""
    header, payload, signature = target.parts
    token = target.issued.access
    yield json.dumps({"payload": payload, "protected": header, "signature": signature})
    signed = {"protected": header, "signature": signature}
    yield json.dumps({"payload": payload, "signatures": [signed]})
    yield json.dumps({"payload": payload, "signatures": [signed, {"protected": "", "signature": ""}]})
    yield json.dumps({"x": token})
    # One text that is compact to one reader and JSON to another.
    yield f'{{"protected":"{header}"}}.{payload}.{signature}'
    yield f'{header}.{payload}.{signature}{{"payload":"{payload}"}}'
    yield from (".", "..", "...", "....", "A", "A.A.A", "=.=.=", "*", "null", "undefined", "true")
    yield from (f"{token}.", f".{token}", f"{token}.{signature}", f"{token}.{payload}.{signature}")
    yield from (f"{payload}.{header}.{signature}", f"{header}.{signature}.{payload}", token[:-1], token[1:])
    yield from (
        token.upper(),
        token.lower(),
        token.swapcase(),
        token[::-1],
        f"Bearer {token}",
        f"{token} {token}",
    )
    yield from (f"{token},{token}", f'"{token}"', f"'{token}'", f"<{token}>", f"{token}#x", f"{token}?x=1")
    yield ".".join(["A"] * 100)
    yield "." * 8000
    yield f"{token}{'A' * (LONGEST + 1 - len(token))}"
    yield "A" * 20_000


def test_only_the_compact_form_of_three_segments_is_read(target: Target) -> None:
    """JSON serialisations, segments missing, added or exchanged, a hundred of them, and anything too long."""
    for token in other_forms(target):
        target.require_refused(token)


def test_a_token_of_more_than_8192_characters_is_refused(target: Target) -> None:
    """A genuine signature over it changes nothing; of 8,192 and fewer it is accepted."""
    lengths = set()
    for pad in range(5000, 6200):
        token = target.forge(claims={**target.claims, "x": "p" * pad})
        if LONGEST - 2 <= len(token) <= LONGEST + 2:
            lengths.add(len(token))
            assert target.at_gateway(token).status == (204 if len(token) <= LONGEST else 401)
    assert min(lengths) <= LONGEST < max(lengths)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FILLERS = ("\n", "\r\n", " ", "\t", "=", "\0", "!", "+", "/", "\\", '"', "\\n", "\u00a0", "\uff21", ".")
BLANKS = (" ", "\t", "\n", "\r\n", "\0", "\x0b", "\u00a0", "\u2028", "\ufeff")
ALIKE = {
    "A": "\uff21",
    "a": "\u0430",
    "e": "\u0435",
    "I": "\u0406",
    "0": "\uff10",
    "s": "\u017f",
    "K": "\u212a",
}


def mangled(segment: str) -> Iterator[str]:
    """Other texts that a lenient reader takes for this segment."""
    yield from (f"{segment}=", f"{segment}==", f"{segment}A", f"{segment}%3D", f"={segment}", f"A{segment}")
    yield from (segment[:-1] + letter for letter in ALPHABET if letter != segment[-1])
    standard = segment.replace("-", "+").replace("_", "/")
    yield from [standard] if standard != segment else []
    yield from (segment[:20] + filler + segment[20:] for filler in FILLERS)
    yield from (segment.replace(plain, like, 1) for plain, like in ALIKE.items() if plain in segment)


def re_encodings(target: Target) -> Iterator[str]:
    """The same of a whole token, and with blanks around it."""
    token = target.issued.access
    for blank in BLANKS:
        yield from (f"{token}{blank}", f"{blank}{token}", f"{blank}{token}{blank}")
    for at, segment in enumerate(target.parts):
        for text in mangled(segment):
            parts = list(target.parts)
            parts[at] = text
            yield ".".join(parts)


def test_a_token_has_one_text(target: Target) -> None:
    """Padding, stray bits, the other alphabet, blanks, escapes and letters that only look alike."""
    for token in re_encodings(target):
        target.require_refused(token)


def test_no_trick_of_the_algorithm_makes_a_signature(target: Target) -> None:
    """Zeros, orders, DER, small order, cofactor, PSS, padding, truncated MACs: see tests/attacks/signatures.py."""
    header, payload, _ = target.parts
    for signature in tricks(target, f"{header}.{payload}"):
        target.require_refused(f"{header}.{payload}.{encode(signature)}")


def test_the_second_form_of_an_ecdsa_signature_ends_with_the_first(es256: Target) -> None:
    """`(r, n - s)` is accepted, by the nature of ECDSA; it is the same `jti`, so ending one ends both."""
    target = es256
    access = target.issue().access
    header, payload, signature = access.split(".")
    r, s = (int.from_bytes(decode_strictly(signature)[at : at + 32], "big") for at in (0, 32))
    twin = f"{header}.{payload}.{encode(r.to_bytes(32, 'big') + (P256_ORDER - s).to_bytes(32, 'big'))}"
    another = f"{header}.{payload}.{encode(second_form(target, f'{header}.{payload}'))}"
    for token in (access, twin, another):
        target.require_accepted(token)
    assert target.ended_by_its_holder(twin).status == 200
    for token in (
        access,
        twin,
        another,
        f"{header}.{payload}.{encode(second_form(target, f'{header}.{payload}'))}",
    ):
        assert target.at_gateway(token).status == 401
        assert target.asked_about(token).json == {"active": False}


def test_a_signature_belongs_to_its_token_alone(target: Target) -> None:
    """Parts of two genuine tokens cannot be mixed, nor can claims be changed under a genuine signature."""
    header, payload, signature = target.parts
    _, other_payload, other_signature = target.issue().access.split(".")
    for token in (f"{header}.{payload}.{other_signature}", f"{header}.{other_payload}.{signature}"):
        target.require_refused(token)
    for change in ({"roles": ["admin"]}, {"sub": "root"}, {"exp": target.claims["exp"] + 1}, {}):
        changed = encode(json.dumps({**target.claims, **change}).encode())
        target.require_refused(f"{header}.{changed}.{signature}")


def test_a_token_of_another_installation_is_refused(target: Target) -> None:
    """Its key is genuine, its issuer may even say that it is ours, and its kid may be ours."""
    theirs = strange_key(target.algorithm, "theirs")
    ours = strange_key(target.algorithm, target.key.verifying.kid)
    for key, header in ((theirs, {**target.header, "kid": "theirs"}), (ours, target.header)):
        target.require_refused(target.forge(header, key=key))
        for issuer in ("https://auth.example.org", "http://localhost:1"):
            target.require_refused(target.forge(header, {**target.claims, "iss": issuer}, key))


def test_another_key_of_ours_cannot_sign_in_the_name_of_the_active_one(target: Target) -> None:
    """The next key signs under the header of the active one: the name decides which key must fit."""
    names = {key.id for key in target.authority.keys.listed() if key.algorithm == target.algorithm}
    other = target.opened((names - {target.key.verifying.kid}).pop())
    target.require_refused(target.forge(key=other))
    _, payload, signature = target.parts
    target.require_refused(f"{other.verifying.header('at+jwt')}.{payload}.{signature}")
