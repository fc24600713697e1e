"""`/openapi.json` is whole from the first question on, and `/docs` tells it to people."""

import html
import re
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


def test_every_call_says_in_one_sentence_what_it_does(house: House) -> None:
    """Short enough for a line of a list; what follows it is told once, and not the sentence again."""
    document = house.browser().get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            summary, more = operation["summary"], operation.get("description", "")
            assert 0 < len(summary) <= 110, path
            assert not summary.endswith("."), path
            assert not more.startswith(summary), path
            named = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            said = [one["name"] for one in operation.get("parameters", []) if one.get("description")]
            assert set(named) <= set(said), (method, path)


def cards(house: House, **headers: str) -> dict[str, str]:
    """The text of each card of the page, by its call."""
    page = house.browser(**headers).get("/docs").text
    found = {}
    for one in re.findall(r'<details class="call".*?</details>', page, re.DOTALL):
        words = html.unescape(re.sub(r"<[^>]+>", "\n", one)).split("\n")
        method, path, *rest = [word for word in words if word.strip()]
        found[f"{method} {path}"] = "\n".join(rest)
    return found


def test_page_says_who_may_ask_with_what_and_what_comes_of_it(house: House) -> None:
    """Of every call of the document: an example of body and answer with every field, and every code."""
    document, shown = house.browser().get("/openapi.json").json(), cards(house)
    assert len(shown) == sum(map(len, document["paths"].values()))
    assert "`" not in "".join(shown.values())
    signing_in = shown["POST /api/sign-in"]
    assert "Anybody: nobody has to be signed in." in signing_in
    for one in (
        '"password": "three or four words do"',
        '"idle_expires_at"',
        '"refresh_token"',
        "invalid_credentials",
    ):
        assert one in signing_in
    assert "Whoever has a live session" in shown["GET /api/session"]
    listing = shown["GET /api/admin/sessions"]
    for one in (
        "An administrator with a live session",
        "?limit=",
        "integer 1–200, 50 if left out",
        '"last_event"',
    ):
        assert one in listing
    assert "id | last_seen, id if left out" in listing
    assert "shown the password a short while ago" in shown["PUT /api/admin/accounts/{account_id}/roles"]
    assert "A client: its id and secret" in shown["POST /oauth/introspect"]
    assert "grant_type=refresh_token&refresh_token=…" in shown["POST /oauth/token"]
    assert "Empty." in shown["POST /api/sign-out"]


def test_page_is_german_around_the_calls_and_english_within(house: House) -> None:
    """What stands for fields and codes has no other name; it is marked as English."""
    german = {"accept-language": "de"}
    page = house.browser(**german).get("/docs").text
    assert '<html lang="de"' in page
    assert '<details class="call" lang="en">' in page
    signing_in = cards(house, **german)["POST /api/sign-in"]
    assert "Sign in with e-mail and password" in signing_in
    assert "Jeder: Niemand muss angemeldet sein." in signing_in
