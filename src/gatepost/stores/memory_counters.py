"""Counters in the memory of one process, for the store that lies there too."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from gatepost.core.changes import AuditRow, Recounting
from gatepost.core.guesses import Tally
from gatepost.core.ports import Recount


class MemoryCounters:
    """`Counters` without a file. Safe from any number of threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[bytes, Tally] = {}

    def tallies(self, keys: Sequence[bytes]) -> dict[bytes, Tally]:
        """The counters with these keys that there are."""
        with self._lock:
            return self._found(keys)

    def recount(self, keys: Sequence[bytes], decide: Recount) -> None:
        """Write what `decide` makes of these counters; None removes one. Nobody comes in between."""
        with self._lock:
            self._write(decide(self._found(keys)))

    def recounted(self, recounting: Recounting | None) -> tuple[AuditRow, ...]:
        """Move the counters of a change, as its last step; the rows of the trail that come of it."""
        if recounting is None:
            return ()
        with self._lock:
            made = recounting.decide(self._found(recounting.keys))
            self._write(made.tallies)
        return made.audit

    def sweep_counters(self, now: datetime, keep: int, most: int) -> int:
        """Remove up to `most` that are over, or, until `keep` are left, the nearest to it; how many went."""
        with self._lock:
            ordered = sorted(self._tallies, key=lambda key: self._tallies[key].expires_at)
            over = [key for key in ordered if self._tallies[key].expires_at <= now]
            gone = ordered[: max(len(over), len(ordered) - keep)][:most]
            for key in gone:
                del self._tallies[key]
        return len(gone)

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, Tally]:
        return {key: self._tallies[key] for key in keys if key in self._tallies}

    def _write(self, tallies: Mapping[bytes, Tally | None]) -> None:
        for key, tally in tallies.items():
            if tally is None:
                self._tallies.pop(key, None)
            else:
                self._tallies[key] = tally
