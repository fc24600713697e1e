"""Access and refresh tokens: the first pair of a session, and the rotation (RFC 6749 section 6, RFC 9700 4.14.2).

Loads the family, asks `core/rotation` what the presented token is, commits the answer. Every refusal looks the same
to whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from gatepost.carriers.keys import Rings
from gatepost.carriers.sealing import derive, seal, unseal
from gatepost.carriers.tokens import Kind, audiences_of
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.revocation import SessionEnded
from gatepost.core.rotation import (
    MOST_REPEATS,
    Ahead,
    Dead,
    GraceRules,
    Predecessor,
    RefreshFamily,
    RefreshView,
    Repeat,
    Replayed,
    Rotate,
    Unknown,
    decide_rotation,
    rotated,
)
from gatepost.core.secrets import RefreshHandle, Secret, digest, parse_refresh
from gatepost.core.sessions import FIRST_PARTY, Alive, Carrier, Origin, Session, decide_session
from gatepost.errors import Conflict, InvalidGrant, InvalidTarget, SlowDown
from gatepost.services.access_tokens import AccessTokens, Holder, TokenForm
from gatepost.services.means import Means
from gatepost.services.outcomes import Outcomes
from gatepost.services.own_claims import NO_CLAIMS, OwnClaims

_ANSWER: Final = "refresh answer"
_REFRESH: Final = "refresh"


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What tokens of this issuer look like and how long they last."""

    issuer: str
    audiences: tuple[str, ...]
    access_life: timedelta
    refresh_life: timedelta
    grace: GraceRules
    form: TokenForm = field(default_factory=TokenForm)
    own: OwnClaims = NO_CLAIMS


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What the token endpoint answers (RFC 6749 section 5.1).

    `expires_at` is the access token's end, `ends_at` the refresh token's.
    """

    access: Secret
    refresh: Secret
    expires_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose token it is to be, as read in one snapshot at `pos`."""

    account: Account
    session: Session
    pos: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a refresh token was shown: for whom, from where, in which carrier, beside whose access token."""

    resource: tuple[str, ...]
    origin: Origin
    carrier: Carrier
    session_id: str | None


class _Answer(msgspec.Struct, frozen=True):
    """A rotation's answer as it lies sealed for a repeat."""

    rotor: str
    access: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "_Answer(…)"


class Tokens:
    """Makes and renews access and refresh tokens."""

    def __init__(self, means: Means, ring: Rings, rules: TokenRules) -> None:
        self._means = means
        self._rules = rules
        self.access: AccessTokens = AccessTokens(ring, rules.issuer, means.identifiers, rules.form)
        self.outcomes: Outcomes = Outcomes()

    @property
    def issuer(self) -> str:
        """Who issues, and who checks what a browser holds."""
        return self._rules.issuer

    def audiences(self, requested: Sequence[str]) -> tuple[str, ...]:
        """The audiences of a new family. Raises `InvalidTarget` (RFC 8707 section 2)."""
        chosen = audiences_of(requested, self._rules.audiences)
        if chosen is None:
            raise InvalidTarget
        return chosen

    def require_fits(self, account: Account) -> None:
        """Raise `TooLarge` if a token for all audiences could not hold what the account's roles say."""
        now, name, own = self._means.clock.now(), self._means.identifiers.name(), self._rules.own.largest()
        for kind in (Kind.BEARER, Kind.COOKIE):
            holder = Holder(account.id, name, FIRST_PARTY, account.roles, now, now, 0, kind, own)
            self.access.require_fits(holder, self._rules.audiences, now)

    def first_pair(
        self, account: Account, session: Session, audiences: tuple[str, ...], now: datetime
    ) -> tuple[RefreshFamily, TokenPair]:
        """The record and the tokens of a session that is being made; the caller commits the record with it."""
        handle = self._means.identifiers.refresh()
        family = RefreshFamily(
            id=handle.id,
            session_id=session.id,
            family=digest(handle.family),
            rotor=digest(handle.rotor),
            generation=0,
            audiences=audiences,
            expires_at=min(session.expires_at, now + self._rules.refresh_life),
            pos=session.pos,
            client_id=session.client_id,
        )
        access, expires_at = self._access(_Holder(account, session, session.pos), audiences, now)
        return family, TokenPair(access, handle.token, expires_at, family.expires_at)

    def refresh(
        self,
        token: str,
        origin: Origin,
        resource: Sequence[str] = (),
        carrier: Carrier = Carrier.TOKEN,
        session_id: str | None = None,
    ) -> TokenPair:
        """Use a refresh token. Raises `InvalidGrant`, `InvalidTarget`, `SlowDown` or `Busy`.

        A replay of a used-up token ends the whole session first and is then refused like any other. `carrier` is how
        the token was shown, `session_id` whose access token was shown beside it: one of another session is refused
        without effect.
        """
        shown = _Shown(tuple(resource), origin, carrier, session_id)
        with self.outcomes.refusals(_REFRESH):
            handle = parse_refresh(token)
            if handle is None:
                raise InvalidGrant(detail="not the form of a refresh token")
            answer = self._means.commits.decided(lambda: self._refresh(handle, shown))
        if isinstance(answer, Replayed):
            self.outcomes.count(_REFRESH, "replayed")
            raise InvalidGrant(detail="a used-up refresh token was replayed; its session was ended")
        return answer

    def _refresh(self, handle: RefreshHandle, shown: _Shown) -> TokenPair | Replayed:
        now = self._means.clock.now()
        view = self._means.store.refresh(handle.id)
        if view is None:
            raise InvalidGrant(detail="no such family")
        # A token out of a cookie that script cannot read, shown as one that script holds, or the other way about, or
        # beside an access token of somebody else: not its owner's doing, and no proof that it was used up.
        if view.session is not None and view.session.session.carrier is not shown.carrier:
            raise InvalidGrant(detail="shown as another carrier than that of its session")
        if shown.session_id not in {None, view.family.session_id}:
            raise InvalidGrant(detail="shown beside an access token of another session")
        meaning = decide_rotation(view.family, handle, self._rules.grace.of(shown.carrier), now)
        if isinstance(meaning, Unknown | Dead | Ahead):
            raise InvalidGrant(detail=f"refresh token is {type(meaning).__name__.lower()}")
        holder = self._require_alive(view, now)
        match meaning:
            case Rotate():
                return self._rotate(view.family, holder, handle, shown)
            case Repeat(sealed):
                return self._repeat(view.family, holder, handle, shown.origin, sealed)
            case Replayed():
                self._end_replayed(holder, shown.origin)
                return meaning

    def _require_alive(self, view: RefreshView, now: datetime) -> _Holder:
        session_view = view.session
        if session_view is None or session_view.account is None:
            raise InvalidGrant(detail="the session is gone")
        if not isinstance(decide_session(session_view, self._means.limits, now), Alive):
            raise InvalidGrant(detail="the session has ended")
        if view.family.pos < session_view.ended:
            raise InvalidGrant(detail="the family is older than an ending")
        return _Holder(session_view.account, session_view.session, session_view.pos)

    def _rotate(
        self, family: RefreshFamily, holder: _Holder, handle: RefreshHandle, shown: _Shown
    ) -> TokenPair:
        now, origin = self._means.clock.now(), shown.origin
        audiences = audiences_of(shown.resource, family.audiences)
        if audiences is None:
            raise InvalidTarget
        rotor = self._means.identifiers.rotor()
        access, expires_at = self._access(holder, audiences, now)
        plain = msgspec.msgpack.encode(_Answer(rotor, access.reveal(), expires_at))
        used = Predecessor(
            rotor=family.rotor,
            rotated_at=now,
            sealed=seal(
                derive(handle.rotor.encode(), _ANSWER), family.id, plain, self._means.identifiers.randomness
            ),
            address=origin.address,
            device=origin.device,
        )
        successor = rotated(family, digest(rotor), used, self._rules.grace.of(holder.session.carrier))
        # The account is expected: a lock or a role taken away between the read and here makes this step start again.
        self._means.commits.commit(Change(at=now, put=(successor,), expects=(holder.account,)))
        self._means.saw(holder.session.id, now)
        self.outcomes.count(_REFRESH, "rotated")
        token = RefreshHandle(family.id, handle.family, rotor).token
        return TokenPair(access, token, expires_at, family.expires_at)

    def _repeat(
        self, family: RefreshFamily, holder: _Holder, handle: RefreshHandle, origin: Origin, sealed: bytes
    ) -> TokenPair:
        repeats = self._means.store.count_repeat(family.id, family.generation, None)
        if repeats == 0:
            raise Conflict("refresh_family", family.id)
        if repeats > MOST_REPEATS:
            raise SlowDown(retry_after=max(1, int(self._rules.grace.after_rotation.total_seconds())))
        if _came_from(family, sealed) != origin:
            # After the count: whoever repeats without end would otherwise fill the audit trail.
            now = self._means.clock.now()
            note = _about(Event.REFRESH_REPEATED_ELSEWHERE, holder, origin, now)
            self._means.commits.commit(Change(at=now, audit=(note,)))
        answer = msgspec.msgpack.decode(
            unseal(derive(handle.rotor.encode(), _ANSWER), family.id, sealed), type=_Answer
        )
        self.outcomes.count(_REFRESH, "repeated")
        return TokenPair(
            Secret(answer.access),
            RefreshHandle(family.id, handle.family, answer.rotor).token,
            answer.expires_at,
            family.expires_at,
        )

    def _end_replayed(self, holder: _Holder, origin: Origin) -> None:
        now = self._means.clock.now()
        self._means.commits.end(
            Change(
                at=now,
                take=(holder.session,),
                facts=(SessionEnded(holder.session.id),),
                audit=(_about(Event.REFRESH_REPLAYED, holder, origin, now),),
            )
        )

    def _access(self, holder: _Holder, audiences: tuple[str, ...], now: datetime) -> tuple[Secret, datetime]:
        account, session = holder.account, holder.session
        whose = Holder(
            account_id=account.id,
            session_id=session.id,
            client_id=session.client_id,
            roles=account.roles,
            authenticated_at=session.started_at,
            ends_at=session.expires_at,
            pos=holder.pos,
            kind=Kind.COOKIE if session.carrier is Carrier.TOKEN_COOKIE else Kind.BEARER,
            own=self._rules.own.of(account, session, audiences),
        )
        return self.access.issue(whose, audiences, self._rules.access_life, now)


def _came_from(family: RefreshFamily, sealed: bytes) -> Origin | None:
    """Where the rotation was asked for whose answer this is."""
    used = (one for one in (family.previous, family.earlier) if one and one.sealed == sealed)
    return next((Origin(one.address, one.device) for one in used), None)


def _about(event: Event, holder: _Holder, origin: Origin, now: datetime) -> AuditRow:
    return AuditRow(
        event,
        now,
        account_id=holder.account.id,
        session_id=holder.session.id,
        address=origin.address,
        device=origin.device,
    )
