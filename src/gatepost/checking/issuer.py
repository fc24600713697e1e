"""Asking an issuer about one token over HTTP (RFC 7662), for a service that has none of its records.

Owns what is asked, how many may ask at once, and what an answer is worth. It is the `Introspection` of a guard whose
`when_stale` is `ask`; `calling.py` owns the connections. Whatever is not a plain answer about this very token is none:
`Stale`, never an acceptance.
"""

import json
import os
import threading
import weakref
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from gatepost.checking.calling import Answered, Caller, Question, Unanswered
from gatepost.checking.trusted_servers import Credential, Server
from gatepost.core.ports import Clock
from gatepost.core.revocation import Standing, Subject
from gatepost.core.secrets import digest
from gatepost.core.sessions import SessionView
from gatepost.errors import Stale

_PATH: Final = "/oauth/introspect"


@dataclass(frozen=True, slots=True)
class AskRules:
    """How an issuer is asked.

    `patience` is how long an answer is waited for, in seconds since the question was sent. It counts for as long, so
    it must not be longer than the bound: an ending may be committed right after the issuer has looked. At most
    `waiting` checks wait at once, over at most `connections`; `authorities` is a file (PEM) of certificate authorities
    to trust in the place of the machine's.
    """

    patience: float = 0.8
    connections: int = 4
    waiting: int = 32
    authorities: Path | None = None


@dataclass(frozen=True, slots=True)
class Active:
    """The token would be accepted now. `names` is which token, for whom, in which session, of which client."""

    names: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Inactive:
    """The token would be refused now, and why, as far as this client may be told."""

    standing: Standing


Told = Active | Inactive | Unanswered


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question on its way, and until when its answer counts."""

    answer: Future[Told] = field(repr=False)
    until: float


class Issuer:
    """`Introspection` by asking an issuer. It needs the token itself, so of cookies it knows nothing."""

    def __init__(self, url: str, credential: Credential, clock: Clock, rules: AskRules | None = None) -> None:
        """Raises `SettingsError` for a URL over which a token must not be sent."""
        self._rules = rules or AskRules()
        self._credential = credential
        self._boot = clock.boot
        self._caller = Caller(
            Server.at(url), clock, authorities=self._rules.authorities, kept=self._rules.connections
        )
        self._open()
        _issuers.add(self)

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """Raises `Stale`: a cookie is no token, and what stands behind it only its own installation can read."""
        raise Stale(detail="an issuer is asked about tokens only")

    def standing(self, token: str, subject: Subject) -> Standing:
        """What the issuer says now of a token whose signature was verified here. Raises `Stale` without an answer."""
        match self._told(token):
            case Active(names):
                # Whatever stands between, a cache above all, may hand out the answer to another question.
                if names != (subject.jti, subject.session_id, subject.account_id, subject.client_id):
                    raise Stale(detail="the issuer's answer speaks of another token")
                return Standing.LIVE
            case Inactive(standing):
                return standing
            case Unanswered(why):
                raise Stale(detail=f"the issuer: {why}")

    def close(self) -> None:
        """Ask no more. Whoever still waits gets no answer."""
        _issuers.discard(self)
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._caller.close()

    def after_fork(self) -> None:
        """In a forked child: the threads and whoever waited stayed behind, the connections belong to the parent."""
        self._caller.after_fork()
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[bytes, _Asked] = {}
        self._waiting = 0
        # Threads of our own, so that nobody waits longer than the deadline: no look-up of a name can be given one.
        self._workers = ThreadPoolExecutor(self._rules.connections, thread_name_prefix="gatepost-ask")

    def _told(self, token: str) -> Told:
        with self._lock:
            if self._waiting >= self._rules.waiting:
                # An issuer that is slow must not take every thread of the service that asks it.
                return Unanswered("too many wait for it already")
            asked = self._question_about(token)
            if asked is None:
                return Unanswered("it is asked no more")
            self._waiting += 1
        try:
            told = asked.answer.result(asked.until - self._boot())
        except (TimeoutError, CancelledError):
            return Unanswered("no answer in time")
        finally:
            with self._lock:
                self._waiting -= 1
        # A process that was stopped or suspended meanwhile finds an answer that was true when it was sent.
        return told if self._boot() < asked.until else Unanswered("the answer is too old")

    def _question_about(self, token: str) -> _Asked | None:
        """The question on its way about this token; all who ask meanwhile share it, and its deadline."""
        key = digest(token)
        asked = self._asked.get(key)
        if asked is None or self._boot() >= asked.until:
            until = self._boot() + self._rules.patience
            try:
                asked = _Asked(self._workers.submit(self._ask, key, token, until), until)
            except RuntimeError:
                # Closed, or the interpreter ends.
                return None
            self._asked[key] = asked
        return asked

    def _ask(self, key: bytes, token: str, until: float) -> Told:
        headers = {
            "Authorization": self._credential.header.reveal(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        body = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        try:
            return read_answer(self._caller.post(Question(_PATH, headers, body), until))
        finally:
            with self._lock:
                if (asked := self._asked.get(key)) is not None and asked.until == until:
                    del self._asked[key]


def read_answer(answer: Answered | Unanswered) -> Told:
    """What an answer of an introspection endpoint says (RFC 7662 section 2.2). Pure.

    An inactive token without a reason is taken for out of date: renewing it helps where that is so and fails where it
    was ended, but somebody who is told to sign in again because roles changed was signed out by an outage.
    """
    if isinstance(answer, Unanswered):
        return answer
    if answer.status != 200:
        return Unanswered(f"it answered {answer.status}")
    try:
        said = json.loads(answer.body.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {"active": True, "token_type": "Bearer"}:
            return Active(tuple(said.get(name) for name in ("jti", "sid", "sub", "client_id")))
        case {"active": False}:
            ended = said.get("standing") == Standing.ENDED.value
            return Inactive(Standing.ENDED if ended else Standing.OUTDATED)
        case _:
            return Unanswered("it answered something else than RFC 7662 says")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) != len(pairs):
        raise ValueError("a member stands twice")
    return said


_issuers: Final[weakref.WeakSet[Issuer]] = weakref.WeakSet()


def _in_child() -> None:
    for issuer in list(_issuers):
        issuer.after_fork()


os.register_at_fork(after_in_child=_in_child)
