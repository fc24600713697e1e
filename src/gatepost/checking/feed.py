"""An answer of `/feed` as bytes, and back: facts, floor, position, keys.

Owns the form and its strict reading, for the server that writes it and for everybody who follows: verifiers in other
services, `token inspect --server`. Pure; knows neither HTTP nor clocks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    Position,
    RevocationSet,
    SessionEnded,
    TokenEnded,
    parse_position,
)

LONGEST_POSITION: Final = 160
_POSITION: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_POSITION}}}", re.ASCII)
_RING: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_MOST_SEQ: Final = 2**63 - 1

# Each fact names what it hits as a token names it (RFC 7519, OpenID Connect, RFC 9068).
_FORMS: Final[dict[type[Fact], tuple[str, str]]] = {
    TokenEnded: ("token_ended", "jti"),
    SessionEnded: ("session_ended", "sid"),
    AccountEnded: ("account_ended", "sub"),
    AccountOutdated: ("account_outdated", "sub"),
    ClientEnded: ("client_ended", "client_id"),
    KeyEnded: ("key_ended", "kid"),
    EveryoneEnded: ("everyone_ended", ""),
    EveryoneOutdated: ("everyone_outdated", ""),
}
_NAMED: Final[dict[str, tuple[Any, str]]] = {kind: (fact, claim) for fact, (kind, claim) in _FORMS.items()}
_CLAIMS: Final = ("jti", "sid", "sub", "client_id", "kid")


class Unreadable(Exception):
    """These bytes are no answer of a feed that this version understands, so nothing in them is believed."""


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """Where a reader is: a place in the log, and the number of the ring whose keys it has (None: of none).

    Outside it is one opaque text. A receipt's position is one too, of somebody who has no keys yet.
    """

    position: Position
    ring: int | None

    def __str__(self) -> str:
        return str(self.position) if self.ring is None else f"{self.position}.{self.ring}"


def parse_feed_position(text: str) -> FeedPosition | None:
    """The place a text stands for, or None."""
    whole = parse_position(text)
    if whole is not None:
        return FeedPosition(whole, None)
    head, _, ring = text.rpartition(".")
    position = parse_position(head)
    return FeedPosition(position, int(ring)) if position and _RING.fullmatch(ring) else None


@dataclass(frozen=True, slots=True)
class Told:
    """A fact and its place in commit order."""

    seq: int
    fact: Fact


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """What a feed said: facts after the position asked for or, with `reset`, everything that is live.

    `age_ms` is how old the answerer's own knowledge was, in milliseconds. `keys` are the public keys as JWKs, None
    where the reader has them already.
    """

    facts: tuple[Told, ...]
    pos: str
    floor: int
    age_ms: int
    reset: bool = False
    keys: tuple[Mapping[str, Any], ...] | None = None

    def alone(self) -> RevocationSet:
        """The facts of this answer as a set: of a reset, everything that the reader has to know."""
        known = RevocationSet(self.floor)
        for told in self.facts:
            known.fold(told.seq, told.fact)
        return known


class _Fact(msgspec.Struct, omit_defaults=True, frozen=True):
    seq: int
    kind: str
    jti: str | None = None
    sid: str | None = None
    sub: str | None = None
    client_id: str | None = None
    kid: str | None = None
    keep: str | None = None


class _Sent(msgspec.Struct, omit_defaults=True, frozen=True):
    facts: msgspec.Raw
    pos: str
    floor: int
    age_ms: int
    reset: bool = False
    keys: msgspec.Raw | None = None


class _Read(msgspec.Struct, frozen=True):
    facts: list[_Fact]
    pos: str
    floor: int
    age_ms: int
    reset: bool = False
    keys: list[dict[str, Any]] | None = None


_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(_Read)


def encode_facts(facts: Iterable[tuple[int, Fact]]) -> bytes:
    """Facts with their places as the JSON list of an answer: most of its bytes, the same for all who lag as far."""
    return _encode([_written(seq, fact) for seq, fact in facts])


def encode_feed(answer: FeedAnswer, facts: bytes, keys: bytes | None = None) -> bytes:
    """The bytes of an answer. Its facts, and the keys as a JSON list, come encoded; those in `answer` are not read."""
    return _encode(
        _Sent(
            facts=msgspec.Raw(facts),
            pos=answer.pos,
            floor=answer.floor,
            age_ms=answer.age_ms,
            reset=answer.reset,
            keys=None if keys is None else msgspec.Raw(keys),
        )
    )


def read_feed(body: bytes) -> FeedAnswer:
    """The answer in these bytes. Raises `Unreadable`.

    Members that are not known here are ignored, kinds of fact are not: a reader that passed over one would go on
    accepting what it ended.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable("it has not the form of an answer") from error
    if not 0 <= found.floor <= _MOST_SEQ or not 0 <= found.age_ms <= _MOST_SEQ:
        raise Unreadable("a number in it is out of range")
    if not _POSITION.fullmatch(found.pos):
        raise Unreadable("its position is none")
    return FeedAnswer(
        facts=tuple(Told(one.seq, _fact_of(one)) for one in found.facts),
        pos=found.pos,
        floor=found.floor,
        age_ms=found.age_ms,
        reset=found.reset,
        keys=None if found.keys is None else tuple(found.keys),
    )


def _written(seq: int, fact: Fact) -> dict[str, Any]:
    kind, claim = _FORMS[type(fact)]
    written: dict[str, Any] = {"seq": seq, "kind": kind}
    match fact:
        case AccountEnded(account_id, keep):
            written |= {claim: account_id, "keep": keep} if keep is not None else {claim: account_id}
        case EveryoneEnded() | EveryoneOutdated():
            pass
        case (
            TokenEnded(subject)
            | SessionEnded(subject)
            | AccountOutdated(subject)
            | ClientEnded(subject)
            | KeyEnded(subject)
        ):
            written[claim] = subject
    return written


def _fact_of(one: _Fact) -> Fact:
    form = _NAMED.get(one.kind)
    if form is None:
        raise Unreadable("it tells a kind of fact that is not known here")
    make, claim = form
    given = {name: value for name in _CLAIMS if (value := getattr(one, name)) is not None}
    keeps = one.keep is not None
    if not 0 <= one.seq <= _MOST_SEQ or given.keys() != ({claim} if claim else set()):
        raise Unreadable("a fact in it does not name what it hits")
    if keeps and make is not AccountEnded:
        raise Unreadable("a fact in it keeps something that it cannot hit")
    subjects = (*given.values(), *([one.keep] if keeps else []))
    fact: Fact = make(*subjects)
    return fact
