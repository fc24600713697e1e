"""`gatepost backup` and `gatepost restore`: the database into a file and back, beside a running server.

Owns what is checked before anything is touched (the backup by itself, then the master key), and the waiting until every
server has noticed. The master key is in no backup.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from gatepost.authority import masters_of
from gatepost.carriers.keys import opens
from gatepost.carriers.sealing import MasterKey
from gatepost.cli.installation import ACTOR, Installation, json_option, place_options, require_file
from gatepost.cli.output import in_force, note, printable, say, write_json
from gatepost.core.changes import AuditRow, Committed, Event
from gatepost.core.keys import RingKey, judge_of
from gatepost.errors import KeyUnusable, StoreUnusable
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.services.commits import Receipt
from gatepost.settings import Settings
from gatepost.stores.sql_backup import Progress, take_backup
from gatepost.stores.sql_restore import Restored, Restoring, StagedBackup, staged
from gatepost.web.answers import full_receipt_body

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.command()
@_FILE
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
@place_options
def backup(installation: Installation, file: Path, force: bool, as_json: bool) -> None:
    """Copy the whole database into FILE while servers go on.

    The master key is not in it. Keep a copy of that file in another place than the backups.
    """
    settings = installation.settings()
    database = _existing(settings)
    with _shown("Copying") as progress:
        taken = take_backup(database, file, progress, replace=force)
    if as_json:
        write_json({"file": str(file), "bytes": taken.size, "revision": taken.revision})
        return
    say(f"The backup {printable(str(file))} is whole: {taken.size} bytes.")
    where = settings.data / "master.key" if settings.keys.master is None else "the master key of the settings"
    say(f"It needs {where} to be of use. Keep a copy of that in another place.")


@click.command()
@_FILE
@click.option("--keep-sessions", is_flag=True, help="Let the sessions in the backup live on.")
@json_option
@place_options
def restore(installation: Installation, file: Path, keep_sessions: bool, as_json: bool) -> None:
    """Put the backup FILE back into the database, while servers go on.

    Accounts become what they were. Everybody has to sign in again, unless --keep-sessions is given; what was ended
    since the backup stays ended even then.
    """
    settings = installation.settings()
    restored = _restore(settings, file, keep_sessions=keep_sessions)
    receipt = _settled(installation, settings, restored)
    if as_json:
        known = {"file": str(file), "kept_sessions": keep_sessions, "log_continued": restored.continued}
        write_json(known | {"receipt": full_receipt_body(receipt)})
        return
    what = "its sessions live on" if keep_sessions else "everybody has to sign in again"
    say(f"The backup {printable(str(file))} is restored, {what}: {in_force(receipt)}.")
    if keep_sessions and not restored.continued:
        note(
            "The database did not hold the log that goes with this backup, so a session that was ended after the"
        )
        note("backup may live again. `gatepost session revoke --all` ends every session.")


def _restore(settings: Settings, file: Path, *, keep_sessions: bool) -> Restored:
    database = require_file(settings)
    if not database.parent.is_dir():
        raise StoreUnusable(
            f"The folder {database.parent} does not exist. Create it, or name it with --data."
        )
    masters = masters_of(settings, SystemRandomness()).candidates()
    now, kept = SystemClock().now(), "yes" if keep_sessions else "no"
    row = AuditRow(Event.RESTORED, now, actor=ACTOR, more={"sessions_kept": kept})
    restoring = Restoring(now, keep_sessions, row, SystemRandomness(), lambda keys: _opens(masters, keys))
    with staged(file, database) as copy:
        _require_opened(masters, copy)
        with _shown("Restoring") as progress:
            return copy.write_into(database, restoring, progress)


def _require_opened(masters: Sequence[MasterKey], copy: StagedBackup) -> None:
    keys = copy.ring_keys()
    if keys and not _opens(masters, keys):
        raise KeyUnusable(
            "The master key does not open what is in this backup: put back the one that belongs to it. "
            "Nothing was changed."
        )


def _opens(masters: Sequence[MasterKey], keys: Sequence[RingKey]) -> bool:
    # Judged by the root, as at a start: a single key that is damaged must neither bring back what was withdrawn since
    # the backup nor make a backup worthless.
    judge = judge_of(keys)
    return any(opens(judge, master) for master in masters)


def _settled(installation: Installation, settings: Settings, restored: Restored) -> Receipt:
    if not restored.servers_known:
        # Nobody can say who works on a database that could not be read. Whoever does has asked again after this time.
        time.sleep(settings.revocation.bound.total_seconds())
    with installation.opened() as authority:
        return authority.commits.settle(Committed(restored.position, ()))


def _existing(settings: Settings) -> Path:
    database = require_file(settings)
    if not database.exists():
        raise StoreUnusable(
            f"There is no database at {database}: start the server first, or name its folder with --data."
        )
    return database


@contextmanager
def _shown(doing: str) -> Iterator[Progress]:
    """How far it is, on a terminal; nothing in a pipe."""
    with click.progressbar(length=1, label=doing, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        yield show
