"""New passwords: the bytes that are hashed, the length, and what is refused as too easy to guess."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.emails import parse_email
from gatepost.core.passwords import (
    MAX_BYTES,
    Accepted,
    PasswordRules,
    Reason,
    TooCommon,
    TooLong,
    TooShort,
    decide_password,
    normalise,
    words_in,
)
from gatepost.core.strength import ENOUGH_BITS, guessable, is_sequence
from gatepost.errors import InvalidFields
from gatepost.factors.blocklist import Blocklist

WORDS = Blocklist()
RULES = PasswordRules(WORDS, own_words=("gatepost", "https://auth.acme.example"))
ALICE = parse_email("Alice.Liddell@wonderland.example")


def decide(password: str) -> Accepted | TooShort | TooLong | TooCommon:
    """The decision on `password` for Alice."""
    return decide_password(RULES, password, ALICE)


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaa bbb",
        "correct horse battery staple",
        "correct-horse-battery",
        "three or four words do",
        "a long enough password",
        "my gatepost is painted green",
        "alice has a long password",
        "xkqzvwpmtrbnhjg",
        "839201748362917",
        "Tr4&kq!9pWz#mB2",
        "😀😁😂🤣😃😄😅😆😉😊😋😎😍😘🥰",
        "  leading and trailing blanks  ",
        "пять синих лодок плывут",
        "x" + "\x00" * 3 + "quiet river stone",
    ],
)
def test_a_password_that_is_on_no_list_is_accepted_whatever_it_is_made_of(password: str) -> None:
    """No rule of composition: all lower case, emoji, blanks, digits alone, NUL and other scripts are accepted."""
    assert decide(password) == Accepted()


def test_14_characters_are_too_few_and_15_are_enough() -> None:
    """The shortest password has exactly as many code points as the rules say."""
    assert decide("xkqzvwpmtrbnhj") == TooShort(15)
    assert decide("xkqzvwpmtrbnhjg") == Accepted()


def test_7_characters_are_too_few_and_8_are_enough_beside_a_second_factor() -> None:
    """With a second factor the caller hands in rules with a lower minimum."""
    rules = PasswordRules(WORDS, min_length=8)
    assert decide_password(rules, "xkqzvwp", None) == TooShort(8)
    assert decide_password(rules, "xkqzvwpm", None) == Accepted()


def test_length_is_counted_in_code_points_after_composition() -> None:
    """A base letter with a combining accent that composes is one character, not two."""
    decomposed = unicodedata.normalize("NFD", "\u00e9\u00e8\u00ea\u00eb\u00e0\u00e2\u00ef")
    assert len(decomposed) == 14
    assert decide(decomposed + "xkqzvwp") == TooShort(15)
    assert decide(decomposed + "xkqzvwpm") == Accepted()


def test_1024_bytes_are_accepted_and_1025_refused() -> None:
    """The upper limit holds to the byte, in the decision and where a password is only read."""
    longest = "".join(chr(0x4E00 + index) for index in range(341)) + "x"
    assert len(longest.encode()) == MAX_BYTES == 1024
    assert decide(longest) == Accepted()
    assert normalise(longest) == longest.encode()
    assert decide(longest + "x") == TooLong()
    with pytest.raises(InvalidFields) as caught:
        normalise(longest + "x")
    assert caught.value.errors == {"password": TooLong().sentence}


def test_64_characters_are_accepted() -> None:
    """A long passphrase is welcome (ASVS 6.2.9)."""
    assert decide("the old lighthouse keeper paints seven blue boats every winter!!") == Accepted()


def test_a_megabyte_is_refused_by_its_length_alone() -> None:
    """What is far too long is not even encoded; a lone surrogate in it changes nothing."""
    assert decide("\ud800" * 1_000_000) == TooLong()


def test_a_lone_surrogate_is_refused_and_not_repeated_in_the_error() -> None:
    """Text that UTF-8 cannot hold is refused; the error has no cause that would carry the password."""
    with pytest.raises(InvalidFields) as caught:
        decide("quiet river stone \ud800")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "river" not in repr(caught.value) + str(caught.value.errors)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pass ", "Pass"),
        ("PASS", "pass"),
        ("a\x00b", "a\x00c"),
        ("x" * 72 + "1", "x" * 72 + "2"),
        ("\ufb01", "fi"),
    ],
)
def test_the_bytes_differ_where_the_passwords_differ(one: str, other: str) -> None:
    """Nothing is trimmed, folded, cut off at 72 bytes or at a NUL, or replaced by what merely looks alike."""
    assert normalise(one) != normalise(other)


def test_one_password_typed_on_two_systems_has_the_same_bytes() -> None:
    """Composed and decomposed accents are the same password; the bytes are NFC."""
    assert normalise("e\u0301t\u00e9") == normalise("\u00e9te\u0301") == b"\xc3\xa9t\xc3\xa9"


@given(st.text(max_size=300))
def test_the_bytes_are_exactly_utf8_of_nfc(password: str) -> None:
    """For every text that fits, the bytes are NFC in UTF-8 and normalising them again changes nothing."""
    made = normalise(password)
    assert made == unicodedata.normalize("NFC", password).encode()
    assert made == unicodedata.normalize("NFC", made.decode()).encode()


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("responsibilities", "listed"),
        ("1qaz2wsx3edc4rfv", "listed"),
        ("\uff32esponsibilities", "listed"),
        ("aaaaaaaaaaaaaaa", "repeated"),
        ("😀" * 15, "repeated"),
        ("abababababababab", "repeated"),
        ("asdfasdfasdfasdfa", "repeated"),
        ("passwordpassword", "repeated"),
        ("PassWordPASSWORD", "repeated"),
        ("wachtwoordwachtwoord", "repeated"),
        ("letmein letmein", "repeated"),
        ("lovedragon" * 102, "repeated"),
        ("123456789012345", "sequence"),
        ("987654321098765", "sequence"),
        ("abcdefghijklmnop", "sequence"),
        ("ZYXWVUTSRQPONML", "sequence"),
        ("qwertyuiopasdfgh", "sequence"),
        ("1q2w3e4r5t6y7u8i", "sequence"),
        ("йцукенгшщзхъфыва", "sequence"),
        ("aabbccddeeffgghh", "sequence"),
        ("washingtonjefferson", "joined"),
        ("Jefferson & Monkey", "joined"),
        ("monkey dragon shadow master", "joined"),
        ("password1234567", "joined"),
        ("Password2024!!!", "joined"),
        ("!!!!!!!password!!!!!!!", "joined"),
        ("     password     ", "joined"),
        ("1passwordpassword", "joined"),
        ("iloveyou12345678", "joined"),
        ("12345678abcdefgh", "joined"),
        ("administrator#42", "joined"),
        ("gatepostgatepost", "own_words"),
        ("Gatepost-2026-!!", "own_words"),
        ("auth.acme.example", "own_words"),
        ("alice.liddell@wonderland.example", "own_words"),
        ("LiddellAliceLiddell", "own_words"),
        ("wonderland alice 1", "own_words"),
    ],
)
def test_what_guessing_programs_try_first_is_refused(password: str, reason: Reason) -> None:
    """Listed words, repeats, sequences, joined words and own words are refused after folding, each with its reason."""
    assert decide(password) == TooCommon(reason)


@pytest.mark.parametrize("padding", ["", " ", "!", "1", "__", "99", "2024", "!!!!!!", "12345", "aaaaaa"])
@pytest.mark.parametrize("side", [str.__add__, lambda padding, word: word + padding])
def test_trivial_padding_does_not_save_a_listed_word(padding: str, side: Callable[[str, str], str]) -> None:
    """A listed word stays refused with separators, a digit or two, a year, a run or a sequence on either side."""
    assert isinstance(decide(side(padding, "administratorpassword")), TooCommon)


def test_the_users_own_words_are_those_of_the_user_alone() -> None:
    """What is refused to Alice as her own name is nobody's word in somebody else's password."""
    password = "liddell liddell 77"
    assert decide(password) == TooCommon("own_words")
    assert decide_password(RULES, password, parse_email("bob@other.example")) == Accepted()
    assert decide_password(RULES, password, None) == Accepted()


def test_own_words_are_the_parts_between_punctuation() -> None:
    """A host gives its labels and an e-mail its parts; what is shorter than 3 characters gives nothing."""
    assert words_in("Auth.Acme.io") == {"auth.acme.io", "auth", "acme"}
    assert words_in("Ada_L+x@b\u00fccher.example") == {
        "ada_l+x@b\u00fccher.example",
        "ada",
        "b\u00fccher",
        "example",
    }
    assert words_in("ab") == frozenset()


@pytest.mark.parametrize("refusal", [TooShort(15), TooLong(), TooCommon("listed"), TooCommon("own_words")])
def test_every_refusal_says_what_would_do(refusal: TooShort | TooLong | TooCommon) -> None:
    """Whoever is refused reads in the same breath how to go on."""
    assert "hree or four words" in refusal.sentence
    assert refusal.sentence.endswith("do.")


def test_a_short_minimum_is_named_in_its_sentence() -> None:
    """The sentence speaks of the rules in force, not of the default."""
    assert TooShort(8).sentence == "Please use at least 8 characters: three or four words do."


def test_a_sequence_has_at_least_three_characters() -> None:
    """Two neighbours on a keyboard are no sequence, three are."""
    assert is_sequence("abc")
    assert is_sequence("321")
    assert not is_sequence("ab")
    assert not is_sequence("acb")


def test_a_run_of_one_character_is_padding_and_never_a_word() -> None:
    """ "aaaaaaaaaaaaaaa bbb" holds nothing that anchors a guess, beside a listed word the same run is padding."""
    assert not guessable(WORDS, (), "aaaaaaaaaaaaaaa bbbb")
    assert guessable(WORDS, (), "aaaaaaaaaaaaaaa monkey")


def test_a_password_is_judged_by_what_is_left_to_guess() -> None:
    """A listed word (15 bits) and four unknown characters (5 each) reach the bound of 35, and three do not."""
    assert ENOUGH_BITS == 35
    assert guessable(WORDS, (), "jeffersonxqk")
    assert not guessable(WORDS, (), "jeffersonxqkv")


@given(st.text(min_size=15, max_size=60))
def test_every_text_gets_a_decision_that_folding_does_not_change(password: str) -> None:
    """Any text is decided on, and one that is refused as common is refused in upper case too."""
    decision = decide(password)
    if isinstance(decision, TooCommon) and password.isascii():
        assert isinstance(decide(password.upper()), TooCommon)


@given(
    st.lists(st.sampled_from(["monkey", "dragon", "love", "test", "123", "aaa", " "]), max_size=300).map(
        "".join
    )
)
def test_a_password_built_to_be_slow_is_decided_on_all_the_same(password: str) -> None:
    """The search keeps to what is below the bound, so pieces that multiply do not multiply the work."""
    assert isinstance(decide(password[:1024]), Accepted | TooShort | TooCommon)
