"""The page about moving in: its queries are run on tables as those systems make them, and their people sign in."""

import csv
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gatepost.core.newcomers import COLUMNS
from gatepost.factors import foreign
from gatepost.machine import SystemClock
from gatepost.services.beginnings import Wish
from tests.foreign import KINDS
from tests.servers import clean_environment, run_gatepost
from tests.services.installation import HOME, Installation

PAGE = (Path(__file__).resolve().parents[2] / "docs/moving-in.md").read_text()
PASSWORD = "quiet river stone"
DJANGO = """
import sys
import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.db"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True,
)
django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User

User.objects.create_superuser("root", "root@example.com", sys.argv[1])
User.objects.create_user("gone", "gone@example.com", sys.argv[1], is_active=False)
User.objects.create_user("mute", "mute@example.com")
User.objects.create_user("nameless")
"""
FASTAPI_USERS = """
CREATE TABLE user (email VARCHAR(320), hashed_password VARCHAR(1024), is_active BOOLEAN, is_superuser BOOLEAN,
                   is_verified BOOLEAN, id CHAR(36) PRIMARY KEY);
INSERT INTO user VALUES ('root@example.com', '{0}', 1, 1, 1, 'a'), ('gone@example.com', '{1}', 0, 0, 0, 'b'),
                        ('mute@example.com', '', 1, 0, 1, 'c');
"""
WERKZEUG = """
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, password_hash TEXT, created_at TEXT);
INSERT INTO users VALUES (1, 'root@example.com', '{0}', '2024-05-17 09:30:00.000000'),
                         (2, 'gone@example.com', '{1}', '2024-05-17 09:30:00.000000'),
                         (3, 'mute@example.com', '', NULL);
"""


def query_under(heading: str) -> str:
    """The query that the page gives there."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    [query] = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return str(query)


def made_by_django(folder: Path) -> None:
    """Django's own tables, and people made by its own model."""
    command = [sys.executable, "-c", DJANGO, PASSWORD]
    subprocess.run(command, cwd=folder, env=clean_environment(), check=True, timeout=200)


def made_by_hand(folder: Path, script: str, *kinds: str) -> None:
    """Tables with the columns that the system documents, and hashes by its library."""
    with closing(sqlite3.connect(folder / "users.db")) as connection:
        connection.executescript(script.format(*(KINDS[kind](PASSWORD) for kind in kinds)))


def write_csv(folder: Path, query: str) -> None:
    """What a query finds in `users.db`, as `users.csv`: what the system's own shell writes."""
    with (
        closing(sqlite3.connect(folder / "users.db")) as connection,
        (folder / "users.csv").open("w") as file,
    ):
        found = connection.execute(query)
        rows = csv.writer(file)
        rows.writerow([column[0] for column in found.description])
        rows.writerows(found)


@pytest.mark.parametrize(
    "system", ["From Django", "From FastAPI Users", "From a Flask application with Werkzeug"]
)
def test_query_of_each_system_brings_its_people(tmp_path: Path, system: str) -> None:
    """Out of its tables into a file, out of the file into an installation, and in with the old password."""
    if system == "From Django":
        made_by_django(tmp_path)
    elif system == "From FastAPI Users":
        made_by_hand(tmp_path, FASTAPI_USERS, "argon2-cffi id", "bcrypt 2b")
    else:
        made_by_hand(tmp_path, WERKZEUG, "werkzeug scrypt", "werkzeug pbkdf2 sha256")
    write_csv(tmp_path, query_under(system))
    done = run_gatepost("account", "import", "users.csv", "--strict", folder=tmp_path)
    assert (done.code, done.out) == (0, "3 accounts imported, 1 of them without a password.\n")
    installation = Installation(tmp_path / "data", SystemClock())
    at = installation.open()
    try:
        root, gone = at.accounts.find("root@example.com"), at.accounts.find("gone@example.com")
        assert at.sign_in.sign_in("root@example.com", PASSWORD, Wish(HOME)).account.id == root.id
        roles = ("member",) if "Werkzeug" in system else ("admin", "member")
        assert (root.roles, gone.locked_at is not None) == (roles, "Werkzeug" not in system)
    finally:
        installation.close()


def test_page_names_every_column() -> None:
    """In its table, and none besides."""
    table = PAGE.partition("## The file")[2].partition("## From Django")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(COLUMNS)


def test_bounds_on_the_page_are_those_of_the_code() -> None:
    """Each number that a hash is measured by."""
    table = PAGE.partition("| made by |")[2].partition("\n\n")[0]
    assert f"cost {foreign.MOST_BCRYPT_COST}" in table
    assert f"{foreign.MOST_ITERATIONS:,} iterations" in table
    assert f"{foreign.MOST_MEMORY_KIB // 1024} MiB, block size 32, {foreign.MOST_LANES} lanes" in table
    assert f"N times r times p of {foreign.MOST_SCRYPT_WORK:,}" in table
    assert f"{foreign.MOST_TIME_COST} passes, {foreign.MOST_LANES} lanes" in table
    assert f"KiB times passes of {foreign.MOST_ARGON2_WORK:,}" in table
