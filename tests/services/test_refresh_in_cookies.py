"""Tokens in cookies: the longer grace of their refresh token, with the clock turned by hand."""

from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import TokenCookies
from gatepost.core.changes import Event
from gatepost.core.rotation import MOST_REPEATS, RefreshFamily
from gatepost.core.secrets import parse_refresh
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import InvalidGrant, Revoked, SlowDown
from gatepost.services.tokens import TokenPair
from gatepost.testing.clock import TurnableClock
from tests.services.installation import ELSEWHERE, HOME, Device, add_account, trail

GRACE = timedelta(seconds=10)
HORIZON = timedelta(minutes=10)
TICK = timedelta(microseconds=1)


@pytest.fixture
def browser(authority: Authority) -> Device:
    """A browser with tokens in cookies."""
    return Device(authority, add_account(authority), Carrier.TOKEN_COOKIE)


def refresh(at: Authority, pair: TokenPair, origin: Origin = HOME) -> TokenPair:
    """Use the refresh token of a pair as a cookie."""
    return at.tokens.refresh(pair.refresh.reveal(), origin, carrier=Carrier.TOKEN_COOKIE)


def family_of(at: Authority, pair: TokenPair) -> RefreshFamily:
    """The record behind a refresh token."""
    handle = parse_refresh(pair.refresh.reveal())
    assert handle is not None
    view = at.store.refresh(handle.id)
    assert view is not None
    return view.family


def test_a_lost_answer_is_given_again_for_a_horizon(
    authority: Authority, clock: TurnableClock, browser: Device
) -> None:
    """As long as nobody used it: the very same pair up to the last microsecond, then the token is a replay."""
    first = browser.pair
    lost = refresh(authority, first)
    clock.turn(HORIZON - TICK)
    assert refresh(authority, first) == lost
    assert family_of(authority, first).generation == 1
    clock.turn(TICK)
    with pytest.raises(InvalidGrant):
        refresh(authority, first)
    assert authority.store.session(browser.session.id) is None


@pytest.mark.parametrize(("later", "repeats"), [(GRACE - TICK, True), (GRACE, False)])
def test_a_tab_two_generations_behind_is_answered_for_ten_seconds_more(
    authority: Authority, clock: TurnableClock, browser: Device, later: timedelta, repeats: bool
) -> None:
    """From the first use of the successor it gets the answer that it got, which leads to the newest one."""
    first = browser.pair
    second = refresh(authority, first)
    clock.turn(timedelta(minutes=3))
    third = refresh(authority, second)
    clock.turn(later)
    if repeats:
        assert refresh(authority, first) == second
        assert refresh(authority, second) == third
        assert family_of(authority, first).generation == 2
    else:
        with pytest.raises(InvalidGrant):
            refresh(authority, first)
    assert (authority.store.session(browser.session.id) is not None) is repeats


def test_a_tab_two_generations_behind_waits_no_longer_than_a_horizon(
    authority: Authority, clock: TurnableClock, browser: Device
) -> None:
    """Its own rotation is a horizon ago five seconds after its successor was used: that is the end."""
    first = browser.pair
    second = refresh(authority, first)
    clock.turn(HORIZON - GRACE / 2)
    refresh(authority, second)
    clock.turn(GRACE / 2 - TICK)
    assert refresh(authority, first) == second
    clock.turn(TICK)
    with pytest.raises(InvalidGrant):
        refresh(authority, first)


def test_a_tab_three_generations_behind_is_a_replay(authority: Authority, browser: Device) -> None:
    """However fast the rotations follow each other."""
    first = browser.pair
    pair = first
    for _ in range(3):
        pair = refresh(authority, pair)
    with pytest.raises(InvalidGrant):
        refresh(authority, first)
    assert trail(authority)[-1].event is Event.REFRESH_REPLAYED
    assert authority.store.session(browser.session.id) is None


def test_the_answer_before_the_last_is_kept_for_cookies_only(authority: Authority, browser: Device) -> None:
    """Where nobody may ask for it, it lies in no database."""
    program = Device(authority, add_account(authority, "b@example.com"), Carrier.TOKEN)
    refresh(authority, refresh(authority, browser.pair))
    program.refresh(authority)
    program.refresh(authority)
    in_cookies, in_program = family_of(authority, browser.pair), family_of(authority, program.pair)
    assert in_cookies.earlier is not None
    assert in_cookies.earlier.sealed is not None
    assert (in_program.generation, in_program.earlier) == (2, None)


def test_each_predecessors_answer_is_swept_when_its_grace_is_over(
    authority: Authority, clock: TurnableClock, browser: Device
) -> None:
    """Not a moment before: the older one's with the first use of its successor, the newer one's with the horizon."""
    second = refresh(authority, browser.pair)
    refresh(authority, second)
    moments = (
        (GRACE - TICK, (True, True)),
        (TICK, (True, False)),
        (HORIZON - GRACE - TICK, (True, False)),
        (TICK, (False, False)),
    )
    for later, there in moments:
        clock.turn(later)
        authority.housekeeper.sweep()
        family = family_of(authority, second)
        assert family.previous is not None
        assert family.earlier is not None
        assert (family.previous.sealed is not None, family.earlier.sealed is not None) == there


@pytest.mark.parametrize("shown", [Carrier.TOKEN, Carrier.TOKEN_COOKIE])
def test_a_refresh_token_shown_as_another_carrier_has_no_effect(
    authority: Authority, browser: Device, shown: Carrier
) -> None:
    """Current or used up, it is refused, and ends nothing: out of a cookie is not out of a script's hands."""
    program = Device(authority, add_account(authority, "b@example.com"), Carrier.TOKEN)
    wrong = browser if shown is Carrier.TOKEN else program
    right = Carrier.TOKEN_COOKIE if wrong is browser else Carrier.TOKEN
    first = wrong.pair.refresh.reveal()
    pairs = [wrong.pair]
    for _ in range(3):
        pairs.append(authority.tokens.refresh(pairs[-1].refresh.reveal(), HOME, carrier=right))
    before = authority.store.position(), len(trail(authority))
    for token in (first, *(pair.refresh.reveal() for pair in pairs)):
        with pytest.raises(InvalidGrant):
            authority.tokens.refresh(token, ELSEWHERE, carrier=shown)
    assert (authority.store.position(), len(trail(authority))) == before
    assert authority.tokens.refresh(pairs[-1].refresh.reveal(), HOME, carrier=right) != pairs[-1]


def test_a_repeat_is_compared_with_where_its_own_rotation_came_from(
    authority: Authority, browser: Device
) -> None:
    """The owner is told of a stranger who repeats either predecessor, and not of themselves."""
    first = browser.pair
    second = refresh(authority, first, HOME)
    refresh(authority, second, ELSEWHERE)
    quiet = len(trail(authority))
    refresh(authority, first, HOME)
    refresh(authority, second, ELSEWHERE)
    assert len(trail(authority)) == quiet
    for pair, origin in ((first, ELSEWHERE), (second, HOME)):
        refresh(authority, pair, origin)
        row = trail(authority)[-1]
        assert (row.event, row.address) == (Event.REFRESH_REPEATED_ELSEWHERE, origin.address)


def test_repeats_of_both_predecessors_are_bounded_together(authority: Authority, browser: Device) -> None:
    """128 in one generation; the one too many is told to wait ten seconds and changes nothing."""
    first = browser.pair
    second = refresh(authority, first)
    refresh(authority, second)
    for turn in range(MOST_REPEATS):
        refresh(authority, second if turn % 2 else first)
    for pair in (first, second):
        with pytest.raises(SlowDown) as refusal:
            refresh(authority, pair)
        assert refusal.value.retry_after == 10
    assert authority.store.session(browser.session.id) is not None


def test_a_pair_says_when_its_refresh_token_ends(
    authority: Authority, clock: TurnableClock, browser: Device
) -> None:
    """The same for the first pair, a rotated and a repeated one: what a cookie may live."""
    first = browser.pair
    clock.turn(timedelta(minutes=1))
    second, again = refresh(authority, first), refresh(authority, first)
    assert first.ends_at == second.ends_at == again.ends_at == browser.session.expires_at


def test_two_tokens_of_two_sessions_renew_nothing(authority: Authority, browser: Device) -> None:
    """Somebody's refresh token beside the access token of another is refused without effect for either."""
    other = Device(authority, add_account(authority, "b@example.com"), Carrier.TOKEN_COOKIE)
    mixed = TokenCookies(browser.pair.access.reveal(), other.pair.refresh.reveal())
    with pytest.raises(Revoked):
        authority.renewals.renew(mixed, HOME)
    for device in (browser, other):
        assert family_of(authority, device.pair).generation == 0
        own = TokenCookies(device.pair.access.reveal(), device.pair.refresh.reveal())
        assert authority.renewals.renew(own, HOME).presented != own


def test_an_access_token_that_is_over_still_says_whose_it_was(
    authority: Authority, clock: TurnableClock, browser: Device
) -> None:
    """Its time is no matter here; what is not genuine says nothing, and the refresh token is enough."""
    clock.turn(HORIZON + TICK)
    other = Device(authority, add_account(authority, "b@example.com"), Carrier.TOKEN_COOKIE)
    with pytest.raises(Revoked):
        authority.renewals.renew(
            TokenCookies(browser.pair.access.reveal(), other.pair.refresh.reveal()), HOME
        )
    for access in (None, "no.token.atall", browser.pair.access.reveal()):
        renewed = authority.renewals.renew(TokenCookies(access, browser.pair.refresh.reveal()), HOME)
        assert isinstance(renewed.credential, TokenPair)
