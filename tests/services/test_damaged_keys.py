"""Rows of the ring that were damaged behind everybody's back: what is replaced, what goes on, what is one sentence."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.keys import ROOT, SEALING, KeyRules, RingKey
from gatepost.core.sessions import Carrier
from gatepost.errors import KeyUnusable
from gatepost.machine import GivenMasterKey, SystemRandomness, read_master_key
from gatepost.services.chest import KeyChest
from gatepost.services.identifiers import Identifiers
from gatepost.stores.memory import MemoryStore
from tests.builders import MASTER, NOW
from tests.services.installation import Device, Installation, add_account, trail


def states(at: Authority, algorithm: str = "ES256") -> dict[str, str]:
    """The keys of an algorithm and their states."""
    return {key.id: key.state.value for key in at.keys.listed() if key.algorithm == algorithm}


def damage(folder: Path, statement: str) -> None:
    """Change the database behind everybody's back."""
    with closing(connect(folder / "gatepost.db")) as database, database:
        assert database.execute(statement).rowcount == 1


@pytest.mark.parametrize("state", ["active", "next"])
@pytest.mark.parametrize("algorithm", ["ES256", SEALING])
def test_a_key_whose_row_was_damaged_is_withdrawn_and_replaced(
    installation: Installation, algorithm: str, state: str
) -> None:
    """The master key is right, so it is the row: a server starts with another key, and the trail says so."""
    before = installation.unstarted()
    account = add_account(before)
    device = Device(before, account, Carrier.TOKEN)
    kid = next(key for key, now in states(before, algorithm).items() if now == state)
    before.stop()
    damage(installation.folder, f"update ring_key set sealed = x'00' where id = '{kid}'")
    after = installation.open()
    after.keys.turn_if_due()
    assert states(after, algorithm)[kid] == "withdrawn"
    assert sorted(states(after, algorithm).values()) == ["active", "next", "withdrawn"]
    assert "refresh" in device.holds(after)
    assert [row.more["kid"] for row in trail(after) if row.event is Event.KEY_WITHDRAWN] == [kid]


def test_a_running_server_goes_on_with_a_key_whose_row_was_damaged(
    installation: Installation, authority: Authority
) -> None:
    """It has opened it before; what it signed still stands there."""
    account = add_account(authority)
    device = Device(authority, account, Carrier.TOKEN)
    kid = authority.ring.signing.verifying.kid
    damage(installation.folder, f"update ring_key set sealed = x'00' where id = '{kid}'")
    authority.keys.reload()
    assert authority.ring.signing.verifying.kid == kid
    assert device.who(authority).account_id == account.id


def test_a_database_from_before_there_was_a_root_keeps_what_was_derived(installation: Installation) -> None:
    """The audit trail's seals and cross-site tokens came from the master key itself; they stay what they were."""
    installation.unstarted().stop()
    damage(installation.folder, f"delete from ring_key where id = '{ROOT}'")
    after = installation.unstarted()
    master = read_master_key(installation.folder / "master.key")
    assert after.csrf_key == master.for_purpose("cross-site tokens")
    again = installation.unstarted()
    assert again.csrf_key == after.csrf_key
    after.stop()
    again.stop()


def test_a_key_of_another_algorithm_cannot_be_passed_off(installation: Installation) -> None:
    """A row whose algorithm was changed does not open: the box was made for another."""
    installation.sections["tokens"] = {"algorithm": "HS256"}
    before = installation.unstarted()
    seal = next(key for key, state in states(before, SEALING).items() if state == "next")
    before.stop()
    damage(installation.folder, f"update ring_key set algorithm = 'HS256' where id = '{seal}'")
    after = installation.open()
    assert seal not in after.ring.kids


def test_a_damaged_root_is_one_sentence(installation: Installation) -> None:
    """The master key is right, and the operator is not sent to look for another."""
    installation.unstarted().stop()
    damage(installation.folder, f"update ring_key set sealed = x'00' where id = '{ROOT}'")
    with pytest.raises(KeyUnusable, match="root of the keys is damaged"):
        installation.unstarted()


class Forgetful(MemoryStore):
    """A store that says yes and keeps nothing."""

    def ring_keys(self) -> list[RingKey]:
        return []


def test_a_database_that_keeps_no_key_is_one_sentence() -> None:
    """Nobody starts with keys that are gone at the next start."""
    rules = KeyRules(("ES256",), None, timedelta(), timedelta(), timedelta())
    store = Forgetful(SystemRandomness())
    chest = KeyChest(store, GivenMasterKey(MASTER), Identifiers(SystemRandomness()), rules, "ES256")
    with pytest.raises(KeyUnusable, match="does not keep"):
        chest.prepared(NOW)
    with pytest.raises(KeyUnusable, match="no root"):
        chest.read().derived("anything")
