"""The table of routes keeps its own rules, and each of its checks has teeth.

For every pair of route and check: a hostile request is refused by the full row with that check's code, and is not
refused with it once the check is taken out of the row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.authority import Authority
from gatepost.core.sessions import Carrier, Origin
from gatepost.services.beginnings import CookieIssued, Wish
from gatepost.testing.clock import TurnableClock
from gatepost.web import awaiting, checks, client_checks
from gatepost.web.app import make_app
from gatepost.web.checks import Check
from gatepost.web.declared import REFUSALS
from gatepost.web.metrics import metrics_reader
from gatepost.web.routes import ROUTES, Kind, Route
from tests.web.house import ADA, DEAD, PASSWORD, House, build

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
OPEN = {
    "/api/visit", "/api/sign-up", "/api/sign-in", "/oauth/token", "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server", "/", "/sign-in", "/sign-up", "/invite/{secret}", "/healthz", "/readyz",
    "/metrics", "/static/{name}", "/docs", "/openapi.json",
}  # fmt: skip
LEAVING = {"/api/sign-out", "/sign-out"}
CLIENTS = {"/oauth/introspect", "/oauth/revoke"}
SESSION_CHECKS = (checks.signed_in, checks.a_session)
LOOKING = {checks.signed_in_perhaps, checks.session_perhaps}
BODIES = {
    "/api/sign-in": f'{{"email": "{ADA}", "password": "{PASSWORD}"}}',
    "/api/sign-up": f'{{"email": "new@example.com", "password": "{PASSWORD}"}}',
    "/api/password": f'{{"current": "{PASSWORD}", "new": "short"}}',
    "/api/reauthenticate": f'{{"password": "{PASSWORD}"}}',
    "/api/admin/accounts/{account_id}/roles": '{"roles": ["member"]}',
    "/api/admin/accounts/{account_id}/roles/preview": '{"roles": ["member"]}',
}
JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
OURS = ("sec-fetch-site", "same-origin")
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Scene:
    """An authority with an administrator, a member and a visitor, each made new when asked for."""

    authority: Authority

    def cookie(self, who: str) -> str:
        """A cookie of a new session."""
        origin = Origin("127.0.0.1", "test")
        if who == "visitor":
            return (
                f"gatepost={self.authority.sign_in.visit(Carrier.COOKIE, origin).credential.handle.reveal()}"
            )
        begun = self.authority.sign_in.sign_in(f"{who}@example.com", PASSWORD, Wish(origin))
        assert isinstance(begun.credential, CookieIssued)
        return f"gatepost={begun.credential.handle.reveal()}"

    def ask(
        self,
        table: tuple[Route, ...],
        route: Route,
        headers: Headers,
        body: str | None = None,
        query: str = "",
    ) -> Response:
        """Send one request to the application of this table."""
        kind, content = well_formed(route)
        path = route.path.replace("{", "").replace("}", "") + query
        app = make_app(self.authority, routes=table)
        with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
            for_body = kind if body is None else []
            sent = content if body is None else body
            return client.request(route.method, path, headers=[*for_body, *headers], content=sent)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One authority for the whole table: no request here is meant to get far."""
    house: House = build(
        tmp_path_factory.mktemp("table"), {"limits": {"visits_per_minute": 1, "sign_ups_per_minute": 1}}
    )
    house.account("admin@example.com", "admin")
    house.account("member@example.com", "member")
    # Nothing that goes on by itself keeps a test waiting.
    house.authority.leaving = True
    yield Scene(house.authority)
    house.close()


def well_formed(route: Route) -> tuple[Headers, str]:
    """A body that a route takes, and its type."""
    if route.path == "/reauthenticate":
        return [FORM], f"password={quote_plus(PASSWORD)}"
    if checks.form_body in route.checks:
        return [FORM], f"email=nobody%40example.com&password=no&grant_type=none&current={PASSWORD}&new=short"
    if checks.json_body in route.checks:
        return [JSON], BODIES.get(route.path, "{}")
    return [], ""


Provoke = Callable[[Scene, tuple[Route, ...], Route], Response]


def token_in_the_address(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Of somebody who may do everything."""
    return scene.ask(table, route, [OURS, ("cookie", scene.cookie("admin"))], query="?access_token=x")


def two_authorizations(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Of two schemes, beside a cookie of somebody who may do everything."""
    headers = [
        OURS,
        ("cookie", scene.cookie("admin")),
        ("authorization", "Basic YTpi"),
        ("authorization", "Basic YTpj"),
    ]
    return scene.ask(table, route, headers)


def two_cookies(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Two values of one cookie."""
    return scene.ask(table, route, [OURS, ("cookie", f"gatepost={DEAD}; gatepost={DEAD}")])


def foreign_page(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """In the browser of somebody who may do everything."""
    return scene.ask(table, route, [("sec-fetch-site", "cross-site"), ("cookie", scene.cookie("admin"))])


def disguised_body(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """A body that says it is plain text."""
    headers = [OURS, ("cookie", scene.cookie("admin")), ("content-type", "text/plain")]
    return scene.ask(table, route, headers, body=well_formed(route)[1])


def disguised_json(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """The same where a body may be left out."""
    headers = [OURS, ("cookie", scene.cookie("admin")), ("content-type", "text/plain")]
    return scene.ask(table, route, headers, body="{}")


def plain_member(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Signed in, and no administrator."""
    return scene.ask(table, route, [OURS, ("cookie", scene.cookie("member"))])


def old_sign_in(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Of somebody who may do everything, and has signed in a quarter of an hour ago."""
    cookie, clock = scene.cookie("admin"), scene.authority.clock
    assert isinstance(clock, TurnableClock)
    clock.turn(minutes=15)
    return scene.ask(table, route, [OURS, ("cookie", cookie)])


def second_visit(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """One more than a minute may see, of visits or of sign-ups."""
    scene.ask(table, route, [OURS])
    return scene.ask(table, route, [OURS])


def from_elsewhere(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """From no address of this machine, by somebody who may do everything."""
    return scene.ask(table, route, [("cookie", scene.cookie("admin"))])


def endless_wait(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """For verifiers, by somebody who may do everything."""
    return scene.ask(table, route, [OURS, ("cookie", scene.cookie("admin"))], query="?wait=31")


def secret_in_the_address(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """Of a client, where logs would keep it."""
    return scene.ask(table, route, [OURS], query="?client_secret=x")


def no_client(scene: Scene, table: tuple[Route, ...], route: Route) -> Response:
    """A form in which nobody says who they are."""
    return scene.ask(table, route, [OURS])


@dataclass(frozen=True)
class Teeth:
    """How a check is provoked and what it then says."""

    provoke: Provoke
    status: int
    code: str


TEETH: dict[Check, Teeth] = {
    checks.no_query_credentials: Teeth(token_in_the_address, 400, "malformed"),
    checks.one_credential: Teeth(two_authorizations, 400, "ambiguous_credentials"),
    checks.one_cookie: Teeth(two_cookies, 400, "ambiguous_credentials"),
    checks.not_cross_site: Teeth(foreign_page, 403, "cross_site"),
    checks.json_body: Teeth(disguised_body, 415, "unsupported_media_type"),
    checks.json_perhaps: Teeth(disguised_json, 415, "unsupported_media_type"),
    checks.form_body: Teeth(disguised_body, 415, "unsupported_media_type"),
    checks.admin: Teeth(plain_member, 403, "forbidden"),
    checks.freshly_signed_in: Teeth(old_sign_in, 403, "reauthentication_required"),
    metrics_reader: Teeth(from_elsewhere, 403, "forbidden"),
    checks.few_visits: Teeth(second_visit, 429, "slow_down"),
    checks.few_sign_ups: Teeth(second_visit, 429, "slow_down"),
    awaiting.a_wait: Teeth(endless_wait, 400, "malformed"),
    client_checks.nothing_in_the_address: Teeth(secret_in_the_address, 400, "malformed"),
    client_checks.introspecting_client: Teeth(no_client, 401, "invalid_client"),
    client_checks.any_client: Teeth(no_client, 401, "invalid_client"),
}


def named(route: Route) -> str:
    """A row in a test report."""
    return f"{route.method} {route.path}"


def without(route: Route, check: Check) -> tuple[Route, ...]:
    """The table with one check taken out of one row."""
    bare = replace(route, checks=tuple(one for one in route.checks if one is not check))
    return tuple(bare if one is route else one for one in ROUTES)


def said(answer: Response, route: Route, teeth: Teeth) -> bool:
    """Whether an answer is the refusal of a check, in the form of the route's readers."""
    if route.kind is Kind.PAGE and teeth.code == "reauthentication_required":
        return answer.headers.get("location", "").startswith("/reauthenticate?")
    if answer.status_code != teeth.status:
        return False
    if route.kind is Kind.PAGE:
        return f'<p class="status">{teeth.status}</p>' in answer.text
    body = answer.json()
    oauth = "invalid_request" if teeth.code == "malformed" else teeth.code
    return bool(body["error"] == oauth if route.kind is Kind.OAUTH else body["code"] == teeth.code)


PAIRS = [(route, check) for route in ROUTES for check in route.checks if check in TEETH]


@pytest.mark.parametrize(
    ("route", "check"), PAIRS, ids=lambda one: getattr(one, "__name__", None) or named(one)
)
def test_every_check_of_every_row_has_teeth(scene: Scene, route: Route, check: Check) -> None:
    """The full row refuses the hostile request with the check's code; the row without it does not."""
    teeth = TEETH[check]
    refused = teeth.provoke(scene, ROUTES, route)
    assert said(refused, route, teeth), refused.text
    assert not said(teeth.provoke(scene, without(route, check), route), route, teeth)


SIGNED = [(route, check) for route in ROUTES for check in route.checks if check in SESSION_CHECKS]


def sent_away(answer: Response) -> bool:
    """Whether an answer says to sign in first."""
    return answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in")


@pytest.mark.parametrize(
    ("route", "check"), SIGNED, ids=lambda one: getattr(one, "__name__", None) or named(one)
)
def test_every_row_that_needs_a_sign_in_has_one(scene: Scene, route: Route, check: Check) -> None:
    """Nobody and the dead are sent away; without the check everybody is: no endpoint finds anyone by itself."""
    assert sent_away(scene.ask(ROUTES, route, [OURS]))
    assert sent_away(scene.ask(ROUTES, route, [OURS, ("cookie", f"gatepost={DEAD}")]))
    if check is checks.signed_in:
        assert sent_away(scene.ask(ROUTES, route, [OURS, ("cookie", scene.cookie("visitor"))]))
    live = [OURS, ("cookie", scene.cookie("admin"))]
    assert not sent_away(scene.ask(ROUTES, route, live))
    assert sent_away(scene.ask(without(route, check), route, live))


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_row_keeps_the_rules_of_the_table(route: Route) -> None:
    """What changes something refuses other sites; what is not open needs a session; administration its role."""
    if route.method in UNSAFE:
        assert checks.not_cross_site in route.checks
        assert checks.json_body not in route.checks or checks.form_body not in route.checks
    else:
        assert route.method == "GET"
    if route.path in CLIENTS:
        assert {client_checks.any_client, client_checks.introspecting_client} & set(route.checks)
        assert client_checks.nothing_in_the_address in route.checks
    elif route.path not in OPEN | LEAVING:
        assert set(SESSION_CHECKS) & set(route.checks)
    if "admin" in route.path.split("/"):
        order = [one for one in route.checks if one in {checks.signed_in, checks.admin}]
        assert order == [checks.signed_in, checks.admin]
    if set(route.checks) & {*SESSION_CHECKS, *LOOKING}:
        assert {checks.one_credential, checks.one_cookie} & set(route.checks)
    if route.kind is Kind.PAGE and route.method in UNSAFE:
        assert route.checks.index(checks.form_body) < route.checks.index(checks.not_cross_site)
    assert len(set(route.checks)) == len(route.checks)


def test_every_check_is_tried() -> None:
    """No check stands in the table that the tests above do not know."""
    used = {check for route in ROUTES for check in route.checks}
    assert used == {*TEETH, *SESSION_CHECKS, *LOOKING}


def test_every_check_says_what_it_refuses() -> None:
    """The description of a call has the code of each of its checks, and of no check that is gone."""
    assert set(REFUSALS) == {check for route in ROUTES for check in route.checks}
    assert all(REFUSALS.values())
    for check, teeth in TEETH.items():
        kinds = REFUSALS[check]
        assert (teeth.status, teeth.code) in {(kind.status, kind.code) for kind in kinds}, check.__name__


def test_no_two_rows_answer_one_request() -> None:
    """Each method and path stands once."""
    keys = [(route.method, route.path) for route in ROUTES]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("path", sorted(LEAVING))
def test_leaving_looks_for_the_session(scene: Scene, path: str) -> None:
    """With the check sign-out ends what is presented; without it nothing is ended."""
    (route,) = (one for one in ROUTES if one.path == path)
    for table, lives in ((ROUTES, False), (without(route, checks.session_perhaps), True)):
        cookie = scene.cookie("member")
        scene.ask(table, route, [OURS, ("cookie", cookie)])
        (who,) = (one for one in ROUTES if one.path == "/api/session")
        assert (scene.ask(ROUTES, who, [("cookie", cookie)]).status_code == 200) is lives


@pytest.mark.parametrize(
    "route",
    [one for one in ROUTES if checks.signed_in_perhaps in one.checks and one.method == "GET"],
    ids=named,
)
def test_greeting_knows_who_is_there(scene: Scene, route: Route) -> None:
    """With the check a page names the person; without it it greets nobody."""
    live = [("cookie", scene.cookie("member"))]
    assert "member@example.com" in scene.ask(ROUTES, route, live).text
    assert "member@example.com" not in scene.ask(without(route, checks.signed_in_perhaps), route, live).text
