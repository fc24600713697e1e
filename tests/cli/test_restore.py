"""`gatepost restore`: what comes back, what does not, and what is refused before anything is touched."""

import json
import shutil
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gatepost.core.revocation import parse_position
from gatepost.errors import GatepostError, InvalidGrant, Outdated
from gatepost.machine import SystemClock
from gatepost.stores.revisions import HEAD, current
from tests.cli.conftest import Run
from tests.cli.test_backup import beside, damage, one
from tests.services.installation import (
    HOME,
    WAYS_TO_HOLD,
    Device,
    Installation,
    add_account,
    settle_in,
    trail,
)


def restored(run: Run, *options: str) -> dict[str, Any]:
    """What `gatepost restore kept.db --json` says."""
    done = run("restore", "kept.db", "--json", *options)
    assert (done.code, done.error) == (0, "")
    told: dict[str, Any] = json.loads(done.out)
    return told


def test_accounts_are_as_they_were(run: Run, installation: Installation) -> None:
    """Who was added since is gone, who was changed since is as before, at servers that were never restarted."""
    here, there = installation.open(), installation.open()
    ada = add_account(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    add_account(here, "bob@example.com")
    here.accounts.set_roles(ada.id, ("admin",), "cli")
    restored(run)
    for server in (here, there):
        assert [one.email.typed for one in server.store.accounts(after=None, limit=9)] == ["ada@example.com"]
        assert server.accounts.find(ada.id).roles == ("member",)


def test_everybody_has_to_sign_in_again(run: Run, installation: Installation) -> None:
    """Each carrier that was issued before, before the backup and after it, is refused at every server, at once."""
    here, there = installation.open(), installation.open()
    before = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    after = Device(here, before.account)
    assert before.holds(there) == WAYS_TO_HOLD
    assert after.holds(there) == {"cookie"}
    assert restored(run)["receipt"]["state"] == "in_force"
    for server in (here, there):
        assert before.holds(server) == after.holds(server) == set()
    assert Device(here, before.account).holds(there) == {"cookie"}


def test_kept_sessions_live_on(run: Run, installation: Installation) -> None:
    """With --keep-sessions cookies and refresh tokens of the backup are good; those issued after it are not."""
    here, there = installation.open(), installation.open()
    before = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    after = settle_in(here, "bob@example.com")
    told = restored(run, "--keep-sessions")
    assert (told["kept_sessions"], told["log_continued"]) == (True, True)
    for server in (here, there):
        # A token says what was true before, so it is renewed first.
        with pytest.raises(Outdated):
            before.program.who(server)
        assert before.browser.holds(server) == {"cookie"}
        assert after.holds(server) == set()
    assert before.program.refresh(here)
    for server in (here, there):
        assert before.program.holds(server) == {"access", "refresh"}


def test_kept_sessions_are_without_what_was_ended_since(run: Run, installation: Installation) -> None:
    """The log wins over the backup: a sign-out, all others, a lock and a password change of yesterday hold."""
    here = installation.open()
    left, kept, locked, changed, bystander = (
        settle_in(here, f"{name}@example.com") for name in ("left", "kept", "locked", "changed", "bystander")
    )
    assert run("backup", "kept.db").code == 0
    here.sessions.sign_out(left.browser.who(here), HOME)
    here.sessions.end_others(kept.browser.who(here), HOME)
    here.accounts.lock(locked.account.id, "cli")
    here.accounts.set_password(changed.account.id, "altogether different words", "cli")
    restored(run, "--keep-sessions")
    for server in (here, installation.open()):
        assert left.browser.holds(server) == set()
        assert kept.holds(server) == {"cookie"}
        assert locked.holds(server) == changed.holds(server) == set()
        assert bystander.browser.holds(server) == {"cookie"}
    assert left.program.refresh(here)
    assert bystander.program.refresh(here)


def test_an_ending_of_everyone_since_the_backup_holds(run: Run, installation: Installation) -> None:
    """`--keep-sessions` does not undo `session revoke --all`."""
    here = installation.open()
    ada = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    here.sessions.end_all("cli")
    restored(run, "--keep-sessions")
    assert ada.holds(here) == ada.holds(installation.open()) == set()


def test_used_up_refresh_tokens_stay_used_up(run: Run, installation: Installation) -> None:
    """A token that was current in the backup and was used since is a replay; its successor goes on until then."""
    here = installation.open()
    ada = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    used_up = ada.program.pair.refresh.reveal()
    ada.program.refresh(here)
    ada.program.refresh(here)
    restored(run, "--keep-sessions")
    assert ada.program.refresh(here)
    with pytest.raises(InvalidGrant):
        here.tokens.refresh(used_up, HOME)
    assert ada.program.holds(here) == set()
    assert ada.browser.holds(here) == {"cookie"}


def test_positions_go_on_above_all_that_were_issued(run: Run, installation: Installation) -> None:
    """An ending after a restore hits what was issued before it, and restoring again still moves on."""
    here = installation.open()
    ada = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    seen = []
    for _ in range(3):
        for _ in range(5):
            here.accounts.end_sessions(add_account(here, f"x{len(trail(here))}@example.com").id, "cli")
        issued = here.store.position()
        position = parse_position(restored(run, "--keep-sessions")["receipt"]["pos"])
        assert position is not None
        assert position.seq > issued
        assert here.store.position() == position.seq
        seen.append(position)
    assert len({one.log for one in seen}) == 3
    assert ada.browser.holds(here) == {"cookie"}
    here.accounts.end_sessions(ada.account.id, "cli")
    assert ada.holds(here) == ada.holds(installation.open()) == set()


def test_a_decision_from_before_is_made_again(run: Run, installation: Installation) -> None:
    """A sign-in that read its account before the restore does not commit on that reading."""
    here = installation.open()
    ada = add_account(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    restored(run)
    assert here.accounts.find(ada.id) == here.accounts.find(ada.email.typed)
    assert here.accounts.find(ada.id).version > ada.version


def test_open_links_do_not_come_back(run: Run, installation: Installation) -> None:
    """A one-time link that was open in the backup may have been used since."""
    here = installation.open()
    link = here.accounts.invite("admin", "cli")
    assert run("backup", "kept.db").code == 0
    assert here.sign_in.open_invitation(link.reveal())
    restored(run, "--keep-sessions")
    with pytest.raises(GatepostError):
        here.sign_in.open_invitation(link.reveal())


def test_the_trail_goes_on_over_a_restore(run: Run, installation: Installation) -> None:
    """Rows and seals from after the backup stay, the restore is noted after them, and all of it verifies."""
    here = installation.open()
    ada = settle_in(here, "ada@example.com")
    here.audit.seal()
    assert run("backup", "kept.db").code == 0
    here.accounts.lock(ada.account.id, "cli")
    here.audit.seal()
    rows = trail(here)
    restored(run)
    here.audit.seal()
    assert trail(here)[: len(rows)] == rows
    assert trail(here)[len(rows)].event.value == "restored"
    assert run("audit", "verify").code == 0


def test_a_new_machine_needs_the_backup_and_the_master_key_only(run: Run, tmp_path: Path) -> None:
    """An empty folder with the key in it becomes the installation, and the old tokens' key signs on."""
    old = Installation(tmp_path / "data", SystemClock())
    ada = settle_in(old.open(), "ada@example.com")
    assert run("backup", "kept.db").code == 0
    old.close()
    (tmp_path / "data").rename(tmp_path / "lost")
    (tmp_path / "data").mkdir()
    missing = run("restore", "kept.db")
    assert missing.code == 1
    assert "master.key is missing: put back the file" in missing.error
    assert beside(tmp_path / "data") == set()
    shutil.copy(tmp_path / "lost/master.key", tmp_path / "data/master.key")
    done = run("restore", "kept.db", "--keep-sessions")
    assert done.code == 0
    assert "may live again" in done.error
    assert stat.S_IMODE((tmp_path / "data/gatepost.db").stat().st_mode) == 0o600
    assert ada.browser.holds(old.open()) == {"cookie"}
    old.close()


def test_a_server_that_made_a_key_of_its_own_meanwhile_is_no_hindrance(run: Run, tmp_path: Path) -> None:
    """Where a server was started before the right master key was put back, the backup's keys come in."""
    old = Installation(tmp_path / "data", SystemClock())
    ada = settle_in(old.open(), "ada@example.com")
    assert run("backup", "kept.db").code == 0
    old.close()
    (tmp_path / "data").rename(tmp_path / "lost")
    old.open()
    old.close()
    shutil.copy(tmp_path / "lost/master.key", tmp_path / "data/master.key")
    restored_there = run("restore", "kept.db", "--keep-sessions", "--json")
    assert json.loads(restored_there.out)["log_continued"] is False
    assert ada.browser.holds(old.open()) == {"cookie"}
    old.close()


def test_a_damaged_database_is_made_whole(run: Run, installation: Installation, tmp_path: Path) -> None:
    """What a backup is for: the accounts' page is gone, and comes back; nothing of the damaged file is trusted."""
    here = installation.open()
    ada = settle_in(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    installation.close()
    damage(tmp_path / "data/gatepost.db")
    began = time.monotonic()
    assert restored(run, "--keep-sessions")["log_continued"] is False
    # The list of servers is lost too, so each gets the time in which it must have asked the log.
    assert time.monotonic() - began > 1.0
    assert one(tmp_path / "data/gatepost.db", "PRAGMA integrity_check") == "ok"
    assert ada.browser.holds(installation.open()) == {"cookie"}


def test_a_database_without_a_beginning_is_to_be_moved_away(
    run: Run, installation: Installation, tmp_path: Path
) -> None:
    """SQLite itself cannot write into it any more; with the file gone the restore goes through."""
    ada = settle_in(installation.open(), "ada@example.com")
    assert run("backup", "kept.db").code == 0
    installation.close()
    database = tmp_path / "data/gatepost.db"
    with database.open("r+b") as raw:
        raw.seek(100)
        raw.write(b"\xff" * 3000)
    done = run("restore", "kept.db", "--keep-sessions")
    assert (done.code, done.out, done.error.count("\n")) == (1, "", 1)
    assert "move all files gatepost.db* away, and restore again" in done.error
    for file in database.parent.glob("gatepost.db*"):
        file.unlink()
    assert run("restore", "kept.db", "--keep-sessions").code == 0
    assert ada.browser.holds(installation.open()) == {"cookie"}


@pytest.fixture
def kept(run: Run, installation: Installation, tmp_path: Path) -> Path:
    """A backup, of an installation where something has happened since."""
    here = installation.open()
    add_account(here, "ada@example.com")
    assert run("backup", "kept.db").code == 0
    add_account(here, "bob@example.com")
    return tmp_path / "kept.db"


def refusal(run: Run, file: Path | str, folder: Path) -> str:
    """The one sentence with which a restore is refused; the database is as it was."""
    database = folder / "data/gatepost.db"
    before = everything(database)
    done = run("restore", str(file), "--keep-sessions")
    assert (done.code, done.out, done.error.count("\n")) == (1, "", 1)
    assert everything(database) == before
    assert not [name for name in beside(folder / "data") if name.startswith(".")]
    return done.error


def everything(database: Path) -> list[str]:
    """All that a database holds."""
    with closing(sqlite3.connect(database)) as connection:
        return [line for line in connection.iterdump() if "follower" not in line]


def test_a_foreign_file_is_refused(run: Run, kept: Path, tmp_path: Path) -> None:
    """Text, another application's database, and a folder."""
    (tmp_path / "words").write_text("dear diary, " * 500)
    assert "is damaged, or no backup at all" in refusal(run, "words", tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes (text)")
    assert "is not a backup of Gatepost" in refusal(run, "other.db", tmp_path)
    assert "There is no backup at" in refusal(run, "data", tmp_path)
    assert "There is no backup at" in refusal(run, "nowhere.db", tmp_path)


def test_a_damaged_backup_is_refused(run: Run, kept: Path, tmp_path: Path) -> None:
    """One page overwritten; the end cut off."""
    whole = kept.read_bytes()
    damage(kept)
    assert f"The file {kept} is damaged" in refusal(run, kept, tmp_path)
    kept.write_bytes(whole[:-8192])
    assert f"The file {kept} is damaged" in refusal(run, kept, tmp_path)
    kept.write_bytes(whole)
    assert run("restore", "kept.db").code == 0


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer Gatepost"),
        ("DROP TABLE alembic_version", "not a backup of Gatepost"),
        ("DROP TABLE session", "lacks what a backup"),
        ("DELETE FROM log_head", "lacks what a backup"),
        ("CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END", "lacks what a backup"),
        ("PRAGMA application_id = 7", "not a backup of Gatepost"),
    ],
)
def test_a_backup_that_is_not_ours_in_the_end_is_refused(
    run: Run, kept: Path, tmp_path: Path, statement: str, part: str
) -> None:
    """Of a newer version, with parts missing, or with something in it that would run."""
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute(statement)
    assert part in refusal(run, kept, tmp_path)


def test_the_database_itself_is_refused_as_a_backup(run: Run, kept: Path, tmp_path: Path) -> None:
    """It would be copied over itself."""
    assert "is the database itself" in refusal(run, "data/gatepost.db", tmp_path)


def test_another_master_key_is_refused_in_one_sentence(
    run: Run, kept: Path, installation: Installation, tmp_path: Path
) -> None:
    """What the backup holds could not be opened any more; nothing is touched."""
    installation.close()
    other = Installation(tmp_path / "other", SystemClock())
    other.open()
    other.close()
    shutil.copy(tmp_path / "other/master.key", tmp_path / "data/master.key")
    said = refusal(run, kept, tmp_path)
    assert "does not open what is in this backup: put back the one that belongs to it" in said


def as_it_was_at_first(connection: sqlite3.Connection) -> None:
    """Undo every migration but the first, which are all that there were when the backup was taken."""
    connection.execute("ALTER TABLE ring_key RENAME TO signing_key")
    connection.execute("ALTER TABLE signing_key DROP COLUMN since")
    connection.execute("ALTER TABLE log_head DROP COLUMN ring")
    for part in ("rotor", "rotated_at", "sealed", "address", "device"):
        connection.execute(f"ALTER TABLE refresh_family DROP COLUMN earlier_{part}")
    for part in (
        "TABLE client",
        "TABLE seal",
        "TABLE counter",
        "TABLE verifier",
        "INDEX audit_repeated_elsewhere",
        "INDEX session_address",
        "INDEX account_created",
        "INDEX audit_own_act",
    ):
        connection.execute(f"DROP {part}")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")


def test_a_backup_of_an_older_version_is_brought_to_this_one(run: Run, tmp_path: Path) -> None:
    """Before it goes in, so no server ever meets the older tables."""
    old = Installation(tmp_path / "data", SystemClock())
    ada = settle_in(old.open(), "ada@example.com")
    assert run("backup", "kept.db").code == 0
    with closing(sqlite3.connect(tmp_path / "kept.db")) as connection, connection:
        as_it_was_at_first(connection)
    assert run("restore", "kept.db", "--keep-sessions").code == 0
    assert current(tmp_path / "data/gatepost.db") == HEAD
    assert ada.browser.holds(old.opened[0]) == {"cookie"}
    old.close()


def test_a_backup_with_pages_of_another_size_goes_in(run: Run, kept: Path) -> None:
    """Somebody compacted it with other settings."""
    with closing(sqlite3.connect(kept)) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("VACUUM")
    assert run("restore", "kept.db").code == 0
    assert run("account", "show", "bob@example.com").code == 1
