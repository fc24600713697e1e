"""The people of a storm of refreshes: programs that never stop, those who end some of them, and those who look on.

Everybody here is honest: whoever gets no answer asks the same again. What they saw is written down as it happens and
judged by the test.
"""

import json
import math
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.sessions import Carrier
from gatepost.services.beginnings import CookieIssued
from tests.races.wires import BROKEN, Answer, Wire, ask_anybody, insist
from tests.services.installation import Device, add_account

BOUND = 1.0
TAKEN = 403
"""What a member is told whose carrier is good when it asks for what is an administrator's; 401 if it is not.

That is decided in the worker's memory. An answer with anything in it is read from the database, which knows of every
ending at once: a worker that has not heard would not be found out.
"""
_ADMINISTRATION = "/api/admin/accounts"
_BREATH = 0.05


def ask_guard(url: str, credential: dict[str, str]) -> int:
    """Whether any one worker takes a carrier: `TAKEN` or 401."""
    status = ask_anybody(url, _ADMINISTRATION, credential).status
    assert status in {TAKEN, 401}
    return status


class Pair(NamedTuple):
    """One answer of the token endpoint."""

    access: str
    refresh: str

    @property
    def jti(self) -> str:
        """The name of the access token."""
        payload = self.access.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        jti: str = claims["jti"]
        return jti


@dataclass
class Sights:
    """What went wrong in anybody's eyes, and how many answers were lost."""

    signed_out: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    broken: int = 0

    def saw_broken(self) -> None:
        """A connection broke before the answer had come."""
        self.broken += 1


@dataclass
class Ending:
    """The end of one session: `asked` is set before anybody asks for it, from `over_at` on it is promised.

    `over_at` is in monotonic seconds. What begins between the two may be taken or refused.
    """

    asked: threading.Event = field(default_factory=threading.Event)
    over_at: float = math.inf


class Person:
    """An account with a program that holds tokens and a browser that holds a cookie.

    `answers` has, for each refresh token that was used, every different answer to it.
    """

    def __init__(self, at: Authority, url: str, email: str, roles: Sequence[str] = ("member",)) -> None:
        self.account: Account = add_account(at, email, roles)
        browser = Device(at, self.account)
        program = Device(at, self.account, Carrier.TOKEN)
        assert isinstance(browser.credential, CookieIssued)
        self.email = email
        self.session_id = program.session.id
        self.cookie = {"Cookie": f"gatepost={browser.credential.handle.reveal()}", "Origin": url}
        self.first = self.pair = Pair(program.pair.access.reveal(), program.pair.refresh.reveal())
        self.answers: dict[str, set[Pair]] = {}
        self.program_end = Ending()
        self.browser_end = Ending()
        self.refused = False

    @property
    def bearer(self) -> dict[str, str]:
        """The program's newest access token as a header."""
        return {"Authorization": f"Bearer {self.pair.access}"}


@dataclass
class Client:
    """Refreshes its own people's tokens in turn, as fast as it can; with two tabs each token from both at once."""

    url: str
    people: list[Person]
    sights: Sights
    tabs: int

    def go_on_until(self, over: threading.Event) -> None:
        """Storm."""
        wires = [Wire(self.url) for _ in range(self.tabs)]
        with ThreadPoolExecutor(self.tabs) as threads:
            while not over.is_set():
                standing = [person for person in self.people if not person.refused]
                for person in standing:
                    self.rotate(person, wires, threads)
                over.wait(0 if standing else _BREATH)
        for wire in wires:
            wire.close()

    def rotate(self, person: Person, wires: Sequence[Wire], threads: ThreadPoolExecutor) -> None:
        """Use the newest token in every tab; go on with the answer when all tabs have theirs."""
        began, token = time.monotonic(), person.pair.refresh
        answers = list(threads.map(lambda wire: self._exchange(person, wire, token), wires))
        pairs = {answer for answer in answers if answer is not None}
        if pairs:
            person.answers[token] = pairs
            person.pair = min(pairs)
        person.refused = None in answers
        if person.refused and not person.program_end.asked.is_set():
            waited = time.monotonic() - began
            self.sights.signed_out.append(f"the program of {person.email}, {waited:.1f} s after it asked")

    def _exchange(self, person: Person, wire: Wire, token: str) -> Pair | None:
        began = 0.0

        def once() -> Answer:
            nonlocal began
            # Of each try anew: one whose answer was lost began before the ending, its repeat may begin after it.
            began = time.monotonic()
            return wire.refresh(token)

        answer = insist(once, self.sights.saw_broken)
        if answer.status == 400 and answer.json["error"] == "invalid_grant":
            return None
        assert answer.status == 200, answer
        if began >= person.program_end.over_at:
            self.sights.late.append(f"a refresh of {person.email}")
        return Pair(answer.json["access_token"], answer.json["refresh_token"])


class Witnesses:
    """A dozen connections on which a credential was taken a moment ago: most workers have it in memory."""

    def __init__(self, url: str, credential: dict[str, str]) -> None:
        self._credential = credential
        self._wires = [Wire(url) for _ in range(12)]
        self.ask()
        self.took_it()

    def ask(self) -> None:
        """Ask on all of them before the first answer is read."""
        for wire in self._wires:
            with suppress(*BROKEN):
                wire.begin("GET", _ADMINISTRATION, self._credential)

    def took_it(self) -> bool:
        """Whether it was taken on any of them. Broken ones say nothing."""
        statuses = set()
        for wire in self._wires:
            with suppress(*BROKEN):
                statuses.add(wire.finish().status)
        return TAKEN in statuses

    def close(self) -> None:
        """Close the connections."""
        for wire in self._wires:
            wire.close()


@dataclass
class Ender:
    """Ends programs, each in another of the ways there are, and notes from when on the ending was promised."""

    url: str
    admin: dict[str, str]
    sights: Sights
    ended: list[Person] = field(default_factory=list)

    def end(self, person: Person, silence: AbstractContextManager[None]) -> None:
        """End a person's program, in the case of a lock the browser too; come back once that is answered.

        During the `silence`, when some worker may stand still, it is answered, and then its carrier is tried anew.
        """
        ways = (self.by_itself, self.by_browser, self.by_administrator, self.by_lock)
        way = ways[len(self.ended) % len(ways)]
        endings = (person.program_end, person.browser_end) if way == self.by_lock else (person.program_end,)
        for ending in endings:
            ending.asked.set()
        with closing(Witnesses(self.url, person.bearer)) as witnesses:
            with silence:
                is_promised = self._is_promised(person, way)
                witnesses.ask()
            if witnesses.took_it() and is_promised:
                self.sights.late.append(f"an access token of {person.email}, right after {way.__name__}")
        # A lost answer promised nothing, and when it is asked for again there is nothing left to end: then it is the
        # bound that holds.
        for ending in endings:
            ending.over_at = time.monotonic() + (0 if is_promised else BOUND)
        self.ended.append(person)

    def _is_promised(self, person: Person, way: Callable[[Wire, Person], Answer]) -> bool:
        tries = 0

        def once() -> Answer:
            nonlocal tries
            tries += 1
            return way(wire, person)

        with closing(Wire(self.url)) as wire:
            answer = insist(once, self.sights.saw_broken)
        is_promised = "gatepost-receipt" in answer.headers or "receipt" in (answer.json or {})
        if tries == 1 and not is_promised:
            self.sights.signed_out.append(f"the program of {person.email}, before {way.__name__}")
        return is_promised

    def by_itself(self, wire: Wire, person: Person) -> Answer:
        """Sign-out with its access token."""
        return wire.ask("POST", "/api/sign-out", person.bearer)

    def by_browser(self, wire: Wire, person: Person) -> Answer:
        """From the list of one's own sessions."""
        return wire.ask("DELETE", f"/api/sessions/{person.session_id}", person.cookie)

    def by_administrator(self, wire: Wire, person: Person) -> Answer:
        """One session."""
        return wire.ask("DELETE", f"/api/admin/sessions/{person.session_id}", self.admin)

    def by_lock(self, wire: Wire, person: Person) -> Answer:
        """Everything of the account."""
        return wire.ask("POST", f"/api/admin/accounts/{person.account.id}/lock", self.admin)


@dataclass
class Watcher:
    """Asks for everybody, over and over, on new connections: whichever worker there is must know."""

    url: str
    people: list[Person]
    sights: Sights

    def look_until(self, over: threading.Event) -> None:
        """Look on."""
        while not over.is_set():
            for person in self.people:
                self.look(person)
            over.wait(_BREATH)

    def look(self, person: Person) -> None:
        """Try what the person holds."""
        self._try(f"the access token of {person.email}", person.bearer, person.program_end)
        self._try(f"the browser of {person.email}", person.cookie, person.browser_end)

    def _try(self, what: str, headers: dict[str, str], ending: Ending) -> None:
        began = time.monotonic()
        status = ask_guard(self.url, headers)
        if status == TAKEN and began >= ending.over_at:
            self.sights.late.append(what)
        if status == 401 and not ending.asked.is_set():
            self.sights.signed_out.append(what)
