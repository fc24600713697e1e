"""An application on trial: started with a store, a clock and hashes that are good for nothing but tests.

Owns what differs from life, and puts it back at the end. The rest is the application as it runs: real endpoints, real
carriers, real revocation. Called by tests of applications that embed Gatepost.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from weakref import WeakKeyDictionary

from starlette.applications import Starlette
from starlette.testclient import TestClient

from gatepost.adapters.fastapi import Gatepost
from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.emails import parse_email
from gatepost.core.passwords import normalise
from gatepost.core.permissions import FIRST_ROLES, unknown_roles
from gatepost.errors import NotFound
from gatepost.services.commits import Receipt
from gatepost.settings import Database, Settings
from gatepost.testing.clients import PASSWORD, TrialClient
from gatepost.testing.clock import TurnableClock
from gatepost.testing.services import CHEAP

ADA: Final = "ada@example.com"
_ACTOR: Final = "test"
_HOST: Final = "testserver"
_PATIENCE: Final = 60.0
_open: Final[WeakKeyDictionary[Gatepost, "Trial"]] = WeakKeyDictionary()


class _TrialClock(TurnableClock):
    """A clock that, once turned, waits until the application has heard of what happened meanwhile.

    Past the bound a check waits for that itself, but not for long: a loaded machine would answer 503 now and then.
    """

    def __init__(self, auth: Gatepost) -> None:
        super().__init__()
        self._auth = auth

    def turn(
        self,
        by: timedelta = timedelta(),
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """As `TurnableClock.turn`."""
        super().turn(by, days=days, hours=hours, minutes=minutes, seconds=seconds)
        authority = self._auth.opened
        if authority is not None and not authority.follower.catch_up(wait=_PATIENCE):
            raise AssertionError("the application does not hear of its own revocations any more")


@dataclass(eq=False)
class Trial:
    """An application that has been started for a test: clients of it, its clock, and what may happen to people.

    Wherever somebody is named, a client says whose session is meant, or an e-mail address whose account.
    """

    auth: Gatepost
    clock: TurnableClock
    _host: TestClient
    _clients: ExitStack = field(default_factory=ExitStack)

    @property
    def authority(self) -> Authority:
        """Everything behind the endpoints, for what is not said here."""
        return self.auth.authority

    def client(self) -> TrialClient:
        """A client that holds nothing."""
        client = TrialClient(self._host, self.auth.prefix)
        self._clients.callback(client.close)
        return client

    def visitor(self, carrier: str = "cookie") -> TrialClient:
        """A client with a visit: a session without an account, by `cookie` or `sealed`."""
        client = self.client()
        client.begin_visit(carrier)
        return client

    def signed_in(
        self, email: str = ADA, *, roles: Sequence[str] = FIRST_ROLES, carrier: str = "cookie"
    ) -> TrialClient:
        """A client that is signed in to the account of this address, which is made if there is none.

        `carrier` is `cookie`, `sealed`, `token` or `token-cookie`. Raises ValueError for a role that the settings do
        not know, or for other roles than an account has that exists.
        """
        self.account(email, roles)
        client = self.client()
        client.sign_in(email, carrier)
        return client

    def account(self, email: str = ADA, roles: Sequence[str] = FIRST_ROLES) -> Account:
        """The account of this address, made if there is none. Its password is `testing.clients.PASSWORD`."""
        authority = self.authority
        if strangers := unknown_roles(roles, authority.accounts.roles):
            raise ValueError(f"the settings know no role {strangers[0]!r}; add it under [roles]")
        try:
            found = authority.accounts.find(email)
        except NotFound:
            return self._made(email, tuple(roles))
        if set(found.roles) != set(roles):
            raise ValueError(f"{email} has the roles {', '.join(found.roles)}; change them by set_roles")
        return found

    def revoke_session(self, whose: TrialClient) -> Receipt:
        """End this one session, as an administrator does."""
        return self.authority.sessions.end_any(whose.session_id, _ACTOR)

    def revoke_account(self, whose: TrialClient | str) -> None:
        """End every session of an account."""
        self.authority.accounts.end_sessions(_account(whose), _ACTOR)

    def revoke_everyone(self) -> Receipt:
        """End every session there is."""
        return self.authority.sessions.end_all(_ACTOR)

    def lock(self, whose: TrialClient | str) -> None:
        """Lock an account: everything of it ends, and nobody signs in to it."""
        self.authority.accounts.lock(_account(whose), _ACTOR)

    def unlock(self, whose: TrialClient | str) -> None:
        """Unlock it again. What the lock ended stays ended."""
        self.authority.accounts.unlock(_account(whose), _ACTOR)

    def set_roles(self, whose: TrialClient | str, roles: Sequence[str]) -> None:
        """Give an account these roles and no others; they count from the next request on."""
        self.authority.accounts.set_roles(_account(whose), roles, _ACTOR)

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """As long as the block lasts the revocation log is out of reach: what checks answer then is in the settings."""
        follower = self.authority.follower
        follower.stop()
        try:
            yield
        finally:
            follower.start()
            follower.catch_up(wait=_PATIENCE)

    def close(self) -> None:
        """Close every client."""
        self._clients.close()

    def _made(self, email: str, roles: tuple[str, ...]) -> Account:
        # Past the rules on passwords: reading the list of common ones takes longer than most tests.
        authority = self.authority
        account = Account(
            id=authority.identifiers.name(),
            email=parse_email(email),
            password_hash=authority.hashing.hash(normalise(PASSWORD)),
            roles=roles,
            created_at=self.clock.now(),
        )
        authority.commits.commit(Change(at=account.created_at, put=(account,)))
        return account


@contextmanager
def trial(app: Starlette, auth: Gatepost, *, database: Path | None = None) -> Iterator[Trial]:
    """Start the application for a test, and stop it at the end.

    All is kept in memory, or in the SQLite file `database`; nothing of the application's own data is touched. Time
    stands still until `Trial.clock` is turned. A password hash costs next to nothing. All else is as the application's
    settings have it. Raises RuntimeError if it runs already.
    """
    before = auth.settings, auth.machine
    with ExitStack() as stack:
        folder = database.parent if database else Path(stack.enter_context(TemporaryDirectory()))
        clock = _TrialClock(auth)
        auth.stage(
            _staged(auth.settings, folder, database), replace(auth.machine, clock=clock, profile=CHEAP)
        )
        stack.callback(auth.stage, *before)
        stack.callback(auth.close)
        host = stack.enter_context(TestClient(app, _origin(auth.settings)))
        on_trial = _open[auth] = Trial(auth, clock, host)
        stack.callback(_open.pop, auth)
        stack.callback(on_trial.close)
        yield on_trial


@contextmanager
def signed_in(
    app: Starlette,
    auth: Gatepost,
    *,
    email: str = ADA,
    roles: Sequence[str] = FIRST_ROLES,
    carrier: str = "cookie",
) -> Iterator[TrialClient]:
    """A client that is signed in: of the trial that is open, or of one that is opened for this block."""
    with ExitStack() as stack:
        on_trial = _open.get(auth) or stack.enter_context(trial(app, auth))
        yield stack.enter_context(on_trial.signed_in(email, roles=roles, carrier=carrier))


def _staged(settings: Settings, folder: Path, database: Path | None) -> Settings:
    passwords = settings.passwords.model_copy(update={"breach_file": None})
    kept = Database(url=f"sqlite:///{database.absolute()}" if database else "memory://")
    changed = {"data": folder, "database": kept, "passwords": passwords}
    return settings.model_copy(update=changed).with_extra_hosts(_HOST)


def _origin(settings: Settings) -> str:
    if settings.url is None:
        return f"http://{_HOST}"
    scheme, _, rest = settings.url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _account(whose: TrialClient | str) -> str:
    return whose if isinstance(whose, str) else whose.account_id
