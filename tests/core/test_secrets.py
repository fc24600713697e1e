"""Secrets: never printed, compared in constant time, and the exact shape of a refresh token."""

import copy
import hashlib
import json
import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.secrets import RefreshHandle, Secret, digest, encode, parse_refresh, same
from tests.builders import make_refresh

SHOWN = "Secret(…)"


@pytest.mark.parametrize(
    "print_it",
    [repr, str, "{}".format, "{:>9}".format, "%s".__mod__, "%r".__mod__, lambda secret: f"{secret}"],
)
def test_a_secret_never_prints_itself(print_it: object) -> None:
    """Every way of making text of it gives the same empty form."""
    assert callable(print_it)
    assert print_it(Secret("hunter2")) == SHOWN


def test_a_secret_in_a_log_record_is_not_printed(caplog: pytest.LogCaptureFixture) -> None:
    """The logging module formats late; it gets no more than anyone else."""
    logging.getLogger("gatepost").warning("got %s", Secret("hunter2"))
    assert SHOWN in caplog.text
    assert "hunter2" not in caplog.text


def test_a_secret_cannot_be_stored() -> None:
    """Neither pickle nor copy nor JSON takes it, so it ends in no cache or queue by accident."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.copy(Secret("hunter2"))
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_texts_are(left: str, right: str) -> None:
    """Equality and hash follow the text; the text itself comes out for its owner only."""
    assert (Secret(left) == Secret(right)) is (left == right)
    assert hash(Secret(left)) == hash(Secret(left))
    assert Secret(left).reveal() == left
    assert Secret(left) == Secret("".join([*left]))


def test_a_secret_compares_text_that_is_not_valid_unicode() -> None:
    """A lone surrogate, as JSON can bring one, is unequal and not an exception."""
    assert Secret("\ud800") != Secret("a")
    assert Secret("\ud800") == Secret("\ud800")


def test_a_secret_is_not_equal_to_its_text() -> None:
    """Comparing with a plain string is a mistake and never true."""
    assert Secret("a") != "a"


def test_a_digest_is_sha_256() -> None:
    """What a dump holds can be checked against any other implementation."""
    assert digest("abc") == hashlib.sha256(b"abc").digest()
    assert same(digest("abc"), digest("abc"))
    assert not same(digest("abc"), digest("abd"))


def test_a_digest_of_any_text_exists() -> None:
    """A lone surrogate in a presented credential is digested, not a crash."""
    assert len(digest("\udfff")) == 32


@pytest.mark.parametrize(("raw", "text"), [(b"", ""), (b"\xff\xfe", "__4"), (b"\xfb\xff\xbf", "-_-_")])
def test_encoding_is_base64url_without_padding(raw: bytes, text: str) -> None:
    """RFC 7515 section 2."""
    assert encode(raw) == text


def test_a_refresh_token_round_trips() -> None:
    """What is handed out is what is found again."""
    handle = make_refresh()
    assert parse_refresh(handle.token.reveal()) == handle


def test_a_refresh_handle_prints_its_id_only() -> None:
    """The id is no secret; family and rotor are."""
    assert repr(make_refresh(family="fam", rotor="rot")) == f"RefreshHandle(id='{'i' * 22}', …)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "i" * 110,
        f"{'i' * 22}.{'f' * 43}",
        f"{'i' * 21}.{'f' * 43}.{'r' * 43}",
        f"{'i' * 23}.{'f' * 43}.{'r' * 43}",
        f"{'i' * 22}.{'f' * 42}.{'r' * 44}",
        f"{'i' * 22}.{'f' * 43}.{'r' * 42}",
        f"{'i' * 22}.{'f' * 43}.{'r' * 43}.",
        f"{'i' * 22}.{'f' * 43}.{'r' * 21}.{'r' * 21}",
        f"{'i' * 22}.{'f' * 43}.{'r' * 42}é",
        f"{'i' * 22}.{'f' * 43}.{'r' * 42}\ud800",
        " " + f"{'i' * 22}.{'f' * 43}.{'r' * 43}",
        "i" * 1_000_000,
    ],
)
def test_anything_else_is_no_refresh_token(text: str) -> None:
    """One character more, less or foreign is refused before any look-up."""
    assert parse_refresh(text) is None


@given(st.text(max_size=120))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    """Any text is a handle or None."""
    assert parse_refresh(text) is None or isinstance(parse_refresh(text), RefreshHandle)
