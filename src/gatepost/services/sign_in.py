"""Becoming somebody: sign up, sign in, and the one-time link.

Owns who somebody is and what a refusal costs: wrong password, unknown e-mail and locked account take the same steps,
one look-up, one hash, one audit row. Every way in ends in `beginnings.py`, which makes the session.
"""

from collections.abc import Callable
from dataclasses import replace

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Event
from gatepost.core.emails import Email, parse_email
from gatepost.core.passwords import Verified, Wrong, as_typed, normalise
from gatepost.core.permissions import FIRST_ROLES
from gatepost.core.ports import PasswordHashing
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import Busy, EmailTaken, InvalidCredentials, InvalidFields, NotFound
from gatepost.services.beginnings import (
    Beginning,
    Beginnings,
    SignedIn,
    Visiting,
    Wish,
)
from gatepost.services.guesses import Attempt
from gatepost.services.means import Means
from gatepost.services.outcomes import Outcomes, counted
from gatepost.services.passwords import PasswordPolicy


class SignIn:
    """The ways in."""

    def __init__(
        self,
        means: Means,
        beginnings: Beginnings,
        hashing: PasswordHashing,
        policy: PasswordPolicy,
        decoy: Callable[[str], str | None] = lambda email_key: None,
    ) -> None:
        self._means = means
        self._beginnings = beginnings
        self._hashing = hashing
        self._policy = policy
        self._decoy = decoy
        self.outcomes: Outcomes = Outcomes()

    def visit(self, carrier: Carrier, origin: Origin) -> Visiting:
        """A session for somebody without an account. Raises `CarrierUnavailable` for one with tokens."""
        return self._beginnings.visit(carrier, origin)

    @counted("sign_up")
    def sign_up(self, email: str, password: str, wish: Wish) -> SignedIn:
        """A new account, signed in.

        Raises `InvalidFields`, `WeakPassword`, `EmailTaken`, `CarrierUnavailable`, `InvalidTarget`, `Busy`.
        """
        audiences = self._beginnings.audiences(wish)
        parsed = parse_email(email)
        secret = self._policy.require(password, parsed)
        self._require_free(parsed)
        password_hash = self._hashing.hash(secret)

        def step() -> SignedIn:
            pos = self._require_free(parsed)
            account = self._new_account(parsed, password_hash, FIRST_ROLES)
            return self._beginnings.begin(
                Beginning(account, pos, Event.SIGNED_UP, put=(account,)), wish, audiences
            )

        return self._means.commits.decided(step)

    @counted("sign_in")
    def sign_in(self, email: str, password: str, wish: Wish) -> SignedIn:
        """Sign in with a password.

        Raises `InvalidCredentials`, `InvalidFields`, `CarrierUnavailable`, `SlowDown`, `Busy`.

        The hash is computed outside every transaction. What was read before it is expected at the commit, so a lock,
        a new password or a lost role that lands in between makes this decide again on what is true now.
        """
        audiences = self._beginnings.audiences(wish)
        secret, typed, key = normalise(password), as_typed(password), _key(email)
        decoy = self._decoy(key)
        verified: dict[str | None, Verified | Wrong] = {}
        rehashed: dict[str | None, str | None] = {}

        def step(attempt: Attempt) -> SignedIn:
            account, pos = self._means.store.account_by_email(key)
            stored = account.password_hash if account else None
            if stored not in verified:
                verified[stored] = self._hashing.verify(stored or decoy, secret, typed)
            verdict = verified[stored]
            if account is None or stored is None or account.locked_at or not isinstance(verdict, Verified):
                raise self._refusal(account, wish.origin, attempt)
            if verdict.needs_rehash and stored not in rehashed:
                rehashed[stored] = self._rehash(secret)
            beginning = replace(_proven(account, pos, rehashed.get(stored)), attempt=attempt)
            return self._beginnings.begin(beginning, wish, audiences)

        with self._means.guesses.of_account(key or email, wish.origin.address, wish.marks) as attempt:
            return self._means.commits.decided(lambda: step(attempt))

    def open_invitation(self, secret: str) -> Invitation:
        """The one-time link with this secret; looking does not use it up. Raises `NotFound`."""
        invitation = self._means.store.invitation(digest(secret))
        if invitation is None or self._means.clock.now() >= invitation.expires_at:
            raise NotFound
        return invitation

    @counted("invitation")
    def accept_invitation(self, secret: str, email: str, password: str, wish: Wish) -> SignedIn:
        """Use a one-time link: a new account with its role, signed in. Raises `NotFound` once it is used."""
        audiences = self._beginnings.audiences(wish)
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
            beginning = Beginning(account, pos, Event.INVITATION_USED, put=(account,), take=(invitation,))
            return self._beginnings.begin(beginning, wish, audiences)

        return self._means.commits.decided(step)

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

    def _refusal(self, account: Account | None, origin: Origin, attempt: Attempt) -> InvalidCredentials:
        row = AuditRow(
            Event.SIGN_IN_FAILED,
            self._means.clock.now(),
            account_id=account.id if account else None,
            address=origin.address,
            device=origin.device,
        )
        attempt.failed(row)
        return InvalidCredentials()


def _proven(account: Account, pos: int, rehashed: str | None) -> Beginning:
    if rehashed is None:
        return Beginning(account, pos, Event.SIGNED_IN, expects=(account,))
    renewed = replace(account, password_hash=rehashed)
    return Beginning(renewed, pos, Event.SIGNED_IN, put=(renewed,))


def _key(email: str) -> str:
    try:
        return parse_email(email).key
    except InvalidFields:
        # An address that nobody can have is an unknown account, with the same work as any other.
        return ""
