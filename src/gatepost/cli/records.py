"""The local database as `token inspect` reads it: keys, sessions, the log. It makes nothing and changes nothing.

Without the master key it has the public halves of keys and says why it has no more. Opens no authority, which would
make what is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from gatepost.authority import masters_of
from gatepost.carriers.jws import PrivateKey, VerifyingKey
from gatepost.carriers.keys import open_key, opens, verifying_key
from gatepost.carriers.sealed import SealingKey
from gatepost.carriers.sealing import MasterKey
from gatepost.cli.endings import why_ended
from gatepost.cli.installation import issuer_of
from gatepost.core.keys import ROOT, KeyState, RingKey
from gatepost.core.ports import Log, Store
from gatepost.core.revocation import Subject
from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import SessionLimits
from gatepost.errors import GatepostError, KeyUnusable
from gatepost.machine import SystemRandomness
from gatepost.settings import Settings
from gatepost.stores.sql import SqlStore
from gatepost.terms import grace_rules, session_limits


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key: what it is for and whether it may be used; `state` is None of one that a server publishes.

    `verifying` or `opening` is there where it can be used here; where neither is, `closed` says why.
    """

    kid: str
    algorithm: str
    state: KeyState | None
    verifying: VerifyingKey | None = None
    opening: SealingKey | None = None
    closed: str = ""

    @property
    def state_text(self) -> str:
        """Its state in a word."""
        return self.state.value if self.state else "published"


@dataclass(frozen=True, slots=True)
class Records:
    """What is known here: under which address tokens are issued, which keys there are, what lives and what ended.

    `algorithm` is the one that this installation signs with; `horizon` how long a sealed cookie speaks for itself.
    """

    issuer: str
    algorithm: str
    horizon: timedelta
    keys: Mapping[str, KnownKey]
    store: Store
    log: Log
    limits: SessionLimits
    grace: GraceRules

    def why_ended(self, subject: Subject) -> str | None:
        """What the log says against a subject, in words; None if it stands."""
        answer = self.log.read(None)
        return why_ended(((one.seq, one.fact, one.at) for one in answer.facts), answer.floor, subject)


@contextmanager
def open_records(settings: Settings) -> Iterator[Records | str]:
    """The records of the local database, or the reason why there are none."""
    file = settings.database_file
    if file is None:
        yield "the database is kept in the server's memory"
        return
    if not file.exists():
        yield f"there is no database at {file}"
        return
    try:
        store = SqlStore.open(file, SystemRandomness(), migrate=False)
    except GatepostError as error:
        yield error.message.removesuffix(".")
        return
    try:
        yield Records(
            issuer=issuer_of(settings),
            algorithm=settings.tokens.algorithm,
            horizon=settings.revocation.horizon,
            keys={key.kid: key for key in _known(store, settings)},
            store=store,
            log=store.log(),
            limits=session_limits(settings),
            grace=grace_rules(settings),
        )
    finally:
        store.close()


def _known(store: Store, settings: Settings) -> Iterator[KnownKey]:
    records = [record for record in store.ring_keys() if record.algorithm != ROOT]
    master = _master_of(records, settings)
    for record in records:
        try:
            yield _opened(record, master)
        except KeyUnusable as error:
            yield KnownKey(record.id, record.algorithm, record.state, closed=error.message.removesuffix("."))


def _opened(record: RingKey, master: MasterKey | str) -> KnownKey:
    """A key as far as it opens. Raises `KeyUnusable`."""
    verifying = verifying_key(record)
    if verifying is not None:
        return KnownKey(record.id, record.algorithm, record.state, verifying=verifying)
    if isinstance(master, str):
        return KnownKey(record.id, record.algorithm, record.state, closed=master)
    held = open_key(record, master).held
    if isinstance(held, PrivateKey):
        return KnownKey(record.id, record.algorithm, record.state, verifying=held.verifying)
    opening = SealingKey(record.id, held.raw, record.state is KeyState.WITHDRAWN)
    return KnownKey(record.id, record.algorithm, record.state, opening=opening)


def _master_of(records: Sequence[RingKey], settings: Settings) -> MasterKey | str:
    """The master key under which these lie, or why there is none. It is only looked for: nothing is put right."""
    try:
        candidates = masters_of(settings, SystemRandomness()).candidates()
    except KeyUnusable as error:
        return error.message.removesuffix(".")
    for master in candidates:
        if any(opens(record, master) for record in records):
            return master
    return "the master key is not the one that belongs to this database"
