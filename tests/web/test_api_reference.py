"""`/openapi.json`: the document is whole from the first question on."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from httpx2 import Response

from gatepost.web import docs
from tests.web.house import House


def test_who_asks_while_the_document_is_first_written_is_shown_it_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first and is shown the same; it is written once."""
    begun, answers = list[Future[Response]](), docs._answers
    first, second = house.browser(), house.browser()

    def slowly() -> dict[str, Any]:
        begun.append(threads.submit(second.get, "/openapi.json"))
        # Time enough for one who does not wait to be answered.
        wait(begun, timeout=0.5)
        return answers()

    monkeypatch.setattr(docs, "_answers", slowly)
    with ThreadPoolExecutor(1) as threads:
        shown = first.get("/openapi.json").json()
        (other,) = begun
        assert other.result(20).json() == shown
    assert len(begun) == 1
    assert {"securitySchemes", "schemas"} <= shown["components"].keys()
