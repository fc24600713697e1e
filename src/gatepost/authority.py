"""The composition root: settings in, ready services out.

The only place that knows which class stands behind a port. Owns starting and stopping; the web floor, the adapters
and the command line are handed an `Authority` and nothing below it.
"""

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatepost.carriers.cookie import CookieNames, names_for
from gatepost.carriers.keys import CurrentRing, KeyRing
from gatepost.carriers.sealed import SealingTerms
from gatepost.carriers.sealing import KEY_BYTES, MasterKey
from gatepost.checking.follower import Follower, Identity
from gatepost.checking.guard import Guard
from gatepost.checking.rules import GuardRules
from gatepost.checking.staleness import REFUSE, Allow, Ask, WhenStale
from gatepost.core.hooks import NO_HOOKS, Hooks
from gatepost.core.ports import Clock, Introspection, Log, Randomness, Store
from gatepost.core.secrets import Secret
from gatepost.core.sessions import SessionLimits
from gatepost.errors import KeyUnusable
from gatepost.factors.password import OWASP, STRONG, PasswordFactor, Profile
from gatepost.machine import (
    GivenMasterKey,
    MasterKeyFile,
    SystemClock,
    SystemRandomness,
    make_folder,
    parse_master_key,
)
from gatepost.services.accounts import Accounts
from gatepost.services.arrivals import Arrivals
from gatepost.services.audit import Audit
from gatepost.services.beginnings import Beginnings
from gatepost.services.chest import KeyChest, Masters
from gatepost.services.clients import Clients
from gatepost.services.commits import Commits
from gatepost.services.counting import Counting
from gatepost.services.decoys import Decoys
from gatepost.services.exposure import Exposure
from gatepost.services.fitting import Fitting
from gatepost.services.foresight import Foresight
from gatepost.services.guesses import Guesses
from gatepost.services.hearings import Hearings
from gatepost.services.housekeeping import Housekeeper, Rhythm
from gatepost.services.identifiers import Identifiers
from gatepost.services.introspection import DurableTruth
from gatepost.services.keys import Keys
from gatepost.services.known_clients import KnownClients
from gatepost.services.known_devices import KnownDevices
from gatepost.services.means import Means
from gatepost.services.newcomers import Newcomers
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.presence import Presence
from gatepost.services.reauthentication import Reauthentication
from gatepost.services.renewals import Renewals
from gatepost.services.sealed import SealedForm, SealedSessions
from gatepost.services.servers import Servers
from gatepost.services.sessions import Sessions
from gatepost.services.sign_in import SignIn
from gatepost.services.token_introspection import TokenIntrospection
from gatepost.services.token_revocation import TokenRevocation
from gatepost.services.tokens import Tokens
from gatepost.services.verifier_lag import VerifierLag
from gatepost.services.verifiers import Verifiers
from gatepost.services.visits import Visits
from gatepost.settings import Settings
from gatepost.stores.duty import Duty
from gatepost.stores.memory import MemoryStore
from gatepost.stores.memory_verifiers import MemoryVerifiers
from gatepost.stores.noted_issuer import note_issuer
from gatepost.stores.sql import SqlStore
from gatepost.terms import (
    grace_rules,
    key_rules,
    password_rules,
    remembered,
    session_limits,
    token_rules,
)

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

    def __init__(self, settings: Settings, machine: Machine = THIS_MACHINE, hooks: Hooks = NO_HOOKS) -> None:
        self.settings = settings
        self._hooks = hooks
        self.clock: Clock = machine.clock
        self.randomness: Randomness = machine.randomness
        self.on_trouble: Callable[[Exception], None] = machine.on_trouble
        self.identifiers: Identifiers = Identifiers(machine.randomness)
        self.limits: SessionLimits = session_limits(settings)
        self.cookies: CookieNames = names_for(settings.cookies.name, secure=settings.secure)
        self.store: Store
        self.log: Log
        self.store, self.log = _open_store(settings, machine.randomness)
        masters = masters_of(settings, machine.randomness)
        self._chest = KeyChest(
            self.store, masters, self.identifiers, key_rules(settings), settings.tokens.algorithm
        )
        kept = self._chest.prepared(self.clock.now())
        self._current = CurrentRing(self._chest.ring(kept))
        self.csrf_key: bytes = kept.derived("cross-site tokens")
        self._decoy_key = kept.derived("decoys")
        self.audit: Audit = Audit(self.store, self.clock, kept.derived("audit seals"))
        self._listed = self.store.verifiers() if isinstance(self.store, SqlStore) else MemoryVerifiers()
        self._counting = Counting(self.store.counters(), self.clock, kept.derived("guesses"), self.on_trouble)
        self._device_key = kept.derived("known devices")
        self._machine = machine
        self._running = False
        self.leaving: bool = False
        """Whether the server is about to end, so that whatever goes on by itself ends first."""
        self._compose()
        _opened.add(self)

    def _compose(self) -> None:
        """Everything that belongs to one process."""
        means = self._check()
        self._serve(means)
        self._starting = threading.Lock()
        self._keep_house(means)

    def _check(self) -> Means:
        settings, machine = self.settings, self._machine
        bound = settings.revocation.bound.total_seconds()
        identity = Identity(self.identifiers.name(), os.getpid())
        self.follower: Follower = Follower(
            self.log, self.clock, identity, bound=bound, on_trouble=machine.on_trouble
        )
        self._truth = DurableTruth(self.store, self.clock, self.limits)
        self._rules = GuardRules(
            issuer=settings.issuer,
            audience=settings.issuer,
            limits=self.limits,
            roles=dict(settings.roles),
            horizon=settings.revocation.horizon,
            when_stale=_when_stale(settings, self._truth),
        )
        self.guard: Guard = Guard(self._current, self.follower, self.store, self.clock, self._rules)
        self._commit(identity, bound)
        saw, noted = self.guard.saw, self.guard.noted
        devices = KnownDevices(self.store, self.clock, self.randomness, self._device_key)
        deadline = settings.revocation.request_deadline
        self.guesses: Guesses = Guesses(
            self._counting, settings.guesses.rules, devices, self.commits.commit, deadline
        )
        return Means(
            self.store,
            self.commits,
            self.clock,
            self.identifiers,
            self.limits,
            saw,
            noted,
            guesses=self.guesses,
        )

    def _commit(self, identity: Identity, bound: float) -> None:
        self.commits: Commits = Commits(
            self.store,
            self.log,
            self.clock,
            bound=bound,
            tell=self.follower.tell,
            instance=identity.instance,
        )
        self._listen_to_verifiers()
        self.servers: Servers = Servers(self.store, self.log, self.clock, identity.instance)

    def _listen_to_verifiers(self) -> None:
        remember, on_trouble = remembered(self.settings).total_seconds(), self._machine.on_trouble
        self.verifiers: Verifiers = Verifiers(
            self._listed, self.clock, remember=remember, on_trouble=on_trouble
        )
        self.hearings: Hearings = Hearings(self.verifiers, self.store, self.clock)
        self.commits.hear(self.hearings)
        self.verifier_lag: VerifierLag = VerifierLag(
            self.verifiers, self.hearings, self.store, self.follower, self.clock
        )

    def _serve(self, means: Means) -> None:
        settings = self.settings
        self.keys: Keys = Keys(
            means,
            self._chest,
            self._current,
            bound=settings.revocation.bound,
            when_gone=self.guard.cache.forget_keyed,
        )
        self.follower.when_ring_changes(self.keys.reload)
        self.hashing: PasswordFactor = _hashing(settings, self._machine.profile)
        policy = PasswordPolicy(password_rules(settings))
        rules = token_rules(settings, self._hooks)
        self.tokens: Tokens = Tokens(means, self._current, rules)
        terms = SealingTerms(settings.issuer, self.limits, settings.revocation.horizon)
        form = SealedForm(self.cookies, settings.cookies.sealed_limit)
        self.sealed: SealedSessions = SealedSessions(means, self._current, terms, form)
        self.renewals: Renewals = Renewals(self.sealed, self.tokens, self._current, self.clock)
        arrivals = Arrivals(self._hooks, settings.sessions.data_limit)
        beginnings = Beginnings(means, self.tokens, self.sealed, settings.sessions.carry_over, arrivals)
        decoys = Decoys(self.store, self.hashing, self._decoy_key)
        self.sign_in: SignIn = SignIn(means, beginnings, self.hashing, policy, decoys.for_address)
        self.reauthentication: Reauthentication = Reauthentication(
            means, beginnings, self.hashing, self.sign_in.outcomes
        )
        self.sessions: Sessions = Sessions(means, self.sealed, settings.sessions.data_limit)
        self.clients: Clients = Clients(means, self.verifiers.leave)
        self.known_clients: KnownClients = KnownClients(
            self.clients, self.follower, self.clock, bound=settings.revocation.bound.total_seconds()
        )
        self.introspection: TokenIntrospection = TokenIntrospection(means, self._current, rules, self._truth)
        self.revocation: TokenRevocation = TokenRevocation(means, self._current, settings.issuer, self._truth)
        self.exposure: Exposure = Exposure(means, self._current, settings.issuer, self.sealed, self._truth)
        self.visits: Visits = Visits("visit", settings.limits.visits_per_minute, self._counting)
        self.sign_ups: Visits = Visits("sign-up", settings.limits.sign_ups_per_minute, self._counting)
        fitting = Fitting(means, self.tokens, self.sealed)
        self.accounts: Accounts = Accounts(means, self.hashing, policy, dict(settings.roles), fitting.require)
        self.newcomers: Newcomers = Newcomers(means, self.hashing, dict(settings.roles), fitting.require)
        self.foresight: Foresight = Foresight(self.accounts, self.sessions)
        self.presence: Presence = Presence(means)

    def _keep_house(self, means: Means) -> None:
        settings, on_trouble = self.settings, self._machine.on_trouble
        self._duty = Duty(settings.database_file) if settings.database_file else None
        rhythm = _rhythm(settings, self._rules, self._duty)
        self.housekeeper: Housekeeper = Housekeeper(
            means, self.log, self.guard, self.follower, rhythm, on_trouble
        )
        self.housekeeper.also(self.audit.seal)
        self.housekeeper.also(self.guesses.sweep)
        self.housekeeper.also(self.keys.turn_if_due)

    @property
    def ring(self) -> KeyRing:
        """The keys of this moment."""
        return self._current.current

    def start(self) -> None:
        """Begin to follow the log and to keep house. May be called again; does nothing then."""
        with self._starting:
            for row in self.log.followers():
                if not _is_running(row.pid):
                    # A server that was killed left its row; whoever revokes would wait a full bound for it.
                    self.log.leave(row.instance)
            if self.settings.database_file is not None:
                note_issuer(self.settings.data, self.settings.issuer)
            self._running = True
            self.follower.start()
            self.housekeeper.start()

    def stop(self) -> None:
        """Flush, leave the list of followers, close the store."""
        self.leaving = True
        self._running = False
        _opened.discard(self)
        self.housekeeper.stop()
        if self._duty:
            self._duty.leave()
        self.follower.stop()
        self.hashing.close()
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
        self._compose()
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


def masters_of(settings: Settings, randomness: Randomness) -> Masters:
    """Where the settings say that the master key is: in themselves, else in the data folder."""
    given = settings.keys
    if given.master is not None:
        return GivenMasterKey(
            _parsed(given.master), None if given.master_before is None else _parsed(given.master_before)
        )
    if settings.database_file is None:
        return GivenMasterKey(MasterKey(randomness.bytes(KEY_BYTES)))
    return MasterKeyFile(settings.data / "master.key", randomness)


def _parsed(given: Secret) -> MasterKey:
    master = parse_master_key(given.reveal())
    if master is None:
        raise KeyUnusable("The setting keys.master does not hold a master key.")
    return master


def _hashing(settings: Settings, override: Profile | None) -> PasswordFactor:
    limits = settings.limits
    profile = override or (STRONG if settings.passwords.profile == "strong" else OWASP)
    wait = limits.hash_wait.total_seconds()
    return PasswordFactor(profile, slots=limits.hashes, queue=limits.hash_queue, wait=wait)


def _when_stale(settings: Settings, truth: Introspection) -> WhenStale:
    chosen: dict[str, WhenStale] = {"refuse": REFUSE, "ask": Ask(truth), "allow": Allow()}
    return chosen[settings.revocation.when_stale]


def _rhythm(settings: Settings, rules: GuardRules, duty: Duty | None) -> Rhythm:
    revocation = settings.revocation
    return Rhythm(
        touch=min(_TICK, rules.touch_every.total_seconds()),
        sweep=_SWEEP_EVERY,
        remember=remembered(settings).total_seconds(),
        grace=grace_rules(settings),
        leeway=revocation.leeway.total_seconds(),
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
