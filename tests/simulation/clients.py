"""Those who hold carriers: they present them again and again, everywhere, also when they were told that it is over.

Owns what people and administrators do; what goes wrong is the world's.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from gatepost.carriers.presented import Bearer, OpaqueCookie
from gatepost.core.changes import Change
from gatepost.core.principals import Principal
from gatepost.core.revocation import TokenEnded
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import GatepostError
from gatepost.services.beginnings import Wish
from gatepost.services.commits import Receipt
from gatepost.services.tokens import TokenPair
from tests.simulation.plans import Action, Deed
from tests.simulation.processes import Process, Server

if TYPE_CHECKING:
    from tests.simulation.world import World

PEOPLE: Final = ("ada", "bob")
_HERE: Final = Origin("192.0.2.7", "Firefox on Linux")
_EVERY: Final = 0.12
_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that signs somebody in. `asked_at`: when whoever holds it first asked for it, in true time."""

    presented: OpaqueCookie | Bearer
    session_id: str
    account_id: str
    jti: str | None
    asked_at: float


@dataclass(slots=True)
class Family:
    """A refresh token as its client holds it, and when the client first tried to use it."""

    token: str
    session_id: str
    account_id: str
    first_tried: float | None = None


class Clients:
    """Everybody outside."""

    def __init__(self, world: "World", rng: Random) -> None:
        self._world = world
        self._rng = rng
        self._credentials: list[Credential] = []
        self._families: list[Family] = []
        self._roles = 0
        self._deeds: dict[Deed, Callable[[Server, Action], Receipt | None]] = {
            Deed.SIGN_IN: self._sign_in,
            Deed.REFRESH: self._refresh,
            Deed.END_SESSION: self._end_session,
            Deed.END_OTHERS: self._end_others,
            Deed.END_TOKEN: self._end_token,
            Deed.END_ACCOUNT: lambda server, action: (
                server.accounts.end_sessions(_who(action), "root").receipt
            ),
            Deed.LOCK: self._lock,
            Deed.ROLES: self._change_roles,
            Deed.END_EVERYONE: lambda server, _: server.sessions.end_all("root"),
        }

    def can(self, deed: Deed) -> bool:
        """Whether this is something that a person does."""
        return deed in self._deeds

    def do(self, server: Server, action: Action) -> None:
        """Do it at a server, and when it has answered, remember what it promised."""

        def work() -> None:
            world = self._world
            world.note(server, "asked", action.deed.value)
            try:
                receipt = self._deeds[action.deed](server, action)
            except GatepostError as error:
                world.note(server, "failed", action.deed.value, type(error).__name__)
                return
            if receipt is not None:
                world.truth.answered(receipt.pos, world.scheduler.now)
            world.note(server, "answered", action.deed.value, receipt.state.value if receipt else "")

        self._world.scheduler.spawn(server, work)

    def _sign_in(self, server: Server, action: Action) -> None:
        asked_at = self._world.scheduler.now
        carrier = (Carrier.TOKEN, Carrier.COOKIE)[action.chosen // len(PEOPLE) % 2]
        signed_in = server.sign_in.sign_in(
            f"{_who(action)}@example.com", "any password", Wish(_HERE, carrier)
        )
        session, held = signed_in.session, signed_in.credential
        if isinstance(held, TokenPair):
            family = Family(held.refresh.reveal(), session.id, signed_in.account.id)
            self._families.append(family)
            self._hold_pair(held, family, asked_at)
        else:
            cookie = OpaqueCookie(held.handle.reveal())
            self._hold(Credential(cookie, session.id, signed_in.account.id, None, asked_at))

    def _refresh(self, server: Server, action: Action) -> None:
        if not self._families:
            return
        family = self._families[action.chosen % len(self._families)]
        # An answer that was lost is asked for again and is as old as the first question.
        asked_at = family.first_tried = family.first_tried or self._world.scheduler.now
        before = family.token
        pair = server.tokens.refresh(before, _HERE)
        if family.token == before:
            family.token, family.first_tried = pair.refresh.reveal(), None
        self._hold_pair(pair, family, asked_at)

    def _end_session(self, server: Server, action: Action) -> Receipt | None:
        credential = self._chosen(action)
        return server.sessions.end_any(credential.session_id, "root") if credential else None

    def _end_others(self, server: Server, action: Action) -> Receipt | None:
        credential = self._chosen(action)
        if credential is None:
            return None
        who = server.guard.check(credential.presented)
        assert isinstance(who, Principal)
        return server.sessions.end_others(who, _HERE)

    def _end_token(self, server: Server, action: Action) -> Receipt | None:
        credential = self._chosen(action)
        if credential is None or credential.jti is None:
            return None
        return server.commits.end(Change(at=server.clock.now(), facts=(TokenEnded(credential.jti),)))

    def _lock(self, server: Server, action: Action) -> Receipt | None:
        receipt = server.accounts.lock(_who(action), "root").receipt
        server.accounts.unlock(_who(action), "root")
        return receipt

    def _change_roles(self, server: Server, action: Action) -> Receipt | None:
        # Never the same roles twice: then it can be told which ones somebody was let in with.
        self._roles += 1
        return server.accounts.set_roles(_who(action), [f"role-{self._roles}"], "root").receipt

    def _chosen(self, action: Action) -> Credential | None:
        return self._credentials[action.chosen % len(self._credentials)] if self._credentials else None

    def _hold_pair(self, pair: TokenPair, family: Family, asked_at: float) -> None:
        token = pair.access.reveal()
        self._hold(Credential(Bearer(token), family.session_id, family.account_id, _jti(token), asked_at))

    def _hold(self, credential: Credential) -> None:
        if len(self._credentials) < _MOST:
            self._credentials.append(credential)
            self._world.scheduler.spawn(self._world.outside, lambda: self._present_often(credential))

    def _present_often(self, credential: Credential) -> None:
        scheduler = self._world.scheduler
        while True:
            scheduler.sleep(self._rng.expovariate(1 / _EVERY))
            process = self._rng.choice(self._world.processes)
            if isinstance(process, Server) or credential.jti is not None:
                scheduler.spawn(process, partial(self._present, process, credential))

    def _present(self, process: Process, credential: Credential) -> None:
        oracle = self._world.oracle
        try:
            who = process.guard.check(credential.presented)
        except GatepostError as error:
            oracle.refused(process, credential, error)
        else:
            oracle.accepted(process, credential, who)


def _who(action: Action) -> str:
    return PEOPLE[action.chosen % len(PEOPLE)]


def _jti(token: str) -> str:
    payload = token.split(".")[1]
    return str(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])
