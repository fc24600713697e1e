"""Migrations of the SQL schema, run by Alembic from inside the package.

Owns the run: one immediate transaction for everything, so that a crash leaves the old revision whole and two servers
starting at once do the work once. Called by `gatepost.stores.revisions` only.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from gatepost.stores.sqlite import APPLICATION_ID, connect

# Another server may be migrating, and that may take its time.
_WAIT_MILLISECONDS: Final = 60_000


def scripts() -> ScriptDirectory:
    """The revisions in this package, as Alembic reads them."""
    return ScriptDirectory.from_config(_config())


def upgrade(path: Path, revision: str) -> None:
    """Bring the file at `path` to a revision. Raises sqlite3.Error; the file is then as it was."""
    engine = sa.create_engine("sqlite://", creator=lambda: connect(path), poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    except DBAPIError as error:
        raise error.orig or error from error
    finally:
        engine.dispose()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config() -> Config:
    config = Config()
    # The option knows `%(here)s`, so a percent sign in a path must be doubled.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
