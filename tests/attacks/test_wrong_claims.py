"""Tokens that the server's own key has signed, wrong in one claim only (R11): each is refused as if it were a forgery.

Only whoever has the key can make one, and then much more (`test_stolen_key.py`). They show what a reader would let pass
that believes a signature alone.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gatepost.core.secrets import encode
from tests.attacks.targets import Target, signature_of, text_of

REQUIRED = ("iss", "sub", "aud", "client_id", "iat", "exp", "auth_time", "jti", "sid", "roles", "pos")
TEXTS = ("iss", "sub", "client_id", "jti", "sid")
NUMBERS = ("iat", "exp", "auth_time", "pos")
STRANGE: tuple[Any, ...] = (None, True, False, [], {}, [[]], [1], [None], {"$ne": None}, "", 1.5, -1)
FAR = 253_402_300_800
"""The first second of the year 10000."""


def changed(target: Target, **changes: Any) -> str:
    """A genuinely signed token with these claims changed; `...` takes one out."""
    claims = {name: value for name, value in {**target.claims, **changes}.items() if value is not ...}
    return target.forge(claims=claims)


def spelled(target: Target, name: str, value: str) -> str:
    """A genuinely signed token with one claim written in JSON just so."""
    payload = text_of({**target.claims, name: "hole"}).replace(b'"hole"', value.encode())
    return target.forge(claims=payload)


def test_every_claim_is_required(target: Target) -> None:
    """RFC 9068 section 2.2, and those by which a token is ended."""
    assert set(REQUIRED) == set(target.claims)
    for name in REQUIRED:
        target.require_refused(changed(target, **{name: ...}))


def test_a_claim_of_another_type_is_refused(target: Target) -> None:
    """Nothing is bent into what it should be: no number from a text, no text from a list, nothing empty."""
    for name in REQUIRED:
        for value in STRANGE:
            if value != [] or name not in {"roles", "aud"}:
                target.require_refused(changed(target, **{name: value}))
    for name in TEXTS:
        for value in (0, 1, ["ada"], "x" * 513):
            target.require_refused(changed(target, **{name: value}))
    for value in ("admin", ["member", 1], {"admin": True}, ["member", None], [["admin"]]):
        target.require_refused(changed(target, roles=value))


def test_a_time_that_is_no_whole_number_in_range_is_refused(target: Target) -> None:
    """Floats, texts, negative, beyond the calendar, NaN, infinite, of five thousand digits."""
    for name in NUMBERS:
        now = target.claims[name]
        values = [
            f"{now}.5",
            f'"{now}"',
            f"-{now + 1}",
            f"{2**53}",
            f"{2**63}",
            f"{2**64 + now}",
            "1e400",
            "-1e400",
        ]
        values += ["NaN", "Infinity", "-Infinity", "0x7fffffff", f"+{now}", f"0{now}", f"{now}n", "9" * 5000]
        values += ["1" + "0" * 5000, "1e5000", f"{now}e1000", "0.0000001", "nan", "null", "true", f"[{now}]"]
        for value in values:
            target.require_refused(spelled(target, name, value))
    for name in ("iat", "exp", "auth_time"):
        target.require_refused(changed(target, **{name: FAR}))


def test_a_token_whose_time_is_over_is_turned_away(target: Target) -> None:
    """Long ago, at the epoch, a second ago, and at this very second (RFC 7519 section 4.1.4)."""
    now = int(target.authority.clock.now().timestamp())
    for expired in (0, 1, now - 86_400, now - 1, now):
        target.require_turned_away(changed(target, exp=expired))
    for spelling in (f"{now - 60}.0", f"{now - 60}e0", f"{(now - 60) * 10}e-1"):
        target.require_turned_away(spelled(target, "exp", spelling))


def test_a_token_from_the_future_is_turned_away(target: Target) -> None:
    """Issued more than five minutes from now: one of the clocks was set. Less is two clocks that differ."""
    now = int(target.authority.clock.now().timestamp())
    for issued in (now + 330, now + 86_400, FAR - 1):
        target.require_turned_away(changed(target, iat=issued))
    target.require_accepted(changed(target, iat=now + 240))


def test_a_token_for_others_is_turned_away(target: Target) -> None:
    """The issuer has to stand in the list of audiences, whole and letter by letter; a text is no list."""
    ours = target.claims["iss"]
    near = (
        ours + "/",
        ours[:-1],
        ours.upper(),
        ours + "x",
        " " + ours,
        "//" + ours.partition("//")[2],
        "*",
        "http://*",
    )
    lists = [[one] for one in near] + [
        ["orders"],
        ["orders", "stock"],
        list(near),
        [f"orders {ours}"],
        [f"{ours},orders"],
    ]
    for audiences in lists:
        target.require_turned_away(changed(target, aud=audiences))
    for strange in (ours, "*", [ours, 1], [[ours]], {ours: 1}, {"0": ours}, [ours, ""], [ours, None], []):
        target.require_turned_away(changed(target, aud=strange))
    target.require_accepted(changed(target, aud=["orders", ours]))


def test_a_token_of_an_issuer_that_is_nearly_ours_is_turned_away(target: Target) -> None:
    """One slash, another case, port, scheme or letter that looks alike: it is somebody else."""
    ours = target.claims["iss"]
    near = [
        ours + "/",
        ours + "/.",
        ours + "?",
        ours + "#",
        ours.upper(),
        ours[:-1],
        ours + "0",
        " " + ours,
        ours + " ",
    ]
    near += [
        ours.replace("localhost", name)
        for name in ("127.0.0.1", "LOCALHOST", "localhost.", "[::1]", "loc\u0430lhost")
    ]
    near += [
        ours.replace("http:", "https:"),
        ours.replace("//", "//ours@"),
        ours.partition("//")[2],
        "\u200b" + ours,
    ]
    near += [
        f"http://evil.example/{ours}",
        ours.replace("localhost", "localhost%00"),
        ours + "\0",
        "null",
        "*",
    ]
    for issuer in near:
        target.require_turned_away(changed(target, iss=issuer))


def duplicates(target: Target) -> Iterator[bytes]:
    """Payloads in which a member stands twice, the right one first or last, or spelled in another way."""
    text = text_of(target.claims)
    strange = {
        "roles": b'["admin"]',
        "sub": b'"root"',
        "exp": b"9999999999",
        "aud": b'["orders"]',
        "pos": b"9",
    }
    for name, value in strange.items():
        member = b'"%s":' % name.encode()
        yield b"{" + member + value + b"," + text[1:]
        yield text[:-1] + b"," + member + value + b"}"
        escaped = b'"\\u%04x%s":' % (ord(name[0]), name[1:].encode())
        yield b"{" + escaped + value + b"," + text[1:]
        yield text[:-1] + b"," + escaped + value + b"}"
    yield text[:-1] + b"," + text[1:]
    yield text[:-1] + b',"x":{"a":1,"a":2}}'


def test_a_member_that_stands_twice_is_refused(target: Target) -> None:
    """Otherwise two readers of one token would see two people (RFC 8725 section 2.4, RFC 7515 section 4)."""
    for payload in duplicates(target):
        target.require_refused(target.forge(claims=payload))


def test_a_payload_that_is_not_the_json_of_claims_is_refused(target: Target) -> None:
    """Other JSON, broken JSON, other encodings, depth, and members that no reader agrees about."""
    text = text_of(target.claims)
    payloads = [
        *(b"", b" ", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"{]", b"\0", b"\xff\xfe", b"true"),
        *(
            text[:-1],
            text[1:],
            text + b"}",
            text + text,
            text + b",",
            text + b"\0",
            text + b"//",
            b"[" + text + b"]",
        ),
        *(
            b"\xef\xbb\xbf" + text,
            text.decode().encode("utf-16"),
            text.decode().encode("utf-32"),
            text + b"\xc0\x80",
        ),
        text.replace(b'"', b"'"),
        text[:-1] + b",}",
        text[:-1] + b',"x":NaN}',
        text[:-1] + b',"x":-Infinity}',
        text[:-1] + b',"x":' + b"9" * 5000 + b"}",
        text[:-1] + b',"x":01}',
        text[:-1] + b',"x":"\\ud800"}',
        text[:-1] + b',"\\udfff":1}',
        text[:-1] + b',"x":"\xed\xa0\x80"}',
        text[:-1] + b',"x":"\xff"}',
        text[:-1] + b',"x":"\t"}',
        text[:-1] + b',"x":' + b"[" * 2500 + b"]" * 2500 + b"}",
        json.dumps(text.decode()).encode(),
        encode(text).encode(),
    ]
    for payload in payloads:
        target.require_refused(target.forge(claims=payload))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_no_header_could_carry_is_no_more_than_refused(target: Target, name: str) -> None:
    """Control characters, surrogates, names of other things: wherever they lead, no answer fails or says more."""
    nasty = [
        "\0",
        "a\r\nX-Auth-Roles: admin",
        "\x1b[2J",
        "../root",
        "' OR 1=1 --",
        "\u202eadmin",
        "\U0001f511",
        "a" * 512,
    ]
    for value in nasty:
        token = changed(target, **{name: value})
        for way in (target.at_gateway, target.at_session, target.in_cookie, target.asked_about):
            reply = way(token)
            assert reply.status in {200, 204, 401}
            assert b"\nX-Auth-Roles" not in reply.body
    for spelling in (b'"\\ud800"', b'"\\udc00x"', b'"\xed\xa0\x80"'):
        text = text_of({**target.claims, name: "hole"}).replace(b'"hole"', spelling)
        target.require_refused(target.forge(claims=text))


def test_what_nobody_reads_changes_nothing(target: Target) -> None:
    """Claims that are not on the allow-list give nothing: no role, no permission, no other person."""
    more = {
        "admin": True,
        "permissions": ["*"],
        "scope": "admin",
        "role": "admin",
        "email": "root@example.com",
    }
    token = changed(target, **more, **{"x-roles": ["admin"], "amr": ["mfa"], "act": {"sub": "root"}})
    target.require_accepted(token)
    said = target.at_session(token).json["account"]
    assert said == target.at_session(target.issued.access).json["account"]
    assert target.get("/api/admin/accounts", {"Authorization": f"Bearer {token}"}).status == 403


def test_a_signature_over_other_segments_is_refused(target: Target) -> None:
    """Signed were the bytes and not the texts, the payload alone, or with another sign between the two."""
    header, payload, _ = target.issued.access.split(".")
    for signed in (
        payload,
        header,
        f"{header}{payload}",
        f"{header}:{payload}",
        f"{payload}.{header}",
        f"{header}.{payload}.",
    ):
        target.require_refused(f"{header}.{payload}.{encode(signature_of(target.key, signed))}")
