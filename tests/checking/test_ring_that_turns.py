"""The ring turns while something is being verified: what a key that is gone has made is never remembered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gatepost.carriers.jws import Compact, VerifyingKey
from gatepost.carriers.keys import CurrentRing, KeyRing
from gatepost.carriers.presented import Bearer, SealedCookie, TokenCookies
from gatepost.carriers.sealed import SealingKey
from gatepost.checking.guard import Guard
from gatepost.errors import Malformed, Outdated, Refused
from tests.builders import make_ring, make_signing_key
from tests.carriers.sealed_cookies import KEY, sealed
from tests.checking.posts import Post, nothing


class Drawer(dict[str, SealingKey]):
    """Sealing keys, of which one is taken out right after somebody has found it."""

    def __init__(self, *keys: SealingKey) -> None:
        super().__init__({key.header: key for key in keys})
        self.after: Callable[[], None] = nothing

    def get(self, header: str, default: object = None) -> SealingKey | None:  # type: ignore[override]
        found = super().get(header)
        self.after()
        return found


@dataclass(frozen=True, slots=True)
class WatchedRing(KeyRing):
    """A ring that lets something happen right after a key was found in it."""

    after: list[Callable[[], None]] = field(default_factory=list)

    def key_of(self, compact: Compact) -> VerifyingKey:
        found = KeyRing.key_of(self, compact)
        for act in self.after:
            act()
        return found


class Turning:
    """A guard whose ring is swapped, and its caches cleared, in the middle of the next verification."""

    def __init__(self, post: Post, successor: KeyRing) -> None:
        drawer = Drawer(KEY)
        parts = {name: getattr(make_ring(), name) for name in KeyRing.__slots__}
        ring = WatchedRing(**{**parts, "opening": drawer})
        self.current = CurrentRing(ring)
        self.guard = Guard(self.current, post.follower, post.store, post.clock, post.rules)
        self.turns = 0

        def turn() -> None:
            if self.current.current is ring:
                self.current.current = successor
                self.guard.cache.forget_keyed()
                self.turns += 1

        ring.after.append(turn)
        drawer.after = turn


def without(withdrawn: SealingKey | None = None) -> KeyRing:
    """The ring once the keys that signed and sealed are in it no more, or only to exchange."""
    parts = {name: getattr(make_ring(make_signing_key("key-2")), name) for name in KeyRing.__slots__}
    return KeyRing(**{**parts, "opening": {withdrawn.header: withdrawn} if withdrawn else {}})


def test_a_token_of_a_key_that_goes_during_its_verification_is_refused(post: Post) -> None:
    """Now, and when nobody remembers any more that the key was ended."""
    turning, token = Turning(post, without()), post.bearer()
    for _ in range(2):
        with pytest.raises(Malformed):
            turning.guard.check(token)
    assert (turning.turns, turning.guard.known) == (1, (0, 0, 0, 0))
    post.turn(timedelta(minutes=5))
    with pytest.raises(Malformed):
        turning.guard.check(token)


def test_a_token_in_a_cookie_is_no_other_matter(post: Post) -> None:
    """Without a refresh token beside it there is nothing to renew it with."""
    turning = Turning(post, without())
    shown = TokenCookies(post.bearer().token, None)
    for _ in range(2):
        with pytest.raises(Refused):
            turning.guard.check(shown)
    assert (turning.turns, turning.guard.known) == (1, (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("withdrawn", "refusal"),
    [(None, Malformed), (SealingKey(KEY.kid, KEY.raw, withdrawn=True), Outdated)],
    ids=["gone", "withdrawn"],
)
def test_a_sealed_cookie_of_a_key_that_goes_while_it_is_opened_is_not_believed(
    post: Post, withdrawn: SealingKey | None, refusal: type[Refused]
) -> None:
    """It is Malformed without its key, and only to be exchanged where the key was withdrawn."""
    turning, cookie = Turning(post, without(withdrawn)), SealedCookie(sealed())
    for _ in range(2):
        with pytest.raises(refusal):
            turning.guard.check(cookie)
    assert (turning.turns, turning.guard.known) == (1, (0, 0, 0, 0))


def test_a_ring_that_turns_without_losing_the_key_costs_a_second_look(post: Post) -> None:
    """Nobody honest is refused for it."""
    turning, token = Turning(post, make_ring()), post.bearer()
    assert isinstance(token, Bearer)
    assert turning.guard.check(token) == turning.guard.check(token)
    assert turning.guard.known == (0, 1, 0, 0)
