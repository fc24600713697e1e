"""Becoming somebody: visit, sign up, sign in, and the one-time link.

Every way in ends in `_started`: a new session under a new id, never one the client brought; the sessions it brought
ended in the same change; the account expected as it was read. Wrong password, unknown e-mail and locked account take
the same steps: one look-up, one hash, one audit row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Change, Event, Record
from gatepost.core.emails import Email, parse_email
from gatepost.core.passwords import Verified, Wrong, normalise
from gatepost.core.permissions import FIRST_ROLES
from gatepost.core.ports import PasswordHashing
from gatepost.core.revocation import Fact, SessionEnded
from gatepost.core.secrets import Secret, digest
from gatepost.core.sessions import (
    Alive,
    Carrier,
    Origin,
    Session,
    SessionView,
    decide_session,
    surplus,
)
from gatepost.errors import (
    Busy,
    CarrierUnavailable,
    EmailTaken,
    InvalidCredentials,
    InvalidFields,
    NotFound,
)
from gatepost.services.means import Means
from gatepost.services.outcomes import Outcomes, counted
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.tokens import TokenPair, Tokens

_OFFERED = (Carrier.COOKIE, Carrier.TOKEN)


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to be signed in: carrier, audiences, from where, and what the client presented before.

    `brought` are the digests of opaque cookies, `brought_sessions` the ids of sessions named by valid tokens.
    """

    origin: Origin
    carrier: Carrier = Carrier.COOKIE
    resource: tuple[str, ...] = ()
    brought: tuple[bytes, ...] = ()
    brought_sessions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CookieIssued:
    """The new value of the opaque cookie."""

    handle: Secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has begun, and the one copy of its credential."""

    account: Account
    session: Session
    credential: CookieIssued | TokenPair


@dataclass(frozen=True, slots=True)
class Visiting:
    """A visitor's session that has begun."""

    session: Session
    credential: CookieIssued


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a way in adds to the change that starts a session."""

    account: Account
    pos: int
    event: Event
    put: tuple[Record, ...] = ()
    take: tuple[Record, ...] = ()
    expects: tuple[Record, ...] = field(default=())


class SignIn:
    """The ways in."""

    def __init__(
        self,
        means: Means,
        tokens: Tokens,
        hashing: PasswordHashing,
        policy: PasswordPolicy,
        carry_over: Sequence[str],
    ) -> None:
        self._means = means
        self._tokens = tokens
        self._hashing = hashing
        self._policy = policy
        self._carry_over = tuple(carry_over)
        self.outcomes = Outcomes()

    def visit(self, carrier: Carrier, origin: Origin) -> Visiting:
        """A session for somebody without an account. Raises `CarrierUnavailable`."""
        if carrier is not Carrier.COOKIE:
            raise CarrierUnavailable
        now, limits = self._means.clock.now(), self._means.limits
        handle = self._means.identifiers.secret()
        session = Session(
            id=self._means.identifiers.name(),
            carrier=carrier,
            account_id=None,
            handle=digest(handle.reveal()),
            started_at=now,
            last_seen_at=now,
            expires_at=now + limits.absolute,
            device=origin.device,
            address=origin.address,
            pos=self._means.store.position(),
        )
        self._means.commits.commit(Change(at=now, put=(session,)))
        return Visiting(session, CookieIssued(handle))

    @counted("sign_up")
    def sign_up(self, email: str, password: str, wish: Wish) -> SignedIn:
        """A new account, signed in.

        Raises `InvalidFields`, `WeakPassword`, `EmailTaken`, `CarrierUnavailable`, `InvalidTarget`, `Busy`.
        """
        audiences = self._offered(wish)
        parsed = parse_email(email)
        secret = self._policy.require(password, parsed)
        self._require_free(parsed)
        password_hash = self._hashing.hash(secret)

        def step() -> SignedIn:
            pos = self._require_free(parsed)
            account = self._new_account(parsed, password_hash, FIRST_ROLES)
            return self._started(_Beginning(account, pos, Event.SIGNED_UP, put=(account,)), wish, audiences)

        return self._means.commits.decided(step)

    @counted("sign_in")
    def sign_in(self, email: str, password: str, wish: Wish) -> SignedIn:
        """Sign in with a password. Raises `InvalidCredentials`, `InvalidFields`, `CarrierUnavailable`, `Busy`.

        The hash is computed outside every transaction. What was read before it is expected at the commit, so a lock,
        a new password or a lost role that lands in between makes this decide again on what is true now.
        """
        audiences = self._offered(wish)
        secret = normalise(password)
        verified: dict[str | None, Verified | Wrong] = {}
        rehashed: dict[str | None, str | None] = {}

        def step() -> SignedIn:
            account, pos = self._by_email(email)
            stored = account.password_hash if account else None
            if stored not in verified:
                verified[stored] = self._hashing.verify(stored, secret)
            verdict = verified[stored]
            if account is None or account.locked_at is not None or not isinstance(verdict, Verified):
                raise self._refusal(account, wish.origin)
            if verdict.needs_rehash and stored not in rehashed:
                rehashed[stored] = self._rehash(secret)
            return self._started(_proven(account, pos, rehashed.get(stored)), wish, audiences)

        return self._means.commits.decided(step)

    def open_invitation(self, secret: str) -> Invitation:
        """The one-time link with this secret; looking does not use it up. Raises `NotFound`."""
        invitation = self._means.store.invitation(digest(secret))
        if invitation is None or self._means.clock.now() >= invitation.expires_at:
            raise NotFound
        return invitation

    @counted("invitation")
    def accept_invitation(self, secret: str, email: str, password: str, wish: Wish) -> SignedIn:
        """Use a one-time link: a new account with its role, signed in. Raises `NotFound` once it is used."""
        audiences = self._offered(wish)
        self.open_invitation(secret)
        parsed = parse_email(email)
        prepared = self._policy.require(password, parsed)
        self._require_free(parsed)
        password_hash = self._hashing.hash(prepared)

        def step() -> SignedIn:
            invitation = self.open_invitation(secret)
            pos = self._require_free(parsed)
            roles = tuple(dict.fromkeys((invitation.role, *FIRST_ROLES)))
            account = self._new_account(parsed, password_hash, roles)
            # Taken in the change that makes the account: of two who press the button at once, one gets `Conflict`,
            # looks again and finds nothing.
            beginning = _Beginning(account, pos, Event.INVITATION_USED, put=(account,), take=(invitation,))
            return self._started(beginning, wish, audiences)

        return self._means.commits.decided(step)

    def _offered(self, wish: Wish) -> tuple[str, ...]:
        if wish.carrier not in _OFFERED:
            raise CarrierUnavailable
        return self._tokens.audiences(wish.resource) if wish.carrier is Carrier.TOKEN else ()

    def _by_email(self, email: str) -> tuple[Account | None, int]:
        try:
            key = parse_email(email).key
        except InvalidFields:
            # An address that nobody can have is an unknown account, with the same work as any other.
            key = ""
        return self._means.store.account_by_email(key)

    def _require_free(self, email: Email) -> int:
        account, pos = self._means.store.account_by_email(email.key)
        if account is not None:
            raise EmailTaken
        return pos

    def _new_account(self, email: Email, password_hash: str, roles: tuple[str, ...]) -> Account:
        return Account(
            id=self._means.identifiers.name(),
            email=email,
            password_hash=password_hash,
            roles=roles,
            created_at=self._means.clock.now(),
        )

    def _rehash(self, secret: bytes) -> str | None:
        try:
            return self._hashing.hash(secret)
        except Busy:
            # The password was right. The hash of an older profile is renewed at another sign-in.
            return None

    def _refusal(self, account: Account | None, origin: Origin) -> InvalidCredentials:
        now = self._means.clock.now()
        row = AuditRow(
            Event.SIGN_IN_FAILED,
            now,
            account_id=account.id if account else None,
            address=origin.address,
            device=origin.device,
        )
        self._means.commits.commit(Change(at=now, audit=(row,)))
        return InvalidCredentials()

    def _started(self, beginning: _Beginning, wish: Wish, audiences: tuple[str, ...]) -> SignedIn:
        now, account = self._means.clock.now(), beginning.account
        views = self._brought(wish)
        brought = [view.session for view in views]
        surplus_ones = self._over_the_cap(account, brought, now)
        ended = [*brought, *surplus_ones]
        # What was over already is cleared away with the rest; nobody's trail says that it ended only now.
        told = [*(view.session for view in views if self._stands(view, now)), *surplus_ones]
        handle = self._means.identifiers.secret()
        session = self._session(account, wish, beginning.pos, now)
        session = replace(session, data=self._carried(views, now))
        put: tuple[Record, ...] = (*beginning.put, session)
        credential: CookieIssued | TokenPair = CookieIssued(handle)
        if wish.carrier is Carrier.TOKEN:
            family, credential = self._tokens.first_pair(account, session, audiences, now)
            put = (*put, family)
        else:
            put = (*beginning.put, session := replace(session, handle=digest(handle.reveal())))
        facts: tuple[Fact, ...] = tuple(SessionEnded(view.id) for view in ended)
        change = Change(
            at=now,
            put=put,
            take=(*beginning.take, *ended),
            expects=beginning.expects,
            facts=facts,
            audit=(
                _signed_in(beginning, session, told),
                *_ended_of_others(account, told, wish.origin, now),
            ),
        )
        if facts:
            self._means.commits.end(change)
        else:
            self._means.commits.commit(change)
        return SignedIn(account, session, credential)

    def _session(self, account: Account, wish: Wish, pos: int, now: datetime) -> Session:
        return Session(
            id=self._means.identifiers.name(),
            carrier=wish.carrier,
            account_id=account.id,
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
        found: dict[str, SessionView] = {view.session.id: view for view in views if view is not None}
        return list(found.values())

    def _over_the_cap(self, account: Account, brought: list[Session], now: datetime) -> list[Session]:
        if account.version == 0:
            return []
        gone = {session.id for session in brought}
        live = [view.session for view in self._means.store.sessions_of(account.id) if self._stands(view, now)]
        return surplus([session for session in live if session.id not in gone], self._means.limits)

    def _stands(self, view: SessionView, now: datetime) -> bool:
        return isinstance(decide_session(view, self._means.limits, now), Alive)

    def _carried(self, brought: list[SessionView], now: datetime) -> Mapping[str, Any]:
        """What moves from a visit into the new session. A signed-in session's data stays with its account."""
        # Whoever holds the cookie of a visit that is over must not read what it held.
        visits = [
            view.session.data
            for view in brought
            if view.session.account_id is None and self._stands(view, now)
        ]
        merged = {name: value for data in visits for name, value in data.items()}
        if "*" in self._carry_over:
            return merged
        return {name: value for name, value in merged.items() if name in self._carry_over}


def _proven(account: Account, pos: int, rehashed: str | None) -> _Beginning:
    if rehashed is None:
        return _Beginning(account, pos, Event.SIGNED_IN, expects=(account,))
    renewed = replace(account, password_hash=rehashed)
    return _Beginning(renewed, pos, Event.SIGNED_IN, put=(renewed,))


def _signed_in(beginning: _Beginning, session: Session, ended: Sequence[Session]) -> AuditRow:
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
        )
        for one in ended
        if one.account_id not in {None, account.id}
    ]
