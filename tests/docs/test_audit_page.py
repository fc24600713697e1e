"""The page about the audit trail names every event, and the sizes it states are measured."""

import re
from pathlib import Path

from gatepost.core.changes import Event
from gatepost.services.audit import Audit
from gatepost.stores.entries import FIELDS
from gatepost.testing.clock import TurnableClock
from gatepost.testing.opening import open_sql
from gatepost.testing.records import an_audit_row, change

PAGE = (Path(__file__).resolve().parents[2] / "docs/audit.md").read_text()


def test_page_names_every_event_once_in_the_order_of_the_code() -> None:
    """With a sentence for each; an event that is added is missing here until it is explained."""
    table = PAGE.partition("## The events")[2].partition("## Seals")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert [name for name, _ in rows] == [event.value for event in Event]
    assert all(len(sentence) > 15 for _, sentence in rows)


def test_page_names_every_field_of_a_row() -> None:
    """What a listing shows is what is sealed."""
    described = PAGE.partition("A row has")[2].partition("\n\n")[0]
    assert {*FIELDS, "number"} == set(
        re.findall(r"`(number|at|event|[a-z]+_id|actor|address|device|more)`", described)
    )


def test_row_takes_about_as_much_room_as_stated(tmp_path: Path) -> None:
    """Five thousand usual rows, their seals and the index over them, in a file of their own."""
    path = tmp_path / "truth.db"
    ids = {"account_id": "a" * 22, "actor": "a" * 22, "session_id": "s" * 22}
    sizes = []
    for rows in (0, 5000):
        store, _ = open_sql(path)
        row = an_audit_row(more={"carrier": "cookie"}, **ids)
        store.commit(change(audit=(row,) * rows))
        while Audit(store, TurnableClock(), bytes(32)).seal():
            pass
        store.close()
        sizes.append(path.stat().st_size)
    assert 150 < (sizes[1] - sizes[0]) / 5000 < 250
