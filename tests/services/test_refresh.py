"""Rotation, repeats and replays of refresh tokens, with the clock turned by hand."""

from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.rotation import MOST_REPEATS
from gatepost.core.secrets import encode, parse_refresh
from gatepost.core.sessions import AHEAD, Carrier
from gatepost.errors import InvalidGrant, InvalidTarget, Outdated, Revoked, SlowDown
from gatepost.machine import SystemRandomness
from gatepost.services.tokens import TokenPair
from gatepost.testing.clock import TurnableClock
from tests.services.installation import ELSEWHERE, HOME, Device, Installation, add_account, trail

GRACE = timedelta(seconds=10)
TICK = timedelta(microseconds=1)
GARBAGE = encode(bytes(32))


@pytest.fixture
def program(authority: Authority) -> Device:
    """A client with tokens."""
    return Device(authority, add_account(authority), Carrier.TOKEN)


def generation_of(at: Authority, pair: TokenPair) -> int:
    """How often the family of a refresh token was rotated."""
    handle = parse_refresh(pair.refresh.reveal())
    assert handle is not None
    view = at.store.refresh(handle.id)
    assert view is not None
    return view.family.generation


def events_of(at: Authority) -> list[Event]:
    """The names in the audit trail."""
    return [row.event for row in trail(at)]


def test_a_refresh_gives_another_pair_of_the_same_session(authority: Authority, program: Device) -> None:
    """Both tokens are new, both work, and they speak for the session that began at sign-in."""
    before = program.pair
    after = program.refresh(authority)
    assert after.refresh != before.refresh
    assert after.access != before.access
    assert program.who(authority).session_id == program.session.id
    assert generation_of(authority, after) == 1


def test_a_lost_answer_is_given_again(authority: Authority, program: Device) -> None:
    """A client whose answer never arrived asks again and gets the very same pair; nothing is rotated twice."""
    presented = program.pair.refresh.reveal()
    lost = authority.tokens.refresh(presented, HOME)
    assert authority.tokens.refresh(presented, HOME) == lost
    assert generation_of(authority, lost) == 1
    assert events_of(authority)[-1] is Event.SIGNED_IN


def test_a_lost_answer_is_given_again_by_another_process(
    authority: Authority, neighbour: Authority, program: Device
) -> None:
    """The answer lies in the database, sealed, so any process can repeat it."""
    presented = program.pair.refresh.reveal()
    assert authority.tokens.refresh(presented, HOME) == neighbour.tokens.refresh(presented, HOME)


@pytest.mark.parametrize(("later", "repeats"), [(GRACE - TICK, True), (GRACE, False)])
def test_the_grace_ends_at_its_very_last_microsecond(
    authority: Authority, clock: TurnableClock, program: Device, later: timedelta, repeats: bool
) -> None:
    """One microsecond before the end of the grace the answer is repeated, at the end it is a replay."""
    first = program.pair.refresh.reveal()
    pair = program.refresh(authority)
    clock.turn(later)
    if repeats:
        assert authority.tokens.refresh(first, HOME) == pair
        assert program.holds(authority) == {"access", "refresh"}
    else:
        with pytest.raises(InvalidGrant):
            authority.tokens.refresh(first, HOME)
        assert program.holds(authority) == frozenset()


def test_a_grace_of_zero_repeats_nothing(installation: Installation) -> None:
    """With the grace switched off the second use of a token is a replay at once."""
    installation.sections = {"tokens": {"refresh_grace": "0s"}}
    authority = installation.open()
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    first = program.pair.refresh.reveal()
    program.refresh(authority)
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(first, HOME)
    assert program.holds(authority) == frozenset()


def test_a_replay_ends_the_session_and_every_token_of_the_family(
    authority: Authority, neighbour: Authority, program: Device
) -> None:
    """Grandparent replayed: the access tokens of all generations and the newest refresh token are dead everywhere."""
    pairs = [program.pair, program.refresh(authority), program.refresh(authority)]
    bystander = Device(authority, add_account(authority, "b@example.com"), Carrier.TOKEN)
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(pairs[0].refresh.reveal(), ELSEWHERE)
    for at in (neighbour, authority):
        for pair in pairs:
            program.credential = pair
            with pytest.raises(Revoked):
                program.who(at)
            with pytest.raises(InvalidGrant):
                at.tokens.refresh(pair.refresh.reveal(), HOME)
        assert bystander.holds(at) == {"access", "refresh"}
    [row] = [row for row in trail(authority) if row.event is Event.REFRESH_REPLAYED]
    assert (row.session_id, row.address, row.device) == (program.session.id, "203.0.113.99", "curl")


def test_a_replay_within_the_grace_of_a_later_rotation_is_one_too(
    authority: Authority, program: Device
) -> None:
    """The grace is for the immediate predecessor only, however fast the rotations follow each other."""
    first = program.pair.refresh.reveal()
    program.refresh(authority)
    program.refresh(authority)
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(first, HOME)
    assert program.holds(authority) == frozenset()


def test_the_owner_of_the_family_secret_with_an_invented_rotor_is_a_replay(
    authority: Authority, program: Device
) -> None:
    """The family is secret: who knows it and no current rotor holds an old token, so the session ends."""
    name, family, _ = program.pair.refresh.reveal().split(".")
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(f"{name}.{family}.{GARBAGE}", HOME)
    assert program.holds(authority) == frozenset()


def test_nobody_ends_a_session_by_guessing(authority: Authority, program: Device) -> None:
    """The id with a wrong secret, a right rotor without the secret, and no form at all: refused, to no effect."""
    name, family, rotor = program.pair.refresh.reveal().split(".")
    before = authority.store.position(), len(trail(authority))
    attempts = [
        f"{name}.{GARBAGE}",
        f"{name}.{GARBAGE}.{GARBAGE}",
        f"{name}.{GARBAGE}.{rotor}",
        f"{name}.{rotor}.{family}",
        f"{encode(bytes(16))}.{family}.{rotor}",
        f"{program.session.id}.{family}.{rotor}",
        f"{name}.{family}.{rotor}=",
        name,
        "",
        "é" * 22 + f".{family}.{rotor}",
    ]
    for attempt in attempts:
        with pytest.raises(InvalidGrant) as refusal:
            authority.tokens.refresh(attempt, ELSEWHERE)
        assert str(refusal.value) == str(InvalidGrant())
    assert (authority.store.position(), len(trail(authority))) == before
    assert program.holds(authority) == {"access", "refresh"}


def test_a_repeat_from_elsewhere_is_answered_and_written_down(authority: Authority, program: Device) -> None:
    """It gives nothing new, so it ends nothing; the owner can see that it happened."""
    first = program.pair.refresh.reveal()
    pair = program.refresh(authority)
    assert authority.tokens.refresh(first, ELSEWHERE) == pair
    row = trail(authority)[-1]
    assert (row.event, row.address, row.device) == (
        Event.REFRESH_REPEATED_ELSEWHERE,
        "203.0.113.99",
        "curl",
    )
    assert program.holds(authority) == {"access", "refresh"}


@pytest.mark.parametrize("origin", [HOME, ELSEWHERE])
def test_repeats_are_bounded_and_the_one_too_many_has_no_effect(
    authority: Authority, program: Device, origin: object
) -> None:
    """128 repeats are answered; the next is told to slow down, writes nothing, and everybody stays signed in."""
    from_there = HOME if origin is HOME else ELSEWHERE
    first = program.pair.refresh.reveal()
    pair = program.refresh(authority)
    for _ in range(MOST_REPEATS):
        assert authority.tokens.refresh(first, from_there) == pair
    before = authority.store.position(), len(trail(authority))
    with pytest.raises(SlowDown) as refusal:
        authority.tokens.refresh(first, from_there)
    assert refusal.value.retry_after == 10
    assert (authority.store.position(), len(trail(authority))) == before
    assert program.holds(authority) == {"access", "refresh"}


def test_each_generation_has_repeats_of_its_own(authority: Authority, program: Device) -> None:
    """A rotation begins the count anew."""
    for _ in range(2):
        presented = program.pair.refresh.reveal()
        pair = program.refresh(authority)
        for _ in range(MOST_REPEATS):
            assert authority.tokens.refresh(presented, HOME) == pair


def test_a_repeated_answer_carries_no_role_that_was_taken_meanwhile(authority: Authority) -> None:
    """The access token in a repeated answer is refused as outdated; the refresh token in it brings the new roles."""
    account = add_account(authority, roles=("member", "support"))
    program = Device(authority, account, Carrier.TOKEN)
    first = program.pair.refresh.reveal()
    program.refresh(authority)
    authority.accounts.set_roles(account.id, ["member"], "cli")
    program.credential = authority.tokens.refresh(first, HOME)
    with pytest.raises(Outdated):
        program.who(authority)
    program.refresh(authority)
    assert program.who(authority).roles == ("member",)


def test_a_rotation_narrows_audiences_for_once(installation: Installation) -> None:
    """RFC 8707: a refresh may ask for fewer audiences than the family has, never for others."""
    installation.sections = {"tokens": {"audiences": ["orders", "carts"]}}
    authority = installation.open()
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    with pytest.raises(InvalidTarget):
        authority.tokens.refresh(program.pair.refresh.reveal(), HOME, ["strangers"])
    pair = authority.tokens.refresh(program.pair.refresh.reveal(), HOME, ["orders"])
    wide = authority.tokens.refresh(pair.refresh.reveal(), HOME)
    assert len(wide.access.reveal()) > len(pair.access.reveal())


def test_a_refresh_token_dies_at_the_very_end_of_its_life(
    installation: Installation, clock: TurnableClock
) -> None:
    """Valid until the last microsecond of `tokens.refresh_ttl`, refused from the next on, ending nothing."""
    installation.sections = {"tokens": {"refresh_ttl": "1h"}}
    authority = installation.open()
    account = add_account(authority)
    early, late = Device(authority, account, Carrier.TOKEN), Device(authority, account, Carrier.TOKEN)
    clock.turn(timedelta(hours=1) - TICK)
    assert early.refresh(authority)
    clock.turn(TICK)
    before = authority.store.position()
    for device in (early, late):
        with pytest.raises(InvalidGrant):
            device.refresh(authority)
    assert authority.store.position() == before


def test_a_refresh_counts_as_use_of_its_session(
    installation: Installation, authority: Authority, program: Device, clock: TurnableClock
) -> None:
    """A client that only refreshes does not fall idle."""
    idle = installation.open().settings.sessions.idle
    for _ in range(3):
        clock.turn(idle - TICK)
        program.refresh(authority)
        authority.housekeeper.flush()
    assert program.holds(authority) == {"access", "refresh"}


def test_the_sealed_answer_is_gone_from_the_database_after_the_grace(
    authority: Authority, clock: TurnableClock, program: Device
) -> None:
    """The sweep removes it when nobody may ask for it any more, and not a moment before."""
    handle = parse_refresh(program.pair.refresh.reveal())
    assert handle is not None
    program.refresh(authority)
    for later, there in ((GRACE - TICK, True), (TICK, False)):
        clock.turn(later)
        authority.housekeeper.sweep()
        view = authority.store.refresh(handle.id)
        assert view is not None
        assert view.family.previous is not None
        assert (view.family.previous.sealed is not None) is there


def test_guesses_from_the_real_random_source_meet_no_family(authority: Authority, program: Device) -> None:
    """A well-formed token of nobody is refused."""
    randomness = SystemRandomness()
    text = ".".join(encode(randomness.bytes(count)) for count in (16, 32, 32))
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(text, HOME)
    assert program.holds(authority) == {"access", "refresh"}


@pytest.mark.parametrize(
    ("ahead", "repeats"), [(AHEAD, True), (AHEAD + TICK, False), (timedelta(days=1), False)]
)
def test_a_token_used_while_the_clock_was_ahead_is_refused_without_effect(
    authority: Authority, clock: TurnableClock, program: Device, ahead: timedelta, repeats: bool
) -> None:
    """Its grace would last until the time has caught up; its session goes on, and its successor with it."""
    first = program.pair.refresh.reveal()
    clock.jump(ahead)
    pair = program.refresh(authority)
    clock.jump(-ahead)
    before = authority.store.position(), len(trail(authority))
    if repeats:
        assert authority.tokens.refresh(first, HOME) == pair
    else:
        with pytest.raises(InvalidGrant):
            authority.tokens.refresh(first, ELSEWHERE)
    assert (authority.store.position(), len(trail(authority))) == before
    assert program.refresh(authority) != pair
    assert "refresh" in program.holds(authority)
