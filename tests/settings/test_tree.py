"""What follows from the settings: issuer, our hosts, our origins, and the copies that a mount or a test makes."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.errors import SettingsError
from gatepost.settings import Settings

Load = Callable[..., Settings]

PUBLIC = {"url": "https://auth.example.com", "proxy": {"trusted": ["10.0.0.0/8"]}}
HOSTILE_HOSTS = [
    "", "localhost.evil.com", "evil.com", "localhost:8400@evil.com", "localhost, evil.com", "localhost:8400, localhost",
    "localhost.", "localh\u043est", "ⓛocalhost", " localhost", "localhost\t", "localhost\r\n", "0.0.0.0",
    "127.0.0.2", "127.1",
    "[::]", "::1", "[::ffff:127.0.0.1]", "testserver", "a.localhost", "localhost:99999", "2130706433", "localhost/",
]  # fmt: skip


def test_the_issuer_in_development_is_localhost_with_the_port(load: Load) -> None:
    """The port is the one asked for, or the one really opened when any was fine."""
    settings = load({"server": {"port": 0}})
    assert settings.with_port(45001).issuer == "http://localhost:45001"
    assert settings.server.port == 0
    assert not settings.secure


def test_the_issuer_is_the_url_when_there_is_one(load: Load) -> None:
    """Whatever the port, the public address is what tokens name."""
    settings = load(PUBLIC | {"tokens": {"audiences": ["orders", "https://auth.example.com"]}})
    assert settings.issuer == "https://auth.example.com"
    assert settings.host == "auth.example.com"
    assert settings.secure
    assert settings.audiences == ("https://auth.example.com", "orders")


def test_a_mount_adds_its_prefix_in_development(load: Load) -> None:
    """The copy has it, the original does not."""
    settings = load()
    assert settings.with_prefix("/auth").issuer == "http://localhost:8400/auth"
    assert settings.with_prefix("/auth").with_port(9).issuer == "http://localhost:9/auth"
    assert settings.with_prefix("").issuer == settings.issuer == "http://localhost:8400"


def test_a_url_names_the_prefix_already(load: Load) -> None:
    """A mounted installation writes the whole address; one that misses the prefix is refused."""
    url = {"url": "https://example.com/shop/auth"}
    assert load(url, embedded=True).with_prefix("/auth").issuer == "https://example.com/shop/auth"
    with pytest.raises(SettingsError) as caught:
        load({}, {"GATEPOST_URL": "https://example.com/myauth"}, embedded=True).with_prefix("/auth")
    assert caught.value.message == (
        "url (environment GATEPOST_URL) must end with the prefix of the mount; add /auth to it."
    )


@pytest.mark.parametrize("prefix", ["auth", "/auth/", "/", "//auth", "/a b", "/a?b", "/..", "/a/../b", "/ä"])
def test_a_strange_prefix_is_refused(load: Load, prefix: str) -> None:
    """A prefix is a plain path."""
    with pytest.raises(SettingsError, match="The mount prefix must be"):
        load().with_prefix(prefix)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8400", "[::1]", "[::1]:9", "[0:0:0:0:0:0:0:1]"]
)
def test_local_names_are_ours_in_development_on_any_port(load: Load, host: str) -> None:
    """A container or a test may publish another port than the one we listen on."""
    assert load().is_our_host(host)
    assert load({"url": "http://localhost:8400"}).is_our_host(host)


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_no_other_host_is_ours(load: Load, host: str) -> None:
    """Neither in development nor in public."""
    assert not load().is_our_host(host)
    assert not load(PUBLIC).is_our_host(host)


def test_a_public_server_has_one_host(load: Load) -> None:
    """The host of the url with its port, which may be written when it is the usual one."""
    settings = load(PUBLIC)
    for ours in ("auth.example.com", "AUTH.example.com", "auth.example.com:443"):
        assert settings.is_our_host(ours)
    for other in (
        "auth.example.com:80",
        "auth.example.com:8400",
        "example.com",
        "x.auth.example.com",
        "localhost",
    ):
        assert not settings.is_our_host(other)


def test_a_name_is_ours_on_every_port(load: Load) -> None:
    """What came in the clear is sent on by its name; another name, and what is no host, is not ours."""
    settings = load({**PUBLIC, "url": "https://auth.example.com:8443"})
    assert all(settings.is_our_name(f"auth.example.com{port}") for port in ("", ":80", ":8080", ":8443"))
    for other in ("evil.example", "auth.example.com.evil.example", "a b", ""):
        assert not settings.is_our_name(other)
    assert not settings.is_our_host("auth.example.com")


def test_a_development_url_adds_its_own_host(load: Load) -> None:
    """A loopback address beside the usual three is ours when the url names it, and only then."""
    assert load({"url": "http://127.0.0.2:8400"}).is_our_host("127.0.0.2")
    assert not load().is_our_host("127.0.0.2")


def test_tests_add_a_host_of_their_own(load: Load) -> None:
    """Only the copy answers to it."""
    settings = load()
    added = settings.with_extra_hosts("TestServer")
    assert added.extra_hosts == ("testserver",)
    assert added.is_our_host("testserver")
    assert added.is_our_origin("http://testserver", "http", "testserver")
    assert not added.is_our_host("testserver.evil.com")
    assert not settings.is_our_host("testserver")


def test_in_development_an_origin_equal_to_scheme_and_host_is_ours(load: Load) -> None:
    """Whatever local name the person typed, a page from there may call there."""
    settings = load()
    assert settings.is_our_origin("http://127.0.0.1:9000", "http", "127.0.0.1:9000")
    assert settings.is_our_origin("http://localhost", "http", "localhost:80")
    assert settings.is_our_origin("http://localhost:8400", "http", "127.0.0.1:8400")


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("null", "http", "localhost:8400"),
        ("", "http", "localhost:8400"),
        ("*", "http", "localhost:8400"),
        ("http://localhost:3000", "http", "localhost:8400"),
        ("https://localhost:8400", "http", "localhost:8400"),
        ("http://localhost:8400/", "http", "localhost:8400"),
        ("http://localhost:8400@evil.com", "http", "localhost:8400"),
        ("http://localhost.evil.com:8400", "http", "localhost:8400"),
        ("http://evil.com", "http", "evil.com"),
        ("http://evil.com", "http", "localhost:8400"),
        ("http://127.0.0.1:8400", "http", "localhost:8400"),
        ("http://localhost:8400, http://evil.com", "http", "localhost:8400"),
        ("http://localh\u043est:8400", "http", "localhost:8400"),
        ("ws://localhost:8400", "ws", "localhost:8400"),
    ],
)
def test_no_other_origin_is_ours_in_development(load: Load, origin: str, scheme: str, host: str) -> None:
    """Another port, scheme or name is another site; a rebound name that matches itself is not ours either."""
    assert not load().is_our_origin(origin, scheme, host)


def test_in_public_only_the_issuer_and_registered_origins_are_ours(load: Load) -> None:
    """Scheme and Host of the request prove nothing there: over plain http the network writes both."""
    settings = load(PUBLIC | {"origins": {"trusted": ["https://app.example.com"]}})
    for ours in ("https://auth.example.com", "https://auth.example.com:443", "https://app.example.com"):
        assert settings.is_our_origin(ours, "https", "auth.example.com")
    for other in ("http://auth.example.com", "https://example.com", "https://app.example.com:8443", "null"):
        assert not settings.is_our_origin(other, "http", "auth.example.com")
    assert not settings.is_our_origin("http://localhost:8400", "http", "localhost:8400")


def test_a_url_with_a_path_has_the_origin_of_its_host(load: Load) -> None:
    """Browsers send no path in an origin."""
    settings = load({"url": "https://example.com/auth"}, embedded=True)
    assert settings.is_our_origin("https://example.com", "https", "example.com")


def test_memory_has_no_file(load: Load, tmp_path: Path) -> None:
    """Everything else has one, by default inside the data folder."""
    assert load({"database": {"url": "memory://"}}).database_file is None
    assert load({"data": "d"}).database_file == tmp_path / "d" / "gatepost.db"
    assert load({"database": {"url": "sqlite:///x.db"}}).database_file == tmp_path / "x.db"


def test_a_tree_travels_to_another_process(load: Load) -> None:
    """Pickled or copied, it stays equal, with prefix and hosts."""
    settings = load({"roles": {"editor": ["write"]}}).with_prefix("/auth").with_extra_hosts("testserver")
    for twin in (pickle.loads(pickle.dumps(settings)), copy.deepcopy(settings)):
        assert twin == settings
        assert twin.issuer == settings.issuer
        assert twin.extra_hosts == settings.extra_hosts
