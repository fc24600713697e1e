"""Where settings come from, which source wins, and how each names its mistakes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import SettingsError
from gatepost.settings import Settings, load_settings
from gatepost.settings.keys import leaves, variable

Load = Callable[..., Settings]
Refusal = Callable[..., str]


def test_an_empty_machine_gets_the_defaults(load: Load, tmp_path: Path) -> None:
    """With nothing given, the development profile serves localhost from ./data."""
    settings = load()
    assert settings.profile == "development"
    assert settings.issuer == "http://localhost:8400"
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.1", 8400, 1)
    assert settings.data == tmp_path / "data"
    assert settings.database_file == tmp_path / "data" / "gatepost.db"
    assert settings.sessions.idle == timedelta(days=7)
    assert settings.sessions.absolute == timedelta(days=30)
    assert settings.sessions.visitor_empty == timedelta(hours=1)
    assert settings.revocation.horizon == settings.access_ttl == timedelta(minutes=10)
    assert settings.refresh_ttl == settings.sessions.absolute
    assert settings.passwords.min_length == 15
    assert 1 <= settings.limits.hashes <= 16


def test_the_environment_and_the_working_directory_are_read_by_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without arguments, the process's own environment and folder count."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEPOST_COOKIES__NAME", "shop")
    (tmp_path / "gatepost.toml").write_text("[server]\nport = 9000\n")
    settings = load_settings()
    assert (settings.cookies.name, settings.server.port) == ("shop", 9000)


def test_each_source_wins_over_the_one_below_it(load: Load) -> None:
    """Argument over GATEPOST_ variable over PORT over file over default."""
    file = "[server]\nport = 1\n"
    custom, own = {"PORT": "2"}, {"PORT": "2", "GATEPOST_SERVER__PORT": "3"}
    assert load(toml=file).server.port == 1
    assert load({}, custom, toml=file).server.port == 2
    assert load({}, own, toml=file).server.port == 3
    assert load({"server": {"port": 4}}, own, toml=file).server.port == 4


def test_sources_are_merged_key_by_key(load: Load) -> None:
    """A section given in two places is not replaced as a whole, and neither are the roles."""
    settings = load(
        {"server": {"port": 5}, "roles": {"editor": ["write"]}},
        {"GATEPOST_ROLES__SHOP_OWNER": "sell,buy"},
        toml='[server]\nhost = "::1"\n[roles]\neditor = ["read"]\nmember = ["visit"]\n',
    )
    assert (settings.server.host, settings.server.port) == ("::1", 5)
    assert settings.roles == {
        "admin": (),
        "support": (),
        "member": ("visit",),
        "editor": ("write",),
        "shop-owner": ("sell", "buy"),
    }


def test_nothing_given_is_not_a_value(load: Load) -> None:
    """None in an argument and an empty variable leave the key to the next source."""
    environ = {
        "GATEPOST_SERVER__PORT": "",
        "PORT": "",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "GATEPOST_CONFIG": "",
    }
    settings = load({"server": {"port": None}, "url": None}, environ, toml="[server]\nport = 9000\n")
    assert settings.server.port == 9000


def test_conventional_variables_are_honoured(load: Load, refusal: Refusal, tmp_path: Path) -> None:
    """DATABASE_URL, PORT and REDIS_URL are read; what they ask for and cannot have is said in their own name."""
    settings = load({}, {"DATABASE_URL": "sqlite:///x.db", "PORT": "9000"})
    assert settings.database_file == tmp_path / "x.db"
    assert settings.server.port == 9000
    assert refusal({}, {"PORT": "http"}) == "PORT must be a whole number."
    assert refusal({}, {"DATABASE_URL": "postgresql://u:hunter2@h/d"}) == (
        "DATABASE_URL asks for a database that this version does not run on; use sqlite:///path/to/file.db."
    )
    assert refusal({}, {"REDIS_URL": "redis://:hunter2@h"}) == (
        "REDIS_URL asks for sessions outside the database, which a later release brings; "
        'set sessions.url to "database".'
    )
    assert load({"sessions": {"url": "database"}}, {"REDIS_URL": "redis://h"}).sessions.url == "database"


def test_lists_are_written_with_commas_or_as_json(load: Load, refusal: Refusal) -> None:
    """An environment variable holds a list either way; `[]` empties the list of the file."""
    file = '[tokens]\naudiences = ["orders"]\n'
    assert load({}, {"GATEPOST_TOKENS__AUDIENCES": "a, b,"}, toml=file).tokens.audiences == ("a", "b")
    assert load({}, {"GATEPOST_TOKENS__AUDIENCES": '["a,b"]'}, toml=file).tokens.audiences == ("a,b",)
    assert load({}, {"GATEPOST_TOKENS__AUDIENCES": "[]"}, toml=file).tokens.audiences == ()
    assert refusal({}, {"GATEPOST_TOKENS__AUDIENCES": "[" * 9999}) == (
        "GATEPOST_TOKENS__AUDIENCES must be a list: items with commas between them, or a JSON array."
    )


def test_a_value_can_be_read_from_a_file(load: Load, tmp_path: Path) -> None:
    """`..._FILE` names the file; one trailing newline is not part of the value."""
    (tmp_path / "unix").write_bytes(b"sqlite:///x.db\n")
    (tmp_path / "windows").write_bytes(b"sqlite:///x.db\r\n")
    for name in ("unix", str(tmp_path / "windows")):
        settings = load({}, {"GATEPOST_DATABASE__URL_FILE": name})
        assert settings.database_file == tmp_path / "x.db"


def test_a_key_that_ends_in_file_is_itself(load: Load, tmp_path: Path) -> None:
    """`passwords.breach_file` is a path, not the content of one; `..._FILE_FILE` reads the path from a file."""
    (tmp_path / "leaked").write_text("correct horse\n")
    (tmp_path / "where").write_text("leaked\n")
    assert (
        load({}, {"GATEPOST_PASSWORDS__BREACH_FILE": "leaked"}).passwords.breach_file == tmp_path / "leaked"
    )
    assert (
        load({}, {"GATEPOST_PASSWORDS__BREACH_FILE_FILE": "where"}).passwords.breach_file
        == tmp_path / "leaked"
    )


def test_no_key_can_be_mistaken_for_the_file_of_another() -> None:
    """A key `x` beside a key `x_file` would make one variable mean two things."""
    names = {variable(key) for key in leaves(Settings)}
    assert not names & {f"{name}_FILE" for name in names}


def test_a_value_and_its_file_cannot_both_be_given(refusal: Refusal, tmp_path: Path) -> None:
    """Which of the two is meant must not be guessed."""
    (tmp_path / "u").write_text("memory://")
    environ = {"GATEPOST_DATABASE__URL": "memory://", "GATEPOST_DATABASE__URL_FILE": "u"}
    assert refusal({}, environ) == (
        "GATEPOST_DATABASE__URL and GATEPOST_DATABASE__URL_FILE are both set; keep one of them."
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "names a file that cannot be read (no such file or directory); correct it."),
        (b"", "names an empty file; write the value into it."),
        (b"\n", "names an empty file; write the value into it."),
        (b"hunter2\xff", "names a file that is not UTF-8 text; save it as UTF-8."),
        (b"x" * 65_537, "names a file larger than 64 KiB; name a file that holds the value alone."),
        (b"hunter2", "asks for a database that this version does not run on; use sqlite:///path/to/file.db."),
    ],
)
def test_a_bad_value_file_is_refused_without_its_content(
    refusal: Refusal, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """The sentence names the variable, never what the file holds."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    assert refusal({}, {"GATEPOST_DATABASE__URL_FILE": "secret"}) == f"GATEPOST_DATABASE__URL_FILE {says}"


def test_the_configuration_file_can_be_named(load: Load, refusal: Refusal, tmp_path: Path) -> None:
    """GATEPOST_CONFIG replaces ./gatepost.toml, and what it names must exist."""
    (tmp_path / "other.toml").write_text("[server]\nport = 9001\n")
    environ = {"GATEPOST_CONFIG": "other.toml"}
    assert load({}, environ, toml="[server]\nport = 9000\n").server.port == 9001
    assert refusal({}, {"GATEPOST_CONFIG": "none.toml"}) == (
        "none.toml cannot be read (no such file or directory); correct its path or permissions."
    )
    (tmp_path / "gatepost.toml").unlink()
    assert "gatepost.toml cannot be read" in refusal({}, {"GATEPOST_CONFIG": "gatepost.toml"})


def test_a_configuration_that_cannot_be_read_stops_the_start(refusal: Refusal, tmp_path: Path) -> None:
    """A file that is there is never passed over in silence."""
    (tmp_path / "gatepost.toml").mkdir()
    assert refusal() == "gatepost.toml cannot be read (is a directory); correct its path or permissions."


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'url = "hunter2', " at end of document"),
        (b"[server]\nport = hunter2\n", " at line 2, column 8"),
        (b"url = 'hunter2\xff'", ""),
        (b"url = " + b"[" * 9999, ""),
    ],
)
def test_broken_toml_is_refused_with_its_place_and_not_its_text(
    refusal: Refusal, tmp_path: Path, content: bytes, where: str
) -> None:
    """The parser's words could quote a secret; the place is enough."""
    (tmp_path / "gatepost.toml").write_bytes(content)
    sentence = refusal()
    assert sentence.startswith("gatepost.toml is not valid TOML in UTF-8")
    assert where in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "GATEPOST_SERVER__PROT",
            "GATEPOST_SERVER__PROT is not a setting; did you mean GATEPOST_SERVER__PORT?",
        ),
        (
            "GATEPOST_SERVER_PORT",
            "GATEPOST_SERVER_PORT is not a setting; did you mean GATEPOST_SERVER__PORT?",
        ),
        ("GATEPOST_PORT", "GATEPOST_PORT is not a setting; did you mean GATEPOST_SERVER__PORT?"),
        (
            "GATEPOST_MIN_LENGTH",
            "GATEPOST_MIN_LENGTH is not a setting; did you mean GATEPOST_PASSWORDS__MIN_LENGTH?",
        ),
        ("GATEPOST_CONFIGS", "GATEPOST_CONFIGS is not a setting; did you mean GATEPOST_CONFIG?"),
        ("GATEPOST_QQQQ", "GATEPOST_QQQQ is not a setting; remove it."),
        ("Gatepost_Url", "Gatepost_Url is not a setting; did you mean GATEPOST_URL?"),
        ("GATEPOST_", "GATEPOST_ is not a setting; remove it."),
        (
            "GATEPOST_SERVER",
            "GATEPOST_SERVER names a section, not a setting; set its keys one by one as GATEPOST_SERVER__KEY.",
        ),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    refusal: Refusal, name: str, sentence: str
) -> None:
    """A misspelt setting must not be passed over; its value is not repeated, and being empty does not excuse it."""
    assert refusal({}, {name: "hunter2"}) == sentence
    assert refusal({}, {name: ""}) == sentence


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[server]\nprot = 1", "server.prot in gatepost.toml is not a setting; did you mean server.port?"),
        ("[sever]\nport = 1", "sever in gatepost.toml is not a setting; did you mean server?"),
        ("port = 1", "port in gatepost.toml is not a setting; did you mean server.port?"),
        ("zzz = 1", "zzz in gatepost.toml is not a setting; remove it."),
        ("server = 1", "server in gatepost.toml is a section, not a value; set its keys one by one."),
        ("[server.port]\nx = 1", "server.port in gatepost.toml must be a whole number."),
        (
            "[[server]]\nport = 1",
            "server in gatepost.toml is a section, not a value; set its keys one by one.",
        ),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name(
    refusal: Refusal, toml: str, sentence: str
) -> None:
    """The sentence names the key as the file writes it, and the file."""
    assert refusal(toml=toml) == sentence


def test_an_unknown_argument_is_refused(refusal: Refusal) -> None:
    """A keyword given in Python is held to the same list."""
    assert refusal({"server": {"hots": "x"}}) == "server.hots is not a setting; did you mean server.host?"


def test_a_mistake_in_an_option_is_named_as_the_option(refusal: Refusal) -> None:
    """Whoever typed `--port` is told about `--port`."""
    sentence = refusal({"server": {"port": "x"}}, {"PORT": "1"}, option_names={"server.port": "--port"})
    assert sentence == "--port must be a whole number."


SERVICE_LINKS = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "GATEPOST_SERVICE_HOST": "10.0.0.2",
    "GATEPOST_SERVICE_PORT": "8400",
    "GATEPOST_SERVICE_PORT_HTTP": "8400",
    "GATEPOST_PORT": "tcp://10.0.0.2:8400",
    "GATEPOST_PORT_8400_TCP": "tcp://10.0.0.2:8400",
    "GATEPOST_PORT_8400_TCP_ADDR": "10.0.0.2",
    "GATEPOST_ADMIN_SERVICE_HOST": "10.0.0.3",
}


def test_what_kubernetes_says_about_a_service_of_our_name_is_no_setting(load: Load, refusal: Refusal) -> None:
    """A Service named gatepost must not stop its own containers; a person's GATEPOST_PORT still is a mistake."""
    assert load({}, SERVICE_LINKS).server.port == 8400
    assert load({}, SERVICE_LINKS | {"GATEPOST_SERVER__PORT": "9000"}).server.port == 9000
    assert "GATEPOST_PORT" in refusal({}, SERVICE_LINKS | {"GATEPOST_PORT": "9000"})
    outside = {name: value for name, value in SERVICE_LINKS.items() if name != "KUBERNETES_SERVICE_HOST"}
    assert "is not a setting" in refusal({}, outside)


def _set(target: Any, name: str) -> None:
    setattr(target, name, None)


@pytest.mark.parametrize("path", ["", "server", "sessions", "tokens", "limits"])
def test_the_tree_is_frozen(load: Load, path: str) -> None:
    """Neither the tree nor a section can be changed after it was checked."""
    settings = load()
    target = getattr(settings, path) if path else settings
    with pytest.raises(ValueError, match="frozen"):
        _set(target, next(iter(type(target).model_fields)))


def test_a_tree_made_by_hand_takes_no_unknown_key() -> None:
    """Unknown keys are refused by the classes too, not by the reader alone."""
    for model in (Settings, type(Settings().server)):
        with pytest.raises(ValueError, match="Extra inputs"):
            model.model_validate({"nonsense": 1})


def test_settings_errors_stop_the_start_for_the_operator() -> None:
    """What is wrong in settings is the operator's to mend, so it is not an answer to a request."""
    assert SettingsError.code == "settings"
