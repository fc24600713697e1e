"""The audit trail: read, sealed batch by batch, and verified.

Rows are written by the services, each in the change that it tells of. Owns the sealer, which chains them afterwards (a
chain inside those changes would be one lock for every sign-in), and the walk over the chain. What a seal is and what
a broken one tells is core/audit.py. Called by the housekeeper, the administration's interface and the command line.
"""

from collections.abc import Iterator
from typing import Final

from gatepost.core.audit import (
    HIGHEST,
    LOWEST,
    Chain,
    Entry,
    Seal,
    Sealed,
    Verdict,
    covered,
    is_genuine,
    parse_seal,
    seal_rows,
)
from gatepost.core.changes import AuditRow
from gatepost.core.emails import parse_email
from gatepost.core.ports import Clock, Store
from gatepost.errors import Conflict, InvalidFields, NotFound, StoreUnusable

BATCH: Final = 1000
_MOST_BATCHES: Final = 20
# Each may carry the marks of a whole batch.
_SEALS_AT_ONCE: Final = 100

Numbered = tuple[int, AuditRow]


class Audit:
    """The trail of one installation. `key` is derived from the master key, which is kept outside the database."""

    def __init__(self, store: Store, clock: Clock, key: bytes) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._distrusted: Seal | None = None

    def page(self, *, account: str | None = None, after: int = 0, limit: int) -> list[Numbered]:
        """Rows with their numbers, oldest first, those after a number; of one account if it is given."""
        return self._store.audit_rows(account_id=account, after=after, limit=limit)

    def back(
        self, *, account: str | None = None, before: int | None = None, limit: int
    ) -> tuple[list[Numbered], int | None]:
        """Rows with their numbers, newest first, those before a number, and the number to go on before."""
        rows = self._store.overview().audit_back(account_id=account, before=before, limit=limit)
        return rows, rows[-1][0] if len(rows) == limit else None

    def rows(self, *, account: str | None = None, after: int = 0) -> Iterator[list[Numbered]]:
        """Every row after a number, page by page."""
        while page := self.page(account=account, after=after, limit=BATCH):
            yield page
            after = page[-1][0]

    def account_id(self, name: str) -> str:
        """The id by which the trail knows an account: an e-mail is looked up, an id may be of one that is gone.

        Raises `NotFound` for an e-mail that no account has.
        """
        if "@" not in name:
            return name
        try:
            account, _ = self._store.account_by_email(parse_email(name).key)
        except InvalidFields:
            account = None
        if account is None:
            raise NotFound("There is no such account.")
        return account.id

    def newest(self) -> Seal | None:
        """The newest seal. Kept elsewhere, it shows when the end of the trail is cut off."""
        return self._store.newest_seal()

    def seal(self) -> int:
        """Seal the rows that wait for it, in batches; how many were. Does nothing where another sealer is faster.

        Raises `StoreUnusable`, once for each, over a newest seal that this installation did not make.
        """
        done = 0
        for _ in range(_MOST_BATCHES):
            previous = self._store.newest_seal()
            if previous is not None and not self._trusts(previous):
                break
            waiting = self._entries(previous.last if previous else 0, HIGHEST)
            if not waiting:
                break
            try:
                self._store.append_seal(seal_rows(self._key, previous, waiting, self._clock.now()))
            except Conflict:
                # Both chained the same rows to the same seal. The other's stands.
                break
            done += len(waiting)
        return done

    def verify(self, exported: Seal | None = None) -> Verdict:
        """Compare the trail with its seals, and its end with an exported seal if there is one.

        Reads everything once and writes nothing; rows that are written and sealed meanwhile do no harm.
        """
        chain = Chain(self._key, exported)
        for sealed in self._seals():
            if chain.link(sealed):
                chain.judge(sealed, self._every_entry(*covered(sealed.seal)))
        return chain.verdict(sum(1 for _ in self._every_entry(chain.last, HIGHEST)))

    def read_seal(self, text: str) -> Seal:
        """An exported seal: as a line of its own, or as the last line of an export.

        Raises `InvalidFields` if it is none, or one that this installation's key did not make.
        """
        lines = text.strip().splitlines()
        seal = parse_seal(lines[-1]) if lines else None
        if seal is None:
            raise InvalidFields({"seal": "The file ends with no seal."})
        if not is_genuine(self._key, seal):
            raise InvalidFields({"seal": "This installation did not make the seal, or it was changed since."})
        return seal

    def _trusts(self, newest: Seal) -> bool:
        """Whether the chain may go on from a seal. On a forged one it would end beyond every row there will be."""
        if is_genuine(self._key, newest):
            return True
        if newest != self._distrusted:
            self._distrusted = newest
            raise StoreUnusable(
                "The newest seal of the audit trail was changed, so nothing is sealed any more. "
                "Run `gatepost audit verify`."
            )
        return False

    def _seals(self) -> Iterator[Sealed]:
        after = LOWEST
        while page := self._store.seals(after=after, limit=_SEALS_AT_ONCE):
            yield from page
            after = page[-1].seal.number

    def _every_entry(self, after: int, upto: int) -> Iterator[Entry]:
        while page := self._entries(after, upto):
            yield from page
            after = page[-1].number

    def _entries(self, after: int, upto: int) -> list[Entry]:
        return self._store.audit_entries(after=after, upto=upto, limit=BATCH)
