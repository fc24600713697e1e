"""docs/operations.md names every metric there is, and none that is not; what it says of readiness is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.house import House, build, is_problem, sign_in
from tests.web.scraping import ask

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server that has met an error, a sign-in and a refresh, so that no family is empty."""
    house = build(tmp_path)
    holder = house.holder()
    holder.client.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": holder.refresh})
    sign_in(house.browser(), password="not the right one at all")
    holder.client.get("/api/session")
    yield house
    house.close()


def families(house: House) -> dict[str, str]:
    """Every metric with its type, under the name by which it is asked for."""
    found = re.findall(r"^# TYPE (\w+) (\w+)$", ask(house).text, re.MULTILINE)
    return dict(found)


def test_every_metric_is_on_the_page_and_nothing_else(house: House) -> None:
    """In one of its tables, by the name that a query uses."""
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `gatepost_"))
    assert set(re.findall(r"`(gatepost_\w+)`", rows)) == set(families(house))
    assert len(set(families(house).values())) == 3


def test_every_label_is_on_the_page(house: House) -> None:
    """Whoever writes a query finds its labels."""
    labels = set(re.findall(r'[{,](\w+)="', ask(house).text)) - {"le"}
    assert labels == {"worker", "carrier", "result", "way", "outcome", "kind", "code", "policy", "limit"}
    assert all(f"`{label}`" in PAGE for label in labels)


def test_every_result_of_a_check_is_on_the_page() -> None:
    """Also those that a test would have to provoke."""
    from gatepost.checking.tally import _RESULTS, ACCEPTED

    assert all(f"`{result}`" in PAGE for result in (ACCEPTED, *_RESULTS.values()))


def test_every_event_of_the_journal_is_on_the_page() -> None:
    """What our own code writes, word for word."""
    sources = (ROOT / "src/gatepost").rglob("*.py")
    written = re.findall(
        r"\blog\.(?:info|warning|error|exception)\(\s*\"([^\"]+)\"", "".join(map(Path.read_text, sources))
    )
    assert len(written) > 5
    assert {event for event in written if f"`{event}`" not in PAGE} == set()


def test_a_process_that_does_not_hear_the_log_is_not_ready(house: House) -> None:
    """503 `busy` though the store can be written, and 200 again once it hears."""
    browser, follower = house.browser(), house.authority.follower
    follower.stop()
    answer = browser.get("/readyz")
    assert is_problem(answer, 503, "busy")
    assert "retry-after" in answer.headers
    house.authority.store.ready()
    follower.start()
    assert browser.get("/readyz").status_code == 200
