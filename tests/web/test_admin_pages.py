"""The administrator's pages: what they show, what they say before something is done, what must be typed."""

import re

import pytest
from starlette.testclient import TestClient

from gatepost.core.keys import KeyState
from tests.web.house import ADA, Build, House, sign_in

BOSS = "boss@example.com"
SECTIONS = ["/admin", "/admin/trail", "/admin/keys", "/admin/servers", "/admin/everyone"]


@pytest.fixture
def boss(house: House) -> TestClient:
    """A browser of an administrator."""
    return house.signed_in(BOSS, "admin")


def words(text: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<script>.*</script>|<[^>]+>", " ", text, flags=re.DOTALL))


def active_key(house: House) -> str:
    """The key that signs."""
    listed = house.authority.keys.listed()
    return next(key.id for key in listed if key.state is KeyState.ACTIVE and key.public)


@pytest.mark.parametrize("path", SECTIONS)
def test_every_section_leads_to_every_other(boss: TestClient, path: str) -> None:
    """And says which one it is; no page asks for a script from elsewhere or allows one."""
    answer = boss.get(path)
    assert answer.status_code == 200
    assert all(f'href="{one}"' in answer.text for one in SECTIONS)
    assert f'href="{path}" aria-current="page"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert ("script-src 'sha256-" in policy) == ("<script>" in answer.text)
    assert "<script src" not in answer.text
    assert len(answer.content) < 60_000


def test_first_page_shows_who_is_signed_in_and_what_happened(house: House, boss: TestClient) -> None:
    """Last used first, with device, address, carrier, and what they did last."""
    house.clock.turn(minutes=1)
    client = house.browser(
        **{"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    )
    house.account(ADA)
    sign_in(client, carrier="sealed")
    text = words(boss.get("/admin").text)
    rows = text[text.index("Did last") :]
    assert rows.index(ADA) < rows.index(BOSS)
    assert all(
        one in rows for one in ("Firefox on Linux", "testclient", "12:01 UTC", "Signed in", "This one")
    )
    assert f"{ADA} · Signed in with a password using Firefox on Linux from testclient" in text
    assert "Kept in a sealed cookie of the browser" in text


def test_one_search_finds_accounts_and_sessions(house: House, boss: TestClient) -> None:
    """By a part of the e-mail; by where an address begins, sessions alone."""
    house.signed_in(ADA)
    found = words(boss.get("/admin", params={"q": "ada@"}).text)
    assert found.count(ADA) >= 2
    assert "boss@example.com" not in found.replace("boss@example.com Account", "", 1)
    by_address = words(boss.get("/admin", params={"q": "203.0.113."}).text)
    assert "Nobody who matches is signed in." in by_address


def test_lists_go_on_from_where_a_page_ends(house: House, boss: TestClient) -> None:
    """Every session and every account once, over links alone."""
    for number in range(30):
        house.account(f"user{number:02}@example.com")
        sign_in(house.browser(), f"user{number:02}@example.com")
        house.clock.turn(seconds=1)
    for name, first in (("sessions", "/admin"), ("accounts", "/admin")):
        seen, path, pages = set[str](), first, 0
        while path:
            text = boss.get(path).text
            pages += 1
            part = text[text.index("<tbody") :] if name == "sessions" else text[text.index('id="accounts"') :]
            part = part[: part.index("</tbody>")] if "<tbody" in part else ""
            seen |= set(re.findall(r"user\d\d@example.com", part))
            links = re.findall(rf'class="button" href="(/admin\?[^"]*{name}=[^"]+)"', text)
            path = links[0].replace("&amp;", "&") if links else ""
        assert (len(seen), pages) == (30, 4)


def test_an_account_is_shown_with_its_time_line(house: House, boss: TestClient) -> None:
    """Newest first, who did it, and older entries a page further."""
    client = house.signed_in(ADA)
    account = house.authority.accounts.find(ADA)
    for _ in range(12):
        boss.post(f"/admin/accounts/{account.id}/end-sessions", data={})
        sign_in(client)
    text = boss.get(f"/admin?account={account.id}").text
    told = words(text[text.index('class="timeline"') :])
    assert told.index("Signed in") < told.index("All sessions ended")
    assert f"by {BOSS}" in told
    (older,) = re.findall(r'href="(/admin\?account=[^"]+before=\d+)"', text)
    assert "Account made" in words(boss.get(older.replace("&amp;", "&")).text)
    assert "Account made" not in told


def test_long_list_of_sessions_is_folded_so_that_the_time_line_is_near(
    house: House, boss: TestClient
) -> None:
    """Nine cards stand open; the others unfold without script, each with its button. What deserves a look is first."""
    account = house.account()
    holders = [house.holder_of(ADA) for _ in range(9)]
    path = f"/admin?account={account.id}"
    assert '<details class="rest">' not in boss.get(path).text
    holders += [house.holder_of(ADA) for _ in range(3)]
    for repeated in (holders[0], holders[-1]):
        for agent in ("app/1", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"):
            form = {"grant_type": "refresh_token", "refresh_token": repeated.refresh}
            assert house.program(**{"user-agent": agent}).post("/oauth/token", data=form).status_code == 200
    shown, folded = boss.get(path).text.split('<details class="rest">')
    folded = folded[: folded.index("</details>")]
    assert (shown.count('<li class="card'), folded.count('<li class="card')) == (9, 3)
    assert folded.count("End this one") == 3
    assert ["If that was not you" in card for card in shown.split('<li class="card')[1:5]] == [
        True,
        True,
        False,
        False,
    ]
    assert ">3 more sessions</summary>" in folded


def test_sessions_of_an_account_come_twenty_to_a_page(house: House, boss: TestClient) -> None:
    """Each once, over links; the count is that of all."""
    account = house.account()
    for _ in range(25):
        house.holder_of(ADA)
    first = boss.get(f"/admin?account={account.id}").text
    (more,) = re.findall(r'href="(/admin\?account=[^"]+&amp;from=20)#where"', first)
    rest = boss.get(more.replace("&amp;", "&")).text
    seen = [re.findall(r"/admin/sessions/([^/]+)/end", text) for text in (first, rest)]
    assert ([len(page) for page in seen], len({*seen[0], *seen[1]})) == ([20, 5], 25)
    assert "from=40" not in rest
    assert "<dt>Sessions</dt><dd>25</dd>" in first


def test_an_account_with_many_roles_keeps_its_row_short(building: Build) -> None:
    """Six of them and how many there are besides; its own page has all."""
    roles = [f"role-{number}" for number in range(9)]
    house = building({"roles": {role: [] for role in roles}})
    boss = house.signed_in(BOSS, "admin")
    account = house.account(ADA, *roles)
    row = words(boss.get("/admin?q=ada").text)
    assert "role-5 + 3" in row
    assert "role-8 role-8" not in row
    assert all(f'value="{role}" checked' in boss.get(f"/admin?account={account.id}").text for role in roles)


def test_role_editor_says_what_it_will_do_before_it_does_it(building: Build) -> None:
    """What comes, what goes, whom it meets; pressing the button then does it."""
    house = building({"roles": {"support": ["orders:refund"]}})
    boss = house.signed_in(BOSS, "admin")
    house.signed_in(ADA)
    account = house.authority.accounts.find(ADA)
    path = f"/admin/accounts/{account.id}/roles"
    told = words(boss.get(f"{path}?roles=support").text)
    assert all(
        one in told
        for one in ("+ support", "\u2212 member", "+ orders:refund", "1 live session, which goes on")
    )
    assert house.authority.accounts.find(ADA).roles == ("member",)
    assert "In force everywhere" in boss.post(path, data={"roles": ["support"]}).text
    assert house.authority.accounts.find(ADA).roles == ("support",)


def test_role_editor_offers_no_button_for_what_would_be_refused(house: House, boss: TestClient) -> None:
    """The last administrator, and roles that are the same."""
    own = house.authority.accounts.find(BOSS)
    path = f"/admin/accounts/{own.id}/roles"
    last = boss.get(f"{path}?roles=member").text
    assert "last administrator" in last
    assert "you would not administer any more" in words(last)
    same = boss.get(f"{path}?roles=admin").text
    assert "These are the roles it has." in same
    assert "Save roles" not in last + same
    assert boss.post(path, data={"roles": ["member"]}).status_code == 409
    assert house.authority.accounts.find(BOSS).roles == ("admin",)


def test_receipt_says_which_servers_confirmed(house: House, boss: TestClient) -> None:
    """Green, with the milliseconds of each."""
    house.signed_in(ADA)
    account = house.authority.accounts.find(ADA)
    text = boss.post(f"/admin/accounts/{account.id}/lock", data={}).text
    assert 'class="message receipt in_force"' in text
    assert re.search(r"Server \d+ : confirmed in \d+ ms", words(text))


def test_own_account_is_locked_only_with_the_word(house: House, boss: TestClient) -> None:
    """The button leads to a page that asks for it; another word does nothing."""
    house.account("other@example.com", "admin")
    own = house.authority.accounts.find(BOSS)
    path = f"/admin/accounts/{own.id}/lock"
    asked = boss.post(path, data={})
    assert (asked.status_code, "This is your own account" in asked.text) == (200, True)
    assert boss.post(path, data={"confirm": "look"}).status_code == 422
    assert house.authority.accounts.find(BOSS).locked_at is None
    boss.post(path, data={"confirm": "\tlock "})
    assert house.authority.accounts.find(BOSS).locked_at


def test_everybody_is_signed_out_only_with_the_word(house: House, boss: TestClient) -> None:
    """Then everybody is, whoever pressed it too, and the page says so with the receipt."""
    client = house.signed_in(ADA)
    for typed in ("", "Everyone", "every one", "yes"):
        assert boss.post("/admin/everyone", data={"confirm": typed}).status_code == 422
    assert client.get("/api/session").status_code == 200
    done = boss.post("/admin/everyone", data={"confirm": "everyone "})
    assert (done.status_code, "In force everywhere" in done.text) == (200, True)
    assert "Sign out" not in done.text
    assert [one.get("/api/session").status_code for one in (client, boss)] == [401, 401]
    assert boss.get("/admin").headers["location"].startswith("/sign-in")


def test_keys_are_rotated_and_withdrawn(house: House, boss: TestClient) -> None:
    """A rotation by one button on a page that says what it does; a withdrawal with the word."""
    active = active_key(house)
    assert active in boss.get("/admin/keys").text
    assert "nobody is signed out" in boss.get("/admin/keys/rotate").text
    assert "The next keys have taken over" in boss.post("/admin/keys/rotate", data={}).text
    assert active_key(house) != active
    path = f"/admin/keys/{active}/withdraw"
    assert active in boss.get(path).text
    assert boss.post(path, data={"confirm": "yes"}).status_code == 422
    assert "The key is withdrawn." in boss.post(path, data={"confirm": " withdraw"}).text
    gone = next(key for key in house.authority.keys.listed() if key.id == active)
    assert gone.state is KeyState.WITHDRAWN
    assert boss.post("/admin/keys/nothing/withdraw", data={"confirm": "withdraw"}).status_code == 404


def test_a_word_to_be_typed_stands_out(house: House, boss: TestClient) -> None:
    """In every language it is marked as what it is: a word, and not the sentence around it."""
    for language in ("en", "de"):
        text = boss.get("/admin/everyone", headers={"accept-language": language}).text
        (label,) = re.findall(r'<label for="confirm">(.*?)</label>', text)
        assert "<kbd>everyone</kbd>" in label


def test_servers_are_shown_with_their_lag(house: House, boss: TestClient) -> None:
    """The one that answers is marked."""
    text = words(boss.get("/admin/servers").text)
    assert "Answers you" in text
    assert "Up to date" in text


@pytest.mark.parametrize(
    "query", ["sessions=x", "sessions=2026~a", "accounts=%00", "before=-1", "before=9x", "before=" + "9" * 40]
)
def test_an_address_line_that_somebody_changed_does_no_harm(boss: TestClient, query: str) -> None:
    """A page all the same."""
    assert boss.get(f"/admin?{query}").status_code == 200
    assert boss.get(f"/admin/trail?{query}").status_code == 200


@pytest.mark.parametrize("path", SECTIONS)
def test_pages_are_told_in_german_too(boss: TestClient, path: str) -> None:
    """Whoever asks for it."""
    assert '<html lang="de"' in boss.get(path, headers={"accept-language": "de"}).text


def test_roles_are_called_by_their_words(building: Build) -> None:
    """In the reader's language; a role of the application by its name; the editor says the name beside the word."""
    house = building({"roles": {"editor": []}})
    boss = house.signed_in(BOSS, "admin", "editor")
    account_id = house.authority.accounts.find(BOSS).id
    for language, word in (("en", "administrator"), ("de", "Administrator")):
        german = {"accept-language": language}
        for path in ("/account", "/admin"):
            assert f"{word} editor" in words(boss.get(path, headers=german).text)
        assert f"{word} admin" in words(boss.get(f"/admin?account={account_id}", headers=german).text)
        path = f"/admin/accounts/{account_id}/roles?roles=member&roles=admin"
        foreseen = words(boss.get(path, headers=german).text)
        assert f"+ {'Mitglied' if language == 'de' else 'member'}" in foreseen
        assert "\N{MINUS SIGN} editor" in foreseen
        assert (
            "1 in einem Cookie des Browsers" if language == "de" else "1 in a cookie of the browser"
        ) in foreseen
