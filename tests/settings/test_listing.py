"""What `settings show` and `settings check` print."""

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.settings import Settings
from gatepost.settings.keys import dotted, leaves
from gatepost.settings.listing import HIDDEN, value_text

Load = Callable[..., Settings]


def test_every_setting_is_listed_once_with_its_value_and_source(load: Load) -> None:
    """Option, argument, variable, file and default are told apart."""
    settings = load(
        {"server": {"host": "::1", "port": 1}},
        {"PORT": "2", "GATEPOST_TOKENS__AUDIENCES": "a,b", "GATEPOST_ROLES__SHOP_OWNER": "sell"},
        toml='[sessions]\nidle = "90m"\n',
        option_names={"server.port": "--port"},
    )
    rows = {row.key: (row.value, row.source) for row in settings.describe()}
    assert len(rows) == len(settings.describe())
    assert {dotted(key) for key in leaves(Settings)} - set(rows) == {"roles"}
    assert rows["server.port"] == ("1", "option --port")
    assert rows["server.host"] == ("::1", "argument")
    assert rows["tokens.audiences"] == ("a, b", "environment GATEPOST_TOKENS__AUDIENCES")
    assert rows["roles.shop-owner"] == ("sell", "environment GATEPOST_ROLES__SHOP_OWNER")
    assert rows["roles.admin"] == ("none", "default")
    assert rows["sessions.idle"] == ("1h30m", "file gatepost.toml")
    assert rows["docs"] == ("not set", "default")


def test_what_has_its_default_elsewhere_is_listed_with_the_value_in_force(load: Load) -> None:
    """Nobody has to work out what "not set" means for them."""
    settings = load({"revocation": {"horizon": "5m"}, "docs": True})
    rows = {row.key: row.value for row in settings.describe()}
    assert rows["tokens.access_ttl"] == "5m"
    assert rows["tokens.refresh_ttl"] == "30d"
    assert rows["sessions.url"] == "database"
    assert rows["database.url"] == f"sqlite:///{settings.database_file}"
    assert rows["profile"] == "development"
    assert rows["docs"] == "true"
    assert {row.key: row.value for row in load({"database": {"url": "sqlite://"}}).describe()}[
        "database.url"
    ] == "memory://"


def test_a_value_with_a_password_is_never_printed() -> None:
    """Should a URL that carries one ever be accepted, the listing hides it whole."""
    assert value_text("postgresql://anna:hunter2@h/d") == HIDDEN
    assert value_text(False) == "false"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "development profile"),
        ({"database": {"url": "memory://"}}, "kept in memory"),
        ({"revocation": {"horizon": "16m"}}, "Access tokens live longer"),
        ({"revocation": {"horizon": "16m"}}, "revocation.horizon is above"),
        ({"revocation": {"when_stale": "allow"}}, "what is ended while the log"),
        ({"sessions": {"absolute": "31d"}}, "NIST"),
        ({"tokens": {"refresh_grace": "11s"}}, "tokens.refresh_grace"),
        ({"passwords": {"min_length": 14}}, "passwords.min_length"),
    ],
)
def test_what_deserves_a_thought_is_said(load: Load, given: dict[str, Any], says: str) -> None:
    """Allowed, with one sentence."""
    assert [sentence for sentence in load(given).warnings() if says in sentence]


def test_a_careful_public_server_has_no_warning(load: Load) -> None:
    """At the very limits nothing is said; one step further there is."""
    careful = {
        "url": "https://auth.example.com",
        "proxy": {"trusted": ["10.0.0.0/8"]},
        "revocation": {"horizon": "15m", "when_stale": "ask"},
        "sessions": {"absolute": "30d"},
        "tokens": {"refresh_grace": "10s"},
    }
    assert load(careful).warnings() == []
    assert load(careful | {"log": {"level": "debug"}}).warnings() == [
        "log.level is debug in production: the log grows fast."
    ]
