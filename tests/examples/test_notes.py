"""The example application, run by uvicorn as its own first lines say, mounted under /auth and at the root."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.examples.applications import ROOT, environment_of, running

NOTES = ROOT / "examples/notes.py"
PASSWORD = "violet kettle hums at noon"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The empty folder that the application is started in."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The address of the example."""
    with running(NOTES, folder) as address:
        yield address


@pytest.fixture
def browser(url: str) -> Iterator[httpx2.Client]:
    """A client that keeps cookies and says where its requests come from, as a browser does."""
    with httpx2.Client(timeout=20, base_url=url, headers={"Origin": url}) as client:
        yield client


def sign_up(client: httpx2.Client, email: str, prefix: str = "/auth", **more: str) -> httpx2.Response:
    """Make an account and sign in."""
    body = {"email": email, "password": PASSWORD, **more}
    response = client.post(f"{prefix}/api/sign-up", json=body)
    assert response.status_code == 201, response.text
    return response


def test_example_is_shorter_than_forty_lines() -> None:
    """The whole of an embedded application fits on one screen."""
    assert len(NOTES.read_text().splitlines()) < 40


def test_stranger_is_asked_to_sign_in(browser: httpx2.Client) -> None:
    """An endpoint behind `signed_in` answers 401 as problem details, never with notes."""
    response = browser.get("/notes")
    assert (response.status_code, response.json()["code"]) == (401, "signed_out")
    assert response.headers["content-type"] == "application/problem+json"


def test_signed_in_member_keeps_notes(browser: httpx2.Client) -> None:
    """The endpoint gets the account that asks, and the application's data of this session."""
    sign_up(browser, "keeps@example.com")
    assert browser.post("/notes", json={"text": "buy nails"}).json() == {"last": "buy nails"}
    assert browser.get("/notes").json() == {"notes": ["buy nails"], "last": "buy nails"}


def test_data_of_one_session_is_not_in_another(browser: httpx2.Client, url: str) -> None:
    """Notes belong to the account, session data to one sign-in of it."""
    sign_up(browser, "two@example.com")
    browser.post("/notes", json={"text": "mend the fence"})
    with httpx2.Client(timeout=20, base_url=url) as other:
        other.post("/auth/api/sign-in", json={"email": "two@example.com", "password": PASSWORD})
        assert other.get("/notes").json() == {"notes": ["mend the fence"], "last": None}


def test_forged_request_does_not_reach_the_application(browser: httpx2.Client) -> None:
    """The rules against forged requests hold at the application's own endpoints too."""
    sign_up(browser, "forged@example.com")
    foreign = browser.post("/notes", json={"text": "spam"}, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_site")
    assert browser.get("/notes").json()["notes"] == []


def test_role_guarded_endpoint_opens_with_the_role(browser: httpx2.Client, folder: Path) -> None:
    """403 without the role; given beside the running application, it counts on the next request."""
    account = sign_up(browser, "support@example.com").json()["account"]
    browser.post("/notes", json={"text": "old"})
    refused = browser.delete(f"/notes/{account['id']}")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    gatepost(folder, "account", "roles", "support@example.com", "member", "support")
    assert browser.delete(f"/notes/{account['id']}").status_code == 204
    assert browser.get("/notes").json()["notes"] == []


def test_role_taken_away_closes_it_again(browser: httpx2.Client, folder: Path) -> None:
    """The session goes on; the role is gone."""
    account = sign_up(browser, "demoted@example.com").json()["account"]
    gatepost(folder, "account", "roles", "demoted@example.com", "member", "support")
    assert browser.delete(f"/notes/{account['id']}").status_code == 204
    gatepost(folder, "account", "roles", "demoted@example.com", "member")
    assert browser.delete(f"/notes/{account['id']}").status_code == 403
    assert browser.get("/notes").status_code == 200


def test_signed_out_cookie_is_refused_by_the_application(browser: httpx2.Client) -> None:
    """A copy of the cookie that somebody kept is worth nothing after sign-out."""
    sign_up(browser, "leaves@example.com")
    kept = {"Cookie": f"gatepost={browser.cookies['gatepost']}"}
    assert browser.post("/auth/api/sign-out").status_code == 204
    refused = httpx2.get(browser.base_url.join("/notes"), headers=kept, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


def test_signed_out_token_is_refused_by_the_application(url: str) -> None:
    """An access token with minutes to live is refused by the request after the sign-out."""
    with httpx2.Client(timeout=20, base_url=url) as program:
        tokens = sign_up(program, "program@example.com", carrier="token").json()["tokens"]
        program.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert program.get("/notes").status_code == 200
        assert program.post("/auth/api/sign-out").status_code == 204
        refused = program.get("/notes")
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_pages_and_metadata_stand_under_the_prefix(browser: httpx2.Client) -> None:
    """The sign-in page is at /auth/sign-in, the metadata of the issuer where RFC 8414 section 3.1 puts it."""
    assert 'action="/auth/sign-in"' in browser.get("/auth/sign-in").text
    metadata = browser.get("/.well-known/oauth-authorization-server/auth").json()
    assert metadata["issuer"].endswith("/auth")
    assert browser.get("/sign-in").status_code == 404


def test_example_works_at_the_root_too(tmp_path: Path) -> None:
    """Without a prefix, Gatepost's paths and the application's live side by side."""
    module = tmp_path / "rooted.py"
    module.write_text(NOTES.read_text().replace(', prefix="/auth"', ""))
    with running(module, tmp_path) as address, httpx2.Client(timeout=20, base_url=address) as client:
        client.headers["Origin"] = address
        sign_up(client, "root@example.com", prefix="")
        client.post("/notes", json={"text": "here"})
        assert client.get("/notes").json()["notes"] == ["here"]
        assert client.get("/sign-in").status_code == 200
        assert client.get("/nowhere").status_code == 404
        assert client.post("/api/sign-out").status_code == 204
        assert client.get("/notes").status_code == 401


def gatepost(folder: Path, *arguments: str) -> None:
    """Run the command line beside the application."""
    command = [sys.executable, "-m", "gatepost", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment_of(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
