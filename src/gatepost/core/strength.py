"""How soon a guessing program meets a password that is made of known pieces.

Owns the pieces (listed words, own words, sequences, runs, years, padding) and their rough weight in bits. Does not
judge passwords without any known piece: "aaaaaaaaaaaaaaa bbb" is on no list and is nobody's word. Called by
`gatepost.core.passwords` alone, with folded texts.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final, Protocol

# The bound lies above two listed words with a separator and below three.
ENOUGH_BITS: Final = 35
_OWN, _PATTERN, _YEAR, _BETWEEN, _DIGIT, _OTHER, _AGAIN = 3, 6, 6, 2, 3, 5, 1

SHORTEST_WORD: Final = 3
_LONGEST_WORD: Final = 24
SHORTEST_ANCHOR: Final = 4
_SHORTEST_SEQUENCE_ANCHOR: Final = 5
_YEARS: Final = re.compile(r"(?:19|20)\d\d")

_LINES: Final = (
    "0123456789" * 2,
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "йцукенгшщзхъфывапролджэячсмитьбю",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
)
_SEQUENCES: Final = _LINES + tuple(line[::-1] for line in _LINES)


class WordList(Protocol):
    """Words that people choose as passwords, as a list behind the rules answers for them. Words come folded."""

    def contains(self, word: str) -> bool:
        """Whether the whole of a password is on any list."""

    def bits(self, word: str) -> int | None:
        """About how many bits it takes to guess the word as one piece of a password, or None if it is not known."""


def is_sequence(text: str) -> bool:
    """Whether the text runs along the alphabet, the digits or a keyboard, forward or back; at least 3 characters."""
    return len(text) >= SHORTEST_WORD and any(text in line for line in _SEQUENCES)


def guessable(words: WordList, own: Collection[str], text: str) -> bool:
    """Whether known pieces cover `text` so well that fewer than `ENOUGH_BITS` bits are left to guess.

    The cheapest way through the text is sought from left to right. A way counts only if an anchor lies on it: an own
    word, a listed word of 4 characters or a sequence of 5. What reaches the bound is dropped, so long texts end early.
    """
    plain: list[int] = [ENOUGH_BITS] * (len(text) + 1)
    anchored: list[int] = [ENOUGH_BITS] * (len(text) + 1)
    plain[0] = 0
    for start in range(len(text)):
        if min(plain[start], anchored[start]) >= ENOUGH_BITS:
            continue
        for end, bits, anchors in _pieces(words, own, text, start):
            anchored[end] = min(anchored[end], anchored[start] + bits)
            target = anchored if anchors else plain
            target[end] = min(target[end], plain[start] + bits)
    return anchored[-1] < ENOUGH_BITS


def _pieces(words: WordList, own: Collection[str], text: str, start: int) -> Iterator[tuple[int, int, bool]]:
    """Every piece of `text` that begins at `start`: where it ends, its bits, and whether it is an anchor."""
    yield from _words(words, own, text, start)
    yield from _patterns(text, start)
    character = text[start]
    after_word = start > 0 and text[start - 1].isalnum()
    if after_word and not character.isalnum():
        yield start + 1, _BETWEEN, False
    else:
        yield start + 1, _DIGIT if character.isdecimal() else _OTHER, False


def _words(words: WordList, own: Collection[str], text: str, start: int) -> Iterator[tuple[int, int, bool]]:
    """Listed and own words, once and as often as they follow themselves."""
    longest = max([_LONGEST_WORD, *map(len, own)])
    for end in range(start + SHORTEST_WORD, min(start + longest, len(text)) + 1):
        word = text[start:end]
        ours = word in own
        bits = _OWN if ours else words.bits(word)
        # A run of one character is no word, listed or not: beside others it is only padding.
        if bits is None or word == word[0] * len(word):
            continue
        # Random digits often hold a listed number or a short count; that must not make them a known password.
        anchors = ours or (len(word) >= SHORTEST_ANCHOR and not word.isdecimal())
        yield end, bits, anchors
        last = end
        while text.startswith(word, last):
            last += len(word)
        if last > end:
            yield last, bits + _AGAIN, anchors


def _patterns(text: str, start: int) -> Iterator[tuple[int, int, bool]]:
    """Sequences of every length, runs of one character, and years."""
    end = start + SHORTEST_WORD
    while end <= len(text) and is_sequence(text[start:end]):
        yield end, _PATTERN, end - start >= _SHORTEST_SEQUENCE_ANCHOR
        end += 1
    run = start + 1
    while run < len(text) and text[run] == text[start]:
        run += 1
    # The last of a run may be the first of a word: "aaaaaadministrator".
    for end in (run - 1, run):
        if end - start >= SHORTEST_WORD:
            yield end, _PATTERN, False
    if _YEARS.match(text, start):
        yield start + 4, _YEAR, False
