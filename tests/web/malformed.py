"""Requests that are wrong on purpose, as bytes: each a way to break one, applied to any row of the table.

Owns what is wrong with them, and that the same seed makes the same ones. Sends nothing.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from gatepost.web.routes import Route

T = TypeVar("T")
DEPTH: Final = 12_000
GIANTS: Final = (2**63, -(2**63) - 1, 2**64, 10**400, -(10**30))
TEXTS: Final = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"%00", b"%ff%fe", b"%ED%A0%80", b"..%2f..%2f", b"%", b"%zz",
    b"\xf0\x9f\x98\x80", b"\x7f", b"\x0b", b"'\"<script>", b"A" * 3_000, b"*", b"", b"%0d%0aX: 1", b"\\u0000",
)  # fmt: skip
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
FIELDS: Final = (
    "email", "password", "carrier", "resource", "current", "new", "roles", "compromised", "algorithm", "grant_type",
    "refresh_token", "token", "client_id", "client_secret", "csrf", "next", "confirm",
)  # fmt: skip


class Wrong:
    """A maker of wrong requests to one host."""

    def __init__(self, host: str, cookies: Sequence[str], seed: int) -> None:
        self._host = host.encode()
        self._cookies = cookies
        self._random = random.Random(seed)
        self._kinds: tuple[Callable[[Route], bytes], ...] = (
            self.line, self.name_or_value, self.length, self.chunks, self.smuggled, self.path, self.query,
            self.json_value, self.json_text, self.form, self.cookies, self.credentials, self.kind, self.noise,
        )  # fmt: skip

    def some(self, routes: Sequence[Route], many: int, start: int) -> Iterator[tuple[str, bytes]]:
        """So many requests with the name of what is wrong: every kind at every route, in turn, from `start` on."""
        for number in range(start, start + many):
            route = routes[number % len(routes)]
            make = self._kinds[sum(divmod(number, len(routes))) % len(self._kinds)]
            yield f"{make.__name__} at {route.method} {route.path}", make(route)

    def line(self, route: Route) -> bytes:
        """A request line that is none."""
        path, method = self._path(route), route.method.encode()
        first = self._one(
            method + b" " + path,
            method + b"  " + path + b" HTTP/1.1",
            method.lower() + b" " + path + b" HTTP/1.1",
            method + b" " + path + b" HTTP/9.9",
            method + b" " + path + b" HTTP/1.1 " + self._text(),
            self._text() + b" " + path + b" HTTP/1.1",
            b"GET" * 300 + b" " + path + b" HTTP/1.1",
            method + b" http://" + self._text() + path + b" HTTP/1.1",
            method + b" * HTTP/1.1",
            method + b" " + path + b"#fragment HTTP/1.1",
        )
        return first + b"\r\nHost: " + self._host + b"\r\n\r\n"

    def name_or_value(self, route: Route) -> bytes:
        """A header that is none, or stands where it must not."""
        wrong = self._one(
            b"no colon at all",
            b": no name",
            b"X Y: 1",
            b" X: folded",
            b"X: " + self._text(),
            self._text() + b": 1",
            b"Host: " + self._text(),
            b"Content-Type: a\r\nContent-Type: b",
            b"Expect: " + self._one(b"100-continue", b"200-ok"),
            b"Upgrade: h2c\r\nConnection: Upgrade",
            b"Range: bytes=9-1,-,999999999999999999999-",
            b"X-Forwarded-For: " + self._text() + b"\r\nX-Forwarded-Proto: https",
            b"\r\n".join(b"X-%d: %s" % (number, b"y" * 90) for number in range(300)),
            b"Accept-Language: " + b"de;q=NaN,en;q=-1,*;q=1e400," * 9,
            b"User-Agent: " + self._text() * 3,
        )
        return self._request(route, self._body(route), more=wrong)

    def length(self, route: Route) -> bytes:
        """A length that is negative, huge, no number, too short, or two."""
        value = self._one(
            b"-1", b"+5", b"0x10", b"99999999999999999999", b"18446744073709551616", b"2147483648", b"1e3", b"",
            b"5, 5", b"5\r\nContent-Length: 6", b"\xd9\xa3", b"1_0", b" 3 ", b"3;", b"65537", b"0",
        )  # fmt: skip
        return (
            self._head(route, self._kind(route))
            + b"Content-Length: "
            + value
            + b"\r\n\r\n"
            + self._body(route)
        )

    def chunks(self, route: Route) -> bytes:
        """A chunked body that cannot be read, or only in two ways."""
        body = self._one(
            b"ZZ\r\nabc\r\n0\r\n\r\n",
            b"-5\r\nabc\r\n0\r\n\r\n",
            b"FFFFFFFFFFFFFFFFFF\r\nabc",
            b"3\nabc\n0\n\n",
            b"3;" + b"x" * 5_000 + b"\r\nabc\r\n0\r\n\r\n",
            b"5\r\nabc\r\n0\r\n\r\n",
            b"2\r\nabc\r\n0\r\n\r\n",
            b"0\r\nContent-Length: 5\r\nHost: evil.example\r\n\r\n",
            b"1\r\n{\r\n" * 500 + b"0\r\n\r\n",
            b"\r\n\r\n",
        )
        return self._head(route, self._kind(route)) + b"Transfer-Encoding: chunked\r\n\r\n" + body

    def smuggled(self, route: Route) -> bytes:
        """A second request in the body of the first."""
        inner = b"GET /healthz HTTP/1.1\r\nHost: " + self._host + b"\r\n\r\n"
        how = self._one(
            b"Transfer-Encoding: chunked\r\nContent-Length: 4",
            b"Content-Length: 4\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            b"Transfer-Encoding:\x0bchunked",
            b"Transfer-Encoding : chunked",
            b"Content-Length: 0\r\nContent-Length: %d" % len(inner),
            b"Content-Length: %d" % len(inner),
        )
        return self._head(route, self._kind(route)) + how + b"\r\n\r\n0\r\n\r\n" + inner

    def path(self, route: Route) -> bytes:
        """A path with what no path holds."""
        wrong = self._path(route) + self._one(b"", b"/", b"//", b"/.", b"/..", b";x", b"%2f") + self._text()
        return self._request(route, self._body(route), path=wrong)

    def query(self, route: Route) -> bytes:
        """A query of the known names with values that fit none."""
        names = (
            b"limit",
            b"after",
            b"q",
            b"confirm",
            b"account",
            b"order",
            b"roles",
            b"access_token",
            b"next",
            b"\xff",
        )
        pairs = [
            self._random.choice(names) + b"=" + self._text()[:300].replace(b"\r", b"")
            for _ in range(self._random.randint(1, 40))
        ]
        return self._request(route, self._body(route), path=self._path(route) + b"?" + b"&".join(pairs))

    def json_value(self, route: Route) -> bytes:
        """JSON that can be read, with values that nothing expects."""
        giant = self._random.choice(GIANTS)
        value: Any = self._one(
            giant, [giant], {"a": {"b": giant}}, 2**63 - 1, 2**63, 1.5e308, "\x00", "\ud800", "\uffff" * 9, [[]] * 500,
            {"": {}},
        )  # fmt: skip
        named = dict.fromkeys(self._random.sample(FIELDS, 5), value)
        return self._request(route, json.dumps(named).encode(), kind=JSON)

    def json_text(self, route: Route) -> bytes:
        """JSON that cannot be read, or only in two ways."""
        body = self._one(
            b"[" * DEPTH + b"]" * DEPTH,
            b'{"a":' * (DEPTH // 2) + b"1" + b"}" * (DEPTH // 2),
            b"[" * 60_000,
            b'{"email": NaN}',
            b'{"email": -Infinity, "password": 1e999}',
            b'{"email": "a", "email": "b"}',
            b'{"roles": ["a"], "roles": []}',
            b'{"a": ' + b"9" * 30_000 + b"}",
            b'{"a": 1' + b"0" * 400 + b"e-400}",
            b'{"email": "\\ud800\\ud800", "password": "\\udfff"}',
            b'{"email": "' + self._text() + b'"}',
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\x00}\x00",
            b"{}" * 200,
            b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(4_000)) + b"}",
        )
        return self._request(route, body, kind=JSON)

    def form(self, route: Route) -> bytes:
        """A form with ten thousand fields, a field twice, or bytes that are no text."""
        body = self._one(
            b"&".join(b"f%d=" % number for number in range(10_000)),
            b"&" * 50_000,
            b"=" * 3_000,
            b"email=" + self._text() + b"&password=" + self._text() + b"&csrf=" + self._text(),
            b"token=" + self._text() + b"&token=a&client_id=first-party",
            b"grant_type=refresh_token&refresh_token=" + self._text() + b"&resource=" + self._text(),
            b"%" * 900,
            b"roles=" + self._text() + b"&confirm=everyon",
        )
        return self._request(route, body, kind=FORM)

    def cookies(self, route: Route) -> bytes:
        """Cookies by the thousand, twice, without names, of other alphabets."""
        cookie = self._one(
            b"; ".join(b"c%d=%d" % (number, number) for number in range(1_500)),
            b"; ".join(b"gatepost=%d" % number for number in range(1_000)),
            b";" * 5_000,
            b"gatepost=" + self._text(),
            b"gatepost-sealed=" + self._text() + b"; gatepost-access=" + self._text(),
            b"gatepost-csrf=" + self._text() + b"; gatepost-refresh=a.b.c",
            b"gatepost-device=" + b"A" * 2_000,
            b"=" * 1_000,
        )
        return self._request(route, self._body(route), more=b"Cookie: " + cookie, own=False)

    def credentials(self, route: Route) -> bytes:
        """An Authorization header that shows nothing."""
        shown = self._one(
            b"Bearer " + self._text(),
            b"Bearer " + b"." * 3_000,
            b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
            b"Bearer " + b"e30." * 500,
            b"Basic " + self._text(),
            b"Basic OjpAQA==",
            b"Basic " + b"/" * 4_000,
            b"Bearer a\r\nAuthorization: Bearer b",
            b"",
            self._text(),
        )
        return self._request(route, self._body(route), more=b"Authorization: " + shown, own=False)

    def kind(self, route: Route) -> bytes:
        """A body of a kind that nobody reads, or called by two names."""
        kind = self._one(
            "text/plain", "multipart/form-data", "multipart/form-data; boundary=", JSON + "; charset=utf-16",
            JSON + "\x00", FORM + "; charset=\xff", "/", ";;;", "a" * 4_000, JSON + "\r\nContent-Encoding: gzip",
        )  # fmt: skip
        return self._request(route, self._body(route) or self._text(), kind=kind)

    def noise(self, route: Route) -> bytes:
        """A sound request of which some bytes were changed on the way."""
        sound = bytearray(self._request(route, self._body(route)))
        for _ in range(self._random.randint(1, 6)):
            sound[self._random.randrange(len(sound))] = self._random.randrange(256)
        return bytes(sound)

    def _one(self, *choices: T) -> T:
        return self._random.choice(choices)

    def _text(self) -> bytes:
        return self._random.choice(TEXTS)

    def _path(self, route: Route) -> bytes:
        head, _, rest = route.path.partition("{")
        return f"{head}{'a' * 22}{rest.partition('}')[2]}".encode() if rest else head.encode()

    def _kind(self, route: Route) -> str:
        return JSON if route.path.startswith("/api/") else FORM

    def _body(self, route: Route) -> bytes:
        if route.method == "GET":
            return b""
        return b'{"email":"a@example.com"}' if self._kind(route) == JSON else b"email=a%40example.com&token=a"

    def _head(self, route: Route, kind: str, path: bytes | None = None, *, own: bool = True) -> bytes:
        cookie = self._random.choice(self._cookies) if own else ""
        lines = [
            route.method.encode() + b" " + (path or self._path(route)) + b" HTTP/1.1",
            b"Host: " + self._host,
            b"Sec-Fetch-Site: same-origin",
            b"Content-Type: " + kind.encode("latin-1"),
        ]
        return b"\r\n".join([*lines, *([f"Cookie: {cookie}".encode()] if cookie else [])]) + b"\r\n"

    def _request(
        self,
        route: Route,
        body: bytes,
        *,
        kind: str = "",
        path: bytes | None = None,
        more: bytes = b"",
        own: bool = True,
    ) -> bytes:
        head = self._head(route, kind or self._kind(route), path, own=own)
        extra = more + b"\r\n" if more else b""
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        return head + extra + length + b"\r\n" + body
