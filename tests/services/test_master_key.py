"""The master key: changed while servers run, interrupted at every point, and given by the settings."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect
from typing import Any

import jwt
import pytest

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import Bearer
from gatepost.carriers.sealing import MasterKey
from gatepost.carriers.tokens import issue
from gatepost.core.audit import Whole
from gatepost.core.changes import Event
from gatepost.core.keys import SEALING, KeyState
from gatepost.core.secrets import encode
from gatepost.errors import KeyUnusable, Refused, SettingsError
from gatepost.machine import MasterKeyFile, SystemRandomness, read_master_key
from gatepost.settings import load_settings
from gatepost.testing.services import CHEAP
from tests.services.installation import Installation, add_account, settle_in, trail

OLD, NEW, STRANGE = (encode(bytes([number]) * 32) for number in (1, 2, 3))


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for another process to have heard."""
    over = time.monotonic() + 60
    while not true():
        assert time.monotonic() < over, what
        time.sleep(0.002)


def boxes(at: Authority) -> set[bytes]:
    """What lies sealed, the root too."""
    return {record.sealed for record in at.store.ring_keys()}


def test_a_new_master_key_seals_everything_and_servers_go_on(
    installation: Installation, authority: Authority, neighbour: Authority
) -> None:
    """Both take it up without a restart and make keys under it; nobody notices; the old one opens nothing any more."""
    person = settle_in(authority, "ada@example.com")
    file = installation.folder / "master.key"
    old, sealed, csrf = file.read_text(), boxes(authority), authority.csrf_key
    assert authority.keys.change_master("cli") == len(sealed) == 5
    assert not boxes(authority) & sealed
    assert file.read_text() != old
    assert file.stat().st_mode & 0o777 == 0o600
    for at in (neighbour, authority):
        at.keys.rotate("cli")
        assert person.program.who(at).account_id == person.account.id
        assert person.browser.who(at).account_id == person.account.id
        person.program.refresh(at)
    third = installation.open()
    assert third.csrf_key == csrf
    assert third.ring.kids == authority.ring.kids
    assert person.holds(third)
    file.write_text(old)
    with pytest.raises(KeyUnusable, match="does not open"):
        installation.unstarted()
    (row,) = [row for row in trail(authority) if row.event is Event.MASTER_KEY_CHANGED]
    assert (row.actor, row.more) == ("cli", {"keys": "5"})


def test_the_audit_trail_stays_whole_through_a_change_of_the_master_key(installation: Installation) -> None:
    """Rows sealed before and after it are of one chain, and an exported seal still fits."""
    one = installation.open()
    add_account(one)
    one.audit.seal()
    exported = one.audit.newest()
    one.keys.change_master("cli")
    after = installation.open()
    after.audit.seal()
    assert isinstance(after.audit.verify(exported), Whole)


class Interrupted(Exception):
    """The process ended here."""


class InterruptedFile(MasterKeyFile):
    """The file, in a process that ends when it comes to a step."""

    def __init__(self, path: Path, at: str) -> None:
        super().__init__(path, SystemRandomness())
        self._at = at

    def successor(self) -> MasterKey:
        if self._at == "before the draft":
            raise Interrupted
        made = super().successor()
        if self._at == "before the commit":
            raise Interrupted
        return made

    def finish(self) -> None:
        if self._at == "after the commit":
            raise Interrupted
        super().finish()


@pytest.mark.parametrize("at", ["before the draft", "before the commit", "after the commit"])
def test_a_change_of_the_master_key_that_was_interrupted_loses_nothing(
    installation: Installation, authority: Authority, at: str
) -> None:
    """Whoever opens the database then finds the right one of two; the next change goes through."""
    person = settle_in(authority, "ada@example.com")
    file = installation.folder / "master.key"
    command = installation.unstarted()
    command._chest.masters = InterruptedFile(file, at)
    with pytest.raises(Interrupted):
        command.keys.change_master("cli")
    command.stop()
    changed = at == "after the commit"
    assert (installation.folder / "master.key.next").exists() is (at != "before the draft")
    authority.keys.rotate("cli")
    after = installation.open()
    assert person.holds(after)
    assert (installation.folder / "master.key.next").exists() is (at == "before the commit")
    assert [row.event for row in trail(after)].count(Event.MASTER_KEY_CHANGED) == changed
    assert after.keys.change_master("cli") >= 5
    assert not (installation.folder / "master.key.next").exists()
    again = installation.open()
    again.keys.rotate("cli")
    assert person.holds(again)


def test_of_two_changes_of_the_master_key_at_once_both_go_through_in_turn(
    installation: Installation, authority: Authority, neighbour: Authority
) -> None:
    """Never is the one in the file another than the one that opens."""
    with ThreadPoolExecutor(4) as crowd:
        both = [crowd.submit(at.keys.change_master, "cli") for at in (authority, neighbour) * 2]
        assert [one.result() for one in both] == [5] * 4
    third = installation.open()
    third.keys.rotate("cli")
    assert third._chest._master == read_master_key(installation.folder / "master.key")


def test_keys_made_while_the_master_key_changes_lie_under_the_new_one(
    installation: Installation, authority: Authority, neighbour: Authority
) -> None:
    """A server that turns its keys at that moment finds the root changed, and decides again."""
    with ThreadPoolExecutor(4) as crowd:
        turns = [crowd.submit(neighbour.keys.rotate, "cli", SEALING) for _ in range(6)]
        changes = [crowd.submit(authority.keys.change_master, "cli") for _ in range(4)]
        assert all(one.result() for one in (*turns, *changes))
    third = installation.unstarted()
    assert not third._chest.read().broken
    assert len(third.keys.listed()) == 4 + 6
    third.stop()


@contextmanager
def given(installation: Installation, **keys: str) -> Iterator[Authority]:
    """A server whose settings hold the master key."""
    settings = load_settings(
        {"data": str(installation.folder), "keys": keys}, environ={}, directory=installation.folder.parent
    )
    machine = Machine(installation.clock, SystemRandomness(), installation.troubles.append, CHEAP)
    authority = Authority(settings, machine)
    try:
        authority.start()
        yield authority
    finally:
        authority.stop()


def test_the_settings_can_hold_the_master_key(installation: Installation) -> None:
    """No file is made; another opens nothing, and says so in one sentence."""
    with given(installation, master=OLD) as at:
        kids = at.ring.kids
    with given(installation, master=OLD) as at:
        assert at.ring.kids == kids
    assert not (installation.folder / "master.key").exists()
    with (
        pytest.raises(KeyUnusable, match="The master key does not open"),
        given(installation, master=STRANGE),
    ):
        raise AssertionError("it started")
    with pytest.raises(KeyUnusable, match="is missing"):
        installation.unstarted()


def test_a_master_key_in_the_settings_is_changed_with_both_at_hand(installation: Installation) -> None:
    """Old and new are given, all is sealed under the new one, the old is taken away; no server is without a key."""
    with given(installation, master=OLD) as before:
        person = settle_in(before, "ada@example.com")
        with given(installation, master=NEW, master_before=OLD) as between:
            assert person.program.who(between).account_id == person.account.id
            assert between.keys.change_master("cli") == 5
            with pytest.raises(KeyUnusable, match="already"):
                between.keys.change_master("cli")
            between.keys.rotate("cli", SEALING)
        with given(installation, master=NEW) as after:
            assert person.program.who(after).account_id == person.account.id
        with pytest.raises(KeyUnusable), given(installation, master=OLD):
            raise AssertionError("it started")


def test_a_server_with_the_former_master_key_goes_on_until_it_is_restarted(
    installation: Installation,
) -> None:
    """It signs, checks and refreshes with what it has opened; it makes no key, and says what to do."""
    with given(installation, master=OLD) as before:
        person = settle_in(before, "ada@example.com")
        with given(installation, master=NEW, master_before=OLD) as between:
            between.keys.change_master("cli")
            before.keys.reload()
            for at in (before, between):
                assert person.program.who(at).account_id == person.account.id
                person.program.refresh(at)
            with pytest.raises(KeyUnusable, match="restart this server"):
                before.keys.rotate("cli")
            with pytest.raises(KeyUnusable, match="restart this server"):
                before.keys.change_master("cli")
            receipt = between.keys.withdraw(before.ring.signing.verifying.kid, "cli")
            assert receipt.pos
            until(lambda: before.ring.kids <= between.ring.kids, "it has heard of the withdrawal")
            person.program.refresh(before)
            assert person.program.who(between).account_id == person.account.id


@pytest.mark.parametrize("form", ["", "short", "A" * 42 + "B", "A" * 44, "=" * 43, "A" * 42 + "="])
def test_what_is_no_master_key_is_refused_without_being_repeated(tmp_path: Path, form: str) -> None:
    """The sentence says what one looks like."""
    environ = {"GATEPOST_KEYS__MASTER": form}
    if not form:
        assert load_settings(environ=environ, directory=tmp_path).keys.master is None
        return
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ, directory=tmp_path)
    assert "GATEPOST_KEYS__MASTER must be 256 random bits" in caught.value.message
    assert form not in caught.value.message


def test_a_file_can_hold_the_master_key_of_the_settings(tmp_path: Path) -> None:
    """As a `master.key` has it, line end and all; it is never shown."""
    (tmp_path / "secret").write_text(OLD + "\n")
    settings = load_settings(environ={"GATEPOST_KEYS__MASTER_FILE": "secret"}, directory=tmp_path)
    assert settings.keys.master is not None
    assert settings.keys.master.reveal() == OLD
    shown = {row.key: row.value for row in settings.describe()}
    assert OLD not in repr(settings) + "".join(shown.values())


def test_the_keys_in_memory_need_no_file(tmp_path: Path) -> None:
    """A server without a database makes a master key that nobody else has."""
    values: dict[str, Any] = {"data": str(tmp_path / "data"), "database": {"url": "memory://"}}
    authority = Authority(load_settings(values, environ={}, directory=tmp_path))
    authority.keys.rotate("cli", SEALING)
    authority.stop()
    assert not list(tmp_path.iterdir())


def copy_database(folder: Path, into: Path) -> None:
    """The database as it is at this moment."""
    with closing(connect(folder / "gatepost.db")) as source, closing(connect(into / "gatepost.db")) as copy:
        source.backup(copy)


def test_who_has_stolen_master_key_and_database_is_out_when_all_keys_have_turned(
    installation: Installation, authority: Authority, neighbour: Authority, tmp_path: Path
) -> None:
    """A new master key, then an end of every key that was in the copy: nothing the thief can sign is believed."""
    person = settle_in(authority, "ada@example.com")
    loot = Installation(tmp_path / "loot", installation.clock)
    loot.folder.mkdir()
    copy_database(installation.folder, loot.folder)
    shutil.copy(installation.folder / "master.key", loot.folder)
    thief = loot.unstarted()
    authority.keys.change_master("cli")
    for key in sorted(authority.keys.listed(), key=lambda one: one.state is not KeyState.NEXT):
        authority.keys.withdraw(key.id, "cli")
    claims = jwt.decode(person.program.pair.access.reveal(), options={"verify_signature": False})
    for at in (authority, neighbour):
        assert not at.ring.kids & thief.ring.kids
        for _ in range(2):
            forged = issue(thief.ring.signing, {**claims, "pos": 2**52, "jti": "his"})
            with pytest.raises(Refused):
                at.guard.check(Bearer(forged.reveal()))
            thief.keys.rotate("thief", "ES256")
        person.program.refresh(at)
        assert person.holds(at)
    thief.stop()
    copy_database(installation.folder, loot.folder)
    with pytest.raises(KeyUnusable):
        loot.unstarted()


def test_a_running_server_does_not_need_the_file_of_the_master_key(
    installation: Installation, authority: Authority
) -> None:
    """It was read at the start; without it nobody starts anew, and nothing is made in its stead."""
    person = settle_in(authority, "ada@example.com")
    (installation.folder / "master.key").unlink()
    authority.keys.reload()
    authority.keys.rotate("cli")
    assert person.holds(authority)
    with pytest.raises(KeyUnusable, match="is missing"):
        installation.unstarted()
    assert not (installation.folder / "master.key").exists()


def test_a_server_that_has_missed_a_new_master_key_and_finds_no_file_goes_on(
    installation: Installation, authority: Authority
) -> None:
    """With what it has opened, as one whose settings hold the former key does."""
    person = settle_in(authority, "ada@example.com")
    behind = installation.unstarted()
    kids = behind.ring.kids
    authority.keys.change_master("cli")
    (installation.folder / "master.key").unlink()
    behind.keys.reload()
    assert behind.ring.kids == kids
    with pytest.raises(KeyUnusable, match="restart this server"):
        behind.keys.rotate("cli")
    behind.stop()
    assert person.holds(authority)
