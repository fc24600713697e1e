"""The words that nobody should have as a password.

Owns the lists behind the password rules: the frequency lists of the zxcvbn package and, if the operator names one, a
file with one password a line. Decides nothing. Everything is on this machine; the lists are read at first use and
kept as digests, 16 bytes a word. `authority.py` makes one and hands it to the rules.
"""

import hashlib
import importlib.util
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from gatepost.core.folding import fold
from gatepost.core.passwords import MAX_BYTES
from gatepost.errors import SettingsError

FIRST_GUESSES: Final = 100
_FIRST_GUESS_BITS: Final = 7
_LISTED_BITS: Final = 15
_DIGEST_BYTES: Final = 16
_CHUNK_BYTES: Final = 1 << 20


class DigestSet:
    """A set of words that cannot grow: their digests, sorted, in 256 byte strings by first byte.

    A Python set of the same words takes 8 to 10 times the memory, which a breach corpus of millions does not leave.
    """

    __slots__ = ("_buckets",)

    def __init__(self, digests: Iterable[bytes]) -> None:
        gathered = [bytearray() for _ in range(256)]
        for digest in digests:
            gathered[digest[0]] += digest
        # One bucket at a time, so that the sorting never holds more than 1/256 of the set as objects.
        self._buckets = [_sorted(bucket) for bucket in gathered]

    def __contains__(self, digest: bytes) -> bool:
        bucket = self._buckets[digest[0]]
        count = len(bucket) // _DIGEST_BYTES

        def nth(index: int) -> bytes:
            return bucket[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]

        found = bisect_left(range(count), digest, key=nth)
        return found < count and nth(found) == digest

    def __len__(self) -> int:
        return sum(map(len, self._buckets)) // _DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class _Lists:
    """What is in memory once the lists were needed."""

    first_guesses: frozenset[str]
    shipped: DigestSet
    extra: DigestSet


class Blocklist:
    """The lists, loaded by the first question; one instance serves every thread. Implements `WordList`."""

    def __init__(self, extra: Path | None = None) -> None:
        """`extra` has one password a line in UTF-8. Raises SettingsError now if it cannot be opened."""
        self._extra = extra
        self._lists: _Lists | None = None
        self._loading = Lock()
        if extra is not None:
            try:
                with extra.open("rb"):
                    pass
            except OSError as error:
                raise _unreadable(extra, error) from None

    def load(self) -> None:
        """Read the lists now, so that the first sign-up does not wait for a large file."""
        self._loaded()

    def contains(self, word: str) -> bool:
        """Whether the word is on any list, the operator's included. Case and width do not matter."""
        lists = self._loaded()
        digest = _digest(fold(word).encode("utf-8", "surrogatepass"))
        return digest in lists.shipped or digest in lists.extra

    def bits(self, word: str) -> int | None:
        """About what it takes to guess the folded word as a piece: 7 for the first guesses, 15 for any other.

        The operator's file is not asked: in a breach corpus of millions nearly every pair of words is somebody's
        password, and two of its lines joined are not easy to guess.
        """
        lists = self._loaded()
        if word in lists.first_guesses:
            return _FIRST_GUESS_BITS
        return _LISTED_BITS if _digest(word.encode("utf-8", "surrogatepass")) in lists.shipped else None

    def _loaded(self) -> _Lists:
        lists = self._lists
        if lists is not None:
            return lists
        with self._loading:
            if self._lists is None:
                self._lists = _read(self._extra)
            return self._lists


def _read(extra: Path | None) -> _Lists:
    ranked = _frequency_lists()
    words = (fold(word) for words in ranked.values() for word in words)
    shipped = DigestSet(_digest(word.encode()) for word in words)
    first = frozenset(map(fold, ranked["passwords"][:FIRST_GUESSES]))
    if extra is None:
        return _Lists(first, shipped, DigestSet(()))
    try:
        return _Lists(first, shipped, DigestSet(map(_digest, _lines(extra))))
    except OSError as error:
        raise _unreadable(extra, error) from None


def _frequency_lists() -> dict[str, list[str]]:
    """Name to words, the commonest first. The dictionary is the caller's to drop.

    The file is executed by itself: importing it as part of its package would keep every list in memory as long as the
    process lives, and build the package's own tables beside them.
    """
    package = importlib.util.find_spec("zxcvbn")
    if package is None or package.origin is None:
        raise SettingsError(
            "The package zxcvbn, which brings the list of common passwords, is not installed."
        )
    place = Path(package.origin).with_name("frequency_lists.py")
    spec = importlib.util.spec_from_file_location("gatepost_frequency_lists", place)
    if spec is None or spec.loader is None:
        raise SettingsError(f"The list of common passwords at {place} cannot be read.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lists: dict[str, list[str]] = module.FREQUENCY_LISTS
    return lists


def _lines(path: Path) -> Iterator[bytes]:
    """Each password of the file, folded, in UTF-8. What is empty, too long for a password or no UTF-8 is left out."""
    for line in _raw_lines(path):
        if not line or len(line) > MAX_BYTES:
            continue
        if line.isascii():
            yield line.lower()
            continue
        try:
            yield fold(line.decode()).encode()
        except UnicodeDecodeError:
            continue


def _raw_lines(path: Path) -> Iterator[bytes]:
    """Lines without their ends, read in pieces: a file that is one endless line does not fill the memory."""
    rest = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.rstrip(b"\r") for line in lines)
            # Kept just long enough to be recognised as too long when its end comes.
            rest = rest[: MAX_BYTES + 2]
    yield rest.rstrip(b"\r")


def _digest(word: bytes) -> bytes:
    return hashlib.blake2b(word, digest_size=_DIGEST_BYTES).digest()


def _sorted(digests: bytearray) -> bytes:
    starts = range(0, len(digests), _DIGEST_BYTES)
    return b"".join(sorted(bytes(digests[start : start + _DIGEST_BYTES]) for start in starts))


def _unreadable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(f"The list of refused passwords at {path} cannot be read: {error.strerror}.")
