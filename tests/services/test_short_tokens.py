"""The gateway's short JWTs by themselves: when one is given again, when not, and how many are kept."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
import pytest

from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import CurrentRing
from gatepost.core.principals import Principal
from gatepost.core.sessions import FIRST_PARTY, Carrier
from gatepost.errors import Expired, TooLarge
from gatepost.machine import SystemRandomness
from gatepost.services.access_tokens import AccessTokens
from gatepost.services.identifiers import Identifiers
from gatepost.services.short_tokens import Checked, ShortTokens
from gatepost.testing.clock import NOON, TurnableClock
from tests.builders import make_ring, make_signing_key

ISSUER = "https://auth.example.com"
LONG = 1e9
HALF = timedelta(seconds=15)


@dataclass
class Desk:
    """A place where short tokens are given out, three at most."""

    clock: TurnableClock = field(default_factory=TurnableClock)
    rings: CurrentRing = field(default_factory=lambda: CurrentRing(make_ring(make_signing_key())))

    def __post_init__(self) -> None:
        self.access = AccessTokens(self.rings, ISSUER, Identifiers(SystemRandomness()))
        self.short: ShortTokens[tuple[Principal, str]] = ShortTokens(
            self.clock, lambda who, token: (who, token.reveal()), most=3
        )

    def give(self, checked: Checked, audience: str = "orders") -> str:
        """A token for somebody, dressed with exactly this somebody."""
        who, token = self.short.give(checked, audience, self.access)
        assert who is checked.who
        return token

    def again(self, who: Principal, audience: str = "orders", key: PrivateKey | None = None) -> str | None:
        """What somebody was given, if it is given again."""
        found = self.short.again(who, audience, key or self.access.key)
        return found[1] if found else None


@pytest.fixture
def desk() -> Desk:
    """One without customers."""
    return Desk()


def checked(until: float = LONG, pos: int = 7, client_id: str = FIRST_PARTY, **changed: Any) -> Checked:
    """Somebody the guard let in: another object each time, as from another look."""
    plain: dict[str, Any] = {
        "account_id": "account", "session_id": "session", "roles": ("member",), "permissions": frozenset(),
        "carrier": Carrier.COOKIE, "authenticated_at": NOON, "email": None,
    }  # fmt: skip
    return Checked(Principal(**{**plain, **changed}), client_id, pos, until)


def read(token: str) -> dict[str, Any]:
    """What a token says."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_a_token_is_given_again_until_half_of_its_life_is_over(desk: Desk) -> None:
    """In the very moment at which fifteen seconds have passed it is not."""
    ada = checked()
    token = desk.give(ada)
    assert desk.again(ada.who) == token
    desk.clock.turn(HALF - timedelta(microseconds=1))
    assert desk.again(ada.who) == token
    desk.clock.turn(timedelta(microseconds=1))
    assert desk.again(ada.who) is None
    assert desk.give(ada) != token


def test_it_is_given_to_the_same_look_only(desk: Desk) -> None:
    """Another look at the session, audience or key asks for more than memory."""
    ada, other = checked(), make_ring(make_signing_key("key-2")).signing
    token = desk.give(ada)
    assert desk.again(checked().who) is None
    assert desk.again(ada.who, "stock") is None
    assert desk.again(ada.who, key=other) is None
    assert desk.again(ada.who) == token


def test_another_look_that_says_the_same_shares_the_token(desk: Desk) -> None:
    """Two carriers of one session, for one: no second signature, and the half of its life is not begun anew."""
    token = desk.give(checked())
    desk.clock.turn(HALF - timedelta(microseconds=1))
    assert desk.give(checked(email="ada@example.com")) == token
    desk.clock.turn(timedelta(microseconds=1))
    assert desk.give(checked()) != token


@pytest.mark.parametrize(
    "changed",
    [
        {"pos": 8},
        {"pos": 6},
        {"roles": ("member", "admin")},
        {"roles": ()},
        {"client_id": "other"},
        {"account_id": "other"},
        {"authenticated_at": NOON + timedelta(seconds=1)},
        {"until": 1029.0},
        {"session_id": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_look_that_says_anything_else_does_not(desk: Desk, changed: dict[str, Any]) -> None:
    """Newer or older: what the token says is always what was checked."""
    token = desk.give(checked())
    found = desk.give(checked(**changed))
    assert found != token
    claims = read(found)
    assert claims["pos"] == changed.get("pos", 7)
    assert claims["roles"] == list(changed.get("roles", ("member",)))
    assert claims["client_id"] == changed.get("client_id", FIRST_PARTY)
    assert claims["sub"] == changed.get("account_id", "account")


def test_another_key_signs_anew(desk: Desk) -> None:
    """Even to the same look: what a withdrawn key signed is refused everywhere."""
    ada = checked()
    desk.give(ada)
    desk.rings.current = make_ring(make_signing_key("key-2"))
    assert desk.again(ada.who) is None
    assert jwt.get_unverified_header(desk.give(ada))["kid"] == "key-2"


@pytest.mark.parametrize("by", [timedelta(seconds=20), timedelta(seconds=-20)])
def test_a_clock_that_was_set_makes_it_anew(desk: Desk, by: timedelta) -> None:
    """Its end stands in wall time, which is another now; what the guard remembers is made anew then, too."""
    desk.give(checked())
    desk.clock.jump(by)
    now = int((NOON + by).timestamp())
    assert [read(desk.give(checked()))[name] - now for name in ("iat", "exp")] == [0, 30]


@pytest.mark.parametrize(
    ("left", "lives", "again"),
    [(30.0, 30, 15.0), (29.5, 29, 14.5), (10.0, 10, 5.0), (1.0, 1, 0.5)],
)
def test_it_ends_with_what_it_was_made_of(desk: Desk, left: float, lives: int, again: float) -> None:
    """In whole seconds, and given again for half of that."""
    # As the guard has it: a tenth of a microsecond early.
    ada = checked(until=1000 + left - 1e-7)
    claims = read(desk.give(ada))
    assert claims["exp"] - claims["iat"] == lives
    desk.clock.turn(timedelta(seconds=again - 0.001))
    assert desk.again(ada.who)
    desk.clock.turn(timedelta(seconds=0.001))
    assert desk.again(ada.who) is None


def test_nothing_is_made_that_is_over_at_once(desk: Desk) -> None:
    """Within the last second of what it would be made of; nor is anything remembered of it."""
    with pytest.raises(Expired):
        desk.give(checked(until=1000.9))
    assert len(desk.short) == 0


def test_roles_that_do_not_fit_are_refused(desk: Desk) -> None:
    """A header has its limits: `TooLarge`, with the largest claims."""
    with pytest.raises(TooLarge, match="roles"):
        desk.give(checked(roles=tuple(f"role-{number}" for number in range(1000))))


def test_tokens_are_kept_for_so_many_and_no_more(desk: Desk) -> None:
    """The oldest goes first; whoever lost theirs gets another."""
    looks = [checked(session_id=f"session-{number}") for number in range(5)]
    tokens = [desk.give(look) for look in looks]
    assert len(desk.short) == 3
    assert [desk.again(look.who) for look in looks] == [None, None, *tokens[2:]]


def test_tokens_that_nobody_asks_for_again_go(desk: Desk) -> None:
    """Once they may not be given again, whoever comes next makes room."""
    for number in range(3):
        desk.give(checked(session_id=f"session-{number}"))
    desk.clock.turn(HALF)
    for length in (2, 1, 1):
        desk.give(checked(session_id="newest"))
        assert len(desk.short) == length


def test_no_token_is_printed(desk: Desk) -> None:
    """Neither the text nor the key shows in what a debugger or a log would print."""
    token = desk.give(checked())
    assert token not in repr(vars(desk.short)["_given"])
