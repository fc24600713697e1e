"""The duty of one database file: held by one, kept while it lives, free when it is gone."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gatepost.errors import StoreUnusable
from gatepost.stores.duty import Duty

_processes = multiprocessing.get_context("spawn")


def hold(database: Path, line: Connection) -> None:
    """Take the duty, say whether that worked, and wait to be killed."""
    line.send(Duty(database).mine())
    signal.pause()


def test_one_of_two_has_the_duty(tmp_path: Path) -> None:
    """Whoever asks first, and again whenever it asks; the other gets it when the first leaves."""
    first, second = Duty(tmp_path / "some.db"), Duty(tmp_path / "some.db")
    assert (first.mine(), second.mine(), first.mine()) == (True, False, True)
    first.leave()
    assert (second.mine(), first.mine()) == (True, False)
    second.leave()


def test_two_databases_have_two_duties(tmp_path: Path) -> None:
    """The lock is the file's, not the folder's."""
    first, second = Duty(tmp_path / "some.db"), Duty(tmp_path / "other.db")
    assert first.mine()
    assert second.mine()
    first.leave()
    second.leave()


def test_death_gives_the_duty_back(tmp_path: Path) -> None:
    """SIGKILL, after which nothing of the holder runs: the next to ask has it, without any time-out."""
    ours, theirs = _processes.Pipe()
    holder = _processes.Process(target=hold, args=(tmp_path / "some.db", theirs))
    holder.start()
    duty = Duty(tmp_path / "some.db")
    assert ours.recv()
    assert not duty.mine()
    holder.kill()
    holder.join()
    assert duty.mine()
    duty.leave()


def test_the_file_names_the_holder_and_is_its_owners_alone(tmp_path: Path) -> None:
    """For an operator who wonders which process sweeps."""
    duty = Duty(tmp_path / "some.db")
    assert duty.mine()
    file = tmp_path / "some.db.duty"
    assert file.read_text() == f"{os.getpid()}\n"
    assert file.stat().st_mode & 0o077 == 0
    duty.leave()


def test_a_place_where_no_file_can_be_is_an_error(tmp_path: Path) -> None:
    """One sentence that names the file, not a duty that everybody has."""
    with pytest.raises(StoreUnusable, match=r"some\.db\.duty"):
        Duty(tmp_path / "missing" / "some.db").mine()
