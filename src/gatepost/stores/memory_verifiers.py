"""The list of verifiers in the memory of one process, for the store that lies there too."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace

from gatepost.core.verifiers import InstanceKey, VerifierRow, lease_end


class MemoryVerifiers:
    """`VerifierList` without a file. Safe from any number of threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[InstanceKey, VerifierRow] = {}

    def announce(self, rows: Sequence[VerifierRow], dropped: Collection[InstanceKey], boot: float) -> None:
        """Write these rows and remove others, all in one step."""
        with self._lock:
            for key in dropped:
                self._rows.pop(key, None)
            for row in rows:
                there = self._rows.get(row.key)
                promised = lease_end(there, boot) if there else row.until
                self._rows[row.key] = replace(row, until=max(row.until, promised))

    def verifiers(self) -> list[VerifierRow]:
        """Every instance that is kept, in the order of its client and its name."""
        with self._lock:
            return [row for _, row in sorted(self._rows.items())]

    def shorten(self, client_id: str, until: float) -> None:
        """Say of every instance of a client that no lease of it goes beyond `until`."""
        with self._lock:
            for key, row in self._rows.items():
                if row.client_id == client_id and row.until > until:
                    self._rows[key] = replace(row, until=until)

    def forget(self, keys: Collection[InstanceKey]) -> None:
        """Remove these instances."""
        with self._lock:
            for key in keys:
                self._rows.pop(key, None)
