"""What all rules stand on: the world, the model beside it, and how the one learns what happened in the other.

Owns no rule and no look. What a server gave goes into the model here: sessions, tokens, sealed cookies, facts.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine

from gatepost.core.sessions import Carrier, Origin, Session
from gatepost.errors import InvalidGrant, Revoked
from gatepost.services.beginnings import CookieIssued
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from tests.model import expected
from tests.model.expected import Access, Chain, Copy, Moment, Person, Sitting, Use, Verdict
from tests.model.servers import BOUND, SERVERS, Server, World

HOME = Origin("192.0.2.7", "Firefox on Linux")
ANY_SERVER = st.integers(0, SERVERS - 1)
ANY_PERSON = st.integers(0, 2)

sittings: Bundle[Sitting] = Bundle("sittings")
holders: Bundle[Sitting] = Bundle("holders")
jars: Bundle[Sitting] = Bundle("jars")


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
        sitting.chain = Chain([texts[1]], until, [texts], longer=session.carrier is Carrier.TOKEN_COOKIE)
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

    def sealed_anew(self, sitting: Sitting, text: str) -> Copy:
        """Take a sealed cookie into the model: it holds what the record holds, word for word."""
        held = self.world.servers[0].sealed.read(text)
        assert (held.sid, held.data) == (sitting.id, sitting.data)
        assert (held.account and held.account.roles) == (sitting.person and sitting.person.roles[-1][1])
        copy = Copy(text, dict(held.data), self.moment.boot)
        sitting.copies.append(copy)
        return copy

    def exchanged(self, at: int, sitting: Sitting, age: int, use: Callable[[], TokenPair]) -> TokenPair:
        """Use a refresh token so many generations old, and hold what follows against the model.

        Raises what using it raised, once that was found to be right.
        """
        chain, verdict = sitting.chain, expected.durable(sitting, self.moment.now)
        assert chain is not None
        meaning, pos = expected.meaning(chain, age, self.moment.now), self.seq
        try:
            pair = use()
        except (InvalidGrant, Revoked):
            assert verdict is not Verdict.MUST or meaning in {"replay", "expired", "ahead"}, (
                "an honest refresh failed"
            )
            ended = self.appended()
            assert ended == 0 or (meaning == "replay" and verdict is not Verdict.MUST_NOT)
            assert ended == 1 or not (meaning == "replay" and verdict is Verdict.MUST)
            if ended:
                self.happened(at, [sitting])
            raise
        assert verdict is not Verdict.MUST_NOT, "refreshed although it is over"
        assert meaning in {"rotate", "repeat"}
        if meaning == "repeat":
            answer = (pair.access.reveal(), pair.refresh.reveal())
            assert answer == chain.answers[-age], "a repeat gave something new"
        else:
            self._rotated(at, sitting, pair, pos)
        return pair

    def _rotated(self, at: int, sitting: Sitting, pair: TokenPair, pos: int) -> None:
        chain, now = sitting.chain, self.moment.now
        assert chain is not None
        assert pair.refresh.reveal() not in chain.tokens
        chain.answers.append((pair.access.reveal(), pair.refresh.reveal()))
        chain.tokens.append(pair.refresh.reveal())
        chain.uses.append(Use(now))
        sitting.seen_before = max(sitting.seen_before, now)
        self.world.servers[at].memory.noted[sitting.id] = now
        access = self.issued(sitting, pair, pos)
        assert access.expires_at <= min(now + expected.HORIZON, sitting.expires_at)


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
