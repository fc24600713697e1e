"""The lists of common passwords: what ships, what the operator adds, and how they are kept."""

import os
import sys
import tracemalloc
from hashlib import blake2b
from pathlib import Path
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.emails import parse_email
from gatepost.core.passwords import Accepted, PasswordRules, TooCommon, decide_password
from gatepost.errors import SettingsError
from gatepost.factors.blocklist import Blocklist, DigestSet

SHIPPED = Blocklist()


def digests(words: list[bytes]) -> list[bytes]:
    """16-byte digests of the words."""
    return [blake2b(word, digest_size=16).digest() for word in words]


def with_file(tmp_path: Path, content: bytes) -> Blocklist:
    """A blocklist with an operator's file of this content."""
    path = tmp_path / "breached.txt"
    path.write_bytes(content)
    return Blocklist(path)


@pytest.mark.parametrize(
    "word", ["123456", "password", "qwertyuiop", "letmein", "jennifer", "washington", "the"]
)
def test_the_common_words_are_there_without_any_file(word: str) -> None:
    """Passwords, names and dictionary words of the shipped lists are found, with no network and no setting."""
    assert SHIPPED.contains(word)
    assert SHIPPED.bits(word) in {7, 15}


def test_case_and_width_do_not_matter() -> None:
    """The whole of a password is folded before it is looked up."""
    assert SHIPPED.contains("PassWord")
    assert SHIPPED.contains("\uff50assword")


@pytest.mark.parametrize("word", ["", "xkqzvwpmtrbnhjg", "\ud800", "password\x00", "pass word"])
def test_what_nobody_chose_is_not_there(word: str) -> None:
    """Unknown words, the empty one and a lone surrogate are simply not listed."""
    assert not SHIPPED.contains(word)
    assert SHIPPED.bits(word) is None


def test_the_first_guesses_weigh_less_than_the_rest() -> None:
    """The hundred commonest passwords are 7 bits away, every other listed word 15."""
    assert SHIPPED.bits("password") == SHIPPED.bits("123456") == 7
    assert SHIPPED.bits("washington") == 15


def test_nothing_is_read_before_the_first_question() -> None:
    """Making a blocklist costs nothing, and the package's own modules are never loaded."""
    tracemalloc.start()
    fresh = Blocklist()
    made = tracemalloc.get_traced_memory()[0]
    fresh.load()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert made < 100_000
    assert 1_000_000 < kept < 4_000_000
    assert "zxcvbn.frequency_lists" not in sys.modules


def test_the_operators_file_adds_to_the_shipped_words(tmp_path: Path) -> None:
    """Both lists are asked; lines end with LF or CRLF, the last perhaps with nothing."""
    added = with_file(
        tmp_path, "Tiny Purple Otter\r\n\n  blanks count \nM\u00fcnchen-Flughafen\nlast one".encode()
    )
    for word in ["tiny purple otter", "  BLANKS count ", "m\u00fcnchen-flughafen", "last one", "password"]:
        assert added.contains(word)
    assert not added.contains("blanks count")
    assert not added.contains("")


def test_a_line_of_the_operators_file_refuses_that_password(tmp_path: Path) -> None:
    """A passphrase that is fine becomes too common by being in the file."""
    email = parse_email("ada@example.com")
    assert decide_password(PasswordRules(SHIPPED), "tiny purple otter", email) == Accepted()
    added = with_file(tmp_path, b"tiny purple otter\n")
    assert decide_password(PasswordRules(added), "Tiny Purple Otter", email) == TooCommon("listed")


def test_the_operators_file_is_not_used_for_joining(tmp_path: Path) -> None:
    """Two lines of a breach corpus in a row are not easy to guess, so they stay allowed."""
    added = with_file(tmp_path, b"quiet river\nstone bridge\n")
    assert added.bits("quiet river") is None
    assert decide_password(PasswordRules(added), "quiet riverstone bridge", None) == Accepted()


def test_lines_that_cannot_be_passwords_are_left_out(tmp_path: Path) -> None:
    """Broken UTF-8 and lines over 1,024 bytes are passed over; the lines around them count."""
    content = b"first line\n\xff\xfe broken\n" + b"x" * 1024 + b"\n" + b"y" * 1025 + b"\nlast line\n"
    added = with_file(tmp_path, content)
    assert added.contains("first line")
    assert added.contains("last line")
    assert added.contains("x" * 1024)
    assert not added.contains("y" * 1025)


def test_a_file_that_is_one_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A file of 64 MiB without a line end is read in pieces of one MiB, and the line after it still counts."""
    path = tmp_path / "endless.txt"
    with path.open("wb") as stream:
        stream.truncate(64 << 20)
        stream.seek(0, os.SEEK_END)
        stream.write(b"\nafter it\n")
    added = Blocklist(path)
    tracemalloc.start()
    added.load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
    assert added.contains("after it")


def test_a_large_file_is_kept_in_16_bytes_a_word(tmp_path: Path) -> None:
    """100,000 lines take 1.6 MB more than the shipped words alone, not a Python object each."""
    added = with_file(tmp_path, b"".join(b"breached-%d\n" % number for number in range(100_000)))
    tracemalloc.start()
    added.load()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 6_000_000
    assert all(added.contains(f"breached-{number}") for number in range(0, 100_000, 997))
    assert not added.contains("breached-100000")


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """A file that is not there is an error when the list is made, in one sentence that names it."""
    with pytest.raises(SettingsError, match=r"nowhere\.txt cannot be read"):
        Blocklist(tmp_path / "nowhere.txt")
    with pytest.raises(SettingsError, match="cannot be read"):
        Blocklist(tmp_path)


def test_a_file_that_went_away_refuses_instead_of_accepting(tmp_path: Path) -> None:
    """If the file is gone at first use, no password is decided on without it."""
    added = with_file(tmp_path, b"tiny purple otter\n")
    (tmp_path / "breached.txt").unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        added.contains("tiny purple otter")


def test_threads_that_ask_first_together_share_one_loading(tmp_path: Path) -> None:
    """Eight first questions at once all get the right answer from the same lists."""
    added = with_file(tmp_path, b"tiny purple otter\n")
    together = Barrier(8)
    answers: list[bool] = []

    def ask() -> None:
        together.wait()
        answers.append(added.contains("tiny purple otter") and not added.contains("tiny purple badger"))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8


@given(st.sets(st.binary(max_size=8)), st.binary(max_size=8))
def test_the_set_of_digests_answers_like_a_python_set(words: set[bytes], other: bytes) -> None:
    """Everything put in is found, nothing else is."""
    made = DigestSet(digests(sorted(words)))
    assert len(made) == len(words)
    assert all(digest in made for digest in digests(sorted(words)))
    assert (digests([other])[0] in made) == (other in words)
