"""The token that shows a request to come from a page of ours: bound to one session, masked anew each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.cookie import csrf_fits, csrf_token, mask, unmask
from gatepost.testing.randomness import SeededRandomness

KEY = b"k" * 32
TOKEN = csrf_token(KEY, "session-1")


def test_a_token_fits_its_session_plain_and_masked() -> None:
    """In the header it comes plain, in a form of ours masked."""
    assert csrf_fits(KEY, "session-1", TOKEN)
    assert csrf_fits(KEY, "session-1", mask(TOKEN, SeededRandomness()))


def test_a_token_is_43_characters_and_says_nothing_of_the_session() -> None:
    """An HMAC-SHA256 in base64url."""
    assert len(TOKEN) == 43
    assert "session" not in TOKEN


@pytest.mark.parametrize("session_id", ["session-2", "", "session-1 ", "SESSION-1"])
def test_a_token_of_another_session_never_fits(session_id: str) -> None:
    """An attacker with an account of his own cannot plant his token in somebody else's browser."""
    other = csrf_token(KEY, session_id)
    assert not csrf_fits(KEY, "session-1", other)
    assert not csrf_fits(KEY, "session-1", mask(other, SeededRandomness()))


def test_a_token_made_with_another_key_never_fits() -> None:
    """Knowing the session id is not enough."""
    assert not csrf_fits(b"x" * 32, "session-1", TOKEN)


def test_masked_tokens_differ_and_unmask_to_the_same() -> None:
    """No two pages hold the same text, so compression beside it tells nothing (BREACH)."""
    randomness = SeededRandomness()
    masked = {mask(TOKEN, randomness) for _ in range(50)}
    assert len(masked) == 50
    assert {unmask(text) for text in masked} == {TOKEN}


def test_a_masked_token_does_not_hold_the_plain_one() -> None:
    """Neither as text nor in hexadecimal."""
    masked = mask(TOKEN, SeededRandomness())
    assert TOKEN not in masked
    assert TOKEN.encode().hex() not in masked


@pytest.mark.parametrize(
    "text", ["", "0", "zz", "00", "ä" * 86, "\ud800", "00" * 86, TOKEN[:-1], TOKEN + "A", "\x00" * 43]
)
def test_what_we_did_not_make_never_fits(text: str) -> None:
    """Short, long, not hexadecimal, not ASCII, not even Unicode."""
    assert not csrf_fits(KEY, "session-1", text)


@given(st.text(max_size=200) | st.binary(max_size=100).map(bytes.hex))
def test_no_text_makes_the_comparison_fail(text: str) -> None:
    """Whatever is presented, the answer is no."""
    assert not csrf_fits(KEY, "session-1", text)
    assert isinstance(unmask(text), str)


@given(st.integers(0, 171), st.sampled_from("0123456789abcdef"))
def test_a_changed_mask_never_fits(place: int, digit: str) -> None:
    """One other digit anywhere is another token."""
    masked = mask(TOKEN, SeededRandomness())
    changed = masked[:place] + digit + masked[place + 1 :]
    assert csrf_fits(KEY, "session-1", changed) is (changed == masked)
