"""Seals over the audit trail: a row in bytes, the step of the chain, and what a broken chain tells.

Owns the form that is sealed and the verdict on it. Keeps no key, reads no clock, loads nothing: all three are handed
in by the sealer and by `audit verify` (services/audit.py).
"""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.core.secrets import same

LOWEST: Final = -(2**63)
HIGHEST: Final = 2**63 - 1
# 128 bits are enough where a guess can be tried only by whoever has the key anyway.
_MARK_BYTES: Final = 16
_NUMBER_BYTES: Final = 8
_STEP: Final = _NUMBER_BYTES + _MARK_BYTES
_ORIGIN: Final = bytes(32)
_MOST_FAULTS: Final = 100
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail as it lies in the store: its number and, by `canonical`, every field of it."""

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """What was true when rows were sealed: those after `after` up to `last`, `count` of them.

    `rows` is the SHA-256 of the rows' marks, `previous` the `mac` of the seal before. So the newest seal speaks for
    the whole trail, and a copy of it kept elsewhere shows when the end of the trail was cut off.
    """

    number: int
    after: int
    last: int
    count: int
    at: datetime
    rows: bytes
    previous: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal as it is stored: with the mark of each row, so that a broken one can be named."""

    seal: Seal
    marks: bytes


@dataclass(frozen=True, slots=True)
class RowRemoved:
    """A sealed row is gone."""

    number: int


@dataclass(frozen=True, slots=True)
class RowChanged:
    """A sealed row says something else than when it was sealed."""

    number: int


@dataclass(frozen=True, slots=True)
class RowInserted:
    """A row stands where there was none when its neighbours were sealed."""

    number: int


@dataclass(frozen=True, slots=True)
class SealChanged:
    """This installation's key did not make the seal as it is now. Nothing vouches for its rows."""

    number: int


@dataclass(frozen=True, slots=True)
class SealRemoved:
    """A seal inside the chain is gone. Nothing vouches for its rows."""

    number: int


@dataclass(frozen=True, slots=True)
class SealMisplaced:
    """A genuine seal that does not follow the one before it: one of the two is from another copy of the trail."""

    number: int


@dataclass(frozen=True, slots=True)
class TailCut:
    """The trail ends before the exported seal `number` does; rows up to `last` were there."""

    number: int
    last: int


@dataclass(frozen=True, slots=True)
class TrailReplaced:
    """Where the exported seal was made there is another one now: rows up to its end were written anew."""

    number: int


Fault = (
    RowRemoved
    | RowChanged
    | RowInserted
    | SealChanged
    | SealRemoved
    | SealMisplaced
    | TailCut
    | TrailReplaced
)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much was looked at: rows under seals, seals, the newest of them, and rows that wait for theirs."""

    rows: int
    seals: int
    newest: Seal | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Every row is sealed, and as it was when it was sealed."""

    extent: Extent


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What is sealed is whole; `extent.waiting` rows are not sealed yet."""

    extent: Extent


@dataclass(frozen=True, slots=True)
class Broken:
    """The trail is not what was sealed. The first faults, and how many more there are."""

    extent: Extent
    faults: tuple[Fault, ...]
    more: int


Verdict = Whole | Unsealed | Broken


def canonical(fields: Iterable[bytes | None]) -> bytes:
    """Fields as one byte string. Each is led by its length, so that no two lists of fields look the same."""
    return b"".join(b"-:" if one is None else b"%d:%b" % (len(one), one) for one in fields)


def seal_rows(key: bytes, previous: Seal | None, entries: Sequence[Entry], at: datetime) -> Sealed:
    """The next seal of the chain, over rows in the order of their numbers. There must be at least one."""
    marks = b"".join(_mark(key, entry) for entry in entries)
    seal = Seal(
        number=previous.number + 1 if previous else 1,
        after=previous.last if previous else 0,
        last=entries[-1].number,
        count=len(entries),
        at=at,
        rows=hashlib.sha256(marks).digest(),
        previous=previous.mac if previous else _ORIGIN,
        mac=b"",
    )
    return Sealed(_signed(key, seal), marks)


def is_genuine(key: bytes, seal: Seal) -> bool:
    """Whether this key made the seal, and nothing of it was changed."""
    return same(_mac(key, seal), seal.mac)


def covered(seal: Seal) -> tuple[int, int]:
    """The numbers that a seal speaks for: those after the first, up to the second. Nothing may stand before row 1."""
    return (LOWEST if seal.number == 1 else seal.after), seal.last


class Chain:
    """The trail's seals, looked at one by one from the first: `link`, then `judge` if it says so, then `verdict`."""

    def __init__(self, key: bytes, exported: Seal | None = None) -> None:
        self._key = key
        self._exported = exported
        self._faults: list[Fault] = []
        self._more = 0
        self._before: Seal | None = None
        self._newest: Seal | None = None
        self._rows = 0
        self._seals = 0

    @property
    def last(self) -> int:
        """The number of the newest row that a genuine seal speaks for."""
        return self._newest.last if self._newest else LOWEST

    def link(self, sealed: Sealed) -> bool:
        """Look at the next seal; whether its rows can be judged by it."""
        seal, before = sealed.seal, self._before
        expected = before.number + 1 if before else 1
        self._found(SealRemoved(number) for number in range(expected, min(seal.number, expected + 1000)))
        self._before, self._seals = seal, self._seals + 1
        if not is_genuine(self._key, seal) or hashlib.sha256(sealed.marks).digest() != seal.rows:
            self._found([SealChanged(seal.number)])
            return False
        if seal.number == expected and seal.previous != (before.mac if before else _ORIGIN):
            self._found([SealMisplaced(seal.number)])
        exported = self._exported
        if exported and exported.number == seal.number and exported.mac != seal.mac:
            self._found([TrailReplaced(seal.number)])
        self._newest = seal
        return True

    def judge(self, sealed: Sealed, entries: Iterable[Entry]) -> None:
        """Compare the rows that are there with those that were sealed, both in the order of their numbers."""
        marks = dict(_marks(sealed.marks))
        self._rows += len(marks)
        for entry in entries:
            known = marks.pop(entry.number, None)
            if known is None:
                self._found([RowInserted(entry.number)])
            elif not same(known, _mark(self._key, entry)[_NUMBER_BYTES:]):
                self._found([RowChanged(entry.number)])
        self._found(map(RowRemoved, marks))

    def verdict(self, waiting: int) -> Verdict:
        """What the whole says; `waiting` is how many rows come after `last`."""
        exported, newest = self._exported, self._before
        if exported and (newest is None or newest.number < exported.number):
            self._found([TailCut(exported.number, exported.last)])
        extent = Extent(self._rows, self._seals, self._newest, waiting)
        if self._faults:
            return Broken(extent, tuple(self._faults), self._more)
        return Unsealed(extent) if waiting else Whole(extent)

    def _found(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            if len(self._faults) < _MOST_FAULTS:
                self._faults.append(fault)
            else:
                self._more += 1


def seal_fields(seal: Seal) -> dict[str, Any]:
    """A seal as JSON can say it."""
    return {
        "gatepost_seal": _VERSION,
        "number": seal.number,
        "after": seal.after,
        "last": seal.last,
        "count": seal.count,
        "at": _moment(seal.at),
        "rows": b64encode(seal.rows).decode("ascii"),
        "previous": b64encode(seal.previous).decode("ascii"),
        "mac": b64encode(seal.mac).decode("ascii"),
    }


def seal_text(seal: Seal) -> str:
    """A seal as one line of JSON, to be kept where nobody who can write to the database can reach it."""
    return json.dumps(seal_fields(seal))


def parse_seal(text: str) -> Seal | None:
    """The seal in a line of JSON: as `seal_text` wrote it, or as the last line of an export. None if it is none."""
    try:
        found = json.loads(text)
        found = found.get("seal", found)
        if found["gatepost_seal"] != _VERSION:
            return None
        number, after, last, count = (int(found[name]) for name in ("number", "after", "last", "count"))
        at = datetime.fromisoformat(found["at"]).astimezone(UTC)
        rows, previous, mac = (b64decode(found[name], validate=True) for name in ("rows", "previous", "mac"))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, Base64Error):
        return None
    return Seal(number, after, last, count, at, rows, previous, mac)


def _mark(key: bytes, entry: Entry) -> bytes:
    mark = _hmac(key, canonical((b"row", entry.content)))[:_MARK_BYTES]
    return entry.number.to_bytes(_NUMBER_BYTES, "big", signed=True) + mark


def _marks(marks: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(marks), _STEP):
        number = int.from_bytes(marks[start : start + _NUMBER_BYTES], "big", signed=True)
        yield number, marks[start + _NUMBER_BYTES : start + _STEP]


def _signed(key: bytes, seal: Seal) -> Seal:
    return Seal(
        seal.number,
        seal.after,
        seal.last,
        seal.count,
        seal.at,
        seal.rows,
        seal.previous,
        _mac(key, seal),
    )


def _mac(key: bytes, seal: Seal) -> bytes:
    numbers = (b"%d" % number for number in (seal.number, seal.after, seal.last, seal.count))
    return _hmac(key, canonical((b"seal", *numbers, _moment(seal.at).encode(), seal.rows, seal.previous)))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")
