"""Bytes that no client library sends, against a real server: a 4xx or a closed connection, and it goes on serving."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.servers import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One real server for all of these."""
    with RunningServer(tmp_path_factory.mktemp("raw")) as running:
        yield running


def port_of(server: RunningServer) -> int:
    """The port it listens on."""
    return int(server.url.rpartition(":")[2])


def talk(server: RunningServer, sent: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes over one connection; everything that comes back until the other side closes it, which it must."""
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port_of(server)), timeout=60) as connection,
        suppress(ConnectionError),
    ):
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65_536):
            received += part
    return received


def statuses(received: bytes) -> list[int]:
    """The status of every answer in what came back."""
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


def alive(server: RunningServer) -> bool:
    """Whether the server still serves."""
    return statuses(
        talk(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    ) == [200]


BODY = b'{"email":"eve@example.com","password":"three or four words do it"}'
HEAD = b"POST /api/sign-up HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
REFUSED: dict[str, bytes] = {
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
    "two equal hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "no host in 1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
    "foreign host": b"GET /healthz HTTP/1.1\r\nHost: evil.com\r\n\r\n",
    "host with user": b"GET /healthz HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "length and chunks": HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 66\r\n\r\n" + BODY,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
    "huge length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "length in words": HEAD + b"Content-Length: many\r\n\r\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + BODY,
    "unknown coding": HEAD + b"Transfer-Encoding: gzip, identity\r\n\r\n" + BODY,
    "cookie of 64 KB": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: a="
    + b"b" * 65_536
    + b"\r\n\r\n",
    "1,000 headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 60) for number in range(1000))
    + b"\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "garbage": b"\x00\xff\xfe" * 400 + b"\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "space in a name": b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "100 KB body": HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_broken_request_is_refused(server: RunningServer, kind: str) -> None:
    """Never 2xx, never 5xx; nobody is signed up by it, and the next request is served."""
    received = talk(server, REFUSED[kind], half_close=True)
    assert all(400 <= status < 500 for status in statuses(received)), received[:300]
    assert b"evil.com" not in received
    assert alive(server)
    assert "Traceback" not in server.journal


def test_absolute_target_changes_no_link(server: RunningServer) -> None:
    """RFC 9112 section 3.2.2: whatever the target names, every link begins with our own address."""
    request = (
        b"GET http://evil.com/.well-known/oauth-authorization-server HTTP/1.1\r\nHost: localhost\r\n"
        b"Connection: close\r\n\r\n"
    )
    received = talk(server, request)
    assert b"evil.com" not in received
    assert all(status < 500 for status in statuses(received))


def test_garbage_after_a_request_ends_the_connection(server: RunningServer) -> None:
    """What comes after it is not taken for another request that succeeds, and the first one's answer fails nowhere."""
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    found = statuses(talk(server, first + b"\x00\x01garbage\r\n\r\n" + first))
    assert found.count(200) <= 1
    assert found[-1] == 400
    assert alive(server)
    assert "Traceback" not in server.journal


def test_smuggled_request_is_not_served(server: RunningServer) -> None:
    """A body that looks like a request stays a body."""
    inner = b"POST /api/sign-out HTTP/1.1\r\nHost: localhost\r\n\r\n"
    outer = HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(inner)
    assert statuses(talk(server, outer + inner)) == [400]


def test_aborted_sign_up_makes_no_account(server: RunningServer) -> None:
    """The connection ends before the body does, wherever; afterwards the address is free."""
    for cut in (0, 1, len(BODY) // 2, len(BODY) - 1):
        talk(server, HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:cut], half_close=True)
    form = b"email=eve%40example.com&password=three+or+four+words+do+it"
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    head = b"POST /sign-up HTTP/1.1\r\nHost: localhost\r\n" + kind
    talk(server, head + b"Content-Length: %d\r\n\r\n" % (len(form) + 1) + form, half_close=True)
    assert "eve@example.com" not in server.command("account", "list").out


def test_crowd_of_idle_connections_blocks_nobody(server: RunningServer) -> None:
    """A hundred that have said half a request each; the next one is answered."""
    idle = [socket.create_connection(("127.0.0.1", port_of(server)), timeout=60) for _ in range(100)]
    try:
        for connection in idle:
            connection.sendall(
                b"POST /api/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
            )
        assert alive(server)
    finally:
        for connection in idle:
            connection.close()
    assert alive(server)


@pytest.mark.parametrize("size", [200_000, 1_000_000])
def test_huge_headers_are_answered_before_the_connection_ends(server: RunningServer, size: int) -> None:
    """The client reads a 431 with its code, not a reset, though it sent more than anybody read."""
    sent = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * size + b"\r\n\r\n"
    answer = talk(server, sent)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers_too_large"' in answer


def test_what_is_no_http_has_a_code_too(server: RunningServer) -> None:
    """Refused before there is a request, in the form of every other refusal."""
    answer = talk(server, b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code":"malformed"' in answer


def test_a_target_that_names_another_host_is_refused(server: RunningServer) -> None:
    """It would override the Host header (RFC 9112 section 3.2.2); the same host in both is one host."""
    host = server.url.removeprefix("http://").encode()
    strange = b"GET http://evil.example/ HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    own = b"GET http://" + host + b"/healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    assert talk(server, strange).startswith(b"HTTP/1.1 400 ")
    assert talk(server, own).startswith(b"HTTP/1.1 200 ")
