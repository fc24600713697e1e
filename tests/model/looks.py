"""Every look at a server that compares it with the model.

Owns no rule. Each look asks a real server, holds its answer against the model, and tells the model what was learned.
"""

from dataclasses import dataclass
from typing import Any, Final

from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie, TokenCookies
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import digest, parse_refresh
from gatepost.core.sessions import Carrier
from gatepost.errors import Expired, Malformed, NotFound, Outdated, Refused, Revoked, Stale
from gatepost.services.tokens import TokenPair
from tests.model import expected
from tests.model.expected import Access, Copy, Memory, Moment, Person, Sitting, Verdict
from tests.model.ground import HOME, Ground
from tests.model.servers import Server

# How often a carrier is renewed in one request: a repeated answer may hold a token that is over by now.
RENEWALS: Final = 2


@dataclass
class Visit:
    """One request with a pair of tokens: which pairs it has shown, and what the last of them is to come to."""

    sitting: Sitting
    server: Server
    shown: list[int]
    fresh: bool
    due: tuple[type[Principal | Refused], ...] = ()
    refused: bool = False

    @property
    def renewals(self) -> int:
        """How often it was renewed so far."""
        return len(self.shown) - 1


class Looks(Ground):
    """Looks at one carrier of a session, or at everything there is."""

    def look(self, at: int, sitting: Sitting) -> Principal | Visitor | None:
        """Present a session's newest carrier to a server: who it is, None if it was refused as it should be."""
        if sitting.carrier is Carrier.TOKEN_COOKIE:
            return self.look_at_pair(at, sitting, sitting.held)
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

    def look_at_pair(
        self, at: int, sitting: Sitting, generation: int, *, access: bool = True, arrives: bool = True
    ) -> Principal | None:
        """The same for a pair of tokens in cookies, renewed on the way where the access token does not stand.

        Without `access` the browser has removed that cookie by its time. Where nothing `arrives` the answer is lost,
        and the browser keeps what it had.
        """
        server, moment, chain = self.server(at), self.moment, sitting.chain
        assert chain is not None
        visit = Visit(sitting, server, [generation], server.fresh)
        visit.due = (
            self._outcomes(sitting.accesses[generation], sitting, server, moment) if access else (Expired,)
        )
        presented = TokenCookies(
            sitting.accesses[generation].text if access else None, chain.tokens[generation]
        )
        found = server.ask(presented, lambda shown: self._renewed_pair(at, visit, shown))
        if arrives:
            sitting.held = visit.shown[-1]
        if isinstance(found, Stale):
            assert not visit.fresh
            if Stale not in visit.due:
                server.memory.known.pop(sitting.accesses[generation].text, None)
            return None
        assert visit.fresh, "judged without having heard"
        if isinstance(found, Refused):
            assert visit.refused or (visit.renewals == RENEWALS and isinstance(found, visit.due))
            server.memory.known.pop(sitting.accesses[visit.shown[-1]].text, None)
            return None
        assert isinstance(found, Principal)
        assert Principal in visit.due, "accepted although it is over"
        assert sitting.person is not None
        assert (found.account_id, found.session_id) == (sitting.person.id, sitting.id)
        roles = sitting.accesses[visit.shown[-1]].roles
        assert (found.roles, found.carrier, found.email) == (roles, Carrier.TOKEN_COOKIE, None)
        server.memory.used(sitting, moment)
        return found

    def _renewed_pair(self, at: int, visit: "Visit", shown: Any) -> TokenCookies:
        """Renew a pair inside a request; the model keeps what comes of it."""
        sitting, chain = visit.sitting, visit.sitting.chain
        assert visit.fresh, "renewed without having heard"
        assert visit.due != (Principal,), "renewed although it stands"
        assert chain is not None
        assert isinstance(shown, TokenCookies)
        if shown.access is not None:
            visit.server.memory.known.pop(shown.access, None)
        renewed: list[TokenCookies] = []

        def renew() -> TokenPair:
            given = visit.server.renewals.renew(shown, HOME)
            assert isinstance(given.credential, TokenPair)
            assert isinstance(given.presented, TokenCookies)
            renewed.append(given.presented)
            return given.credential

        try:
            pair = self.exchanged(at, sitting, chain.age(shown.refresh or ""), renew)
        except Refused:
            visit.refused = True
            raise
        visit.shown.append(chain.tokens.index(pair.refresh.reveal()))
        access = sitting.accesses[visit.shown[-1]]
        assert renewed == [TokenCookies(access.text, chain.tokens[visit.shown[-1]])]
        visit.due = self._outcomes(access, sitting, visit.server, self.moment)
        return renewed[0]

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
            if sitting.carrier is Carrier.TOKEN_COOKIE:
                self.look_at_pair(at, sitting, sitting.held)
            else:
                for access in sitting.accesses:
                    self.look_at_token(at, sitting, access)
            if sitting.cookie:
                self.look_at_cookie(at, sitting)
            for copy in sitting.copies[-3:]:
                self.look_at_copy(at, sitting, copy)
            self.require_data(at, sitting)
        for person in self.people:
            self.require_listing(at, person)
