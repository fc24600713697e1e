"""A row of the audit trail in the bytes that are sealed: the same from every store.

Owns the order of the fields, which is that of the columns after the number. SQL reads its columns as bytes for it, so
that a row which somebody has bent out of shape can still be looked at. Called by the stores.
"""

from typing import Final

from gatepost.core.audit import Entry, canonical
from gatepost.core.changes import AuditRow
from gatepost.stores.columns import json_text, micros

FIELDS: Final = ("event", "at", "account_id", "actor", "session_id", "address", "device", "more")


def entry_of(number: int, row: AuditRow) -> Entry:
    """The entry that a row makes."""
    texts = (
        row.event.value,
        str(micros(row.at)),
        row.account_id,
        row.actor,
        row.session_id,
        row.address,
        row.device,
        json_text(row.more),
    )
    return Entry(
        number, canonical(None if text is None else text.encode("utf-8", "surrogatepass") for text in texts)
    )
