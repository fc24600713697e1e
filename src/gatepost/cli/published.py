"""What a server publishes, fetched for `token inspect --server`: its metadata and its public keys (RFC 8414, RFC 7517).

Owns two GET requests that carry nothing of the token. Over https, or http to this machine; no redirect is followed, no
proxy is used, and size and time are bounded: whoever is asked need not be friendly.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Event, Timer
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import click

from gatepost.carriers.algorithms import ALGORITHMS, Algorithm, WrongKind
from gatepost.carriers.jws import VerifyingKey
from gatepost.cli.output import printable
from gatepost.cli.records import KnownKey
from gatepost.settings.addresses import is_loopback

_METADATA: Final = "/.well-known/oauth-authorization-server"
_LONGEST: Final = 262_144
_MOST_KEYS: Final = 64
SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Published:
    """The keys of an issuer as anybody can fetch them."""

    issuer: str
    keys: Mapping[str, KnownKey]

    @property
    def not_published(self) -> str:
        """Why nothing else can be judged by them."""
        return "only the server itself has its record, and it was not sent there"


def fetch_published(url: str) -> Published:
    """The keys of the issuer with this URL. Raises `ClickException` with one sentence."""
    issuer = url.rstrip("/")
    asked = _require_safe(issuer)
    metadata = _metadata(asked)
    if metadata.get("issuer") != issuer:
        named = metadata.get("issuer")
        told = f"it calls itself {printable(named)[:200]}" if isinstance(named, str) else "it names none"
        raise click.ClickException(f"{issuer} is not the issuer's own address: {told}.")
    keys, root = metadata.get("jwks_uri"), f"{asked.scheme}://{asked.netloc}"
    if not isinstance(keys, str) or not keys.startswith(f"{root}/"):
        raise click.ClickException(f"{issuer} keeps its keys elsewhere, which is not followed.")
    jwks = _object(asked, keys.removeprefix(root))
    return Published(issuer, {key.kid: key for key in _known(jwks)})


def _metadata(asked: SplitResult) -> Mapping[str, Any]:
    try:
        return _object(asked, f"{_METADATA}{asked.path}")
    except _NotThere:
        if not asked.path:
            raise
    # Where it is mounted in an application that does not pass on what lies outside.
    return _object(asked, f"{asked.path}{_METADATA}")


def _require_safe(url: str) -> SplitResult:
    try:
        asked = urlsplit(url)
        host, _ = asked.hostname, asked.port
    except ValueError:
        raise click.ClickException("That is not a URL.") from None
    if not host or "@" in asked.netloc or asked.query or asked.fragment or not url.isascii():
        raise click.ClickException("Name the issuer as it stands in tokens, like https://auth.example.com.")
    if asked.scheme != "https" and not (asked.scheme == "http" and is_loopback(host)):
        raise click.ClickException(
            "Keys are fetched over https only, or over http from this machine: on the way anybody could change them."
        )
    return asked


class _NotThere(click.ClickException):
    """The server has nothing at this address."""


def _object(asked: SplitResult, path: str) -> Mapping[str, Any]:
    where = f"{asked.scheme}://{asked.netloc}{path}"
    try:
        status, body = _get(asked, path)
    except ssl.SSLCertVerificationError as error:
        raise click.ClickException(
            f"The certificate of {asked.netloc} is not trusted: {error.verify_message}."
        ) from None
    except TimeoutError:
        raise click.ClickException(f"{where} did not answer within {SECONDS:.0f} seconds.") from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise click.ClickException(f"{where} could not be fetched: {why}.") from None
    if 300 <= status < 400:
        raise click.ClickException(f"{where} leads elsewhere ({status}), which is not followed.")
    if status != 200:
        raise _NotThere(f"{where} answered {status}.")
    if len(body) > _LONGEST:
        raise click.ClickException(f"{where} answered more than {_LONGEST} bytes.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise click.ClickException(f"{where} did not answer a JSON object.")
    return found


def _get(asked: SplitResult, path: str) -> tuple[int, bytes]:
    host = asked.hostname or ""
    connection = (
        HTTPSConnection(host, asked.port, timeout=SECONDS, context=ssl.create_default_context())
        if asked.scheme == "https"
        else HTTPConnection(host, asked.port, timeout=SECONDS)
    )
    over = Event()
    connection.connect()
    # A socket's own timeout begins anew with every byte: whoever sends one a second would hold us for days.
    watch = Timer(SECONDS, _cut, (connection.sock, over))
    watch.start()
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        status, body = response.status, response.read(_LONGEST + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise TimeoutError if over.is_set() else HTTPException(type(error).__name__) from error
    finally:
        watch.cancel()
        connection.close()
    if over.is_set():
        raise TimeoutError
    return status, body


def _cut(sock: socket, over: Event) -> None:
    over.set()
    with suppress(OSError):
        sock.shutdown(SHUT_RDWR)


def _known(jwks: Mapping[str, Any]) -> Iterator[KnownKey]:
    listed = jwks.get("keys")
    for jwk in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
        key = _key(jwk) if isinstance(jwk, dict) else None
        if key is not None:
            yield key


def _key(jwk: Mapping[str, Any]) -> KnownKey | None:
    """A key of an algorithm that has a public half; None for every other, as RFC 7517 section 5 has it."""
    kid, name = jwk.get("kid"), jwk.get("alg")
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is None or not isinstance(kid, str):
        return None
    try:
        public = algorithm.public_of({name: value for name, value in jwk.items() if isinstance(value, str)})
    except (WrongKind, ValueError):
        return None
    verifying = VerifyingKey(kid, cast(Algorithm, name), public)
    return KnownKey(kid, str(name), None, verifying=verifying)
