"""What a server tells, fetched for `token inspect --server`: metadata, public keys, live facts (RFC 8414, RFC 7517).

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
from gatepost.checking.feed import FeedAnswer, Unreadable, read_feed
from gatepost.checking.trusted_servers import Credential, Server
from gatepost.cli.endings import why_ended
from gatepost.cli.output import printable
from gatepost.cli.records import KnownKey
from gatepost.core.revocation import Subject

_METADATA: Final = "/.well-known/oauth-authorization-server"
_LONGEST: Final = 262_144
# As many facts as a hundred million sign-outs a day leave.
_LONGEST_FEED: Final = 134_217_728
_MOST_KEYS: Final = 64
SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Published:
    """The keys of an issuer as anybody can fetch them, and the live facts as a verifier can; None if nobody asked."""

    issuer: str
    keys: Mapping[str, KnownKey]
    live: FeedAnswer | None = None

    def why_ended(self, subject: Subject) -> str | None:
        """What the live facts say against a subject, in words; None if it stands, or they were not asked for."""
        if self.live is None:
            return None
        return why_ended(((told.seq, told.fact, None) for told in self.live.facts), self.live.floor, subject)

    @property
    def not_published(self) -> str:
        """Why nothing else can be judged by them."""
        return "only the server itself has its record, and it was not sent there"


def fetch_published(url: str, credential: Credential | None = None) -> Published:
    """The keys of the issuer with this URL, with a credential the live facts too.

    Raises `ClickException`, and `SettingsError` for a URL over which nothing may be sent.
    """
    issuer = url.rstrip("/")
    Server.at(issuer)
    asked = urlsplit(issuer)
    metadata = _metadata(asked)
    if metadata.get("issuer") != issuer:
        named = metadata.get("issuer")
        told = f"it calls itself {printable(named)[:200]}" if isinstance(named, str) else "it names none"
        raise click.ClickException(f"{issuer} is not the issuer's own address: {told}.")
    if credential is not None:
        live = _live(asked, credential)
        return Published(issuer, {key.kid: key for key in _known(list(live.keys or ()))}, live)
    keys, root = metadata.get("jwks_uri"), f"{asked.scheme}://{asked.netloc}"
    if not isinstance(keys, str) or not keys.startswith(f"{root}/"):
        raise click.ClickException(f"{issuer} keeps its keys elsewhere, which is not followed.")
    jwks = _object(asked, keys.removeprefix(root))
    return Published(issuer, {key.kid: key for key in _known(jwks.get("keys"))})


def _metadata(asked: SplitResult) -> Mapping[str, Any]:
    try:
        return _object(asked, f"{_METADATA}{asked.path}")
    except _NotThere:
        if not asked.path:
            raise
    # Where it is mounted in an application that does not pass on what lies outside.
    return _object(asked, f"{asked.path}{_METADATA}")


class _NotThere(click.ClickException):
    """The server answered with something else than what was asked for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _live(asked: SplitResult, credential: Credential) -> FeedAnswer:
    path = f"{asked.path}/feed"
    where = f"{asked.scheme}://{asked.netloc}{path}"
    try:
        body = _body(asked, path, credential)
    except _NotThere as error:
        raise _of_feed(where, error) from None
    try:
        live = read_feed(body)
    except Unreadable as error:
        raise click.ClickException(f"{where} did not answer as a feed: {error}.") from None
    if not live.reset or live.keys is None:
        raise click.ClickException(f"{where} did not tell everything that is live.")
    return live


def _of_feed(where: str, error: "_NotThere") -> click.ClickException:
    match error.status:
        case 401:
            return click.ClickException(f"{where} does not know this client, or not by this secret.")
        case 403:
            return click.ClickException("This client may not follow the log; one made with --verifier may.")
        case 503:
            return click.ClickException(f"{where} cannot say at this moment what is live. Try again.")
        case _:
            return error


def _object(asked: SplitResult, path: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_body(asked, path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise click.ClickException(f"{asked.scheme}://{asked.netloc}{path} did not answer a JSON object.")
    return found


def _body(asked: SplitResult, path: str, credential: Credential | None = None) -> bytes:
    where, longest = (
        f"{asked.scheme}://{asked.netloc}{path}",
        _LONGEST if credential is None else _LONGEST_FEED,
    )
    shown = {"Authorization": credential.header.reveal()} if credential else {}
    try:
        status, body = _get(asked, path, shown, longest)
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
        raise _NotThere(f"{where} answered {status}.", status)
    if len(body) > longest:
        raise click.ClickException(f"{where} answered more than {longest} bytes.")
    return body


def _get(asked: SplitResult, path: str, headers: Mapping[str, str], longest: int) -> tuple[int, bytes]:
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
        connection.request("GET", path, headers={"Accept": "application/json", **headers})
        response = connection.getresponse()
        status, body = response.status, response.read(longest + 1)
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


def _known(listed: object) -> Iterator[KnownKey]:
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
