"""What all rules stand on: the world, the model beside it, and every look at both that compares them.

Owns no rule. Each look asks a real server, holds its answer against the model, and tells the model what was learned.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine

from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import digest, parse_refresh
from gatepost.core.sessions import Carrier, Origin, Session
from gatepost.errors import Expired, Malformed, NotFound, Outdated, Refused, Revoked, Stale
from gatepost.services.beginnings import CookieIssued
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from tests.model import expected
from tests.model.expected import Access, Chain, Copy, Memory, Moment, Person, Sitting, Verdict
from tests.model.servers import BOUND, SERVERS, Server, World

HOME = Origin("192.0.2.7", "Firefox on Linux")
ANY_SERVER = st.integers(0, SERVERS - 1)
ANY_PERSON = st.integers(0, 2)

sittings: Bundle[Sitting] = Bundle("sittings")
holders: Bundle[Sitting] = Bundle("holders")


class Ground(RuleBasedStateMachine):
    """A world and its model. A subclass says over which database: the template's folder, or None for memory."""

    template: ClassVar[Path | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.template)
        self.seq = 0
        self.people: list[Person] = []
        self.sittings: dict[str, Sitting] = {}
        self.key_ended: int | None = None

    def teardown(self) -> None:
        """Close what was opened, whatever became of it."""
        self.world.close()

    @property
    def moment(self) -> Moment:
        """Now."""
        return self.world.moment

    def server(self, at: int) -> Server:
        """A server, as it is when a request comes in. A lease never outlives what its server has heard."""
        server = self.world.servers[at]
        server.wake()
        assert not server.fresh or self.world.clock.boot() < server.memory.heard_at + BOUND
        return server

    def person(self, number: int) -> Person:
        """One of the people there are."""
        return self.people[number % len(self.people)]

    def of(self, person: Person) -> list[Sitting]:
        """Everything of an account."""
        return [one for one in self.sittings.values() if one.person is person]

    def begun(
        self, session: Session, person: Person | None, held: CookieIssued | SealedIssued | TokenPair
    ) -> Sitting:
        """Take a new session into the model, as it was answered."""
        sitting = Sitting(
            id=session.id,
            person=person,
            carrier=session.carrier,
            started_at=session.started_at,
            expires_at=session.expires_at,
            seen_after=session.started_at,
            seen_before=session.started_at,
            data=dict(session.data),
        )
        assert session.id not in self.sittings
        self.sittings[session.id] = sitting
        if isinstance(held, CookieIssued):
            sitting.cookie = held.handle.reveal()
            return sitting
        if isinstance(held, SealedIssued):
            self.sealed_anew(sitting, held.value.reveal())
            return sitting
        texts = (held.access.reveal(), held.refresh.reveal())
        until = min(session.expires_at, session.started_at + timedelta(hours=3))
        sitting.chain = Chain([texts[1]], until, texts)
        return sitting

    def issued(self, sitting: Sitting, pair: TokenPair, pos: int) -> Access:
        """Take a new access token into the model: made at a position, with the roles of now."""
        assert sitting.person is not None
        text = pair.access.reveal()
        claims = _claims(text)
        roles = sitting.person.roles[-1][1]
        issued_at = datetime.fromtimestamp(claims["iat"], UTC)
        access = Access(text, claims["jti"], roles, pos, issued_at, pair.expires_at)
        sitting.accesses.append(access)
        return access

    def happened(self, at: int, ended: Iterable[Sitting], count: int = 1) -> int:
        """A server answered after it had appended so many facts, which ended these sessions.

        This is the promise: by now everybody has heard, or believes nothing without hearing.
        """
        self.seq += count
        self.world.servers[at].memory.own.update(range(self.seq - count + 1, self.seq + 1))
        for sitting in ended:
            sitting.endings.append(self.seq)
        boot = self.world.clock.boot()
        for number, server in enumerate(self.world.servers):
            heard = number == at or server.memory.heard >= self.seq
            assert heard or boot >= server.memory.heard_at + BOUND, "answered before it was in force"
        return self.seq

    def appended(self) -> int:
        """How many facts the log has that the model has not taken in yet."""
        return self.world.head() - self.seq

    def look(self, at: int, sitting: Sitting) -> Principal | Visitor | None:
        """Present a session's newest carrier to a server: who it is, None if it was refused as it should be."""
        if sitting.accesses:
            return self.look_at_token(at, sitting, sitting.accesses[-1])
        if sitting.copies:
            return self.look_at_copy(at, sitting, sitting.copies[-1])
        return self.look_at_cookie(at, sitting)

    def look_at_cookie(self, at: int, sitting: Sitting) -> Principal | Visitor | None:
        """The same for its cookie."""
        server, moment = self.server(at), self.moment
        memory, verdict = server.memory, expected.cookie(sitting, server.memory, moment)
        fresh, found = server.fresh, server.ask(OpaqueCookie(sitting.cookie))
        if isinstance(found, Stale):
            assert not fresh
        elif isinstance(found, Refused):
            assert isinstance(found, Expired | Revoked | Malformed)
            assert verdict is not Verdict.MUST, f"somebody honest was signed out: {found!r}"
            memory.believed.pop(sitting.id, None)
            return None
        memory.believed[sitting.id] = moment.boot + (expected.HORIZON / 2).total_seconds()
        if isinstance(found, Stale):
            return None
        assert fresh, "accepted without having heard"
        assert verdict is not Verdict.MUST_NOT, "accepted although it is over"
        self._require_same(sitting, found, memory)
        memory.used(sitting, moment)
        return found

    def sealed_anew(self, sitting: Sitting, text: str) -> Copy:
        """Take a sealed cookie into the model: it holds what the record holds, word for word."""
        held = self.world.servers[0].sealed.read(text)
        assert (held.sid, held.data) == (sitting.id, sitting.data)
        assert (held.account and held.account.roles) == (sitting.person and sitting.person.roles[-1][1])
        copy = Copy(text, dict(held.data), self.moment.boot)
        sitting.copies.append(copy)
        return copy

    def renewed(self, at: int, sitting: Sitting, presented: Any) -> SealedCookie:
        """Exchange a sealed cookie at a server; the model keeps what comes of it."""
        found = self.world.servers[at].renewals.renew(presented, HOME).presented
        assert isinstance(found, SealedCookie)
        self.sealed_anew(sitting, found.value)
        return found

    def look_at_copy(self, at: int, sitting: Sitting, copy: Copy) -> Principal | Visitor | None:
        """The same for a copy of its sealed cookie, the newest or one that somebody kept."""
        server, moment = self.server(at), self.moment
        verdict, before = expected.sealed(sitting, copy, server.memory, moment), len(sitting.copies)
        fresh = server.fresh
        found = server.ask(SealedCookie(copy.text), lambda shown: self.renewed(at, sitting, shown))
        if isinstance(found, Stale):
            assert not fresh
            return None
        if isinstance(found, Refused):
            assert isinstance(found, Expired | Revoked)
            assert verdict is not Verdict.MUST, f"somebody honest was signed out: {found!r}"
            return None
        assert fresh, "accepted without having heard"
        assert verdict is not Verdict.MUST_NOT, "accepted although it is over"
        if len(sitting.copies) == before and moment.calm:
            assert moment.boot < copy.boot + expected.HORIZON.total_seconds(), "believed for too long"
        self._require_same(sitting, found, server.memory)
        server.memory.used(sitting, moment)
        return found

    def look_at_token(self, at: int, sitting: Sitting, access: Access) -> Principal | None:
        """The same for an access token. Nothing is read for it, so what it comes to is known exactly."""
        server, moment = self.server(at), self.moment
        outcomes = self._outcomes(access, sitting, server, moment)
        found = server.ask(Bearer(access.text))
        assert isinstance(found, outcomes), f"{found!r} where {outcomes} was due"
        if isinstance(found, Expired):
            server.memory.known.pop(access.text, None)
        if not isinstance(found, Principal):
            return None
        assert sitting.person is not None
        assert (found.account_id, found.session_id) == (sitting.person.id, sitting.id)
        assert (found.roles, found.carrier, found.email) == (access.roles, Carrier.TOKEN, None)
        server.memory.used(sitting, moment)
        return found

    def _outcomes(
        self, access: Access, sitting: Sitting, server: Server, moment: Moment
    ) -> tuple[type[Principal | Refused], ...]:
        memory = server.memory
        if access.text not in memory.known:
            if moment.now >= access.expires_at:
                return (Expired,)
            if access.issued_at > moment.now + expected.AHEAD:
                return (Outdated,)
            left = (access.expires_at - moment.now).total_seconds()
            memory.known[access.text] = moment.boot + left - 1e-7
        if moment.boot >= memory.known[access.text]:
            return (Expired,)
        if memory.knows_any((*access.endings, *sitting.endings)):
            # What is forgotten by name is older than the floor.
            return (Revoked,) if memory.floor == 0 else (Revoked, Outdated)
        live: tuple[type[Principal | Refused], ...] = (Principal,) if server.fresh else (Stale,)
        if memory.knows_any(access.outdatings) or access.pos < memory.floor:
            live = (Outdated,)
        if self.key_ended is None or not memory.knows(self.key_ended):
            return live
        # The key goes on signing until keys can be replaced. Who ended it may remember that for longer than others.
        return (Revoked,) if self.key_ended > memory.floor else (*live, Revoked)

    def _require_same(self, sitting: Sitting, found: Principal | Visitor, memory: Memory) -> None:
        assert (found.session_id, found.carrier) == (sitting.id, sitting.carrier)
        if sitting.person is None:
            assert isinstance(found, Visitor)
            return
        assert isinstance(found, Principal)
        assert (found.account_id, found.email) == (sitting.person.id, sitting.person.email)
        assert found.roles in expected.roles_at(sitting.person, memory)

    def require_listing(self, at: int, person: Person) -> None:
        """What an owner sees of their sessions, at any server, is what the model says."""
        sessions, now = self.server(at).sessions, self.moment.now
        listed = {standing.session.id: standing for standing in sessions.of_account(person.id)}
        assert listed.keys() <= {sitting.id for sitting in self.of(person)}
        for sitting in self.of(person):
            verdict, standing = expected.durable(sitting, now), listed.get(sitting.id)
            # A client's ending is not written through to its sessions, so the truth goes on listing them.
            assert verdict is not (Verdict.MUST if standing is None else Verdict.MUST_NOT)
            if standing is not None:
                assert standing.session.data == sitting.data
                assert standing.account is not None
                assert standing.account.roles == person.roles[-1][1]
                assert sitting.seen_after <= standing.session.last_seen_at <= sitting.seen_before

    def require_one_head(self, at: int, sitting: Sitting) -> None:
        """Of all refresh tokens a session was ever given, at most one is the current one: the newest."""
        assert sitting.chain is not None
        handles = [parse_refresh(token) for token in sitting.chain.tokens]
        assert all(handle is not None for handle in handles)
        view = self.server(at).store.refresh(handles[-1].id)  # type: ignore[union-attr]
        if view is None:
            assert expected.durable(sitting, self.moment.now) is not Verdict.MUST
            return
        heads = [handle for handle in handles if handle and digest(handle.rotor) == view.family.rotor]
        assert heads == handles[-1:]
        assert view.family.generation == len(handles) - 1

    def require_data(self, at: int, sitting: Sitting) -> None:
        """A session's data, read at any server, is the model's."""
        sessions, verdict = self.server(at).sessions, expected.durable(sitting, self.moment.now)
        try:
            found = sessions.find(sitting.id)
        except NotFound:
            assert verdict is not Verdict.MUST
            return
        assert verdict is not Verdict.MUST_NOT
        assert found.session.data == sitting.data

    def require_everything(self, at: int) -> None:
        """Every session, token, listing and head, at one server."""
        for sitting in self.sittings.values():
            if sitting.chain is not None:
                self.require_one_head(at, sitting)
            for access in sitting.accesses:
                self.look_at_token(at, sitting, access)
            if sitting.cookie:
                self.look_at_cookie(at, sitting)
            for copy in sitting.copies[-3:]:
                self.look_at_copy(at, sitting, copy)
            self.require_data(at, sitting)
        for person in self.people:
            self.require_listing(at, person)


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
