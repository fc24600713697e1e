"""Access tokens with a forged header, over HTTP, for each algorithm (F8, RFC 8725, public lists of attacks on JWTs).

Nearly all are signed with the server's own key, so that what is wrong with them is one thing only. Each is shown as a
bearer token and in a cookie, and asked about; it must get what garbage gets, letter by letter.
"""

import hmac
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any

from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.core.secrets import encode
from gatepost.core.sessions import Carrier
from tests.attacks.listening import Listener
from tests.attacks.signatures import public_forms, strange_key
from tests.attacks.targets import ALGORITHM_NAMES, Target, signature_of, text_of

NONE = (
    *("none", "None", "NONE", "nOnE", "NoNe", "none ", " none", "none\0"),
    *("\u24dfone", "n\u043ene", "", " ", "null"),
)
OTHER_ALGORITHMS = (
    *("es256", "ES256 ", "ES256K", "ES384", "ES512", "PS256", "RS512", "RS1"),
    *("HS384", "HS512", "HS1"),
)
OTHER_TYPS = (
    *(None, "", "JWT", "jwt", "AT+JWT", "at+jwt ", "application/at+jwt", "at-jwt"),
    *(
        "id+jwt",
        "rt+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "statuslist+jwt",
        "gatepost-ticket+jwt",
        "gatepost-session+jwe",
    ),
    *(["at+jwt"], {"at+jwt": 1}, 1, True, "at\u200b+jwt", "\u0430t+jwt"),
)


def headers(target: Target, *changes: dict[str, Any]) -> Iterator[str]:
    """Tokens signed with the server's own key, under its own header with these changes; None takes a member out."""
    for change in changes:
        header = {name: value for name, value in {**target.header, **change}.items() if value is not None}
        yield target.forge(header)


def test_genuine_tokens_are_accepted_everywhere(target: Target) -> None:
    """As issued, and as signed again by these tests: without this no refusal would prove anything."""
    for token in (target.issued.access, target.forge()):
        target.require_accepted(token)


def test_an_unsigned_token_is_refused_however_none_is_spelled(target: Target) -> None:
    """RFC 8725 section 2.1: with no signature, a short one, a stolen one, and one of our own key."""
    header, payload, signature = target.parts
    for spelled in NONE:
        for kept in (target.header, {}, {"typ": "at+jwt"}):
            forged = encode(text_of({**kept, "alg": spelled}))
            for shown in ("", "AA", signature):
                target.require_refused(f"{forged}.{payload}.{shown}")
    for token in headers(target, *({"alg": spelled} for spelled in NONE)):
        target.require_refused(token)
    for token in (f"{header}.{payload}.", f"{header}.{payload}", f"{header}..{signature}", f".{payload}."):
        target.require_refused(token)


def test_another_algorithm_in_the_header_is_refused(target: Target) -> None:
    """Named with our own signature below; or with a key of that algorithm that has our key's name."""
    others = [name for name in ALGORITHM_NAMES if name != target.algorithm]
    strange: tuple[Any, ...] = (*others, *OTHER_ALGORITHMS, [target.algorithm], ["none"], {}, True, 256, None)
    for token in headers(target, *({"alg": name} for name in strange), {"alg": target.algorithm + "\n"}):
        target.require_refused(token)
    for name in ALGORITHM_NAMES:
        key = strange_key(name, target.key.verifying.kid)
        jwk = {"kid": key.verifying.kid, "alg": name, **ALGORITHMS[name].jwk(key.verifying.public)}
        for header in (None, {**target.header, "alg": name}, {**target.header, "alg": name, "jwk": jwk}):
            target.require_refused(target.forge(header, key=key))


def test_a_public_key_is_no_hmac_secret(target: Target) -> None:
    """In every form in which it can be found (RFC 8725 section 2.1); HS256 has nothing to be found."""
    _, payload, _ = target.parts
    for secret in public_forms(target).values():
        for algorithm, name in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
            for header in ({**target.header, "alg": algorithm}, target.header):
                signed = f"{encode(text_of(header))}.{payload}"
                mac = hmac.digest(secret, signed.encode(), name)
                target.require_refused(f"{signed}.{encode(mac)}")
                target.require_refused(
                    f"{signed}.{encode((mac * 8)[: len(signature_of(target.key, signed))])}"
                )
    listed = target.get("/.well-known/jwks.json", {}).json["keys"]
    assert {key["alg"] for key in listed} == ({target.algorithm} - {"HS256"})


def test_a_kid_is_a_name_and_nothing_else(target: Target) -> None:
    """Paths, SQL, shell, addresses, formats, control characters, 6 KB, other types, and the kid of another key."""
    kid = target.key.verifying.kid
    injected: list[Any] = [
        *("../../../../dev/null", "/dev/null", "/proc/self/environ", "file:///etc/passwd", "..\\..\\key"),
        *("' OR '1'='1", "' UNION SELECT 'k' --", "'; DROP TABLE ring_key; --", '" or 1=1 --', "%27"),
        *("$(id)", "`id`", "| id", "${jndi:ldap://127.0.0.1/a}", "%s%s%n", "{0.__class__}", "{{7*7}}"),
        *(f"{kid}\0", f"{kid}\n", f" {kid}", f"{kid} ", kid.swapcase(), f"{kid}{kid}", kid[:-1], "\ud800"),
        *("", " ", "null", "root", "*", "k" * 5000, "\uff10" * 100),
        *(None, 0, 1, True, [kid], {"$ne": ""}, {"kid": kid}, 10**300),
    ]
    injected += [key.id for key in target.authority.keys.listed() if key.id != kid]
    for token in headers(target, *({"kid": value} for value in injected)):
        target.require_refused(token)


def test_a_header_makes_nobody_fetch_anything(target: Target) -> None:
    """jku, x5u, kid, iss and the rest name a listener on this machine by every spelling: nobody ever calls."""
    with Listener() as listener:
        for url in listener.urls:
            key = strange_key("ES256", "theirs")
            jwk = {"kid": "theirs", "alg": "ES256", **ALGORITHMS["ES256"].jwk(key.verifying.public)}
            links: list[dict[str, Any]] = [{name: url} for name in ("jku", "x5u", "kid", "cty", "typ", "iss")]
            links += [{"jku": url, "x5u": url, "kid": "theirs"}, {"jwk": {**jwk, "x5u": url, "jku": url}}]
            for change in links:
                target.require_refused(target.forge({**target.header, **change}))
                target.require_refused(target.forge({**target.header, **change}, key=key))
            for claim in ({"iss": url}, {"jku": url}, {"_claim_sources": {"src1": {"endpoint": url}}}):
                target.require_turned_away(target.forge(claims={**target.claims, "iss": url, **claim}))
        assert listener.settled() == 0


def test_the_listener_would_have_heard_a_fetch() -> None:
    """Whoever connects is counted, before the count is read: the test above has teeth."""
    with Listener() as listener:
        assert listener.settled() == 0
        socket.create_connection(("127.0.0.1", listener.port), timeout=5).close()
        assert listener.settled() == 1


def test_keys_and_certificates_in_a_header_are_refused(target: Target) -> None:
    """Even if they are our own, and whatever else stands beside them."""
    kid = target.key.verifying.kid
    own = {"kid": kid, **ALGORITHMS[target.algorithm].jwk(target.key.verifying.public)}
    changes: list[dict[str, Any]] = [
        {"jwk": own},
        {"jwk": {}},
        {"jwk": None, "x5c": ["AAAA"]},
        {"x5c": []},
        {"x5t": "AAAA"},
        {"x5t#S256": "A" * 43},
        {"jwk": {"kty": "oct", "k": ""}},
        {"jwk": {"kty": "oct", "k": encode(b"k" * 32)}, "alg": "HS256"},
    ]
    for token in headers(target, *changes):
        target.require_refused(token)


def test_a_header_with_conditions_is_refused(target: Target) -> None:
    """crit, b64, cty, zip and every other member that our keys do not write."""
    critical: list[Any] = [[], ["exp"], ["b64"], ["alg"], "exp", {}, ["http://example.com/x"]]
    changes: list[dict[str, Any]] = [
        *({"crit": value} for value in critical),
        {"crit": ["b64"], "b64": False},
        *({"b64": value} for value in (False, True, 0, "false")),
        *({"cty": value} for value in ("JWT", "at+jwt", "JWE", "json")),
        *({"zip": value} for value in ("DEF", "GZ", "")),
        {"enc": "A256GCM"},
        {"alg": "dir", "enc": "A256GCM"},
        {"exp": 9_999_999_999},
        {"iss": target.claims["iss"]},
        {"nonce": "n"},
        {"p2c": 2**31, "p2s": "AAAA"},
        {"epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"": ""},
    ]
    for token in headers(target, *changes):
        target.require_refused(token)
    header, payload, _ = target.parts
    plain = f"{encode(text_of({**target.header, 'b64': False, 'crit': ['b64']}))}.{payload}"
    target.require_refused(f"{plain}.{encode(signature_of(target.key, plain))}")
    target.require_refused(f"{header}.{encode(target.issued.access.encode())}.{plain}")


def test_a_token_of_another_kind_is_refused(target: Target) -> None:
    """Signed by our key, with all the right claims: an ID token, a logout token, a ticket, or of no kind."""
    for token in headers(target, *({"typ": typ} for typ in OTHER_TYPS)):
        target.require_refused(token)


def test_a_nested_token_is_refused(target: Target) -> None:
    """A genuine one as the payload of a genuine one (RFC 8725 section 2.8), and a payload that was compressed."""
    inner = target.issued.access.encode()
    for payload in (inner, json.dumps(inner.decode()).encode(), zlib.compress(text_of(target.claims))):
        for header in (target.header, {**target.header, "cty": "JWT"}, {**target.header, "zip": "DEF"}):
            target.require_refused(target.forge(header, payload))


def test_a_header_has_one_spelling(target: Target) -> None:
    """Blanks, another order, escapes, members that stand twice, and texts made to upset a parser."""
    alg, kid = target.algorithm, target.key.verifying.kid
    spellings = [
        *(b"", b"{}", b"[]", b"null", b"{", b"\xff\xfe", b'"', b'{"alg":NaN}', b'{"alg":"\\ud800"}'),
        json.dumps(target.header).encode(),
        text_of(dict(reversed(target.header.items()))),
        text_of(target.header) + b" ",
        b"\xef\xbb\xbf" + text_of(target.header),
        text_of(target.header).decode().encode("utf-16"),
        text_of(target.header).replace(b"alg", b"\\u0061lg"),
        f'{{"alg":"{alg}","alg":"none","kid":"{kid}","typ":"at+jwt"}}'.encode(),
        f'{{"alg":"none","alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}'.encode(),
        f'{{"alg":"{alg}","kid":"x","kid":"{kid}","typ":"at+jwt"}}'.encode(),
        f'{{"ALG":"none","alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}'.encode(),
        b"[" * 2500 + b"]" * 2500,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"alg":' + b"9" * 5000 + b"}",
        b'{"alg":1e999999}',
    ]
    for spelling in spellings:
        target.require_refused(target.forge(spelling))


def test_one_carrier_does_not_stand_in_for_another(target: Target) -> None:
    """A genuine access token, refresh token, opaque and sealed cookie, each shown as each of the others."""
    opaque, sealed = target.sign_in(Carrier.COOKIE), target.sign_in(Carrier.SEALED)
    genuine = {"access": target.issued.access, "refresh": target.issued.refresh, "": opaque, "sealed": sealed}
    assert target.in_cookie(opaque, "").status == target.in_cookie(sealed, "sealed").status == 200
    for kind, value in genuine.items():
        if kind != "access":
            target.require_refused(value, asked=kind != "refresh")
        for place in {"access", "", "sealed"} - {kind}:
            assert target.in_cookie(value, place).status == 401
        if kind != "refresh":
            assert target.refreshed(value).json["error"] == "invalid_grant"
    target.require_accepted(target.issued.access)


def test_a_forged_token_ends_nothing(target: Target) -> None:
    """Whoever knows somebody's `jti` cannot have the token ended: what is not genuine is a token nobody knows."""
    header, payload, signature = target.parts
    before = target.authority.store.position()
    for token in (f"{header}.{payload}.", target.forge(key=strange_key(target.algorithm, "x")), "garbage"):
        assert target.ended_by_its_holder(token).status == 200
    assert target.authority.store.position() == before
    target.require_accepted(f"{header}.{payload}.{signature}")
