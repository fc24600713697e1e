"""The API with a page of one script, in a browser: no token within the script's reach, and nobody notices a renewal."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import person
from tests.examples.applications import ROOT, running
from tests.examples.staged import Staged, staged

TASKS = ROOT / "examples/tasks.py"
ADA = "ada@example.com"
PASSWORD = "violet kettle hums at noon"
TOKENS = {"gatepost-access", "gatepost-refresh"}
IN_REACH = """() => JSON.stringify([
    document.cookie, {...localStorage}, {...sessionStorage}, performance.getEntriesByType("resource").map(e => e.name)
]) + document.documentElement.outerHTML"""


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Staged]:
    """The application, started."""
    with staged("tasks", tmp_path) as started:
        yield started


@pytest.fixture
def page(browser: Browser, tasks: Staged) -> Iterator[Page]:
    """Somebody who has signed up and has one task."""
    with person(browser) as opened:
        opened.goto(tasks.url)
        enter(opened, "Sign up")
        add(opened, "buy nails")
        yield opened


def enter(page: Page, button: str, password: str = PASSWORD) -> None:
    """Fill in the form and press one of its buttons."""
    page.get_by_label("E-mail address").fill(ADA)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name=button).click()


def add(page: Page, text: str) -> None:
    """Add a task and see it listed."""
    page.get_by_label("What is to be done?").fill(text)
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#list li").last).to_contain_text(text)


def tokens(page: Page) -> dict[str, str]:
    """The cookies that hold tokens, as the browser keeps them."""
    return {one["name"]: one["value"] for one in page.context.cookies() if one["name"] in TOKENS}


@pytest.mark.needs("chromium")
def test_no_token_is_within_a_scripts_reach(page: Page) -> None:
    """Not in readable cookies, nor in any storage, the page or an address; and the answer to a sign-in has none."""
    held = tokens(page)
    assert set(held) == TOKENS
    answers: list[str] = []
    page.on("response", lambda answer: answers.append(answer.url) if "sign-in" in answer.url else None)
    page.get_by_role("button", name="Sign out").click()
    with page.expect_response("**/api/sign-in") as answered:
        enter(page, "Sign in")
    assert set(answered.value.json()) == {"account", "session"}
    expect(page.locator("#list li")).to_have_count(1)
    reach = page.evaluate(IN_REACH)
    assert "gatepost-csrf=" in reach
    assert "{},{}" in reach, "localStorage and sessionStorage are empty"
    for value in (*held.values(), *tokens(page).values()):
        assert value not in reach
        assert value.rpartition(".")[2] not in reach


@pytest.mark.needs("chromium")
def test_the_page_goes_on_when_the_access_token_is_over(tasks: Staged, page: Page) -> None:
    """Renewed inside the request that carried it, again and again; both tokens are new each time."""
    for turn in range(3):
        before = tokens(page)
        tasks.trial.clock.turn(minutes=11)
        add(page, f"task {turn}")
        after = tokens(page)
        assert all(before[name] != after[name] for name in TOKENS)
    page.reload()
    expect(page.locator("#list li")).to_have_count(4)


@pytest.mark.needs("chromium")
def test_who_is_signed_out_elsewhere_finds_the_form_and_comes_back(tasks: Staged, page: Page) -> None:
    """The next press of a button is 401 with minutes left to the token; what was typed is there after signing in."""
    tasks.trial.revoke_account(ADA)
    page.get_by_label("What is to be done?").fill("mend the fence")
    with page.expect_response("**/api/tasks") as answered:
        page.get_by_role("button", name="Add").click()
    assert answered.value.status == 401
    expect(page.get_by_role("status")).to_have_text("You have been signed out. Sign in to go on.")
    expect(page.locator("#list li")).to_have_count(0)
    enter(page, "Sign in")
    expect(page.get_by_label("What is to be done?")).to_have_value("mend the fence")
    add(page, "mend the fence")
    expect(page.locator("#list li")).to_have_count(2)


@pytest.mark.needs("chromium")
def test_a_wrong_password_is_said_and_a_task_is_text(page: Page) -> None:
    """The form stays with a sentence above it; markup in a task is shown, not run; what is done goes."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert tokens(page) == {}
    enter(page, "Sign in", password="not the password at all")
    expect(page.get_by_role("status")).to_contain_text("do not match")
    enter(page, "Sign in")
    add(page, "<img src=x onerror=\"document.title='run'\">")
    page.get_by_role("button", name="Done: buy nails").click()
    expect(page.locator("#list li")).to_have_count(1)
    assert page.title() == "Tasks"
    assert page.locator("#list img").count() == 0


def test_tasks_start_as_their_first_lines_say(tmp_path: Path) -> None:
    """By uvicorn, with a policy for scripts on every page; another site's request adds nothing."""
    with (
        running(TASKS, tmp_path) as url,
        httpx2.Client(timeout=20, base_url=url, headers={"Origin": url}) as client,
    ):
        index = client.get("/")
        assert index.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
        assert client.get("/tasks.js").status_code == 200
        assert client.get("/api/tasks").status_code == 401
        body = {"email": ADA, "password": PASSWORD, "carrier": "token-cookie"}
        assert client.post("/auth/api/sign-up", json=body).status_code == 201
        assert client.post("/api/tasks", json={"text": "buy nails"}).json() == ["buy nails"]
        foreign = {"Origin": "https://evil.example"}
        assert client.post("/api/tasks", json={"text": "spam"}, headers=foreign).status_code == 403
        del client.headers["Origin"]
        assert client.post("/api/tasks", json={"text": "spam"}).status_code == 403
        token = {"X-CSRF-Token": client.cookies["gatepost-csrf"]}
        assert client.post("/api/tasks", json={"text": "oil"}, headers=token).status_code == 201
        assert client.delete("/api/tasks/2", headers=token).status_code == 404
        assert client.delete("/api/tasks/0", headers=token).json() == ["oil"]
        assert client.get("/api/tasks").json() == ["oil"]
