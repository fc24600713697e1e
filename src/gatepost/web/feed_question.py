"""What the address of a `/feed` request asks for. Pure: strict reading, and one sentence for each mistake."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from gatepost.checking.feed import LONGEST_POSITION, FeedPosition, parse_feed_position
from gatepost.core.verifiers import LONGEST_BOUND, MOST, SHORTEST_BOUND, Policy
from gatepost.errors import BadRequest

_LONGEST_REMEMBERED: Final = 512
_PARAMETERS: Final = frozenset({"after", "wait", "as", "policy", "bound"})
_AFTER: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_POSITION}}}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_INSTANCE: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_POLICY: Final = re.compile("|".join(Policy))
_FORMS: Final = (
    ("after", _AFTER, "after must be a position as the last answer or a receipt named it."),
    ("wait", _SECONDS, "wait must be a number of seconds, such as 0.3."),
    ("as", _INSTANCE, "as must be 1 to 64 of the characters A-Z a-z 0-9 . _ : - ."),
    ("policy", _POLICY, "policy must be refuse, ask or allow."),
    ("bound", _SECONDS, "bound must be a number of seconds, such as 1.0."),
)


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Which instance asks, what it does when its lease is over, and for how many seconds it holds an answer.

    `bound` is None where it does not say: then it is the server's. Two are the same only if they are one object.
    """

    instance: str
    policy: Policy = Policy.REFUSE
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for: what comes after a place, for how many seconds to wait for it, and who asks."""

    after: FeedPosition | None = None
    wait: float = 0.0
    named: Named | None = None


def parse_wanted(query: bytes) -> Wanted:
    """What a query string asks for. Raises `BadRequest`.

    A place that no log has (of an earlier version, of another issuer) is no mistake of the reader: it starts anew.
    """
    return _remembered(query) if len(query) <= _LONGEST_REMEMBERED else _parsed(query)


# Whoever follows puts the very same question several times a second, while nothing happens.
@lru_cache(maxsize=MOST)
def _remembered(query: bytes) -> Wanted:
    return _parsed(query)


def _parsed(query: bytes) -> Wanted:
    if not query:
        return Wanted()
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise BadRequest("The query could not be read.") from error
    given = dict(pairs)
    if len(given) < len(pairs) or not given.keys() <= _PARAMETERS:
        raise BadRequest("Ask with after, wait, as, policy and bound only, each at most once.")
    for name, form, words in _FORMS:
        if name in given and not form.fullmatch(given[name]):
            raise BadRequest(words)
    after, wait = given.get("after"), given.get("wait")
    return Wanted(
        after=None if after is None else parse_feed_position(after),
        wait=0.0 if wait is None else float(wait),
        named=_named(given),
    )


def _named(given: dict[str, str]) -> Named | None:
    instance, policy, bound = given.get("as"), given.get("policy"), given.get("bound")
    if instance is None:
        if policy is not None or bound is not None:
            raise BadRequest("policy and bound are said of an instance: name it with as.")
        return None
    held = None if bound is None else float(bound)
    if held is not None and not SHORTEST_BOUND <= held <= LONGEST_BOUND:
        raise BadRequest(f"bound must be {SHORTEST_BOUND} to {LONGEST_BOUND:.0f} seconds.")
    return Named(instance, Policy.REFUSE if policy is None else Policy(policy), held)
