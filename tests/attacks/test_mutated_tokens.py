"""Mutations of genuine credentials, found by Hypothesis: none is accepted, in no place where it can be shown.

The one exception is the second form of an ECDSA signature, which no change of a few characters finds. What follows a
value in a header or a cookie (blanks, a semicolon) is no part of it, and is not changed here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gatepost.carriers.base64url import decode_strictly
from gatepost.core.secrets import encode
from gatepost.core.sessions import Carrier
from tests.attacks.targets import IN_COOKIE, Target, text_of

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NEAR: Final = st.sampled_from(LETTERS + ".=+/~!%\\\"'`^|@#$&*(){}[]<>?:,\x7f\x80\xa0\xad\xff")
# One server answers all examples of a test; nothing that one leaves there changes what the next finds.
shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=settings().max_examples * 3 // 5,
)


@dataclass(frozen=True)
class Change:
    """Where a text is cut, how much is taken out, and what is put in."""

    at: float
    taken: int
    put: str
    moved: float | None

    def of(self, text: str) -> str:
        """The text with this change."""
        at = int(self.at * len(text))
        left, right = text[:at], text[at + self.taken :]
        if self.moved is None:
            return left + self.put + right
        rest, place = left + right, int(self.moved * len(left + right))
        return rest[:place] + text[at : at + self.taken] + self.put + rest[place:]


changes = st.builds(
    Change,
    at=st.floats(0, 1),
    taken=st.integers(0, 4),
    put=st.text(NEAR, max_size=4),
    moved=st.none() | st.floats(0, 1),
)
"""A few characters replaced, put in, taken out, or moved elsewhere."""


def mutated(text: str, change: Change) -> str:
    """Another text; examples that would change nothing are left out."""
    changed = change.of(text)
    assume(changed not in {text, ""})
    return changed


@shared
@given(change=changes)
def test_a_mutated_access_token_is_refused(target: Target, change: Change) -> None:
    """As a bearer token, in a cookie, and asked about: it gets what garbage gets."""
    target.require_refused(mutated(target.issued.access, change).encode("latin-1"))


@shared
@given(part=st.integers(0, 2), at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_of_any_part_is_refused(target: Target, part: int, at: int, bit: int) -> None:
    """Every bit of header, claims and signature counts, also where it is encoded again as it should be."""
    parts = target.issued.access.split(".")
    plain = bytearray(decode_strictly(parts[part]))
    plain[at % len(plain)] ^= 1 << bit
    parts[part] = encode(bytes(plain))
    target.require_refused(".".join(parts))


def changed_json(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A JSON value with something else in one place of it."""
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        how = draw(st.sampled_from(["out", "in", "deeper", "renamed"]))
        rest = {key: one for key, one in value.items() if key != name}
        if how == "out":
            return rest
        if how == "renamed":
            return {**rest, name + draw(st.text(max_size=3)): value[name]}
        return {**value, name: changed_json(value[name], draw) if how == "deeper" else draw(plain_json)}
    return draw(plain_json)


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@shared
@given(data=st.data())
def test_a_mutated_header_is_refused_although_our_key_signs_it(target: Target, data: st.DataObject) -> None:
    """Any member out, in or changed, and signed again with the server's own key."""
    header = changed_json(target.header, data.draw)
    assume(text_of(header) != text_of(target.header))
    target.require_refused(target.forge(text_of(header)))


@shared
@given(text=st.binary(max_size=120) | st.text(NEAR, max_size=120).map(lambda text: text.encode("latin-1")))
def test_no_text_is_more_than_refused(target: Target, text: bytes) -> None:
    """Whatever is shown, whole or as any part of a genuine token, is one refusal."""
    header, payload, signature = (part.encode() for part in target.issued.access.split("."))
    tokens = [(text,), (text, payload, signature), (header, text, signature), (header, payload, text)]
    for parts in tokens:
        target.require_refused(b".".join(parts))
    target.require_refused(target.forge(claims=text))


@shared
@given(change=changes, kind=st.sampled_from([Carrier.COOKIE, Carrier.SEALED]))
def test_a_mutated_cookie_is_refused_and_nothing_is_given_for_it(
    es256: Target, change: Change, kind: Carrier
) -> None:
    """Opaque and sealed: 401, and no renewed cookie; the genuine one stays good."""
    name = "" if kind is Carrier.COOKIE else "sealed"
    value = es256.cookies[kind]
    changed = mutated(value, change).encode("latin-1")
    assume(IN_COOKIE.fullmatch(changed))
    reply = es256.in_cookie(changed, name)
    assert (reply.status, reply.json["code"], reply.cookies) == (401, "invalid_token", ())
    assert es256.in_cookie(value, name).status == 200


@shared
@given(change=changes)
def test_a_mutated_refresh_token_gives_nothing(es256: Target, change: Change) -> None:
    """It is refused. Its session ends where the family was right and the rotor was not, for that is a replay."""
    issued = es256.issue()
    changed = mutated(issued.refresh, change)
    assert es256.refreshed(changed.encode("latin-1")).json["error"] in {"invalid_grant", "invalid_request"}
    whose, family, rotor = issued.refresh.split(".")
    parts = changed.split(".")
    replayed = parts[:2] == [whose, family] and len(parts[-1]) == len(rotor) and changed.isascii()
    replayed = replayed and len(parts) == 3
    assert es256.refreshed(issued.refresh).status == (400 if replayed else 200)
    assert es256.at_session(issued.access).status == (401 if replayed else 200)
