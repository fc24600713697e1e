"""How a session begins, whatever the way in: a new id, a new credential, and the end of what was brought along.

Every beginning is one change: the new session under an id that no client chose, the sessions the client brought ended,
the account expected as it was read. Called by `sign_in.py`, which says who somebody is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from gatepost.carriers.sealed import secret_digest
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change, Event, Record
from gatepost.core.hooks import Arrival
from gatepost.core.revocation import Fact, SessionEnded
from gatepost.core.secrets import RefreshHandle, Secret, digest, same
from gatepost.core.sessions import (
    REFRESHING,
    Alive,
    Carrier,
    Origin,
    Session,
    SessionView,
    decide_session,
    surplus,
)
from gatepost.errors import CarrierUnavailable, SignInRefused
from gatepost.services.arrivals import Arrivals, arrival_of
from gatepost.services.guesses import Attempt
from gatepost.services.means import Means
from gatepost.services.sealed import SealedIssued, SealedSessions
from gatepost.services.tokens import TokenPair, Tokens


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to be signed in: carrier, audiences, from where, and what the client presented before.

    `brought` are handles as sessions keep them (digests of opaque cookies and of the secrets in sealed ones),
    `brought_sessions` ids named by valid tokens, `brought_refresh` refresh tokens as they came. `marks` are the cookies
    that say which accounts this browser has signed in to before.
    """

    origin: Origin
    carrier: Carrier = Carrier.COOKIE
    resource: tuple[str, ...] = ()
    brought: tuple[bytes, ...] = ()
    brought_sessions: tuple[str, ...] = ()
    brought_refresh: tuple[RefreshHandle, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CookieIssued:
    """The new value of the opaque cookie."""

    handle: Secret


Credential = CookieIssued | SealedIssued | TokenPair


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has begun, and the one copy of its credential."""

    account: Account
    session: Session
    credential: Credential


@dataclass(frozen=True, slots=True)
class Visiting:
    """A visitor's session that has begun."""

    session: Session
    credential: CookieIssued | SealedIssued


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a way in adds to the change that starts a session. `continues` is the session whose data it goes on with.

    `attempt` is the try that came out right by it, if there was one.
    """

    account: Account
    pos: int
    event: Event
    put: tuple[Record, ...] = ()
    take: tuple[Record, ...] = ()
    expects: tuple[Record, ...] = field(default=())
    continues: Session | None = None
    attempt: Attempt | None = None


class Beginnings:
    """Makes sessions."""

    def __init__(
        self,
        means: Means,
        tokens: Tokens,
        sealed: SealedSessions,
        carry_over: Sequence[str],
        arrivals: Arrivals | None = None,
    ) -> None:
        self._means = means
        self._tokens = tokens
        self._sealed = sealed
        self._carry_over = tuple(carry_over)
        self._arrivals = arrivals or Arrivals()

    def audiences(self, wish: Wish) -> tuple[str, ...]:
        """Whom the tokens of this sign-in are for; nobody where there are none. Raises `InvalidTarget`."""
        if wish.carrier not in REFRESHING:
            return ()
        if wish.carrier is Carrier.TOKEN_COOKIE and wish.resource:
            # A browser shows them to us, whomever else they are for.
            return self._tokens.audiences((self._tokens.issuer, *wish.resource))
        return self._tokens.audiences(wish.resource)

    def visit(self, carrier: Carrier, origin: Origin) -> Visiting:
        """A session for somebody without an account. Raises `CarrierUnavailable`."""
        if carrier in REFRESHING:
            raise CarrierUnavailable
        session = self._session(
            None, Wish(origin, carrier), self._means.store.position(), self._means.clock.now()
        )
        session, credential = self._held(session, None)
        self._means.commits.commit(Change(at=session.started_at, put=(session,)))
        return Visiting(session, credential)

    def begin(self, beginning: Beginning, wish: Wish, audiences: tuple[str, ...]) -> SignedIn:
        """The session of whoever has proved to be somebody. Raises `SignInRefused` where the application says no."""
        now, account = self._means.clock.now(), beginning.account
        views = self._brought(wish)
        brought = [view.session for view in views]
        surplus_ones = self._over_the_cap(account, brought, now)
        ended = [*brought, *surplus_ones]
        # What was over already is cleared away with the rest; nobody's trail says that it ended only now.
        told = [*(view.session for view in views if self._stands(view, now)), *surplus_ones]
        data = self._data_for(beginning, wish, [view for view in views if self._stands(view, now)])
        session = replace(self._session(account.id, wish, beginning.pos, now), data=data)
        put: tuple[Record, ...]
        credential: Credential
        if wish.carrier in REFRESHING:
            family, credential = self._tokens.first_pair(account, session, audiences, now)
            put = (session, family)
        else:
            session, credential = self._held(session, account)
            put = (session,)
        facts: tuple[Fact, ...] = tuple(SessionEnded(view.id) for view in ended)
        change = Change(
            at=now,
            put=(*beginning.put, *put),
            take=(*beginning.take, *ended),
            expects=beginning.expects,
            facts=facts,
            audit=(
                _signed_in(beginning, session, told),
                *_ended_of_others(account, told, wish.origin, now),
            ),
            recounting=beginning.attempt.landing() if beginning.attempt else None,
        )
        committed = self._means.commits.commit(change)
        if beginning.attempt:
            beginning.attempt.over = True
        if facts:
            self._means.commits.settle(committed)
        return SignedIn(account, session, credential)

    def _held(self, session: Session, account: Account | None) -> tuple[Session, CookieIssued | SealedIssued]:
        """The session with the handle that its cookie will be known by, and the cookie."""
        secret = self._means.identifiers.secret()
        match session.carrier:
            case Carrier.COOKIE:
                return replace(session, handle=digest(secret.reveal())), CookieIssued(secret)
            case Carrier.SEALED:
                session = replace(session, handle=secret_digest(secret.reveal()))
                # As it will be once it is written. What does not fit is refused before anything is.
                written = SessionView(replace(session, version=1), account, everyone_ended=0, pos=session.pos)
                return session, self._sealed.issue(written, secret)
            case Carrier.TOKEN | Carrier.TOKEN_COOKIE:
                raise AssertionError("tokens have a family of their own")
            case never:
                assert_never(never)

    def _session(self, account_id: str | None, wish: Wish, pos: int, now: datetime) -> Session:
        return Session(
            id=self._means.identifiers.name(),
            carrier=wish.carrier,
            account_id=account_id,
            handle=None,
            started_at=now,
            last_seen_at=now,
            expires_at=now + self._means.limits.absolute,
            device=wish.origin.device,
            address=wish.origin.address,
            pos=pos,
        )

    def _brought(self, wish: Wish) -> list[SessionView]:
        store = self._means.store
        views = [store.session_by_handle(handle) for handle in wish.brought]
        views += [store.session(session_id) for session_id in wish.brought_sessions]
        views += [self._of_refresh(handle) for handle in wish.brought_refresh]
        found: dict[str, SessionView] = {view.session.id: view for view in views if view is not None}
        return list(found.values())

    def _of_refresh(self, handle: RefreshHandle) -> SessionView | None:
        # Whoever knows the family's secret once held a genuine token; an id alone, which is no secret, ends nothing.
        view = self._means.store.refresh(handle.id)
        if view is None or not same(view.family.family, digest(handle.family)):
            return None
        return view.session

    def _over_the_cap(self, account: Account, brought: list[Session], now: datetime) -> list[Session]:
        if account.version == 0:
            return []
        gone = {session.id for session in brought}
        live = [view.session for view in self._means.store.sessions_of(account.id) if self._stands(view, now)]
        return surplus([session for session in live if session.id not in gone], self._means.limits)

    def _stands(self, view: SessionView, now: datetime) -> bool:
        return isinstance(decide_session(view, self._means.limits, now), Alive)

    def _data_for(self, beginning: Beginning, wish: Wish, standing: list[SessionView]) -> Mapping[str, Any]:
        """What the new session holds, once the application has let its holder in.

        Out of what stands only: whoever holds the cookie of a visit that is over must not read what it held.
        """
        if beginning.continues is not None:
            # Nobody arrives: somebody who is here goes on under a new id.
            return beginning.continues.data
        arrival = arrival_of(beginning.account, wish.carrier, wish.origin)
        try:
            self._arrivals.welcome(arrival)
        except SignInRefused:
            self._note_refused(arrival)
            raise
        visit = self._moving(_held_by(None, standing))
        return self._arrivals.carried(arrival, visit, _held_by(arrival.account_id, standing))

    def _moving(self, visit: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the settings let out of a visit."""
        if "*" in self._carry_over:
            return visit
        return {name: value for name, value in visit.items() if name in self._carry_over}

    def _note_refused(self, arrival: Arrival) -> None:
        now = self._means.clock.now()
        row = AuditRow(
            Event.SIGN_IN_REFUSED,
            now,
            account_id=None if arrival.is_new else arrival.account_id,
            address=arrival.address,
            device=arrival.device,
        )
        self._means.commits.commit(Change(at=now, audit=(row,)))


def _held_by(account_id: str | None, standing: list[SessionView]) -> dict[str, Any]:
    """The data of those sessions that are this account's, or nobody's. What is another's stays with it."""
    held = [view.session.data for view in standing if view.session.account_id == account_id]
    return {name: value for one in held for name, value in one.items()}


def _signed_in(beginning: Beginning, session: Session, ended: Sequence[Session]) -> AuditRow:
    account, more = beginning.account, {"carrier": session.carrier.value}
    if account.version == 0:
        more["roles"] = ",".join(account.roles)
    if own := [one.id for one in ended if one.account_id == account.id]:
        more["ended"] = ",".join(own)
    return AuditRow(
        beginning.event,
        session.started_at,
        account_id=account.id,
        actor=account.id,
        session_id=session.id,
        address=session.address,
        device=session.device,
        more=more,
    )


def _ended_of_others(
    account: Account, ended: Sequence[Session], origin: Origin, now: datetime
) -> list[AuditRow]:
    """A row in the trail of everybody else who was signed in where this account signs in now."""
    return [
        AuditRow(
            Event.SESSION_ENDED,
            now,
            account_id=one.account_id,
            actor=account.id,
            session_id=one.id,
            address=origin.address,
            device=origin.device,
            more={"because": "sign_in"},
        )
        for one in ended
        if one.account_id not in {None, account.id}
    ]
