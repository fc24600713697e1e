"""The local database as `token inspect` reads it: keys, sessions, the log. It makes nothing and changes nothing.

Needs no master key, because only the public halves of keys are read. Opens no authority, which would make what is
missing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, assert_never

from gatepost.authority import grace_rules, session_limits
from gatepost.carriers.jws import VerifyingKey
from gatepost.carriers.keys import verifying_key
from gatepost.cli.installation import issuer_of
from gatepost.cli.output import moment
from gatepost.core.keys import KeyState
from gatepost.core.ports import Log, Store
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)
from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import SessionLimits
from gatepost.errors import GatepostError
from gatepost.machine import SystemRandomness
from gatepost.settings import Settings
from gatepost.stores.sql import SqlStore

_FORGOTTEN: Final = (
    "It is older than what servers keep in mind, so they would ask for a new one from the refresh token."
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key of the database: who it is, whether it may be used, and how to verify with it."""

    kid: str
    state: KeyState
    verifying: VerifyingKey


@dataclass(frozen=True, slots=True)
class Records:
    """What is known here: under which address tokens are issued, which keys there are, what lives and what ended."""

    issuer: str
    keys: Mapping[str, KnownKey]
    store: Store
    log: Log
    limits: SessionLimits
    grace: GraceRules

    def why_ended(self, subject: Subject) -> str | None:
        """What the log says against a subject, in words; None if it stands."""
        answer = self.log.read(None)
        everything = RevocationSet(answer.floor)
        for entry in answer.facts:
            everything.fold(entry.seq, entry.fact)
        if everything.covers(subject) is Standing.LIVE:
            return None
        for entry in answer.facts:
            alone = RevocationSet()
            alone.fold(entry.seq, entry.fact)
            if alone.covers(subject) is not Standing.LIVE:
                return f"{_in_words(entry.fact)} at {moment(entry.at)}."
        return _FORGOTTEN


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
            keys={key.kid: key for key in _known(store)},
            store=store,
            log=store.log(),
            limits=session_limits(settings),
            grace=grace_rules(settings),
        )
    finally:
        store.close()


def _known(store: Store) -> Iterator[KnownKey]:
    for record in store.ring_keys():
        verifying = verifying_key(record)
        if verifying is not None:
            yield KnownKey(record.id, record.state, verifying)


def _in_words(fact: Fact) -> str:
    match fact:
        case TokenEnded():
            return "This token was revoked"
        case SessionEnded():
            return "Its session was ended"
        case AccountEnded():
            return "The sessions of its account were ended"
        case ClientEnded():
            return "Everything of its client was ended"
        case KeyEnded():
            return "The key that signed it was withdrawn"
        case EveryoneEnded():
            return "Every session there was has been ended"
        case AccountOutdated():
            return "It is out of date and has to be renewed: the roles of its account changed"
        case EveryoneOutdated():
            return "It is out of date and has to be renewed: what roles mean has changed"
        case _:
            assert_never(fact)
