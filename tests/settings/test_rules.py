"""Which settings do not go together, each refused with one sentence that says what to change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.settings import Settings

Load = Callable[..., Settings]
Refusal = Callable[..., str]

URL = "https://auth.example.com"
PROXY = {"trusted": ["10.0.0.0/8"]}


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, str]:
    """A certificate and key that can be read; their content is the server's affair."""
    (tmp_path / "cert.pem").write_text("cert")
    (tmp_path / "key.pem").write_text("key")
    return {"tls_cert": "cert.pem", "tls_key": "key.pem"}


@pytest.mark.parametrize(
    ("url", "profile"),
    [
        (None, "development"),
        ("http://localhost:8400", "development"),
        ("http://127.0.0.1:8400", "development"),
        ("http://[::1]:8400", "development"),
        (URL, "production"),
        ("https://localhost.evil.com", "production"),
    ],
)
def test_the_profile_follows_from_the_url(load: Load, url: str | None, profile: str) -> None:
    """Without a public address it is development, with one it is production."""
    assert load({"url": url, "proxy": PROXY}).profile == profile


def test_production_needs_its_public_address(refusal: Refusal) -> None:
    """Links and tokens of a public server name its address."""
    assert refusal({}, {"GATEPOST_PROFILE": "production"}) == (
        "GATEPOST_PROFILE is production, which needs its public address; set url (GATEPOST_URL) to it."
    )


@pytest.mark.parametrize("proxy", [{}, PROXY])
def test_a_public_address_is_https(refusal: Refusal, proxy: dict[str, Any]) -> None:
    """Also behind a proxy: people must reach us over https."""
    assert refusal({"url": "http://auth.example.com", "proxy": proxy}) == (
        "url must begin with https:// unless it names localhost in the development profile."
    )


def test_production_on_loopback_is_https_too(load: Load, refusal: Refusal) -> None:
    """The production profile sends Secure cookies, which plain http does not return."""
    assert "must begin with https://" in refusal({"url": "http://localhost:8400", "profile": "production"})
    assert load({"url": "https://localhost:8400", "profile": "production", "proxy": PROXY}).secure


def test_development_is_never_public(refusal: Refusal) -> None:
    """Cookies without Secure do not leave the machine."""
    assert refusal({"url": URL, "profile": "development"}) == (
        "profile is development, which works on loopback only; remove it, or url."
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "myhost"])
def test_development_listens_on_loopback_only(refusal: Refusal, host: str) -> None:
    """Another address needs a public https address first."""
    assert refusal({"server": {"host": host}}, option_names={"server.host": "--host"}) == (
        "--host must be a loopback address in the development profile; "
        "to listen elsewhere set url (GATEPOST_URL) to the public https address."
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.9", "::1"])
def test_development_listens_on_every_loopback_address(load: Load, host: str) -> None:
    """Each name of this machine is fine."""
    assert load({"server": {"host": host}}).server.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_plain_http_for_a_public_address_needs_tls_or_a_proxy(
    load: Load, refusal: Refusal, pem: dict[str, str], host: str
) -> None:
    """Somebody must speak TLS: this server, or a proxy whose word is believed."""
    assert refusal({"server": {"host": host}}, {"GATEPOST_URL": URL}) == (
        "GATEPOST_URL is https but this server would speak plain http; set server.tls_cert "
        "(GATEPOST_SERVER__TLS_CERT) and server.tls_key (GATEPOST_SERVER__TLS_KEY), or proxy.trusted "
        "(GATEPOST_PROXY__TRUSTED) to the proxy that does TLS."
    )
    assert load({"server": {"host": host}, "url": URL, "proxy": PROXY}).secure
    assert load({"server": {"host": host, **pem}, "url": URL}).secure


def test_rules_about_our_own_port_do_not_bind_a_mounted_application(load: Load) -> None:
    """Another server listens there, and does TLS as it will."""
    assert load({"url": URL, "server": {"host": "0.0.0.0"}}, embedded=True).secure


def test_other_rules_bind_a_mounted_application_too(refusal: Refusal) -> None:
    """A public plain-http address stays refused."""
    assert "must begin with https://" in refusal({"url": "http://a.example"}, embedded=True)


@pytest.mark.parametrize(("given", "missing"), [("tls_cert", "tls_key"), ("tls_key", "tls_cert")])
def test_certificate_and_key_come_together(
    refusal: Refusal, pem: dict[str, str], given: str, missing: str
) -> None:
    """One alone is a mistake, never plain http."""
    assert refusal({"server": {given: pem[given]}}) == (
        f"server.{given} works only together with server.{missing} (GATEPOST_SERVER__{missing.upper()}); "
        "set both or neither."
    )


def test_a_redirect_port_needs_tls_on_another_port(load: Load, refusal: Refusal, pem: dict[str, str]) -> None:
    """There is nothing to send people on to without a certificate, and one port cannot speak both."""
    assert refusal({"server": {"redirect_port": 80}}) == (
        "server.redirect_port works only with server.tls_cert (GATEPOST_SERVER__TLS_CERT); "
        "behind a proxy that does TLS, let the proxy redirect."
    )
    assert refusal({"server": {**pem, "port": 443, "redirect_port": 443}}) == (
        "server.redirect_port and server.port must differ; browsers expect 80 and 443."
    )
    assert load({"server": {**pem, "port": 443, "redirect_port": 80}}).server.redirect_port == 80


def test_tls_and_an_http_url_contradict_each_other(load: Load, refusal: Refusal, pem: dict[str, str]) -> None:
    """With a certificate the address is https, also on loopback."""
    assert refusal({"server": pem, "url": "http://localhost:8400"}) == (
        "url must begin with https:// because server.tls_cert is set."
    )
    assert load({"server": pem}).issuer == "https://localhost:8400"


@pytest.mark.parametrize(
    ("section", "short", "long", "key", "limit", "source"),
    [
        ("sessions", "10m", "11m", "idle", "absolute", "sessions.absolute"),
        ("sessions", "10m", "11m", "visitor_idle", "absolute", "sessions.absolute"),
        ("sessions", "10m", "11m", "visitor_empty", "visitor_idle", "sessions.visitor_idle"),
        ("revocation", "1s", "1001ms", "bound", "horizon", "revocation.horizon"),
        ("guesses", "10m", "11m", "wait", "longest_wait", "guesses.longest_wait"),
        ("guesses", "10m", "11m", "longest_wait", "remembered", "guesses.remembered"),
    ],
)
def test_a_part_is_never_longer_than_its_whole(
    load: Load, refusal: Refusal, section: str, short: str, long: str, key: str, limit: str, source: str
) -> None:
    """Equal is allowed, a moment more is not."""
    load({section: {limit: short, key: short}})
    assert refusal({section: {limit: short, key: long}}) == (
        f"{section}.{key} must be at most {short}, the value of {source}."
    )


def test_an_access_token_never_outlives_the_horizon(load: Load, refusal: Refusal) -> None:
    """Its revocation would be forgotten before it expires."""
    load({"tokens": {"access_ttl": "10m"}})
    assert refusal({"tokens": {"access_ttl": "601s"}}) == (
        "tokens.access_ttl must be at most 10m, the value of revocation.horizon (GATEPOST_REVOCATION__HORIZON)."
    )


def test_a_refresh_token_never_outlives_its_session(load: Load, refusal: Refusal) -> None:
    """Rotation does not move the end of the session."""
    load({"tokens": {"refresh_ttl": "30d"}})
    assert refusal({"tokens": {"refresh_ttl": "31d"}}) == (
        "tokens.refresh_ttl must be at most 30d, the value of sessions.absolute (GATEPOST_SESSIONS__ABSOLUTE)."
    )


@pytest.mark.parametrize(
    ("unsafe", "sentence"),
    [
        (
            {"passwords": {"min_length": 14}},
            "passwords.min_length must be at least 15 outside the development profile "
            "while the password is the only factor.",
        ),
        (
            {"origins": {"trusted": ["http://app.example.com"]}},
            "origins.trusted must name https origins only outside the development profile.",
        ),
        (
            {"proxy": {"trusted": ["10.0.0.0/8", "0.0.0.0/0"]}},
            "proxy.trusted must not name the whole internet; list the addresses of your own proxies.",
        ),
        (
            {"proxy": {"trusted": ["::/0"]}},
            "proxy.trusted must not name the whole internet; list the addresses of your own proxies.",
        ),
    ],
)
def test_what_is_unsafe_in_public_is_allowed_in_development_only(
    load: Load, refusal: Refusal, unsafe: dict[str, Any], sentence: str
) -> None:
    """Convenience on the own machine does not travel to a public one."""
    assert load(unsafe).development
    assert refusal({"url": URL, "proxy": PROXY, **unsafe}) == sentence


def test_public_settings_at_the_edge_are_accepted(load: Load) -> None:
    """Fifteen characters, https origins, loopback http origins and narrow proxies pass."""
    settings = load(
        {
            "url": URL,
            "passwords": {"min_length": 15},
            "origins": {"trusted": ["https://app.example.com", "http://localhost:3000"]},
            "proxy": {"trusted": ["0.0.0.0/1"]},
        }
    )
    assert not settings.development


def test_audiences_fit_a_token(load: Load, refusal: Refusal) -> None:
    """What all of them take together is compared with the cookie that a token must fit into."""
    some = [f"https://service-{number:03}.example.com" for number in range(60)]
    assert len(load({"tokens": {"audiences": some}}).audiences) == 61
    assert refusal({"tokens": {"audiences": [*some, *(f"{one}/api" for one in some)]}}) == (
        "tokens.audiences must be shorter: all of them together do not fit into a token in a cookie, "
        "which has 4096 bytes."
    )


def test_what_one_role_permits_fits_a_token_that_says_it(load: Load, refusal: Refusal) -> None:
    """Only where tokens say it; 3,072 bytes in a token are 4,096 in base64url."""
    wide = {"clerk": [f"p{number:04}:{'x' * 9}" for number in range(170)]}
    assert len(load({"roles": wide}).roles["clerk"]) == 170
    least = {"clerk": wide["clerk"][:160]}
    assert load({"roles": least, "tokens": {"permissions": True}}).tokens.permissions
    assert refusal({"roles": wide, "tokens": {"permissions": True}}) == (
        "roles.clerk permits more than fits into a token in a cookie, which has 4096 bytes; "
        "set tokens.permissions to false or give the role fewer permissions."
    )
