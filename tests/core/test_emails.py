"""E-mail addresses: what is accepted, and which spellings are one account."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.emails import Email, parse_email
from gatepost.errors import InvalidFields


def refused(typed: str) -> str:
    """The sentence with which `typed` is refused."""
    with pytest.raises(InvalidFields) as caught:
        parse_email(typed)
    assert list(caught.value.errors) == ["email"]
    return caught.value.errors["email"]


def key(typed: str) -> str:
    """The canonical key of `typed`."""
    return parse_email(typed).key


def test_the_typed_form_is_kept_beside_the_key() -> None:
    """What the owner typed is kept for showing and sending; only the key is folded."""
    assert parse_email("Ada.Lovelace@Example.COM") == Email(
        "Ada.Lovelace@Example.COM", "ada.lovelace@example.com"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ADA@example.com", "ada@EXAMPLE.com"),
        ("stra\u00dfe@example.com", "STRASSE@example.com"),
        ("\ufb01n@example.com", "fin@example.com"),
        ("\u212aim@example.com", "kim@example.com"),
        ("\uff41da@example.com", "ada@example.com"),
        ("e\u0301mile@example.com", "\u00c9mile@example.com"),
        (
            "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2@example.com",
            "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3@example.com",
        ),
        ("ada@b\u00fccher.example", "ada@XN--BCHER-KVA.example"),
        ("ada@\uff45xample.com", "ada@example.com"),
        ("ada@example\u3002com", "ada@example.com"),
    ],
)
def test_spellings_that_unicode_calls_the_same_share_one_key(one: str, other: str) -> None:
    """Case, ligatures, full width, composition and Punycode do not make a second account."""
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada+shop@example.com", "ada@example.com"),
        ("a.da@example.com", "ada@example.com"),
        ("ad\u0430@example.com", "ada@example.com"),
        ("ada@stra\u00dfe.example", "ada@strasse.example"),
        ("ada@example.com", "ada@example.org"),
    ],
)
def test_addresses_that_may_have_different_owners_stay_apart(one: str, other: str) -> None:
    """Plus-tags, dots, other scripts and other domains are other accounts."""
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@localhost",
        "ada@example.com.",
        "ada@.example.com",
        "ada@exa..mple.com",
        ".ada@example.com",
        "ada.@example.com",
        "ada @example.com",
        " ada@example.com",
        "ada@example.com ",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada\r\n@example.com",
        "ada\x00@example.com",
        "ada\x7f@example.com",
        "ada\x85@example.com",
        "ada@example.com\x00.evil.example",
        "ada@example.com,eve@example.com",
        "ada@example.com;eve@example.com",
        "ada@eve@example.com",
        "ada\uff20eve@example.com",
        "ada\ufe6beve@example.com",
        "ada\uff20example.com",
        '"ada"@example.com',
        '"ada@eve"@example.com',
        '"ada eve"@example.com',
        "Ada <ada@example.com>",
        "<ada@example.com>",
        "ada(x)@example.com",
        "ada@[127.0.0.1]",
        "ada@[IPv6:::1]",
        "ada@127.0.0.1",
        "ada@example.123",
        "ada@exa_mple.com",
        "ada@-example.com",
        "ada@xn--zz.example",
        "ada@example.invalid",
        "ada\u2024eve.@example.com",
        "ada\u00a0@example.com",
        "ada\u200b@example.com",
        "ada\u00ad@example.com",
        "ada\u202e@example.com",
        "ada\ufe0f@example.com",
        "ada\u3164@example.com",
        "ada\u034f@example.com",
        "\u0301ada@example.com",
        "ada\ud800@example.com",
        "ada\ue000@example.com",
    ],
)
def test_what_is_not_one_bare_visible_address_is_refused(typed: str) -> None:
    """Each hostile or broken form is refused with the same sentence, which repeats nothing of it."""
    assert refused(typed) == "Please give one e-mail address, such as name@example.com."


@pytest.mark.parametrize(
    "typed",
    [
        "ada@example.com",
        "ada+tag@example.com",
        "o'hara@example.com",
        "ada@mail.corp.local",
        "ada@Team.Test",
        "ada@dev.localhost",
        "ada@example.co.uk",
        "\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a",
        "x@y.zz",
        "zz@zz.zz",
    ],
)
def test_ordinary_private_and_international_addresses_are_accepted(typed: str) -> None:
    """Plus-tags, apostrophes, names of a local network and other scripts are people too."""
    assert parse_email(typed).typed == typed


def test_private_names_keep_their_own_ending_in_the_key() -> None:
    """The stand-in used for checking a private name never shows in the key."""
    assert key("Ada@Corp.LOCAL") == "ada@corp.local"
    assert key("ada@zz.test") == "ada@zz.test"


def of_size(local: int, total: int) -> str:
    """An address with a local part of `local` bytes and `total` bytes in all."""
    rest = total - local - len("@.com")
    labels = ["a" * 60] * (rest // 61) + ["a" * (rest % 61)]
    return f"{'x' * local}@{'.'.join(labels)}.com"


def test_254_bytes_are_accepted_and_255_refused() -> None:
    """The limit on the whole address holds to the byte."""
    assert len(of_size(20, 254)) == 254
    assert parse_email(of_size(20, 254)).key == of_size(20, 254)
    assert "at most 254 bytes" in refused(of_size(20, 255))


def test_64_bytes_before_the_at_are_accepted_and_65_refused() -> None:
    """The limit on the local part holds to the byte, and counts bytes of UTF-8."""
    for local in ("x" * 64, "\u00e9" * 32):
        assert key(f"{local}@example.com") == f"{local}@example.com"
    assert "64 of them before the @" in refused("x" * 65 + "@example.com")
    assert "64 of them before the @" in refused("\u00e9" * 32 + "x@example.com")


def test_a_key_that_grows_past_the_limit_is_refused() -> None:
    """U+3316 is 3 bytes as typed and 18 bytes folded: the key is bounded too."""
    assert "at most 254 bytes" in refused("\u3316" * 10 + "@example.com")


def test_a_megabyte_is_refused_before_anything_is_parsed() -> None:
    """The size is looked at first, so a long text costs nothing."""
    assert "at most 254 bytes" in refused("a" * 1_000_000 + "@example.com")


@given(st.text(max_size=40), st.sampled_from(["example.com", "B\u00dcCHER.example", "corp.Local"]))
def test_the_key_of_a_key_is_itself(local: str, domain: str) -> None:
    """Whatever is accepted has a key that is accepted and is its own key; nothing else escapes than InvalidFields."""
    try:
        email = parse_email(f"{local}@{domain}")
    except InvalidFields:
        return
    assert parse_email(email.key).key == email.key
    assert email.key.count("@") == 1
    assert not any(character.isspace() or not character.isprintable() for character in email.key)


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_invalid_fields(typed: str) -> None:
    """No text makes the parser fail in another way."""
    try:
        parse_email(typed)
    except InvalidFields as refusal:
        assert list(refusal.errors) == ["email"]


def test_importing_the_module_loads_neither_library() -> None:
    """The syntax libraries and their tables are loaded by the first address, not by the import."""
    code = "import sys, gatepost.core.emails; print({'email_validator', 'idna'} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "set()"
