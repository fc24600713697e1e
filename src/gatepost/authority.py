"""The composition root: settings in, ready services out.

The only place that knows which class stands behind a port. Owns starting and stopping; the web floor, the adapters
and the command line are handed an `Authority` and nothing below it.
"""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gatepost.carriers.cookie import CookieNames, names_for
from gatepost.carriers.keys import KeyRing, make_key, open_ring
from gatepost.carriers.sealing import MasterKey
from gatepost.checking.follower import Follower, Identity
from gatepost.checking.guard import Guard, GuardRules
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.passwords import PasswordRules
from gatepost.core.ports import Clock, Log, Randomness, Store
from gatepost.core.secrets import ID_BYTES, encode
from gatepost.core.sessions import SessionLimits
from gatepost.errors import Conflict, KeyUnusable
from gatepost.factors.blocklist import Blocklist
from gatepost.factors.password import OWASP, STRONG, PasswordFactor, Profile
from gatepost.machine import (
    SystemClock,
    SystemRandomness,
    make_folder,
    read_master_key,
    read_or_make_master_key,
)
from gatepost.services.accounts import Accounts
from gatepost.services.audit import Audit
from gatepost.services.commits import Commits
from gatepost.services.housekeeping import Housekeeper, Rhythm
from gatepost.services.identifiers import Identifiers
from gatepost.services.means import Means
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.sessions import Sessions
from gatepost.services.sign_in import SignIn
from gatepost.services.tokens import TokenRules, Tokens
from gatepost.services.visits import Visits
from gatepost.settings import Settings
from gatepost.stores.duty import Duty
from gatepost.stores.memory import MemoryStore
from gatepost.stores.sql import SqlStore

_SWEEP_EVERY = 5.0
_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What an authority takes from outside: clocks, randomness, where to say that something went wrong.

    `profile` overrides what one password hash costs, for tests that make hundreds of accounts.
    """

    clock: Clock
    randomness: Randomness
    on_trouble: Callable[[Exception], None] = lambda error: None
    profile: Profile | None = None


THIS_MACHINE = Machine(SystemClock(), SystemRandomness())


class Authority:
    """One issuer: its store, its keys, its checks and its services."""

    def __init__(self, settings: Settings, machine: Machine = THIS_MACHINE) -> None:
        self.settings = settings
        self.clock = machine.clock
        self.randomness = machine.randomness
        self.on_trouble = machine.on_trouble
        self.identifiers = Identifiers(machine.randomness)
        self.limits = session_limits(settings)
        self.cookies: CookieNames = names_for(settings.cookies.name, secure=settings.secure)
        self.store, self.log = _open_store(settings, machine.randomness)
        master = _master_key(settings, self.store, machine.randomness)
        self.csrf_key = master.for_purpose("cross-site tokens")
        self.audit = Audit(self.store, self.clock, master.for_purpose("audit seals"))
        self.ring = _ring(self.store, master, machine)
        self._machine = machine
        self._running = False
        self._compose(settings, machine)
        _opened.add(self)

    def _compose(self, settings: Settings, machine: Machine) -> None:
        bound = settings.revocation.bound.total_seconds()
        identity = Identity(self.identifiers.name(), os.getpid())
        roles = dict(settings.roles)
        self.follower = Follower(self.log, self.clock, identity, bound=bound, on_trouble=machine.on_trouble)
        rules = GuardRules(
            issuer=settings.issuer,
            audience=settings.issuer,
            limits=self.limits,
            roles=roles,
            horizon=settings.revocation.horizon,
        )
        self.guard = Guard(self.ring, self.follower, self.store, self.clock, rules)
        self.commits = Commits(
            self.store, self.log, self.clock, bound=bound, tell=self.follower.tell, instance=identity.instance
        )
        means = Means(self.store, self.commits, self.clock, self.identifiers, self.limits, self.guard.saw)
        self.hashing = _hashing(settings, machine.profile)
        policy = PasswordPolicy(_password_rules(settings))
        self.tokens = Tokens(means, self.ring, _token_rules(settings))
        self.sign_in = SignIn(means, self.tokens, self.hashing, policy, settings.sessions.carry_over)
        self.sessions = Sessions(means, settings.sessions.data_limit)
        self.visits = Visits(settings.limits.visits_per_minute, self.clock)
        self.accounts = Accounts(means, self.hashing, policy, roles)
        self._starting = threading.Lock()
        self._duty = Duty(settings.database_file) if settings.database_file else None
        rhythm = _rhythm(settings, rules, self._duty)
        self.housekeeper = Housekeeper(means, self.log, self.guard, self.follower, rhythm, machine.on_trouble)
        self.housekeeper.also(self.audit.seal)

    def start(self) -> None:
        """Begin to follow the log and to keep house. May be called again; does nothing then."""
        with self._starting:
            for row in self.log.followers():
                if not _is_running(row.pid):
                    # A server that was killed left its row; whoever revokes would wait a full bound for it.
                    self.log.leave(row.instance)
            self._running = True
            self.follower.start()
            self.housekeeper.start()

    def stop(self) -> None:
        """Flush, leave the list of followers, close the store."""
        self._running = False
        _opened.discard(self)
        self.housekeeper.stop()
        if self._duty:
            self._duty.leave()
        self.follower.stop()
        self.store.close()

    def after_fork(self) -> None:
        """In a forked child: be another server process, with a name, caches and locks of its own.

        The parent's threads are not here, and a lock that one of them held would never be let go. If the parent was
        running, the child's first check starts what the child needs: most forked processes never check anything.
        """
        if self._duty:
            self._duty.leave()
        if isinstance(self.store, SqlStore):
            self.log = self.store.log()
        self._compose(self.settings, self._machine)
        if self._running:
            self.follower.when_first_asked(self.start)


def _open_store(settings: Settings, randomness: Randomness) -> tuple[Store, Log]:
    if settings.database_file is None:
        memory = MemoryStore(randomness)
        return memory, memory
    if settings.database.url is None:
        make_folder(settings.data)
    store = SqlStore.open(settings.database_file, randomness)
    return store, store.log()


def _master_key(settings: Settings, store: Store, randomness: Randomness) -> MasterKey:
    if settings.database_file is None:
        return MasterKey(randomness.bytes(32))
    path = settings.data / "master.key"
    # A database that holds keys had a master key. A new one would open none of them and hide that the old is lost.
    if store.ring_keys():
        return read_master_key(path)
    make_folder(settings.data)
    return read_or_make_master_key(path, randomness)


def _ring(store: Store, master: MasterKey, machine: Machine) -> KeyRing:
    records = store.ring_keys()
    if not records:
        _make_first_key(store, master, machine)
        records = store.ring_keys()
    if not records:
        raise KeyUnusable("The database did not keep the signing key that was made.")
    return open_ring(records, master)


def _make_first_key(store: Store, master: MasterKey, machine: Machine) -> None:
    # Named by the master key: of two processes that start at once on an empty database one finds the name taken.
    # Under random names each would sign with a key of its own, which the other had never read.
    name = encode(master.for_purpose("name of the first signing key")[:ID_BYTES])
    now = machine.clock.now()
    row = AuditRow(Event.KEY_MADE, now, actor="system", more={"kid": name})
    with suppress(Conflict):
        store.commit(Change(at=now, put=(make_key(name, master, now, machine.randomness),), audit=(row,)))


def session_limits(settings: Settings) -> SessionLimits:
    """The settings of sessions, as the decisions of core take them."""
    sessions = settings.sessions
    return SessionLimits(
        idle=sessions.idle,
        absolute=sessions.absolute,
        visitor_idle=sessions.visitor_idle,
        visitor_empty=sessions.visitor_empty,
        per_account=sessions.per_account,
    )


def _hashing(settings: Settings, override: Profile | None) -> PasswordFactor:
    limits = settings.limits
    profile = override or (STRONG if settings.passwords.profile == "strong" else OWASP)
    wait = limits.hash_wait.total_seconds()
    return PasswordFactor(profile, slots=limits.hashes, queue=limits.hash_queue, wait=wait)


def _password_rules(settings: Settings) -> PasswordRules:
    passwords = settings.passwords
    return PasswordRules(
        words=Blocklist(passwords.breach_file),
        min_length=passwords.min_length,
        own_words=("gatepost", settings.host, *passwords.own_words),
    )


def _token_rules(settings: Settings) -> TokenRules:
    return TokenRules(
        issuer=settings.issuer,
        audiences=settings.audiences,
        access_life=settings.access_ttl,
        refresh_life=settings.refresh_ttl,
        grace=settings.refresh_grace,
    )


def _rhythm(settings: Settings, rules: GuardRules, duty: Duty | None) -> Rhythm:
    revocation = settings.revocation
    remember = revocation.horizon + 2 * revocation.leeway + revocation.request_deadline
    return Rhythm(
        touch=min(_TICK, rules.touch_every.total_seconds()),
        sweep=_SWEEP_EVERY,
        remember=remember.total_seconds(),
        grace=settings.refresh_grace,
        on_duty=duty.mine if duty else lambda: True,
    )


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_opened: Final[weakref.WeakSet[Authority]] = weakref.WeakSet()


def _in_child() -> None:
    for authority in list(_opened):
        authority.after_fork()


# After the stores' own, which has given the child connections of its own by then.
os.register_at_fork(after_in_child=_in_child)
