"""`token inspect --server`: judged by what a server publishes, with a real server and with hostile ones."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli import published
from gatepost.core.sessions import Carrier
from tests.certificates import make_certificates
from tests.cli.conftest import Run
from tests.cli.holding import Holding
from tests.servers import RunningServer

METADATA = "/.well-known/oauth-authorization-server"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Told:
    """What a server is to answer, which is decided once its address is known."""

    answer: Callable[[str], Answer] = lambda path: (404, {}, b"")

    def __call__(self, path: str) -> Answer:
        return self.answer(path)


@contextmanager
def listening(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that answers by path, and everything that it was sent."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.requestline}\n{self.headers}")
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publishing(holding: Holding, url: str) -> Callable[[str], Answer]:
    """What an issuer at that address publishes."""
    metadata = json.dumps({"issuer": url, "jwks_uri": f"{url}/.well-known/jwks.json"}).encode()

    def answer(path: str) -> Answer:
        pages = {METADATA: metadata, "/.well-known/jwks.json": holding.authority.ring.jwks()}
        return (200, {}, pages[path]) if path in pages else (404, {}, b"{}")

    return answer


@pytest.fixture
def issued(tmp_path: Path) -> Iterator[tuple[Holding, str, list[str]]]:
    """An issuer that publishes its keys at its own address, and what it hears."""
    told = Told()
    with listening(told) as (url, heard):
        holding = Holding(tmp_path / "there", {"url": url, "tokens": {"audiences": ["orders"]}})
        told.answer = publishing(holding, url)
        try:
            yield holding, url, heard
        finally:
            holding.authority.stop()


def test_a_token_is_judged_by_published_keys_and_never_sent(
    run: Run, issued: tuple[Holding, str, list[str]], tmp_path: Path
) -> None:
    """Nothing speaks against it; that it may have been ended meanwhile is said. Two requests, no part of it in them."""
    holding, url, heard = issued
    token = holding.pair().access.reveal()
    done = run("token", "inspect", "--server", url, stdin=f"Bearer {token}")
    assert (done.code, done.error) == (0, "")
    assert "which is published." in done.out
    assert "Nothing that can be checked from here speaks against it.\nWhether it, its session" in done.out
    assert f"It is good only at {url}, orders;" in done.out
    assert len(heard) == 2
    assert not any(part in request for request in heard for part in token.split(".")[1:])
    answer = json.loads(run("token", "inspect", "--json", "--server", f"{url}/", stdin=token).out)
    assert (answer["accepted"], answer["reasons"], answer["key"]["state"]) == (None, [], "published")
    assert "is not known" in answer["unchecked"]
    assert not (tmp_path / "data").exists()


def test_what_is_wrong_is_found_without_a_database(run: Run, issued: tuple[Holding, str, list[str]]) -> None:
    """A changed signature, another audience, a key that is published no more."""
    holding, url, _ = issued
    header, payload, signature = holding.pair().access.reveal().split(".")
    changed = f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert "it was changed" in run("token", "inspect", "--server", url, stdin=changed).out
    done = run(
        "token", "inspect", "--server", url, "--audience", "billing", stdin=f"{header}.{payload}.{signature}"
    )
    assert done.code == 1
    assert "not for billing." in done.out
    holding.authority.keys.withdraw(holding.authority.ring.signing.verifying.kid, "cli")
    gone = f"{header}.{payload}.{signature}"
    assert "its kid is not among them" in run("token", "inspect", "--server", url, stdin=gone).out
    assert run("token", "inspect", "--server", url, stdin=holding.pair().access.reveal()).code == 0


def test_what_only_the_server_knows_is_not_guessed(run: Run, issued: tuple[Holding, str, list[str]]) -> None:
    """Refresh token, opaque cookie and sealed cookie cannot be judged by public keys, nor can HS256."""
    holding, url, _ = issued
    sealed, _ = holding.sealed()
    for text in (holding.pair().refresh.reveal(), "A" * 43, sealed):
        done = run("token", "inspect", "--server", url, stdin=text)
        assert done.code == 1
        assert "only the server itself has its record, and it was not sent there." in done.out
    shared = holding.pair().access.reveal().split(".")
    header = "eyJhbGciOiJIUzI1NiIsImtpZCI6IngiLCJ0eXAiOiJhdCtqd3QifQ"
    done = run("token", "inspect", "--server", url, stdin=".".join((header, *shared[1:])))
    assert "whose key no server publishes" in done.out


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://auth.example.com", "An issuer is asked over https only"),
        ("http://localhost.example.com", "An issuer is asked over https only"),
        ("ftp://localhost", "An issuer is asked over https only"),
        ("https://user:word@auth.example.com", "Name the issuer as it stands in tokens"),
        ("https://auth.example.com/?x=1", "Name the issuer as it stands in tokens"),
        ("auth.example.com", "Name the issuer as it stands in tokens"),
        ("https://[::1", "Name the issuer as it stands in tokens"),
        ("https://auth.example.com/a b", "Name the issuer as it stands in tokens"),
        ("http://localhost:99999", "Name the issuer as it stands in tokens"),
    ],
)
def test_an_address_that_is_not_safe_is_refused_before_anything_is_sent(
    run: Run, url: str, words: str
) -> None:
    """One sentence, exit 1."""
    done = run("token", "inspect", "--server", url, stdin="A" * 43)
    assert (done.code, done.out) == (1, "")
    assert words in done.error
    assert done.error.count("\n") == 1


def good(url: str) -> bytes:
    """The metadata of an issuer at this address."""
    return json.dumps({"issuer": url, "jwks_uri": f"{url}/keys"}).encode()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda url: (302, {"Location": f"{url}/elsewhere"}, b""),
            "leads elsewhere (302), which is not followed.",
        ),
        (lambda url: (404, {}, b""), "answered 404."),
        (lambda url: (200, {}, b"[]"), "did not answer a JSON object."),
        (lambda url: (200, {}, b"[" * 100_000), "did not answer a JSON object."),
        (lambda url: (200, {}, b'"' + b"x" * 262_143), "did not answer a JSON object."),
        (lambda url: (200, {}, b'"' + b"x" * 262_144), "answered more than 262144 bytes."),
        (lambda url: (200, {"Content-Length": "9"}, b"{"), "did not answer a JSON object."),
        (
            lambda url: (200, {}, good("https://auth.example.com")),
            "it calls itself https://auth.example.com.",
        ),
        (lambda url: (200, {}, b"{}"), "it names none."),
        (lambda url: (200, {}, json.dumps({"issuer": url}).encode()), "keeps its keys elsewhere"),
        (
            lambda url: (200, {}, json.dumps({"issuer": url, "jwks_uri": f"{url}@evil.example/x"}).encode()),
            "keeps its keys elsewhere",
        ),
        (
            lambda url: (200, {}, json.dumps({"issuer": url, "jwks_uri": "https://evil.example/x"}).encode()),
            "keeps its keys elsewhere",
        ),
        (
            lambda url: (200, {}, json.dumps({"issuer": url, "jwks_uri": f"{url}/a b\r\nX: y"}).encode()),
            "could not be fetched",
        ),
    ],
)
def test_a_hostile_server_gets_one_request_and_one_sentence(
    run: Run, answer: Callable[[str], Answer], words: str
) -> None:
    """No redirect is followed, no size is taken on trust, no key is fetched from elsewhere."""
    root: list[str] = []
    with listening(lambda path: answer(root[0])) as (url, heard):
        root.append(url)
        done = run("token", "inspect", "--server", url, stdin="A" * 43)
    assert (done.code, done.out) == (1, "")
    assert words in done.error
    assert done.error.count("\n") == 1
    assert len(heard) == 1


def test_strange_keys_are_left_out(run: Run, issued: tuple[Holding, str, list[str]]) -> None:
    """RFC 7517 section 5: what is not understood is ignored, and no secret is taken from a server."""
    holding, _, _ = issued
    token = holding.pair().access.reveal()
    keys: list[Any] = [1, {}, {"kid": 1, "alg": "ES256"}, {"kid": "a", "alg": "HS256", "k": "AAAA"}]
    keys += [{"kid": "b", "alg": "ES256", "x": "AA", "y": "AA"}, {"kid": "c", "alg": "none"}]
    root: list[str] = []
    with listening(
        lambda path: (200, {}, good(root[0]) if path == METADATA else json.dumps({"keys": keys}).encode())
    ) as (url, _):
        root.append(url)
        done = run("token", "inspect", "--server", url, stdin=token)
    assert "its kid is not among them" in done.out


def test_a_mounted_issuer_is_found_in_both_places(run: Run, tmp_path: Path) -> None:
    """Where RFC 8414 looks first, and below the prefix where only that is passed on."""
    told = Told()
    with listening(told) as (root, heard):
        url = f"{root}/auth"
        holding = Holding(tmp_path / "there", {"url": url})
        token, jwks = holding.pair().access.reveal(), holding.authority.ring.jwks()
        holding.authority.stop()
        metadata = json.dumps({"issuer": url, "jwks_uri": f"{url}/.well-known/jwks.json"}).encode()
        for place in (f"{METADATA}/auth", f"/auth{METADATA}"):
            pages = {place: metadata, "/auth/.well-known/jwks.json": jwks}
            told.answer = lambda path, pages=pages: (
                (200, {}, pages[path]) if path in pages else (404, {}, b"")
            )
            assert run("token", "inspect", "--server", url, stdin=token).code == 0
    assert len(heard) == 5


def test_a_server_that_sends_a_byte_at_a_time_is_left_after_the_deadline(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline counts for the whole answer, not for each byte."""
    monkeypatch.setattr(published, "SECONDS", 0.3)
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.02):
                try:
                    connection.sendall(b"X")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        done = run(
            "token", "inspect", "--server", f"http://127.0.0.1:{listener.getsockname()[1]}", stdin="A" * 43
        )
        over.set()
        thread.join()
    assert done.code == 1
    assert "did not answer within" in done.error


def test_a_server_that_is_not_there_is_one_sentence(run: Run) -> None:
    """Nobody listens on a port that was just let go."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("token", "inspect", "--server", f"http://127.0.0.1:{port}", stdin="A" * 43)
    assert done.error.endswith("could not be fetched: Connection refused.\n")


def test_a_real_server_with_a_certificate_is_trusted_only_by_its_authority(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over https, with a real `gatepost serve`; without the authority's certificate it is one sentence."""
    made = make_certificates(tmp_path)
    with RunningServer(tmp_path / "there", "--tls-cert", made.chain, "--tls-key", made.key) as server:
        untrusted = run("token", "inspect", "--server", server.url, stdin="A" * 43)
        assert untrusted.code == 1
        assert "The certificate of localhost:" in untrusted.error
        assert untrusted.error.count("\n") == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
        held = Holding(server.folder, {"url": server.url})
        try:
            token = held.pair(Carrier.TOKEN).access.reveal()
        finally:
            held.authority.stop()
        done = run("token", "inspect", "--server", server.url, stdin=token)
    assert (done.code, done.error) == (0, "")
    assert "Signed by the key" in done.out
