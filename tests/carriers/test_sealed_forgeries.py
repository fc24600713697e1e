"""Every text that is not a sealed cookie of ours is refused, in one way, whoever made it and with whichever key."""

from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.sealed import LONGEST, SealedSession, SealingKey, open_session
from gatepost.core.secrets import encode
from gatepost.errors import Malformed
from tests.builders import ISSUER, make_session
from tests.carriers.sealed_cookies import HEADER, KEY, OPENING, contents, forged, refused, sealed


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "A256KW"},
        HEADER | {"alg": "DIR"},
        HEADER | {"alg": "none"},
        HEADER | {"enc": "A128GCM"},
        HEADER | {"enc": "A256CBC-HS512"},
        HEADER | {"zip": "DEF"},
        HEADER | {"kid": "key-2"},
        HEADER | {"kid": "../key-1"},
        HEADER | {"typ": "at+jwt"},
        HEADER | {"typ": "JWE"},
        HEADER | {"crit": "exp"},
        HEADER | {"jku": "https://evil.example/keys"},
        HEADER | {"p2c": "4000000000"},
        dict(reversed(HEADER.items())),
        {name: HEADER[name] for name in ("alg", "enc", "kid")},
        {},
    ],
    ids=str,
)
def test_another_header_is_refused_even_when_all_else_is_genuine(header: dict[str, str]) -> None:
    """Sealed with our own key, opened by nobody: the header is looked up, not read."""
    plain = msgspec.msgpack.encode(contents())
    assert not refused(forged(plain))
    assert refused(forged(plain, header))


@pytest.mark.parametrize("issuer", ["https://auth.example.org", ISSUER + "/", ISSUER.upper()])
def test_a_cookie_of_another_issuer_is_refused(issuer: str) -> None:
    """Two installations that were given one key do not take each other's people."""
    with pytest.raises(Malformed):
        open_session(sealed(), OPENING, issuer)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda parts: parts[:4],
        lambda parts: [*parts, ""],
        lambda parts: parts[:3],
        lambda parts: [parts[0], *parts[2:]],
        lambda parts: [parts[0], "AAAA", *parts[2:]],
        lambda parts: [*parts[:2], "", *parts[3:]],
        lambda parts: [*parts[:2], parts[2] + "AAAA", *parts[3:]],
        lambda parts: [*parts[:3], "", parts[4]],
        lambda parts: [*parts[:4], ""],
        lambda parts: [*parts[:4], parts[4][:16]],
        lambda parts: [*parts[:3], parts[3] + parts[4], ""],
        lambda parts: [*parts[:4], parts[4] + "=="],
        lambda parts: [*parts[:4], parts[4].rstrip("AQgw") + "B"],
        lambda parts: [" " + parts[0], *parts[1:]],
        lambda parts: [*parts[:4], parts[4] + "\n"],
        lambda parts: [*parts[:3], parts[3][:-1] + "é", parts[4]],
        lambda parts: [*parts[:3], parts[3][:-1] + "\ud800", parts[4]],
        lambda parts: ["", "", "", "", ""],
        lambda parts: ["", ""],
        lambda parts: [""],
    ],
)
def test_any_other_form_is_refused(mangle: Callable[[list[str]], list[str]]) -> None:
    """Segments missing, added, empty, cut or padded: one refusal, nothing else is raised."""
    assert refused(".".join(mangle(sealed().split("."))))


def test_a_last_character_with_stray_bits_is_refused() -> None:
    """Otherwise one cookie would have several texts."""
    text = sealed()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [text[:-1] + letter for letter in alphabet if letter != text[-1]]
    assert all(refused(twin) for twin in twins)


@pytest.mark.parametrize("place", [0, 1, 15, 17, 32])
def test_the_border_between_box_and_tag_does_not_move(place: int) -> None:
    """The same bytes cut elsewhere are another text of the same cookie, and refused."""
    header, _, nonce, box, tag = sealed().split(".")
    both = decode_strictly(box) + decode_strictly(tag)
    cut = len(both) - place
    assert refused(f"{header}..{nonce}.{encode(both[:cut])}.{encode(both[cut:])}")
    assert not refused(f"{header}..{nonce}.{encode(both[:-16])}.{encode(both[-16:])}")


def test_a_nonce_of_another_length_is_refused() -> None:
    """Genuine in all else: GCM would take it, and hash it into one that nobody counts."""
    plain = msgspec.msgpack.encode(contents())
    assert refused(forged(plain, nonce=b"n" * 16))
    assert refused(forged(plain, nonce=b"n" * 9))


def test_a_signed_token_is_no_sealed_cookie() -> None:
    """Not one that our key authenticates, not under our very header, and no unsecured one."""
    token = jwt.encode({"sid": "session-1"}, KEY.raw, "HS256", headers={"kid": KEY.kid})
    assert refused(token)
    assert refused(".".join([KEY.header, *token.split(".")[1:]]))
    assert refused("eyJhbGciOiJub25lIn0.e30.")


@given(st.data())
def test_no_change_of_a_genuine_cookie_is_accepted(draw: st.DataObject) -> None:
    """A character replaced, put in, taken out, or two stretches exchanged: whatever differs is refused."""
    text = sealed()
    at = draw.draw(st.integers(0, len(text) - 1))
    to = draw.draw(st.integers(0, len(text) - 1))
    letter = draw.draw(st.one_of(st.sampled_from("Aw._-=+/ "), st.characters()))
    low, high = min(at, to), max(at, to)
    changed = draw.draw(
        st.sampled_from(
            [
                text[:at] + letter + text[at + 1 :],
                text[:at] + letter + text[at:],
                text[:at] + text[at + 1 :],
                text[high:] + text[low:high] + text[:low],
                text[:low] + text[low:high][::-1] + text[high:],
                text[low:high],
            ]
        )
    )
    assert changed == text or refused(changed)


@given(st.text(max_size=300))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Whatever a header carries is refused in the one way, also under our header."""
    assert refused(text)
    assert refused(f"{KEY.header}..{text}")


@given(st.binary(max_size=300))
def test_no_plain_text_makes_the_reader_fail(plain: bytes) -> None:
    """Not even of somebody who has the key."""
    assert refused(forged(plain))


def changed(**members: Any) -> bytes:
    """The plain text with members changed; `...` takes one out."""
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(contents())) | members
    return msgspec.msgpack.encode({name: value for name, value in plain.items() if value is not ...})


@pytest.mark.parametrize("name", SealedSession.__struct_fields__)
@pytest.mark.parametrize("value", [..., 1.5, -1, [1], b"x"], ids=repr)
def test_each_member_has_its_kind_and_is_required(name: str, value: object) -> None:
    """Sealed with the right key and still refused: none has a default, and no kind is bent into another."""
    assert refused(forged(changed(**{name: value})))


@pytest.mark.parametrize(
    "members",
    [
        {"admin": True},
        {"pos": "17"},
        {"pos": True},
        {"pos": 1 << 53},
        {"version": 1 << 53},
        {"sid": ""},
        {"iss": ""},
        {"sid": "x" * 513},
        {"secret": "s" * 42},
        {"secret": "s" * 44},
        {"started_at": "2026-11-21T12:00:00"},
        {"started_at": 1_795_262_400},
        {"account": {}},
        {"account": {"id": "ada", "email": "a@example.com", "email_verified": False}},
        {"account": {"id": "ada", "email": "a@example.com", "email_verified": 0, "roles": []}},
        {"account": {"id": "ada", "email": "a@example.com", "email_verified": False, "roles": "admin"}},
        {"account": {"id": "ada", "email": "a@example.com", "email_verified": False, "roles": [], "x": 1}},
        {"data": [["a", 1]]},
        {"data": {1: 2}},
    ],
    ids=repr,
)
def test_contents_that_are_not_exactly_ours_are_refused(members: dict[str, Any]) -> None:
    """Unknown members, wrong kinds and sizes, an account with more or less than it has."""
    assert not refused(forged(changed()))
    assert refused(forged(changed(**members)))


def of_length(length: int) -> str:
    """A genuine cookie of so many characters: the name of the key takes up what base64 cannot."""
    for spare in range(4):
        key = SealingKey("key-1" + "x" * spare, KEY.raw)
        for filler in range(2000, 3000):
            text = sealed(contents(make_session(data={"a": "x" * filler})), key)
            if len(text) == length:
                assert open_session_of(text, key) is (length <= LONGEST)
                return text
    raise AssertionError("no cookie has this length")


def open_session_of(text: str, key: SealingKey) -> bool:
    """Whether a cookie opens with this key."""
    try:
        open_session(text, {key.header: key}, ISSUER)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("depth", [1100, 1900])
def test_contents_nested_beyond_measure_are_refused(depth: int) -> None:
    """Sealed with the right key; deeper than the reader can follow, within the limit of size."""
    plain = changed(data={"a": "hole"}).replace(b"\xa4hole", b"\x91" * depth + b"\x90")
    assert refused(forged(plain))


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1])
def test_nothing_longer_than_a_browser_keeps_is_opened(length: int) -> None:
    """4,096 characters open, one more is refused before anything else is looked at."""
    assert len(of_length(length)) == length
