"""The rules for a new password: its bytes, its length, and whether it is among the first guesses.

Owns the one form in which a password is hashed, the decision on a new one, and the names of what verifying comes to.
Keeps no list and hashes nothing: the list comes in with the rules. No rule asks for kinds of characters, none speaks
of age. Called at sign-up and password change; `normalise` at sign-in too.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from gatepost.core.emails import Email
from gatepost.core.folding import fold
from gatepost.core.sentences import Sentence
from gatepost.core.strength import SHORTEST_ANCHOR, SHORTEST_WORD, WordList, guessable, is_sequence
from gatepost.errors import InvalidFields

MAX_BYTES: Final = 1024
_LONGEST_TRIVIAL_UNIT: Final = 4
_SEPARATORS: Final = re.compile(r"[\W_]+")

Reason = Literal["listed", "repeated", "sequence", "own_words", "joined"]
_WHY: Final[dict[Reason, Sentence]] = {
    "listed": Sentence("This password is on the list that every guessing program tries first."),
    "repeated": Sentence("This password repeats one short piece, so it is as easy to guess as that piece."),
    "sequence": Sentence("This password runs along the alphabet, the digits or the keyboard."),
    "own_words": Sentence("This password is mostly your e-mail address or the name of this service."),
    "joined": Sentence("This password is mostly common words and patterns that guessing programs join."),
}


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a new password must meet. `min_length` is in code points after NFC.

    15 where the password is the only factor, 8 beside a second one (NIST SP 800-63B-4 section 3.1.1.2). `own_words`
    are texts such as the product's name and the host; the user's e-mail is added by the decision itself.
    """

    words: WordList
    min_length: int = 15
    own_words: tuple[str, ...] = ("gatepost",)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The password may be set."""


@dataclass(frozen=True, slots=True)
class TooShort:
    """It has fewer code points than the rules ask for."""

    min_length: int

    @property
    def sentence(self) -> Sentence:
        """What to tell its owner."""
        return Sentence(
            "Please use at least {count} characters: three or four words do.", count=self.min_length
        )


@dataclass(frozen=True, slots=True)
class TooLong:
    """It has more than `MAX_BYTES` bytes of UTF-8."""

    @property
    def sentence(self) -> Sentence:
        """What to tell its owner."""
        return Sentence("Please use at most {count:,} bytes: three or four words do.", count=MAX_BYTES)


@dataclass(frozen=True, slots=True)
class TooCommon:
    """It is on a list, or made of what guessing programs try first."""

    reason: Reason

    @property
    def sentence(self) -> Sentence:
        """What to tell its owner."""
        return Sentence("{why} Three or four words that do not belong together do.", why=_WHY[self.reason])


@dataclass(frozen=True, slots=True)
class Verified:
    """A password is the one behind a stored hash. `needs_rehash`: that hash is not of today's profile."""

    needs_rehash: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """A password is not the one, or there is no account it could be for: the two are not told apart."""


def normalise(password: str) -> bytes:
    """The bytes that are hashed: NFC, then UTF-8, nothing trimmed, folded or cut off.

    Raises InvalidFields for `password` when there are more than `MAX_BYTES` bytes as typed, or a lone surrogate, which
    no keyboard makes and UTF-8 cannot hold.
    """
    if _is_too_long(password):
        raise InvalidFields({"password": TooLong().sentence})
    try:
        return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        # Without its cause: the codec's error carries the whole password.
        raise InvalidFields(
            {"password": Sentence("The password holds a character that is not valid Unicode.")}
        ) from None


def as_typed(password: str) -> bytes:
    """The same password in UTF-8 as it came: what a system hashed that does not normalise. After `normalise`."""
    return password.encode()


def decide_password(
    rules: PasswordRules, password: str, email: Email | None
) -> Accepted | TooShort | TooLong | TooCommon:
    """Whether `password` may be set for the account with this e-mail. Raises InvalidFields for a lone surrogate."""
    if _is_too_long(password):
        return TooLong()
    text = normalise(password).decode()
    if len(text) < rules.min_length:
        return TooShort(rules.min_length)
    reason = _why_common(rules, fold(text), email)
    return Accepted() if reason is None else TooCommon(reason)


def words_in(text: str) -> frozenset[str]:
    """The folded text and its parts between punctuation, as far as they have 3 characters or more."""
    folded = fold(text)
    return frozenset(word for word in (folded, *_SEPARATORS.split(folded)) if len(word) >= SHORTEST_WORD)


def _is_too_long(password: str) -> bool:
    # Characters first, so that a megabyte is not even encoded.
    return len(password) > MAX_BYTES or len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES


def _why_common(rules: PasswordRules, folded: str, email: Email | None) -> Reason | None:
    if rules.words.contains(folded):
        return "listed"
    if is_sequence("".join(character for character, _ in groupby(folded))):
        return "sequence"
    texts = rules.own_words if email is None else (*rules.own_words, email.key, email.typed)
    own = frozenset[str]().union(*map(words_in, texts))
    unit = _repeated_unit(folded)
    if unit is not None and (len(unit) <= _LONGEST_TRIVIAL_UNIT or rules.words.contains(unit)):
        return "repeated"
    if not guessable(rules.words, own, unit or folded):
        return None
    if any(word in folded for word in own if len(word) >= SHORTEST_ANCHOR):
        return "own_words"
    return "joined" if unit is None else "repeated"


def _repeated_unit(text: str) -> str | None:
    """The shortest beginning that the text repeats, the last time perhaps without its last characters.

    "red fox red fox" counts: the unit ends with the separator that only the last one lacks.
    """
    for size in range(1, (len(text) + 1) // 2 + 1):
        if text[size:] == text[:-size]:
            return text[:size]
    return None
