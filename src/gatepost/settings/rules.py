"""Owns which settings do not go together: a table of small named rules, each one sentence that says what to change.

Refuses to judge single values (their types do) and to read anything. `loading` runs the table on every tree; the
last rules are about the server's own port and do not apply when another server carries the application.
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from gatepost.core.loopback import is_loopback
from gatepost.settings.addresses import issuer_origin, parse_origin
from gatepost.settings.amounts import duration_text
from gatepost.settings.tree import Settings

Name = Callable[[str], str]
Rule = Callable[[Settings, Name], str | None]
_COOKIE: Final = 4096
"""How many bytes of a cookie a browser keeps."""


def _production_has_a_url(settings: Settings, name: Name) -> str | None:
    if settings.development or settings.url is not None:
        return None
    return f"{name('profile')} is production, which needs its public address; set {name('url')} to it"


def _production_is_https(settings: Settings, name: Name) -> str | None:
    # Behind a proxy people still come over https; an http issuer would send every link and cookie in clear.
    if settings.development or settings.secure:
        return None
    return f"{name('url')} must begin with https:// unless it names localhost in the development profile"


def _development_is_loopback(settings: Settings, name: Name) -> str | None:
    if not settings.development or settings.url is None or is_loopback(issuer_origin(settings.url).host):
        return None
    return f"{name('profile')} is development, which works on loopback only; remove it, or {name('url')}"


def _idle_within_absolute(settings: Settings, name: Name) -> str | None:
    ours = (("idle", settings.sessions.idle), ("visitor_idle", settings.sessions.visitor_idle))
    limit = settings.sessions.absolute
    broken = (_at_most(name, f"sessions.{key}", value, ("sessions.absolute", limit)) for key, value in ours)
    return next(filter(None, broken), None)


def _empty_visit_within_idle(settings: Settings, name: Name) -> str | None:
    limit = ("sessions.visitor_idle", settings.sessions.visitor_idle)
    return _at_most(name, "sessions.visitor_empty", settings.sessions.visitor_empty, limit)


def _access_within_horizon(settings: Settings, name: Name) -> str | None:
    # The log forgets a fact after one horizon; a token that outlives it would outlive its own revocation.
    limit = ("revocation.horizon", settings.revocation.horizon)
    return _at_most(name, "tokens.access_ttl", settings.access_ttl, limit)


def _refresh_within_session(settings: Settings, name: Name) -> str | None:
    limit = ("sessions.absolute", settings.sessions.absolute)
    return _at_most(name, "tokens.refresh_ttl", settings.refresh_ttl, limit)


def _one_secret_is_for_one_service(settings: Settings, name: Name) -> str | None:
    # Whoever can check an HMAC can make one: a second service with the secret could sign in to the first as anybody.
    if settings.tokens.algorithm != "HS256" or len(settings.audiences) == 1:
        return None
    return (
        f"{name('tokens.algorithm')} must not be HS256 where {name('tokens.audiences')} names other services, "
        "for each of them could sign tokens for all; take ES256"
    )


def _keys_known_before_they_sign(settings: Settings, name: Name) -> str | None:
    every, known = settings.rotate_every, 2 * settings.keys.jwks_cache
    if every is None or every >= known:
        return None
    return (
        f"{name('keys.rotate_every')} must be at least twice {name('keys.jwks_cache')}, "
        f"{duration_text(known)}, or 0 for never"
    )


def _a_master_key_before_has_one_after(settings: Settings, name: Name) -> str | None:
    if settings.keys.master_before is None or settings.keys.master is not None:
        return None
    return f"{name('keys.master_before')} works only together with {name('keys.master')}; set both or neither"


def _audiences_fit_a_token(settings: Settings, name: Name) -> str | None:
    if _encoded(settings.audiences) <= _COOKIE:
        return None
    return (
        f"{name('tokens.audiences')} must be shorter: all of them together do not fit into a token in a cookie, "
        f"which has {_COOKIE} bytes"
    )


def _permissions_of_a_role_fit_a_token(settings: Settings, name: Name) -> str | None:
    # The least that a token would hold. To the very byte it is measured where somebody is given the role.
    if not settings.tokens.permissions:
        return None
    around = _encoded(settings.audiences)
    for role, permissions in settings.roles.items():
        if around + _encoded(permissions) > _COOKIE:
            return (
                f"{name(f'roles.{role}')} permits more than fits into a token in a cookie, which has {_COOKIE} bytes; "
                f"set {name('tokens.permissions')} to false or give the role fewer permissions"
            )
    return None


def _encoded(texts: Sequence[str]) -> int:
    """How many bytes a list of texts takes in a token, at least."""
    return len(json.dumps(list(texts), separators=(",", ":"), ensure_ascii=False).encode()) * 4 // 3


def _bound_within_horizon(settings: Settings, name: Name) -> str | None:
    limit = ("revocation.horizon", settings.revocation.horizon)
    return _at_most(name, "revocation.bound", settings.revocation.bound, limit)


def _waits_grow_and_are_remembered(settings: Settings, name: Name) -> str | None:
    # Forgotten before the longest wait is over, a guesser would never meet it.
    guesses = settings.guesses
    broken = (
        _at_most(name, "guesses.wait", guesses.wait, ("guesses.longest_wait", guesses.longest_wait)),
        _at_most(
            name, "guesses.longest_wait", guesses.longest_wait, ("guesses.remembered", guesses.remembered)
        ),
    )
    return next(filter(None, broken), None)


def _passwords_long_enough(settings: Settings, name: Name) -> str | None:
    if settings.development or settings.passwords.min_length >= 15:
        return None
    return (
        f"{name('passwords.min_length')} must be at least 15 outside the development profile "
        "while the password is the only factor"
    )


def _trusted_origins_are_https(settings: Settings, name: Name) -> str | None:
    if settings.development:
        return None
    for text in settings.origins.trusted:
        origin = parse_origin(text)
        if origin is None or (origin.scheme != "https" and not is_loopback(origin.host)):
            return f"{name('origins.trusted')} must name https origins only outside the development profile"
    return None


def _not_everyone_is_a_proxy(settings: Settings, name: Name) -> str | None:
    if settings.development or all(network.prefixlen for network in settings.proxy.trusted):
        return None
    return f"{name('proxy.trusted')} must not name the whole internet; list the addresses of your own proxies"


def _tls_is_a_pair(settings: Settings, name: Name) -> str | None:
    cert, key = settings.server.tls_cert, settings.server.tls_key
    if (cert is None) == (key is None):
        return None
    given, missing = (
        ("server.tls_cert", "server.tls_key") if key is None else ("server.tls_key", "server.tls_cert")
    )
    return f"{name(given)} works only together with {name(missing)}; set both or neither"


def _only_tls_is_redirected_to(settings: Settings, name: Name) -> str | None:
    redirect = settings.server.redirect_port
    if redirect is None:
        return None
    if settings.server.tls_cert is None:
        return (
            f"{name('server.redirect_port')} works only with {name('server.tls_cert')}; "
            "behind a proxy that does TLS, let the proxy redirect"
        )
    if redirect == settings.server.port:
        return f"{name('server.redirect_port')} and {name('server.port')} must differ; browsers expect 80 and 443"
    return None


def _tls_means_https(settings: Settings, name: Name) -> str | None:
    if settings.server.tls_cert is None or settings.secure:
        return None
    return f"{name('url')} must begin with https:// because {name('server.tls_cert')} is set"


def _development_listens_on_loopback(settings: Settings, name: Name) -> str | None:
    if not settings.development or is_loopback(settings.server.host):
        return None
    return (
        f"{name('server.host')} must be a loopback address in the development profile; "
        f"to listen elsewhere set {name('url')} to the public https address"
    )


def _plain_http_stays_behind_a_proxy(settings: Settings, name: Name) -> str | None:
    if settings.development or settings.server.tls_cert is not None or settings.proxy.trusted:
        return None
    return (
        f"{name('url')} is https but this server would speak plain http; set {name('server.tls_cert')} and "
        f"{name('server.tls_key')}, or {name('proxy.trusted')} to the proxy that does TLS"
    )


def _memory_is_one_process(settings: Settings, name: Name) -> str | None:
    if settings.server.workers == 1 or settings.database_file is not None:
        return None
    return (
        f"{name('server.workers')} must be 1 with {name('database.url')} memory://, "
        "which no second process can reach"
    )


RULES: tuple[Rule, ...] = (
    _production_has_a_url,
    _production_is_https,
    _development_is_loopback,
    _idle_within_absolute,
    _empty_visit_within_idle,
    _access_within_horizon,
    _refresh_within_session,
    _bound_within_horizon,
    _one_secret_is_for_one_service,
    _audiences_fit_a_token,
    _permissions_of_a_role_fit_a_token,
    _keys_known_before_they_sign,
    _a_master_key_before_has_one_after,
    _waits_grow_and_are_remembered,
    _passwords_long_enough,
    _trusted_origins_are_https,
    _not_everyone_is_a_proxy,
)
SERVER_RULES: tuple[Rule, ...] = (
    _tls_is_a_pair,
    _tls_means_https,
    _only_tls_is_redirected_to,
    _development_listens_on_loopback,
    _plain_http_stays_behind_a_proxy,
    _memory_is_one_process,
)


def broken_rule(settings: Settings, name: Name, *, embedded: bool) -> str | None:
    """The sentence of the first rule that the tree breaks, without its full stop; None when it keeps them all."""
    for rule in RULES if embedded else (*RULES, *SERVER_RULES):
        sentence = rule(settings, name)
        if sentence is not None:
            return sentence
    return None


def _at_most(name: Name, key: str, value: timedelta, limit: tuple[str, timedelta]) -> str | None:
    other, longest = limit
    if value <= longest:
        return None
    return f"{name(key)} must be at most {duration_text(longest)}, the value of {name(other)}"
