"""What each single setting accepts and how it refuses: the key's name and what it must be, never the value."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gatepost.settings import Settings

Load = Callable[..., Settings]
Refusal = Callable[..., str]

WHOLE = "must be a whole number."
DURATION = 'must be a duration such as "10m", "7d", "1h30m" or a number of seconds.'
ORIGIN = "must be an origin such as https://app.example.com, without path, never * or null."
NETWORK = "must be an address or network such as 10.0.0.0/8, with no bits set past the mask."
PERMISSION = "must list permissions in visible ASCII without comma or blank."
ROLE = "must be named with a small letter first, then at most 31 of a-z, 0-9 and -."
COOKIE = "must be 1 to 64 characters of a cookie name: letters and digits, with - or _ between them."
AUDIENCE = "must name services in visible ASCII without blanks, never *."


def _nested(key: str, value: Any) -> dict[str, Any]:
    section, _, name = key.partition(".")
    return {section: {name: value}} if name else {section: value}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("profile", "staging", "must be one of 'development' or 'production'."),
        ("docs", "maybe", "must be true or false."),
        ("data", 5, "must be a path."),
        ("data", "a\0b", "must be a path without NUL bytes."),
        ("server.host", "", "must be an address to listen on such as 127.0.0.1, ::1 or a host name."),
        ("server.host", "[::1]", "must be an address to listen on such as 127.0.0.1, ::1 or a host name."),
        ("server.port", "abc", WHOLE),
        ("server.port", 80.5, WHOLE),
        ("server.port", True, WHOLE),
        ("server.port", [], WHOLE),
        ("server.port", "9" * 5000, WHOLE),
        ("server.port", -1, "must be at least 0."),
        ("server.port", 65536, "must be at most 65535."),
        ("server.workers", 65, "must be at most 64."),
        ("server.workers", 0, "must be at least 1."),
        ("server.tls_cert", "none.pem", "must name a file that can be read (no such file or directory)."),
        ("sessions.absolute", 0, "must be at least 1s."),
        ("sessions.absolute", "401d", "must be at most 400d."),
        ("sessions.idle", "soon", DURATION),
        ("sessions.per_account", 0, "must be at least 1."),
        ("sessions.data_limit", "2MiB", "must be at most 1048576."),
        ("sessions.data_limit", "lots", 'must be a number of bytes such as 16384 or "16KiB".'),
        ("revocation.horizon", "999ms", "must be at least 1s."),
        ("revocation.horizon", "25h", "must be at most 1d."),
        ("revocation.bound", "49ms", "must be at least 50ms."),
        ("revocation.leeway", "61s", "must be at most 1m."),
        ("revocation.leeway", -1, DURATION),
        ("revocation.request_deadline", "6m", "must be at most 5m."),
        ("revocation.when_stale", "accept", "must be one of 'refuse', 'ask' or 'allow'."),
        ("tokens.access_ttl", "0.5s", "must be at least 1s."),
        ("tokens.refresh_grace", "61s", "must be at most 1m."),
        ("passwords.profile", "weak", "must be one of 'owasp' or 'strong'."),
        ("passwords.min_length", 7, "must be at least 8."),
        ("passwords.min_length", 65, "must be at most 64."),
        ("passwords.breach_file", "none", "must name a file that can be read (no such file or directory)."),
        ("cookies.name", 5, "must be text."),
        ("cookies.name", "", COOKIE),
        ("cookies.name", "a b", COOKIE),
        ("cookies.name", "a;b", COOKIE),
        ("cookies.name", "a=b", COOKIE),
        ("cookies.name", "ä", COOKIE),
        ("cookies.name", "a" * 65, COOKIE),
        (
            "cookies.name",
            "__HOST-x",
            "must be the bare name; the prefix that browsers enforce is put before it by itself.",
        ),
        ("limits.hashes", 17, "must be at most 16."),
        ("limits.hashes", 0, "must be at least 1."),
        ("limits.hash_queue", -1, "must be at least 0."),
        ("limits.hash_wait", 0, "must be at least 1ms."),
        ("limits.body", 1023, "must be at least 1024."),
        ("limits.headers", 4095, "must be at least 4096."),
        ("limits.visits_per_minute", 0, "must be at least 1."),
        ("log.level", "loud", "must be one of 'debug', 'info', 'warning' or 'error'."),
        ("log.format", "xml", "must be one of 'auto', 'json' or 'text'."),
        ("origins.trusted", 5, "must be a list."),
        ("roles.editor", 5, "must be a list."),
        ("roles.Editor", [], ROLE),
        ("roles.9lives", [], ROLE),
        ("roles.a_b", [], ROLE),
        ("roles.ä", [], ROLE),
        ("roles." + "a" * 33, [], ROLE),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_must_be(
    refusal: Refusal, key: str, value: Any, says: str
) -> None:
    """The sentence begins with the key as written."""
    assert refusal(_nested(key, value)) == f"{key} {says}"


@pytest.mark.parametrize(
    ("key", "item", "says"),
    [
        ("origins.trusted", "*", ORIGIN),
        ("origins.trusted", "null", ORIGIN),
        ("origins.trusted", "https://app.example.com/", ORIGIN),
        ("origins.trusted", "https://*.example.com", ORIGIN),
        ("proxy.trusted", "*", NETWORK),
        ("proxy.trusted", "10.0.0.1/8", NETWORK),
        ("proxy.trusted", 1, NETWORK),
        ("tokens.audiences", "*", AUDIENCE),
        ("tokens.audiences", "", AUDIENCE),
        ("tokens.audiences", "a b", AUDIENCE),
        ("passwords.own_words", " ", "must be words that are not empty."),
        ("passwords.own_words", 5, "must be text."),
        ("roles.editor", "a,b", PERMISSION),
        ("roles.editor", "a b", PERMISSION),
        ("roles.editor", "", PERMISSION),
        ("roles.editor", "ü", PERMISSION),
    ],
)
def test_a_wrong_item_of_a_list_is_refused_by_its_number(
    refusal: Refusal, key: str, item: Any, says: str
) -> None:
    """The place of the item is told, because the item itself is not repeated."""
    good = {
        "origins": "https://a.example",
        "proxy": "10.0.0.0/8",
        "tokens": "a",
        "passwords": "a",
        "roles": "a",
    }
    first = good[key.partition(".")[0]]
    assert refusal(_nested(key, [first, item])) == f"Item 2 of {key} {says}"


def test_every_source_names_a_wrong_value_in_its_own_way(refusal: Refusal) -> None:
    """Variable, file key, argument."""
    assert refusal({}, {"GATEPOST_SESSIONS__IDLE": "hunter2"}) == f"GATEPOST_SESSIONS__IDLE {DURATION}"
    assert refusal({"sessions": {"idle": "hunter2"}}) == f"sessions.idle {DURATION}"
    assert refusal(toml='[sessions]\nidle = "hunter2"') == f"sessions.idle in gatepost.toml {DURATION}"
    assert (
        refusal({}, {"GATEPOST_ROLES__EDITOR": "a b"}, toml="")
        == f"Item 1 of GATEPOST_ROLES__EDITOR {PERMISSION}"
    )


def test_a_wrong_url_is_the_only_thing_reported_about_it(refusal: Refusal) -> None:
    """Defaults that follow from a refused value cause no second complaint."""
    assert refusal({"url": "https://u:hunter2@h"}) == (
        "url must not hold a user name or password; remove everything up to the @."
    )
    assert refusal({"sessions": {"absolute": "x"}}) == f"sessions.absolute {DURATION}"


def test_limits_hold_at_their_very_edge(load: Load) -> None:
    """The last allowed value on each side is accepted."""
    settings = load(
        {
            "server": {"port": 0},
            "revocation": {"horizon": "1d", "bound": "50ms", "leeway": 0},
            "tokens": {"refresh_grace": 0, "access_ttl": 1},
            "passwords": {"min_length": 8},
            "cookies": {"name": "a" * 64},
            "roles": {"a" * 32: ["x" * 128]},
            "limits": {"hashes": 16, "hash_queue": 0},
        }
    )
    assert settings.revocation.bound == timedelta(milliseconds=50)
    assert settings.access_ttl == timedelta(seconds=1)
    assert settings.tokens.refresh_grace == timedelta()


def test_shortening_the_session_shortens_what_hangs_on_it(load: Load) -> None:
    """One setting is enough: the defaults below `absolute` follow it."""
    settings = load({"sessions": {"absolute": "30m"}})
    half_an_hour = timedelta(minutes=30)
    assert settings.sessions.idle == settings.sessions.visitor_idle == half_an_hour
    assert settings.sessions.visitor_empty == settings.refresh_ttl == half_an_hour


def test_a_short_horizon_shortens_access_tokens(load: Load) -> None:
    """An access token never outlives the memory of its revocation."""
    assert load({"revocation": {"horizon": "2m"}}).access_ttl == timedelta(minutes=2)


def test_paths_start_at_the_working_directory(load: Load, refusal: Refusal, tmp_path: Path) -> None:
    """Relative paths are made absolute once, so a later change of folder moves nothing."""
    assert load({"data": "here"}).data == tmp_path / "here"
    assert load({"data": "/srv/gatepost"}).data == Path("/srv/gatepost")
    (tmp_path / "file").write_text("")
    assert refusal({"data": "file"}) == "data must name a folder, and there is a file of that name."


def test_origins_and_networks_are_kept_in_one_form(load: Load) -> None:
    """A default port changes nothing, an address is a network of one."""
    settings = load(
        {
            "origins": {"trusted": "https://a.example:443"},
            "proxy": {"trusted": ["10.0.0.1", ip_network("fd00::/8")]},
        }
    )
    assert settings.origins.trusted == ("https://a.example",)
    assert [str(network) for network in settings.proxy.trusted] == ["10.0.0.1/32", "fd00::/8"]


def test_a_visitor_keeps_everything_unless_names_are_given(load: Load) -> None:
    """An application that names some data leaves the rest behind at sign-in."""
    assert load().sessions.carry_over == ("*",)
    assert load({}, {"GATEPOST_SESSIONS__CARRY_OVER": "cart,language"}).sessions.carry_over == (
        "cart",
        "language",
    )
    assert load({"sessions": {"carry_over": []}}).sessions.carry_over == ()


def test_built_in_roles_always_exist(load: Load) -> None:
    """They can be given permissions, never removed."""
    assert load().roles == {"admin": (), "support": (), "member": ()}
    assert load({"roles": {"admin": ["all"]}}).roles["admin"] == ("all",)
