"""Accounts: made, found, locked, given roles and passwords. What ends early is ended in the change that decides it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gatepost.core.accounts import Account, AccountFilter, Invitation
from gatepost.core.changes import AuditRow, Change, Event, Record
from gatepost.core.emails import Email, parse_email
from gatepost.core.passwords import Verified, as_typed, normalise
from gatepost.core.permissions import ADMINISTRATOR, FIRST_ROLES, unknown_roles
from gatepost.core.ports import PasswordHashing
from gatepost.core.principals import Principal
from gatepost.core.revocation import AccountEnded, AccountOutdated
from gatepost.core.secrets import Secret, digest
from gatepost.core.sessions import Origin, Session
from gatepost.core.whence import NOWHERE, Whence
from gatepost.errors import EmailTaken, InvalidCredentials, InvalidFields, NotFound, OwnAccount
from gatepost.services.administrators import require_another
from gatepost.services.commits import Receipt
from gatepost.services.guesses import Attempt
from gatepost.services.means import Means
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.places import parse_place, place_text
from gatepost.services.standing import own_session

INVITATION_LIFE: Final = timedelta(minutes=30)
_LONGEST: Final = Email("x" * 254, "")


@dataclass(frozen=True, slots=True)
class Changed:
    """An account after a change, with the receipt of what the change ended; None if it ended nothing."""

    account: Account
    receipt: Receipt | None


Measure = Callable[[Account], tuple[Session, ...]]
"""Raises `TooLarge` for an account that a carrier could not hold; gives back the sessions that it looked at."""


def _unmeasured(account: Account) -> tuple[Session, ...]:
    return ()


class Accounts:
    """What can be done with accounts. `measure` is asked before an account gets roles."""

    def __init__(
        self,
        means: Means,
        hashing: PasswordHashing,
        policy: PasswordPolicy,
        roles: Mapping[str, tuple[str, ...]],
        measure: Measure = _unmeasured,
    ) -> None:
        self._means = means
        self._hashing = hashing
        self._policy = policy
        self.roles = roles
        self._measure = measure

    def find(self, name: str) -> Account:
        """The account with this id or e-mail. Raises `NotFound`."""
        store = self._means.store
        if "@" in name:
            account, _ = store.account_by_email(_key(name))
        else:
            found = store.account(name)
            account = found[0] if found else None
        if account is None:
            raise NotFound("There is no such account.")
        return account

    def page(self, *, after: str | None, limit: int, search: str = "") -> tuple[list[Account], str | None]:
        """One page of accounts in the order of their ids, and the id to go on after."""
        accounts = self._means.store.accounts(after=after, limit=limit, search=search)
        return accounts, accounts[-1].id if len(accounts) == limit else None

    def newest(
        self, wanted: AccountFilter, *, after: str | None, limit: int
    ) -> tuple[list[Account], str | None]:
        """One page of accounts that fit, newest first, and what to ask for the next one with. Raises `InvalidFields`
        for an `after` that is none."""
        overview, place = self._means.store.overview(), parse_place(after)
        found = overview.accounts_by_age(wanted, before=place, limit=limit)
        return found, place_text((found[-1].created_at, found[-1].id)) if len(found) == limit else None

    def live_counts(self, accounts: Sequence[Account]) -> Mapping[str, int]:
        """For each of these accounts that has any: how many live sessions. One read, however many there are."""
        ids, now = [account.id for account in accounts], self._means.clock.now()
        return self._means.store.overview().live_counts(ids, self._means.limits, now) if ids else {}

    def create(self, email: str, password: str, roles: Sequence[str], actor: str) -> Account:
        """A new account. Raises `InvalidFields`, `WeakPassword`, `EmailTaken`, and `TooLarge` as `set_roles` does."""
        parsed = parse_email(email)
        self._require_roles(roles)
        password_hash = self._hashing.hash(self._policy.require(password, parsed))

        def step() -> Account:
            if self._means.store.account_by_email(parsed.key)[0] is not None:
                raise EmailTaken
            now = self._means.clock.now()
            account = Account(self._means.identifiers.name(), parsed, password_hash, _distinct(roles), now)
            self._measure(account)
            row = AuditRow(
                Event.ACCOUNT_CREATED,
                now,
                account_id=account.id,
                actor=actor,
                more={"roles": ",".join(account.roles)},
            )
            self._means.commits.commit(Change(at=now, put=(account,), audit=(row,)))
            return account

        return self._means.commits.decided(step)

    def lock(self, name: str, actor: str, *, own: bool = False, whence: Whence = NOWHERE) -> Changed:
        """Lock an account: everything of it ends, nobody signs in to it. Locking twice ends everything twice.

        Raises `LastAdministrator`, and `OwnAccount` unless `own` says that locking oneself out is meant.
        """

        def decide(account: Account, now: datetime) -> Change:
            if account.id == actor and not own:
                raise OwnAccount
            left = require_another(self._means, account)
            locked = replace(account, locked_at=account.locked_at or now)
            row = AuditRow(Event.ACCOUNT_LOCKED, now, account_id=account.id, actor=actor)
            return Change(
                at=now, put=(locked,), expects=left, facts=(AccountEnded(account.id),), audit=(row,)
            )

        return self._changed(name, decide, whence)

    def unlock(self, name: str, actor: str, whence: Whence = NOWHERE) -> Changed:
        """Unlock an account. What the lock ended stays ended; what strangers tried with it is forgotten."""

        def decide(account: Account, now: datetime) -> Change:
            row = AuditRow(Event.ACCOUNT_UNLOCKED, now, account_id=account.id, actor=actor)
            return Change(at=now, put=(replace(account, locked_at=None),), audit=(row,))

        changed = self._changed(name, decide, whence)
        self._means.guesses.forgive(changed.account.email.key)
        return changed

    def set_roles(self, name: str, roles: Sequence[str], actor: str, whence: Whence = NOWHERE) -> Changed:
        """Replace an account's roles; they count from the next request on.

        Raises `InvalidFields`, `LastAdministrator`, and `TooLarge` with the sizes if a token or a sealed cookie could
        not hold them: nothing is written then, and nobody meets the refusal at a renewal.
        """
        self._require_roles(roles)

        def decide(account: Account, now: datetime) -> Change:
            changed, expects = self._with_roles(account, roles)
            more = {"before": ",".join(account.roles), "after": ",".join(changed.roles)}
            row = AuditRow(Event.ROLES_CHANGED, now, account_id=account.id, actor=actor, more=more)
            return Change(
                at=now,
                put=(changed,),
                expects=expects,
                facts=(AccountOutdated(account.id),),
                audit=(row,),
            )

        return self._changed(name, decide, whence)

    def rehearse_roles(self, account: Account, roles: Sequence[str]) -> Account:
        """The account as `set_roles` would leave it. Raises what that would raise, and writes nothing."""
        self._require_roles(roles)
        return self._with_roles(account, roles)[0]

    def end_sessions(self, name: str, actor: str, whence: Whence = NOWHERE) -> Changed:
        """End every session of an account."""

        def decide(account: Account, now: datetime) -> Change:
            row = AuditRow(Event.SESSIONS_ENDED, now, account_id=account.id, actor=actor)
            return Change(at=now, facts=(AccountEnded(account.id),), audit=(row,))

        return self._changed(name, decide, whence)

    def set_password(self, name: str, password: str, actor: str) -> Changed:
        """Set a password on the operator's word and end every session of the account."""
        account = self.find(name)
        password_hash = self._hashing.hash(self._policy.require(password, account.email))

        def decide(account: Account, now: datetime) -> Change:
            changed = replace(account, password_hash=password_hash)
            row = AuditRow(Event.PASSWORD_CHANGED, now, account_id=account.id, actor=actor)
            return Change(at=now, put=(changed,), facts=(AccountEnded(account.id),), audit=(row,))

        return self._changed(account.id, decide)

    def change_password(self, who: Principal, current: str, new: str, origin: Origin) -> Receipt:
        """Change one's own password and end every other session.

        Raises `InvalidCredentials` if `current` is wrong, `SlowDown` once it was too often, `WeakPassword`, and
        `Revoked` if the session that asks was ended meanwhile: who was signed out while the passwords were hashing does
        not get the account after all. The account is put at the version that `current` was verified against: two
        changes at once do not both win.
        """
        with self._means.guesses.of_session(who.session_id) as attempt:
            return self._proven_change(who, (current, new), origin, attempt)

    def _proven_change(
        self, who: Principal, passwords: tuple[str, str], origin: Origin, attempt: Attempt
    ) -> Receipt:
        account, (current, new) = self.find(who.account_id), passwords
        verdict = self._hashing.verify(account.password_hash, normalise(current), as_typed(current))
        row = AuditRow(
            Event.PASSWORD_CHANGED,
            self._means.clock.now(),
            account_id=account.id,
            actor=account.id,
            session_id=who.session_id,
            address=origin.address,
            device=origin.device,
        )
        if not isinstance(verdict, Verified):
            raise self._refused_change(row, attempt)
        password_hash = self._hashing.hash(self._policy.require(new, account.email))
        fact = AccountEnded(account.id, keep=who.session_id)

        def step() -> Receipt:
            latest = self.find(account.id)
            if latest.password_hash != account.password_hash or latest.locked_at is not None:
                raise self._refused_change(row, attempt)
            asking = own_session(self._means, who)
            changed = replace(latest, password_hash=password_hash)
            return self._means.commits.end(
                Change(at=row.at, put=(changed,), expects=(asking,), facts=(fact,), audit=(row,))
            )

        return self._means.commits.decided(step)

    def _refused_change(self, row: AuditRow, attempt: Attempt) -> InvalidCredentials:
        attempt.failed(replace(row, event=Event.PASSWORD_CHANGE_FAILED))
        return InvalidCredentials("The current password is not right.")

    def invite(self, role: str, actor: str) -> Secret:
        """A new one-time link's secret, good for 30 minutes. Older open links for the role are taken back.

        Raises `InvalidFields`, and `TooLarge` as `set_roles` does: the link would make an account that has no token.
        """
        self._require_roles([role])
        roles = _distinct((role, *FIRST_ROLES))
        self._measure(Account(self._means.identifiers.name(), _LONGEST, None, roles, self._means.clock.now()))

        def step() -> Secret:
            now, secret = self._means.clock.now(), self._means.identifiers.secret()
            invitation = Invitation(
                self._means.identifiers.name(), digest(secret.reveal()), role, now, now + INVITATION_LIFE
            )
            older = tuple(self._means.store.invitations(role))
            row = AuditRow(Event.INVITATION_MADE, now, actor=actor, more={"role": role})
            self._means.commits.commit(Change(at=now, put=(invitation,), take=older, audit=(row,)))
            return secret

        return self._means.commits.decided(step)

    def _changed(
        self, name: str, decide: Callable[[Account, datetime], Change], whence: Whence = NOWHERE
    ) -> Changed:
        def step() -> Changed:
            account = self.find(name)
            change = whence.marked(decide(account, self._means.clock.now()))
            committed = self._means.commits.commit(change)
            receipt = self._means.commits.settle(committed) if change.facts else None
            return Changed(self.find(account.id), receipt)

        return self._means.commits.decided(step)

    def _with_roles(self, account: Account, roles: Sequence[str]) -> tuple[Account, tuple[Record, ...]]:
        """The account with these roles, and what the change to it must expect."""
        changed = replace(account, roles=_distinct(roles))
        left = () if ADMINISTRATOR in roles else require_another(self._means, account)
        return changed, (*left, *self._measure(changed))

    def _require_roles(self, roles: Sequence[str]) -> None:
        if strangers := unknown_roles(roles, self.roles):
            known = ", ".join(sorted(self.roles))
            raise InvalidFields({"roles": f"There is no role {strangers[0][:64]!r} here; there are {known}."})


def _distinct(roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(roles))


def _key(name: str) -> str:
    try:
        return parse_email(name).key
    except InvalidFields:
        return ""
