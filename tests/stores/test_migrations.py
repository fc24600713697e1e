"""The schema: what migrations make is what the code speaks, and a start makes it once and whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gatepost.core.audit import Whole
from gatepost.core.changes import Event
from gatepost.errors import StoreUnusable
from gatepost.services.audit import Audit
from gatepost.stores.migrations import scripts, upgrade
from gatepost.stores.revisions import HEAD, REVISIONS, current, migrate
from gatepost.stores.sql import SqlStore
from gatepost.stores.sql_tables import metadata
from gatepost.stores.sqlite import prepare_file
from gatepost.testing.clock import TurnableClock
from gatepost.testing.crowd import crowd, processes
from gatepost.testing.opening import Opener, open_sql
from gatepost.testing.randomness import SeededRandomness


def schema(connection: sqlite3.Connection) -> dict[str, str]:
    """What the database says of its tables and indexes, but for Alembic's own."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def test_revisions_are_those_that_alembic_finds() -> None:
    """The names that are kept to spare the import of Alembic are right, and in order."""
    found = [script.revision for script in scripts().walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS
    assert scripts().get_current_head() == HEAD


def test_migrations_make_the_tables_that_the_code_speaks(tmp_path: Path) -> None:
    """Every table, column, key, check and index."""
    migrate(tmp_path / "migrated.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()
    found = []
    for name in ("migrated.db", "declared.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            found.append(schema(connection))
    assert found[0] == found[1]


def test_migrating_says_from_where_to_where(tmp_path: Path) -> None:
    """The second time there is nothing to do."""
    url = f"sqlite:///{tmp_path / 'truth.db'}"
    assert current(url) is None
    assert migrate(url) == (None, HEAD)
    assert migrate(url) == (HEAD, HEAD)
    assert current(url) == HEAD


def test_database_of_the_first_revision_keeps_what_it_holds(tmp_path: Path) -> None:
    """A file of revision 0001 is brought on in place: its trail is there, and from then on it is sealed."""
    path = tmp_path / "truth.db"
    prepare_file(path)
    upgrade(path, "0001")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO audit (event, at, account_id, address, device, more) "
            "VALUES ('signed_in', 0, 'ada', '192.0.2.7', 'Firefox', '{}')"
        )
        connection.commit()
    assert current(path) == "0001"
    store, _ = open_sql(path)
    assert current(path) == HEAD
    [(number, row)] = store.audit_rows(account_id="ada", after=0, limit=9)
    assert (number, row.event, row.address) == (1, Event.SIGNED_IN, "192.0.2.7")
    assert store.newest_seal() is None
    audit = Audit(store, TurnableClock(), bytes(32))
    assert (audit.seal(), type(audit.verify())) == (1, Whole)
    store.close()


def test_asking_for_the_revision_makes_no_file(tmp_path: Path) -> None:
    """A question about a database that is not there leaves none behind."""
    assert current(tmp_path / "truth.db") is None
    assert not (tmp_path / "truth.db").exists()


def test_database_of_a_newer_gatepost_is_refused(tmp_path: Path) -> None:
    """Nothing is written to a schema that this code does not know."""
    path = tmp_path / "truth.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreUnusable, match="newer Gatepost"):
        open_sql(path)
    assert current(path) == "9999"


def test_store_is_not_migrated_behind_the_back_of_who_forbids_it(tmp_path: Path) -> None:
    """Without leave to migrate, a new or older database is refused, and no file is made."""
    path = tmp_path / "truth.db"
    with pytest.raises(StoreUnusable, match="gatepost migrate"):
        SqlStore.open(path, SeededRandomness(), migrate=False)
    assert not path.exists()
    migrate(path)
    SqlStore.open(path, SeededRandomness(), migrate=False).close()


def log_id(store: SqlStore, number: int) -> str:
    """The id of the log in a store."""
    return store.log().read(None).position.log


def test_servers_starting_at_once_share_one_log(sqlite: Opener) -> None:
    """The first start of a new database by several processes makes one schema and one log."""
    with crowd(4) as many:
        assert len(set(many.run(sqlite, log_id, 4))) == 1


def test_killed_first_start_leaves_what_the_next_can_use(tmp_path: Path) -> None:
    """A start that is killed while it migrates has either done all or nothing."""
    context = processes()
    for number in range(12):
        path = tmp_path / f"{number}.db"
        start = context.Process(target=open_sql, args=(path,))
        start.start()
        start.join(0.01 * number)
        start.kill()
        start.join()
        store, log = open_sql(path)
        assert current(path) == HEAD
        assert (store.position(), len(log.read(None).facts)) == (0, 0)
        store.close()
