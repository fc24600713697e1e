"""The list of verifiers in SQL, shared by every server process on the file and still there after a restart.

Owns one narrow table and its writing, many rows in one transaction. Not durable at a power loss, which would be a wait
for the disk in the way of every verifier. Who is on the list, and who counts, is decided in `services/verifiers.py`.
"""

from collections.abc import Collection, Iterable, Sequence
from math import ceil
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gatepost.core.verifiers import AHEAD, LONGEST_BOUND, InstanceKey, Policy, VerifierRow
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros, moment
from gatepost.stores.sql_records import text_of
from gatepost.stores.sqlite import SqliteFile

# Whoever asks for facts must not stand still while writers queue.
_WAIT: Final = 0.5
_MICRO: Final = 1_000_000

_AFTER_A_BOOT: Final = int(LONGEST_BOUND * _MICRO)
_verifier: Final = tables.verifier
_new: Final = insert(_verifier)
_longest: Final[sa.BindParameter[int]] = sa.bindparam("longest")
# What another process has promised stands. What lies so far ahead that it is of another boot of the machine stands for
# as long as a lease may have outlived that boot.
_promised: Final = sa.func.max(
    _new.excluded.until,
    sa.case((_verifier.c.until <= _longest, _verifier.c.until), else_=sa.literal_column(f"{_AFTER_A_BOOT}")),
)
_WRITE: Final = text_of(
    _new.on_conflict_do_update(
        index_elements=[_verifier.c.client_id, _verifier.c.instance],
        set_={
            **{name: _new.excluded[name] for name in ("seq", "policy", "bound", "at", "address")},
            "until": _promised,
        },
    )
)
_ALL: Final = text_of(sa.select(_verifier).order_by(_verifier.c.client_id, _verifier.c.instance))
_SHORTEN: Final = text_of(
    sa.update(_verifier)
    .where(_verifier.c.client_id == sa.bindparam("client"), _verifier.c.until > sa.bindparam("end"))
    .values(until=sa.bindparam("end"))
)
_FORGET: Final = text_of(
    sa.delete(_verifier).where(
        _verifier.c.client_id == sa.bindparam("client"), _verifier.c.instance == sa.bindparam("name")
    )
)


class SqlVerifiers:
    """`VerifierList` on one SQLite file. Safe from any number of threads and processes."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def announce(self, rows: Sequence[VerifierRow], dropped: Collection[InstanceKey], boot: float) -> None:
        """Write these rows and remove others, all in one step. Raises Busy after half a second."""
        longest = _written(boot + LONGEST_BOUND + AHEAD)
        with self._file.writing(durable=False, wait=_WAIT) as connection:
            connection.executemany(_FORGET, _named(dropped))
            connection.executemany(_WRITE, [{**_row(row), "longest": longest} for row in rows])

    def verifiers(self) -> list[VerifierRow]:
        """Every instance that is kept, in the order of its client and its name."""
        return [_read(row) for row in self._file.rows(_ALL)]

    def shorten(self, client_id: str, until: float) -> None:
        """Say of every instance of a client that no lease of it goes beyond `until`."""
        with self._file.writing(durable=False) as connection:
            connection.execute(_SHORTEN, {"client": client_id, "end": _written(until)})

    def forget(self, keys: Collection[InstanceKey]) -> None:
        """Remove these instances."""
        with self._file.writing(durable=False) as connection:
            connection.executemany(_FORGET, _named(keys))


def _named(keys: Iterable[InstanceKey]) -> list[dict[str, str]]:
    return [{"client": client_id, "name": instance} for client_id, instance in keys]


def _written(seconds: float) -> int:
    # Upwards: a promise is never written as shorter than it was made.
    return ceil(seconds * _MICRO)


def _row(row: VerifierRow) -> dict[str, Any]:
    return {
        "client_id": row.client_id,
        "instance": row.instance,
        "seq": row.seq,
        "until": _written(row.until),
        "policy": row.policy.value,
        "bound": _written(row.bound),
        "at": micros(row.at),
        "address": row.address,
    }


def _read(row: Any) -> VerifierRow:
    client_id, instance, seq, until, policy, bound, at, address = row
    return VerifierRow(
        client_id, instance, seq, until / _MICRO, Policy(policy), bound / _MICRO, moment(at), address
    )
