"""The sealed cookie: what is in it, who can read it, how long it is believed, and how large it may be.

joserfc is the oracle, both ways: it opens what we seal, and we open what it seals under our header.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.cookie import attributes, names_for, write_cookie
from gatepost.carriers.sealed import (
    LONGEST,
    SealedAccount,
    SealedSession,
    SealingKey,
    open_session,
    require_fits,
    seal_session,
    secret_digest,
)
from gatepost.core.emails import Email
from gatepost.core.secrets import Secret, digest
from gatepost.core.sessions import Carrier, Session
from gatepost.errors import TooLarge
from gatepost.machine import SystemRandomness
from tests.builders import (
    ISSUER,
    LIMITS,
    NOW,
    TICK,
    make_account,
    make_session,
    make_view,
    make_visit,
)
from tests.carriers.sealed_cookies import (
    HEADER,
    HORIZON,
    KEY,
    OPENING,
    RANDOM,
    SECRET,
    TERMS,
    contents,
    refused,
    sealed,
)


def test_what_was_sealed_opens_to_the_very_same() -> None:
    """Every member comes back, times to the microsecond."""
    what = contents(make_session(last_seen_at=NOW - TICK, data={"cart": [1, 2.5, {"n": None}], "é": True}))
    opened = open_session(sealed(what), OPENING, ISSUER)
    assert (opened.contents, opened.kid, opened.withdrawn) == (what, "key-1", False)
    assert opened.contents.last_seen_at == NOW - TICK


def test_these_and_no_other_things_are_in_it() -> None:
    """The allow-list. Neither a password's hash nor any digest of the record is on it."""
    assert set(SealedSession.__struct_fields__) == {
        "account", "address", "believed_until", "client_id", "data", "device", "expires_at", "idle_expires_at",
        "iss", "last_seen_at", "pos", "sealed_at", "secret", "sid", "started_at", "version",
    }  # fmt: skip
    assert set(SealedAccount.__struct_fields__) == {"email", "email_verified", "id", "roles"}


def test_the_cookie_says_what_the_store_said() -> None:
    """The session, its account as typed and verified, and the position that was read before both."""
    email = Email("Ada@Example.com", "ada@example.com")
    view = make_view(
        make_session(data={"a": 1}, version=4, client_id="shop", last_seen_at=NOW - timedelta(minutes=1)),
        make_account(email=email, email_verified=True, roles=("member", "support")),
        pos=17,
    )
    assert SealedSession.of(view, SECRET, TERMS, NOW) == SealedSession(
        iss=ISSUER,
        sid="session-1",
        secret=SECRET.reveal(),
        account=SealedAccount(
            id="ada", email="Ada@Example.com", email_verified=True, roles=("member", "support")
        ),
        client_id="shop",
        started_at=NOW,
        last_seen_at=NOW - timedelta(minutes=1),
        idle_expires_at=NOW - timedelta(minutes=1) + LIMITS.idle,
        expires_at=NOW + LIMITS.absolute,
        device="Firefox on Linux",
        address="203.0.113.7",
        data={"a": 1},
        version=4,
        pos=17,
        sealed_at=NOW,
        believed_until=NOW + HORIZON,
    )


@pytest.mark.parametrize("session", [make_session(), make_visit()])
def test_the_session_in_it_is_that_of_the_record_but_for_its_handle(session: Session) -> None:
    """The digest of the secret stays where it is compared."""
    session = replace(session, carrier=Carrier.SEALED, data={"a": 1}, version=4, client_id="shop")
    assert contents(session).session == replace(session, handle=None)


def test_a_visit_is_sealed_without_an_account() -> None:
    """It comes back as one, with the shorter rest of a visit."""
    opened = open_session(sealed(contents(make_visit())), OPENING, ISSUER).contents
    assert opened.account is None
    assert opened.idle_expires_at == NOW + LIMITS.visitor_empty


@pytest.mark.parametrize(
    ("rested", "left", "believed"),
    [
        (timedelta(), LIMITS.absolute, HORIZON),
        (LIMITS.idle - HORIZON, LIMITS.absolute, HORIZON),
        (LIMITS.idle - HORIZON + TICK, LIMITS.absolute, HORIZON - TICK),
        (LIMITS.idle - TICK, LIMITS.absolute, TICK),
        (timedelta(), HORIZON, HORIZON),
        (timedelta(), HORIZON - TICK, HORIZON - TICK),
        (timedelta(), TICK, TICK),
    ],
)
def test_it_is_believed_for_a_horizon_and_never_past_an_end(
    rested: timedelta, left: timedelta, believed: timedelta
) -> None:
    """Neither past the moment of falling idle nor past the absolute end, to the microsecond."""
    what = contents(make_session(last_seen_at=NOW - rested, expires_at=NOW + left))
    assert what.believed_until == NOW + believed


def test_joserfc_opens_what_we_seal() -> None:
    """The header is exactly that of `dir` with A256GCM, and the plain text is ours."""
    opened = jwe.decrypt_compact(sealed(), OctKey.import_key(KEY.raw), algorithms=["dir", "A256GCM"])
    assert opened.protected == HEADER
    assert msgspec.msgpack.decode(opened.plaintext or b"", type=SealedSession) == contents()


def test_we_open_what_joserfc_seals() -> None:
    """With our key and our header, written as we write it."""
    plain = msgspec.msgpack.encode(contents())
    text = jwe.encrypt_compact(dict(HEADER), plain, OctKey.import_key(KEY.raw), algorithms=["dir", "A256GCM"])
    assert open_session(text, OPENING, ISSUER).contents == contents()


def test_a_withdrawn_key_opens_and_says_so() -> None:
    """What it sealed may be exchanged for something believed, so it is read, and marked."""
    withdrawn = SealingKey(KEY.kid, KEY.raw, withdrawn=True)
    assert open_session(sealed(), {withdrawn.header: withdrawn}, ISSUER).withdrawn


def test_each_key_opens_only_its_own() -> None:
    """A retired key beside the active one is found by the header; another key of the same name opens nothing."""
    old, stranger = SealingKey("key-0", b"o" * 32), SealingKey(KEY.kid, b"x" * 32)
    both = OPENING | {old.header: old}
    assert open_session(sealed(key=old), both, ISSUER).kid == "key-0"
    assert open_session(sealed(), both, ISSUER).kid == "key-1"
    assert refused(sealed(key=stranger))
    assert refused(sealed(key=old))


def test_every_sealing_has_a_nonce_of_its_own() -> None:
    """96 bits from the source of randomness each time, so the same session never gives the same text."""
    texts = [seal_session(contents(), KEY, SystemRandomness()).reveal() for _ in range(64)]
    nonces = {text.split(".")[2] for text in texts}
    assert len(nonces) == len(texts)
    assert {len(decode_strictly(nonce)) for nonce in nonces} == {12}


def test_the_secret_is_no_opaque_cookie() -> None:
    """What the record keeps of it is not the digest that an opaque cookie of the same text would be found by."""
    assert secret_digest(SECRET.reveal()) != digest(SECRET.reveal())
    assert secret_digest(SECRET.reveal()) == secret_digest(SECRET.reveal())
    assert len(secret_digest(SECRET.reveal())) == 32
    assert secret_digest("a" * 43) != secret_digest("b" * 43)


def test_neither_key_nor_contents_are_printed() -> None:
    """A line in a log shows the key's name and the session's id."""
    opened = open_session(sealed(contents(make_session(data={"cart": "roses"}))), OPENING, ISSUER)
    text = f"{opened!r} {KEY!r} {seal_session(contents(), KEY, RANDOM)!r}"
    assert "session-1" in text
    for private in (SECRET.reveal(), "roses", "example.com", "203.0.113.7", "kkkk", KEY.header):
        assert private not in text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=9), _JSON, max_size=4))
def test_application_data_comes_back_as_it_was(data: dict[str, Any]) -> None:
    """Whatever the endpoint for it takes."""
    text = sealed(contents(make_session(data=data)))
    if len(text) <= LONGEST:
        assert open_session(text, OPENING, ISSUER).contents.data == data


NAME = names_for("gatepost", secure=True).sealed
LIFE = attributes(timedelta(days=7), secure=True)


@pytest.mark.parametrize(
    ("limit", "size", "fits"), [(3072, 3072, True), (3072, 3073, False), (99, 100, False)]
)
def test_the_limit_counts_name_and_value(limit: int, size: int, fits: bool) -> None:
    """To the byte; the refusal names the size and the limit."""
    value = Secret("v" * (size - len(NAME)))
    if fits:
        require_fits(NAME, value, LIFE, {}, limit)
        return
    with pytest.raises(TooLarge, match=f"would have {size} bytes, the limit is {limit}"):
        require_fits(NAME, value, LIFE, {"a": 1}, limit)


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
def test_the_whole_set_cookie_value_has_4096_bytes_at_most(over: int, fits: bool) -> None:
    """However large the limit for name and value was chosen, and counted as it will be sent."""
    value = Secret("v" * (LONGEST + over - len(NAME) - 1 - len(LIFE)))
    assert len(write_cookie(NAME, value, timedelta(days=7), secure=True)) == LONGEST + over
    if fits:
        require_fits(NAME, value, LIFE, {}, LONGEST)
        return
    with pytest.raises(TooLarge, match="4097 bytes with its attributes, the limit is 4096"):
        require_fits(NAME, value, LIFE, {"a": 1}, LONGEST)


def test_the_refusal_names_the_three_largest_keys() -> None:
    """Largest first, with their sizes; long names are cut, and no value is shown."""
    data = {"tiny": 1, "cart": "x" * 50, "b": "x" * 40, "n" * 60: "x" * 100}
    with pytest.raises(TooLarge) as refusal:
        require_fits(NAME, Secret("v" * 4000), LIFE, data)
    assert refusal.value.message.endswith(
        f"Largest keys: {'n' * 40} (166 bytes), cart (60 bytes), b (47 bytes)."
    )


def test_a_session_too_large_without_data_says_what_else_it_is() -> None:
    """Nothing of the application's can be made smaller then."""
    with pytest.raises(TooLarge, match="no data of an application"):
        require_fits(NAME, Secret("v" * 4000), LIFE, {})


def test_an_ordinary_session_leaves_two_thirds_to_the_application() -> None:
    """With ids as they are made, an account with one role and no data: under 1,024 bytes of the default 3,072."""
    name = "i" * 22
    view = make_view(make_session(id=name, account_id=name, pos=10**6))
    text = sealed(SealedSession.of(view, SECRET, TERMS, NOW), SealingKey(name, KEY.raw))
    assert len(NAME) + len(text) < 1024
