"""How hosts, origins and URLs are read, with hostile texts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.loopback import is_loopback
from gatepost.errors import SettingsError
from gatepost.settings import require_no_password
from gatepost.settings.addresses import (
    Authority,
    Origin,
    has_password,
    issuer_origin,
    issuer_path,
    parse_authority,
    parse_database,
    parse_issuer,
    parse_origin,
)


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("localhost", Authority("localhost", None)),
        ("LocalHost:8400", Authority("localhost", 8400)),
        ("127.0.0.1:0", Authority("127.0.0.1", 0)),
        ("[::1]:65535", Authority("[::1]", 65535)),
        ("[0:0:0:0:0:0:0:1]", Authority("[::1]", None)),
        ("xn--bcher-kva.example", Authority("xn--bcher-kva.example", None)),
    ],
)
def test_a_host_header_is_read_in_one_form(text: str, authority: Authority) -> None:
    """Case and the long forms of IPv6 do not make another host."""
    assert parse_authority(text) == authority


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ":", ":8400", "localhost:", "localhost:65536", "localhost:123456", "localhost:-1", "localhost:80:80",
        " localhost", "localhost ", "localhost\n", "localhost\r\nX: y", "localhost\0", "local host", "localhost,evil",
        "localhost, localhost", "localhost/", "localhost/a", "localhost?", "localhost#", "user@localhost",
        "localhost:8400@evil.example", "localhost%00", "localhost%2eevil", "localhost.", ".localhost", "a..b",
        "-a.example", "a-.example", "under_score.example", "[::1", "::1", "[::1]x", "[]", "[1:2]",
        "[::1%25eth0]", "[evil]",
        "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "256.0.0.1", "1.2.3.4.5",
        "löcalhost", "ⓛocalhost", "localhost\u3002evil", "localhost:\uff18\uff14", "localhost:\u0661",
        "a" * 64, "a." * 150 + "b",
    ],
)  # fmt: skip
def test_a_hostile_host_header_is_no_host_at_all(text: str) -> None:
    """Nothing is trimmed, cut, decoded or converted to make a text fit."""
    assert parse_authority(text) is None


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_without_an_error(text: str) -> None:
    """Reading a Host or an Origin never raises, and what is read is plain ASCII in lower case."""
    authority = parse_authority(text)
    assert authority is None or (authority.host.isascii() and authority.host == authority.host.lower())
    assert parse_origin(text) is None or text.startswith("http")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", Origin("https", "a.example", 443)),
        ("https://a.example:443", Origin("https", "a.example", 443)),
        ("http://a.example:443", Origin("http", "a.example", 443)),
        ("http://[::1]:8400", Origin("http", "[::1]", 8400)),
    ],
)
def test_equal_origins_are_equal_values(text: str, origin: Origin) -> None:
    """The default port is filled in, so writing it changes nothing."""
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "*", "https://", "https://*", "https://*.example.com", "a.example", "//a.example", "HTTPS://a.example",
        "ftp://a.example", "https:/a.example", "https://a.example/", "https://a.example/x", "https://a.example?",
        "https://a.example#", "https://u@a.example", "https://u:p@a.example", "https://a.example https://b.example",
        "https://a.example, https://b.example", " https://a.example", "https://a.example\n", "javascript://a.example",
        "https://https://a.example", "https://bücher.example",
    ],
)  # fmt: skip
def test_what_is_not_exactly_one_origin_is_none(text: str) -> None:
    """An opaque origin, a pattern, a path, a list or another scheme is never an origin of ours."""
    assert parse_origin(text) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_loopback_is_this_machine(host: str) -> None:
    """The name and every loopback address count, bracketed or not."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.com",
        "evil-localhost",
        "a.localhost",
        "128.0.0.1",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "",
        "127.1",
    ],
)
def test_what_can_be_elsewhere_is_not_loopback(host: str) -> None:
    """Names that only look local, the wildcard addresses and private networks do not count."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example.com",
        "https://example.com/auth",
        "https://example.com:8443/a/b-c_d~e.f",
        "http://localhost:8400",
        "https://[2001:db8::1]",
        "https://10.0.0.5",
        "https://xn--bcher-kva.example",
    ],
)
def test_a_well_written_issuer_is_kept_to_the_letter(url: str) -> None:
    """Clients compare the issuer as text, so it is never rewritten."""
    assert parse_issuer(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "begin with https://"),
        ("auth.example.com", "begin with https://"),
        ("ftp://auth.example.com", "begin with https://"),
        ("HTTPS://auth.example.com", "begin with https://"),
        ("https://", "slash"),
        ("https://auth.example.com/", "slash"),
        ("https://example.com/auth/", "slash"),
        ("https://auth.example.com?a=b", "query"),
        ("https://auth.example.com#a", "query"),
        ("https://anna:hunter2@auth.example.com", "password"),
        ("https://auth.example.com@evil.example", "password"),
        ("https://Auth.example.com", "lower case"),
        ("https://auth.example.com:443", "usual"),
        ("http://localhost:80", "usual"),
        ("https://[0:0::1]", "as browsers write"),
        ("https://auth.example.com:99999", "port"),
        ("https://bücher.example", "ASCII"),
        ("https://auth example.com", "ASCII"),
        ("https://auth.example.com\n", "ASCII"),
        ("https://0x7f.1", "ASCII"),
        ("https://0.0.0.0", "visit"),
        ("https://[::]:8400", "visit"),
        ("https://example.com//auth", "plain path"),
        ("https://example.com/../auth", "plain path"),
        ("https://example.com/a%2fb", "plain path"),
        ("https://example.com/a;b", "plain path"),
    ],
)
def test_a_badly_written_issuer_is_refused_with_what_to_change(url: str, says: str) -> None:
    """One way to write it; the refusal does not repeat the text."""
    with pytest.raises(ValueError, match=says) as caught:
        parse_issuer(url)
    assert "hunter2" not in str(caught.value)


def test_the_path_of_an_issuer_is_its_prefix() -> None:
    """An issuer without a path has the empty prefix."""
    assert issuer_path("https://example.com") == ""
    assert issuer_path("https://example.com/a/b") == "/a/b"


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("memory://", "memory://"),
        ("sqlite://", "memory://"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///a/b.db", "sqlite:////home/anna/a/b.db"),
        ("sqlite:////var/b.db", "sqlite:////var/b.db"),
    ],
)
def test_a_database_url_is_read_in_one_form(url: str, read: str) -> None:
    """Relative files start at the working directory; every spelling of memory is one."""
    assert parse_database(url, Path("/home/anna")) == read


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:", "absolute/path"),
        ("sqlite://host/b.db", "absolute/path"),
        ("sqlite:///", "absolute/path"),
        ("sqlite:///b.db?mode=ro", "absolute/path"),
        ("sqlite:///b\0.db", "absolute/path"),
        ("postgresql://u:hunter2@h/d", "use sqlite"),
        ("mysql://h/d", "use sqlite"),
        ("b.db", "use sqlite"),
        ("", "use sqlite"),
    ],
)
def test_another_database_is_refused_without_repeating_its_url(url: str, says: str) -> None:
    """This version runs on SQLite; the sentence shows the form and never the password."""
    with pytest.raises(ValueError, match=says) as caught:
        parse_database(url, Path("/home/anna"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:hunter2@h/d",
        "redis://:hunter2@h",
        "postgresql://anna:hun/ter2@h/d",
        "postgresql://anna:hun@ter2@h/d",
        "postgresql://h/d?user=anna&password=hunter2",
        "postgresql://h/d?PASSWORD=hunter2",
    ],
)
def test_a_url_with_a_password_is_refused_as_an_argument(url: str) -> None:
    """Others on the machine read arguments in the process list; the sentence names the way out, not the secret."""
    assert has_password(url)
    with pytest.raises(SettingsError) as caught:
        require_no_password(url, "--database")
    assert caught.value.message == (
        "--database holds a password that others on this machine can read in the process list; "
        "put the URL into a file and name that in GATEPOST_DATABASE__URL_FILE."
    )


def test_the_sessions_option_points_to_its_own_variable() -> None:
    """The way out is the variable of the option that was used."""
    with pytest.raises(SettingsError, match="GATEPOST_SESSIONS__URL_FILE"):
        require_no_password("redis://:hunter2@h", "--sessions")


@pytest.mark.parametrize(
    "url", ["sqlite:///a:b@c.db", "memory://", "postgresql://anna@h:5432/d", "redis://h:6379/0", "a.db"]
)
def test_a_url_without_a_password_may_be_an_argument(url: str) -> None:
    """A user name, a port or a strange file name is no password."""
    assert not has_password(url)
    require_no_password(url, "--database")


def test_an_origin_is_taken_from_checked_urls_only() -> None:
    """A URL that was never checked has no origin to rely on."""
    with pytest.raises(ValueError, match="not a URL that was checked"):
        issuer_origin("https://u@a.example")
