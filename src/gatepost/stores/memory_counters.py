"""Counters in the memory of one process, for the store that lies there too."""

import threading
from collections.abc import Sequence
from datetime import datetime

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
            return {key: self._tallies[key] for key in keys if key in self._tallies}

    def recount(self, keys: Sequence[bytes], decide: Recount) -> None:
        """Write what `decide` makes of these counters; None removes one. Nobody comes in between."""
        with self._lock:
            for key, tally in decide(
                {key: self._tallies[key] for key in keys if key in self._tallies}
            ).items():
                if tally is None:
                    self._tallies.pop(key, None)
                else:
                    self._tallies[key] = tally

    def sweep_counters(self, now: datetime, keep: int, most: int) -> int:
        """Remove up to `most` that are over, or, until `keep` are left, the nearest to it; how many went."""
        with self._lock:
            ordered = sorted(self._tallies, key=lambda key: self._tallies[key].expires_at)
            over = [key for key in ordered if self._tallies[key].expires_at <= now]
            gone = ordered[: max(len(over), len(ordered) - keep)][:most]
            for key in gone:
                del self._tallies[key]
        return len(gone)
