"""Cookies that somebody else put into the victim's browser (requirement F7): tossed, shadowed, disguised, too many.

In raw bytes where a client library would tidy them up, and in Chromium from a sibling host and by script.
"""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.attacks.victims import (
    ACCESS,
    ADA,
    BANK,
    COOKIE,
    CSRF,
    EVE,
    IN_COOKIES,
    REFRESH,
    SEALED,
    Bank,
    Town,
    ask_by_page,
    cookies_in,
    open_town,
    sign_in_by_page,
)

pytestmark = pytest.mark.needs("chromium")

NAME = {"cookie": COOKIE, "sealed": SEALED, "token-cookie": ACCESS}
BLANKS = ("\u00a0", "\u0085", "\u1680", "\u2000", "\u200b", "\u2028", "\u3000", "\ufeff")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The bank with accounts of Ada and of Eve, who attacks, a sibling of the bank, and one browser."""
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        opened.bank.account(ADA)
        opened.bank.account(EVE)
        yield opened


def say(bank: Bank, *cookies: bytes, path: str = "/auth/api/session") -> tuple[int, bytes]:
    """A request with these very Cookie headers, byte by byte; status and whole answer."""
    host = f"{BANK}:{bank.place.port}".encode()
    lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: " + host, b"Connection: close"]
    lines += [b"Cookie: " + cookie for cookie in cookies]
    context = ssl.create_default_context(cafile=str(bank.certificates.authority))
    received = b""
    with (
        socket.create_connection(("127.0.0.1", bank.place.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        while part := connection.recv(65_536):
            received += part
    return int(received.split(b" ", 2)[1]), received


DISGUISED = {
    **{f"blank {ord(blank):04x} before": blank + "{name}={eve}" for blank in BLANKS},
    **{f"blank {ord(blank):04x} behind": "{name}" + blank + "={eve}" for blank in BLANKS},
    "nameless": "={name}={eve}",
    "no equals sign": "{name}{eve}",
    "$Version": "$Version=1{name}={eve}",
    "$Version in quotes": '$Version="1,{name}={eve}"',
    "attribute of RFC 2965": "$Path={name}={eve}",
    "quoted name": '"{name}"={eve}',
    "quoted pair": '"{name}={eve}"',
    "other case": "__HOST-HTTP-{rest}={eve}",
    "prefix left away": "{rest}={eve}",
    "half the prefix": "__Host-{rest}={eve}",
    "encoded": "%5F_Host-Http-{rest}={eve}",
    "list": "{name}[]={eve}",
    "comma": "other=1, {name}={eve}",
    "longer": "{name}x={eve}",
    "two equals signs": "x={name}={eve}",
}


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_cookie_in_disguise_is_nobody_s_and_in_nobody_s_way(town: Town, carrier: str) -> None:
    """Eve's genuine value under a name that lax parsers take for ours: nobody alone, and Ada beside Ada's own."""
    bank, name = town.bank, NAME[carrier]
    ada, eve = (bank.device().sign_in(carrier, email).jar[name] for email in (ADA, EVE))
    own = f"{name}={ada}".encode()
    for label, text in DISGUISED.items():
        tossed = text.format(name=name, rest=name.removeprefix("__Host-Http-"), eve=eve).encode()
        assert say(bank, tossed)[0] == 401, label
        for cookies in ([tossed + b"; " + own], [own + b"; " + tossed], [tossed, own], [own, tossed]):
            status, answer = say(bank, *cookies)
            assert (status, ADA.encode() in answer) == (200, True), (label, cookies)


SANDWICHES = (
    'a="1; {own}; b=2"',
    '$Version=1; a="1; {own}; $Path=/; b=2"',
    "a='1; {own}; b=2'",
    "a=(1; {own}; b=2)",
    'a="\\"; {own}; b=\\""',
    "a; {own}; b",
    ";;; ;{own};;",
    "\t{own}\t",
)


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_cookies_around_ours_do_not_swallow_it(town: Town, carrier: str) -> None:
    """Quotes, brackets and `$Version` of RFC 2109 mean nothing: the victim's cookie is read, and shown to nobody."""
    bank, name = town.bank, NAME[carrier]
    value = bank.device().sign_in(carrier).jar[name]
    assert say(bank, f'{name}="{value}"'.encode())[0] == 401
    for sandwich in SANDWICHES:
        status, answer = say(bank, sandwich.format(own=f"{name}={value}").encode())
        assert (status, ADA.encode() in answer) == (200, True), sandwich
        assert value.encode() not in answer


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_two_values_of_a_cookie_are_refused_in_either_order(town: Town, carrier: str) -> None:
    """Whichever was tossed: 400, all of ours removed, and nobody is Eve. An empty one, and the same one twice, too."""
    bank, name = town.bank, NAME[carrier]
    ada, eve = (bank.device().sign_in(carrier, email).jar[name] for email in (ADA, EVE))
    for first, second in (
        (ada, eve),
        (eve, ada),
        (ada, ada),
        (ada, ""),
        ("", ada),
        (ada, "x"),
        (f'"{eve}"', ada),
    ):
        pair = [f"{name}={first}".encode(), f"{name}={second}".encode()]
        for cookies in ([b"; ".join(pair)], pair):
            status, answer = say(bank, *cookies)
            assert (status, b"ambiguous_credentials" in answer) == (400, True)
            assert f"set-cookie: {name}=; Max-Age=0".encode() in answer
            assert say(bank, *cookies, path="/auth/account")[0] == 400


def test_control_bytes_in_a_cookie_sign_nobody_in(town: Town) -> None:
    """Each of the 33, before, in and behind name and value: refused or dropped, never read as ours, never 500."""
    bank = town.bank
    eve = bank.device().sign_in("cookie", EVE).jar[COOKIE]
    for code in [*range(0x20), 0x7F]:
        byte = chr(code)
        for text in (
            f"{byte}{COOKIE}={eve}",
            f"{COOKIE}{byte}={eve}",
            f"{COOKIE}={byte}{eve}",
            f"{COOKIE}={eve}{byte}",
        ):
            status, answer = say(bank, text.encode())
            if byte in "\t\n\r":
                # Blank at an edge, or the end of the line: the server reads the header without it, as HTTP says.
                assert status in {200, 400, 401}, (code, answer)
            else:
                assert status in {400, 401}, (code, answer)


def test_two_hundred_cookies_are_read_and_more_than_32_kb_refused(town: Town) -> None:
    """Many small ones do not hide ours; too many bytes are 431, for ever the same until they are gone."""
    bank = town.bank
    own = f"{COOKIE}={bank.device().sign_in().jar[COOKIE]}".encode()
    many = b"; ".join(b"n%d=%s" % (number, b"v" * 50) for number in range(200))
    assert [say(bank, many + b"; " + own)[0], say(bank, own + b"; " + many)[0]] == [200, 200]
    bomb = b"; ".join(b"n%d=%s" % (number, b"v" * 3000) for number in range(12))
    assert say(bank, bomb + b"; " + own)[0] == 431


def tossed(name: str, value: str) -> list[str]:
    """How a sibling tries to give the whole domain a cookie of ours."""
    domain = "Domain=bank.example"
    return [
        f"{name}={value}; {domain}; Path=/; Secure",
        f"{name}={value}; {domain}; Path=/auth; Secure; HttpOnly",
        f"{name}={value}; {domain}; Path=/auth/api/session; Secure; HttpOnly; SameSite=None",
        f"{name}={value}; {domain}",
        f"{name.upper()}={value}; {domain}; Path=/; Secure",
        f"={name}={value}; {domain}; Path=/; Secure",
        f"{name}; {domain}; Path=/; Secure",
        f"$Version=1; {name}={value}; {domain}; Path=/",
        f'a="1; {domain}; Path=/; Secure',
        *(f"{blank}{name}={value}; {domain}; Path=/; Secure" for blank in BLANKS),
    ]


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_sibling_host_signs_nobody_in_as_the_attacker(town: Town, carrier: str) -> None:
    """Every form of Eve's cookies for the whole domain: whoever is signed in stays who they are, nobody else is Eve."""
    bank = town.bank
    jar = bank.device().sign_in(carrier, EVE).jar
    cookies = [cookie for name, value in jar.items() for cookie in tossed(name, value)]
    lure = town.sibling.publish("<title>Blog</title>", *cookies)
    for signed_in in (True, False):
        with town.person() as page:
            page.goto(f"{bank.url}/blank")
            before = sign_in_by_page(page, bank, carrier) if signed_in else {}
            page.goto(lure)
            page.goto(f"{bank.url}/blank")
            bank.place.seen.clear()
            status, text = ask_by_page(page, "GET", "/auth/api/session")
            assert (status, EVE in text, ADA in text) == (200 if signed_in else 401, False, signed_in)
            # The disguised ones did come along, and were not taken for ours.
            assert any("gatepost" in name for name in bank.place.seen[0].cookies - before.keys())
            assert {name: value for name, value in cookies_in(page, bank).items() if name in jar} == before


PLANT = """async ([names, value]) => {
  for (const name of names) for (const more of ['', '; Path=/', '; Path=/; Secure', '; Path=/auth; Secure',
      '; Path=/; Secure; Domain=' + location.hostname, '; Path=/; Secure; Domain=bank.example']) {
    document.cookie = name + '=' + value + more;
    document.cookie = '=' + name + '=' + value + more;
  }
  for (const name of names) for (const path of ['/', '/auth'])
    await cookieStore.set({name, value, path}).catch(() => null);
  for (const name of names) await cookieStore.delete(name).catch(() => null);
  for (const name of names) document.cookie = name + '=; Max-Age=0; Path=/; Secure';
}"""
OVERFLOW = """async () => {
  for (let n = 0; n < 400; n++) await cookieStore.set({name: 'n' + n, value: '1', path: '/'});
  return (await cookieStore.getAll()).length;
}"""
OURS = [COOKIE, SEALED, ACCESS, REFRESH]


def plant(page: Page, town: Town, value: str) -> None:
    """Run a script in the page with the hole that plants, shadows and deletes all our carriers' cookies."""
    page.goto(f"{town.bank.url}/hole?said={quote('<b>hello</b>')}")
    page.evaluate(PLANT, [OURS, value])


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_script_plants_replaces_and_deletes_none_of_our_carriers(town: Town, carrier: str) -> None:
    """Chromium keeps `__Host-Http-` out of reach of script: Ada stays Ada, and where nobody was, nobody is."""
    value = town.bank.device().sign_in("cookie", EVE).jar[COOKIE]
    with town.victim(carrier) as page:
        before = cookies_in(page, town.bank)
        plant(page, town, value)
        assert {name: cookies_in(page, town.bank).get(name) for name in before} == before
        status, text = ask_by_page(page, "GET", "/auth/api/session")
        assert (status, ADA in text) == (200, True)
    with town.person() as page:
        plant(page, town, value)
        assert not cookies_in(page, town.bank).keys() & set(OURS)
        assert ask_by_page(page, "GET", "/auth/api/session")[0] == 401


def test_script_that_overflows_the_jar_only_signs_out(town: Town) -> None:
    """With ours pushed out there is room for Eve's, and still none is taken; signing in again makes it whole."""
    value = town.bank.device().sign_in("cookie", EVE).jar[COOKIE]
    with town.victim("cookie") as page:
        page.evaluate(OVERFLOW)
        assert COOKIE not in cookies_in(page, town.bank)
        plant(page, town, value)
        assert ask_by_page(page, "GET", "/auth/api/session")[0] == 401
        sign_in_by_page(page, town.bank, "cookie")
        assert ADA in ask_by_page(page, "GET", "/auth/api/session")[1]


def test_sibling_that_overflows_the_jar_only_signs_out(town: Town) -> None:
    """Four hundred cookies for the whole domain, then Eve's: Ada is signed out at worst, and Eve is nobody."""
    value = town.bank.device().sign_in("cookie", EVE).jar[COOKIE]
    many = [f"n{number}=1; Domain=bank.example; Path=/; Secure; Max-Age=9999" for number in range(400)]
    with town.victim("cookie") as page:
        page.goto(town.sibling.publish("<title>Blog</title>", *many, *tossed(COOKIE, value)))
        page.goto(f"{town.bank.url}/blank")
        assert COOKIE not in cookies_in(page, town.bank)
        assert ask_by_page(page, "GET", "/auth/api/session")[0] == 401
        sign_in_by_page(page, town.bank, "cookie")
        assert ADA in ask_by_page(page, "GET", "/auth/api/session")[1]


def test_planted_csrf_cookie_changes_nothing_for_our_own_forms(town: Town) -> None:
    """Scripts may write that one: our forms bring the token that the server put into them, and go on working."""
    with town.victim("cookie") as page:
        page.evaluate(f"document.cookie = '{CSRF}=planted; Path=/; Secure'")
        assert cookies_in(page, town.bank)[CSRF] == "planted"
        page.goto(f"{town.bank.url}/auth/account")
        page.get_by_role("banner").get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{town.bank.url}/auth/**")
        assert COOKIE not in cookies_in(page, town.bank)
