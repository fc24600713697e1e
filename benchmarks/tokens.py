"""Rows about access tokens: known ones, and of each algorithm those that are seen for the first time.

Beside them the libraries for Python and for Node, each also as a multiple of the signature check that it stands on.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from typing import Final

from joserfc.errors import SecurityWarning

from benchmarks.issuers import Issuer, issuers, raw_verify
from benchmarks.measuring import Contender, Entry, Part, Work, entry, race
from benchmarks.node import CACHED, MEASURED, PINS, Missing, NodeTimes, node_times
from benchmarks.results import Row, Target, Unit
from benchmarks.rivals import NO_REVOCATION, RAW, python_rivals
from benchmarks.sizes import Sizes
from benchmarks.world import LIVE_FACTS, OUR_NOTE, World, forgetful_guard, guard_of, world

_MICROSECONDS: Final = 1e6
_FACTORS: Final = {"ES256": 1.25, "EdDSA": 1.25, "RS256": 1.5, "HS256": 4.0}
_IN_COOKIES: Final = "Guard.check, token-cookie"
_PINNED: Final = ", ".join(f"{name} {pin}" for name, pin in PINS.items())


def tokens(sizes: Sizes) -> tuple[Row, ...]:
    """All rows about tokens, Node asked once for all of them."""
    with world(facts=LIVE_FACTS) as w, warnings.catch_warnings():
        # At each call joserfc says that EdDSA has another name since RFC 9864.
        warnings.simplefilter("ignore", SecurityWarning)
        found = issuers(w)
        times = node_times(found, sizes.memory) if sizes.node else Missing("Node is left out of this run")
        return (_known(w, found, sizes, times), *(_new(w, one, sizes, times) for one in found))


def _known(w: World, found: Sequence[Issuer], sizes: Sizes, times: NodeTimes | Missing) -> Row:
    record, token = {(es256 := found[0]).tokens[0]: object()}, es256.tokens[0]
    guard, in_cookies = w.authority.guard, w.in_cookies
    contenders = (
        *(Contender(Part.OURS, f"Guard.check, {one.algorithm}", _again(w, one), OUR_NOTE) for one in found),
        Contender(Part.OURS, _IN_COOKIES, lambda: guard.check(in_cookies), OUR_NOTE),
        Contender(Part.LIMIT, "dictionary hit", lambda: record[token], "checks nothing"),
        *python_rivals(es256, lambda: token),
    )
    entries = race(contenders, sizes.memory, _MICROSECONDS)
    names = [one.name for one in contenders if one.part is Part.OURS]
    return Row(
        "known-token",
        "Known access token",
        Unit.MICROSECONDS,
        (*entries, *_node_entries(times, "ES256", {CACHED})),
        (*(Target(name, 3) for name in names), Target(names[0], 1 / 50, "PyJWT")),
        "the libraries for Python have no memory and verify the signature again, here ES256's."
        + _left_out(times),
    )


def _again(w: World, issuer: Issuer) -> Work:
    guard, bearer = guard_of(w.authority, most_known=8, ring=issuer.ring), issuer.bearers[0]
    return lambda: guard.check(bearer)


def _new(w: World, issuer: Issuer, sizes: Sizes, times: NodeTimes | Missing) -> Row:
    guard = forgetful_guard(w.authority, issuer.ring)
    bearers, turns = cycle(issuer.bearers), cycle(issuer.tokens)
    entries = race(
        (
            Contender(Part.OURS, "Guard.check", lambda: guard.check(next(bearers)), OUR_NOTE, RAW),
            Contender(
                Part.LIMIT, RAW, raw_verify(issuer), "the signature alone, already decoded; no claim is read"
            ),
            *python_rivals(issuer, lambda: next(turns), RAW),
        ),
        sizes.memory,
        _MICROSECONDS,
    )
    algorithm = issuer.algorithm
    return Row(
        f"new-token-{algorithm.lower()}",
        f"Access token seen for the first time ({algorithm}, {len(issuer.tokens[0])} bytes)",
        Unit.MICROSECONDS,
        (*entries, *_node_entries(times, algorithm, set(MEASURED) - {CACHED})),
        (Target("Guard.check", _FACTORS[algorithm], RAW),),
        _left_out(times).strip(),
    )


def _node_entries(times: NodeTimes | Missing, algorithm: str, names: Iterable[str]) -> Iterator[Entry]:
    if isinstance(times, Missing):
        return
    raw, where = MEASURED[0], f"in Node {times.node.lstrip('v')}, after the others and not in turns with them"
    for name in (one for one in MEASURED if one in names):
        rounds = times.rounds[algorithm][name]
        if name == raw:
            yield entry(Part.LIMIT, raw, rounds, f"the signature alone, already decoded; {where}")
        else:
            note = f"{_PINNED} {where}; {NO_REVOCATION} before it expires"
            yield entry(Part.RIVAL, name, rounds, note, raw if raw in names else "")


def _left_out(times: NodeTimes | Missing) -> str:
    return f" jose and fast-jwt are not here: {times.reason}." if isinstance(times, Missing) else ""
