"""The ring at work over one database: turned by time and by hand, withdrawn, read again by every process."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import jwt
import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer
from gatepost.carriers.tokens import issue
from gatepost.core.changes import Event
from gatepost.core.keys import ROOT, SEALING, KeyState, Make
from gatepost.core.sessions import Carrier
from gatepost.errors import Conflict, Expired, InvalidFields, Malformed, NotFound, Revoked
from gatepost.services.commits import ReceiptState
from gatepost.services.tokens import TokenPair
from gatepost.testing.clock import NOON, TurnableClock
from tests.services.installation import Device, Installation, add_account, settle_in, trail

SECOND = timedelta(seconds=1)
KEYS_EVENTS = {Event.KEY_MADE, Event.KEY_ROTATED, Event.KEY_WITHDRAWN}


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for another process to have heard; a follower asks many times in a second."""
    over = time.monotonic() + 60
    while not true():
        assert time.monotonic() < over, what
        time.sleep(0.002)


def signing_kid(at: Authority) -> str:
    """The key that signs at this authority now."""
    return at.ring.signing.verifying.kid


def kid_of(device: Device) -> str:
    """The key that signed what a device holds."""
    kid: str = jwt.get_unverified_header(device.pair.access.reveal())["kid"]
    return kid


def same_ring(*authorities: Authority) -> None:
    """Wait until all of them work with what the store holds."""
    stored = {(key.id, key.state) for key in authorities[0].keys.listed() if key.state is KeyState.ACTIVE}
    active = {key_id for key_id, _ in stored}

    def heard(at: Authority) -> bool:
        return {signing_kid(at), at.ring.sealing.kid} == active

    until(lambda: all(map(heard, authorities)), "every process has the ring of the store")


def states(at: Authority, algorithm: str = "ES256") -> dict[str, str]:
    """The keys of an algorithm and their states."""
    return {key.id: key.state.value for key in at.keys.listed() if key.algorithm == algorithm}


def test_a_first_start_makes_an_active_and_a_next_key_for_tokens_and_for_cookies(
    authority: Authority, neighbour: Authority
) -> None:
    """Once, whoever starts; both processes know all four, and the trail has one row of it."""
    for algorithm in ("ES256", SEALING):
        assert sorted(states(authority, algorithm).values()) == ["active", "next"]
    assert authority.ring.kids == neighbour.ring.kids
    assert len(authority.ring.kids) == 4
    assert [row.event for row in trail(authority) if row.event in KEYS_EVENTS] == [Event.KEY_MADE]
    published = {key["kid"] for key in json.loads(authority.ring.jwks())["keys"]}
    assert published == set(states(authority))


@dataclass
class CarefulService:
    """A service that fetches the list of public keys once in five seconds, keeps it, and never looks again sooner."""

    clock: TurnableClock
    fetch: Callable[[], bytes]
    kept: bytes = b""
    until: datetime = NOON

    def verify(self, token: str) -> None:
        """Raises if the list that it keeps has no key for this token, or the signature is not that key's."""
        if self.clock.now() >= self.until:
            self.kept, self.until = self.fetch(), self.clock.now() + 5 * SECOND
        key = jwt.PyJWKSet.from_json(self.kept.decode())[jwt.get_unverified_header(token)["kid"]]
        jwt.PyJWS().decode(token, key, algorithms=["ES256"])


def test_rotation_every_ten_seconds_for_a_minute_refuses_no_valid_token(tmp_path: Path) -> None:
    """Every token that is in time is taken at both processes, and by services that keep their list of keys."""
    clock = TurnableClock()
    sections = {"keys": {"rotate_every": "10s", "jwks_cache": "5s"}, "revocation": {"horizon": "30s"}}
    installation = Installation(tmp_path / "data", clock, sections)
    one, other = installation.open(), installation.open()
    account = add_account(one)
    devices = [Device(at, account, Carrier.TOKEN) for at in (one, other)]
    careful = [CarefulService(clock, lambda: published(one)) for _ in range(2)]
    signed_by, issued = {signing_kid(one)}, []
    for step in range(28):
        clock.turn(2.5 * SECOND)
        one.keys.turn_if_due()
        same_ring(one, other)
        signed_by.add(signing_kid(other))
        issued += [device.refresh(at) for device, at in zip(devices, (other, one), strict=True)]
        for service in careful[: 1 + step % 2]:
            service.verify(issued[-1].access.reveal())
        for pair, at in product(issued, (one, other)):
            assert taken(at, pair) is (clock.now() < pair.expires_at)
    installation.close()
    assert (len(signed_by), installation.troubles) == (8, [])


def published(at: Authority) -> bytes:
    """The list of public keys as it is at this moment."""
    return at.ring.jwks()


def taken(at: Authority, pair: TokenPair) -> bool:
    """Whether an authority takes an access token; the one reason not to is its time."""
    try:
        at.guard.check(Bearer(pair.access.reveal()))
    except Expired:
        return False
    return True


def test_a_key_that_was_retired_goes_when_all_its_tokens_have_expired(
    authority: Authority, installation: Installation, clock: TurnableClock
) -> None:
    """Horizon, twice the leeway and the deadline of a request: at that moment, and not a tick before."""
    old = signing_kid(authority)
    authority.keys.rotate("cli", "ES256")
    clock.turn(timedelta(minutes=11, seconds=30) - timedelta(microseconds=1))
    assert not authority.keys.turn_if_due()
    assert states(authority)[old] == "retired"
    clock.turn(timedelta(microseconds=1))
    assert authority.keys.turn_if_due()
    assert old not in states(authority)
    assert old not in authority.ring.kids


def test_who_asks_for_new_keys_has_them_and_the_old_tokens_stand(
    authority: Authority, neighbour: Authority
) -> None:
    """On a fresh installation too, where every list of keys there ever was has the next one."""
    account = add_account(authority)
    before = Device(authority, account, Carrier.TOKEN)
    old, coming = signing_kid(authority), next(k for k, s in states(authority).items() if s == "next")
    rotated = authority.keys.rotate("cli")
    assert rotated.known_at is None
    assert (
        [key.id for key in rotated.keys if key.algorithm == "ES256"] == [coming] == [signing_kid(authority)]
    )
    assert states(authority)[old] == "retired"
    same_ring(authority, neighbour)
    after = Device(neighbour, account, Carrier.TOKEN)
    assert (kid_of(before), kid_of(after)) == (old, coming)
    for device in (before, after):
        for at in (authority, neighbour):
            assert device.who(at).account_id == account.id
    assert authority.keys.ring is authority.ring
    rows = [row for row in trail(authority) if row.event is Event.KEY_ROTATED]
    assert {row.more["kid"] for row in rows} == {key.id for key in rotated.keys}
    assert {row.actor for row in rows} == {"cli"}


def test_a_second_rotation_says_from_when_every_list_of_keys_has_the_new_one(
    authority: Authority, clock: TurnableClock
) -> None:
    """The first made its successor just now; a list fetched before that may be kept for five minutes."""
    authority.keys.rotate("cli")
    clock.turn(SECOND)
    made_at = clock.now() - SECOND
    authority.keys.rotate("cli")
    clock.turn(SECOND)
    assert authority.keys.rotate("cli").known_at == made_at + SECOND + timedelta(minutes=5)


def test_one_algorithm_can_be_turned_alone_and_a_strange_one_cannot(authority: Authority) -> None:
    """The key for cookies turns and the one for tokens stays."""
    signs, seals = signing_kid(authority), authority.ring.sealing.kid
    authority.keys.rotate("cli", SEALING)
    assert signing_kid(authority) == signs
    assert authority.ring.sealing.kid != seals
    assert {key.kid for key in authority.ring.opening.values()} >= {seals, authority.ring.sealing.kid}
    with pytest.raises(InvalidFields):
        authority.keys.rotate("cli", "RS256")


def test_a_key_signs_only_when_no_process_can_have_missed_it(tmp_path: Path, clock: TurnableClock) -> None:
    """A rotation right after another waits until whoever has not heard of the new key refuses by itself: one bound."""
    installation = Installation(tmp_path / "data", clock, {"revocation": {"bound": "30s"}})
    authority = installation.open()
    clock.turn(SECOND)
    authority.keys.rotate("cli", "ES256")
    for age, least in ((timedelta(seconds=29.75), 0.25), (timedelta(seconds=30), 0.0)):
        clock.turn(age)
        began = time.monotonic()
        authority.keys.rotate("cli", "ES256")
        # One that took no notice of the key's age would wait the whole half minute.
        assert least <= time.monotonic() - began < 20
    installation.close()


def test_of_many_who_rotate_at_once_each_makes_one_whole_turn(
    installation: Installation, authority: Authority, neighbour: Authority
) -> None:
    """Never two active keys, never none, and as many turns as were asked for."""
    with ThreadPoolExecutor(8) as crowd:
        turns = [crowd.submit(at.keys.rotate, "cli", "ES256") for at in (authority, neighbour) * 4]
        actives = {key.id for turn in turns for key in turn.result().keys}
    assert len(actives) == 8
    assert sorted(states(authority).values()) == ["active", "next", *["retired"] * 8]
    same_ring(authority, neighbour)


def test_two_who_make_a_missing_key_at_once_make_one(authority: Authority, neighbour: Authority) -> None:
    """Two new records have no name in common; what makes one of the two fail is the root, which both put."""
    now = authority.clock.now()
    changes = [
        at._chest.change(at._chest.read(), (Make("ES256", KeyState.NEXT),), now, "system")
        for at in (authority, neighbour)
    ]
    authority.store.commit(changes[0])
    with pytest.raises(Conflict):
        neighbour.store.commit(changes[1])


def test_who_withdraws_a_key_has_let_go_of_it_with_the_answer(installation: Installation) -> None:
    """Also in a process that does not follow the log, as a command does not: it signs with the next one."""
    command = installation.unstarted()
    kid = signing_kid(command)
    assert not command.keys.turn_if_due()
    command.keys.withdraw(kid, "cli")
    assert kid not in command.ring.kids
    assert states(command)[signing_kid(command)] == "active"
    command.stop()


def test_of_two_on_duty_one_turns_the_keys(
    authority: Authority, neighbour: Authority, clock: TurnableClock
) -> None:
    """At the very moment both find it due; the other finds it done."""
    clock.turn(timedelta(days=90))
    with ThreadPoolExecutor(2) as crowd:
        both = [crowd.submit(at.keys.turn_if_due) for at in (authority, neighbour)]
        assert [one.result() for one in both].count(True) >= 1
    assert sorted(states(authority).values()) == ["active", "next", "retired"]
    assert not authority.keys.turn_if_due()


def test_a_compromised_key_ends_every_token_of_it_and_signs_nobody_out(installation: Installation) -> None:
    """Counted at three processes: 0 old tokens are accepted after the answer, 0 people sign in again."""
    one, two, three = (installation.open() for _ in range(3))
    people = [settle_in(at, f"person{number}@example.com") for number, at in enumerate((one, two, three) * 2)]
    for person in people:
        for at in (one, two, three):
            person.program.who(at)
    old = [person.program.pair.access.reveal() for person in people]
    kid = signing_kid(one)
    receipt = two.keys.withdraw(kid, "cli")
    assert receipt.state is ReceiptState.IN_FORCE
    assert not any(kid in at.ring.kids for at in (one, two, three))
    for token, at in product(old, (one, two, three)):
        with pytest.raises((Malformed, Revoked)):
            at.guard.check(Bearer(token))
    for person, at in zip(people, (three, one, two) * 2, strict=True):
        person.program.refresh(at)
        assert kid_of(person.program) != kid
        for anywhere in (one, two, three):
            assert person.program.who(anywhere).account_id == person.account.id
            assert person.browser.who(anywhere).account_id == person.account.id
    row = next(row for row in trail(one) if row.event is Event.KEY_WITHDRAWN)
    assert (row.more["kid"], row.actor) == (kid, "cli")
    assert sorted(states(one).values()) == ["active", "next", "withdrawn"]


def test_a_thief_of_the_key_is_out_for_good(
    installation: Installation, authority: Authority, neighbour: Authority, clock: TurnableClock
) -> None:
    """What he signed for ten years ahead and from the end of the log is refused, also when the fact is forgotten."""
    account = add_account(authority)
    device = Device(authority, account, Carrier.TOKEN)
    stolen = authority.ring.signing
    claims = jwt.decode(device.pair.access.reveal(), options={"verify_signature": False})
    forever = int(clock.now().timestamp()) + 10 * 365 * 86_400
    forged = issue(stolen, {**claims, "exp": forever, "pos": 2**52, "jti": "his", "sid": "his"})
    for at in (authority, neighbour):
        assert at.guard.check(Bearer(forged.reveal()))
    authority.keys.withdraw(stolen.verifying.kid, "cli")
    for wait in (timedelta(), timedelta(minutes=20), timedelta(minutes=20)):
        for at in (authority, neighbour):
            clock.turn(wait)
            at.housekeeper.raise_floor()
            until(lambda at=at: at.follower.catch_up(), "the lease is fresh")  # type: ignore[misc]
            with pytest.raises((Malformed, Revoked)):
                at.guard.check(Bearer(forged.reveal()))


def test_a_withdrawn_sealing_key_still_opens_and_is_said_to_be_withdrawn(
    authority: Authority, neighbour: Authority
) -> None:
    """What it sealed is not believed, but whoever holds the session's secret may exchange it."""
    old = authority.ring.sealing
    authority.keys.withdraw(old.kid, "cli")
    for at in (authority, neighbour):
        assert at.ring.sealing.kid != old.kid
        kept = at.ring.opening[old.header]
        assert (kept.kid, kept.raw, kept.withdrawn) == (old.kid, old.raw, True)
        assert old.kid not in at.ring.kids


def test_a_next_and_a_retired_key_can_be_withdrawn_too(authority: Authority) -> None:
    """The active one goes on; a next key is made anew; withdrawing twice does no harm."""
    coming = next(key for key, state in states(authority).items() if state == "next")
    active = signing_kid(authority)
    authority.keys.withdraw(coming, "cli")
    authority.keys.withdraw(coming, "cli")
    assert signing_kid(authority) == active
    assert sorted(states(authority).values()) == ["active", "next", "withdrawn"]


@pytest.mark.parametrize("kid", ["nobody", "", ROOT, "' or 1=1 --"])
def test_a_key_that_is_not_there_is_not_found(authority: Authority, kid: str) -> None:
    """Nor is the root a key."""
    before = authority.keys.listed()
    with pytest.raises(NotFound):
        authority.keys.withdraw(kid, "cli")
    assert authority.keys.listed() == before


def test_servers_with_two_algorithms_take_each_others_tokens(installation: Installation) -> None:
    """While the setting changes server by server; nobody's key is put away under his hands."""
    first = installation.open()
    account = add_account(first)
    installation.sections["tokens"] = {"algorithm": "EdDSA"}
    second = installation.open()
    until(lambda: len(first.ring.headers) == 4, "the first has heard of the second's keys")
    devices = [Device(at, account, Carrier.TOKEN) for at in (first, second)]
    headers = [jwt.get_unverified_header(one.pair.access.reveal())["alg"] for one in devices]
    assert headers == ["ES256", "EdDSA"]
    for device in devices:
        for at in (first, second):
            assert device.who(at).account_id == account.id
    assert not first.keys.turn_if_due()
    assert not second.keys.turn_if_due()


def test_one_service_with_one_secret_publishes_nothing(installation: Installation) -> None:
    """HS256: tokens are signed and taken, by two processes; the list of public keys is empty; nothing else is taken."""
    installation.sections["tokens"] = {"algorithm": "ES256"}
    before = installation.unstarted()
    account = add_account(before)
    old = Device(before, account, Carrier.TOKEN)
    before.stop()
    installation.sections["tokens"] = {"algorithm": "HS256"}
    one, other = installation.open(), installation.open()
    device = Device(one, account, Carrier.TOKEN)
    assert jwt.get_unverified_header(device.pair.access.reveal())["alg"] == "HS256"
    assert device.who(other).account_id == account.id
    assert json.loads(one.ring.jwks()) == {"keys": []}
    assert old.holds(one) == {"refresh"}
    assert "HS256" in {key.algorithm for key in one.keys.listed()}


def test_rules_of_keys_follow_the_settings(authority: Authority) -> None:
    """One horizon, twice the leeway and the deadline for tokens; the longest session for cookies."""
    rules = authority.keys._chest.rules
    assert rules == replace(
        rules,
        in_use=("ES256", SEALING),
        rotate_every=timedelta(days=90),
        known_after=timedelta(minutes=5),
        outlives=timedelta(minutes=11, seconds=30),
        sealing_outlives=timedelta(days=30),
    )
