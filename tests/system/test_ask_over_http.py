"""A service beside a real server, cut off from its log: it asks `/oauth/introspect` about each token.

The server, the client and the secret are real; so is the guard, whose follower gets no answer from its log.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio
import httpx2
import pytest

from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.jws import VerifyingKey
from gatepost.carriers.keys import ACCESS_TYP, KeyRing
from gatepost.carriers.presented import Bearer
from gatepost.checking.follower import CATCH_UP, Follower, Identity
from gatepost.checking.guard import Guard
from gatepost.checking.issuer import AskRules, Issuer
from gatepost.checking.rules import GuardRules
from gatepost.checking.staleness import Ask
from gatepost.checking.trusted_servers import Credential
from gatepost.core.secrets import Secret
from gatepost.errors import Busy, GatepostError, Outdated, Refused, Revoked, Stale
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.stores.memory import MemoryStore
from tests.builders import LIMITS, ROLES, make_ring
from tests.checking.posts import BOUND, Hasty, Wire
from tests.issuing import issue_to
from tests.processes import stopped
from tests.servers import STEADY, RunningServer
from tests.system.test_clients_beside_a_server import Client, beside, made

CREDENTIALS = {"email": "ada@example.com", "password": "plenty of quiet words", "carrier": "token"}
PATIENT = AskRules(patience=60)
# How long a machine that is busy with other tests may take on top.
SLACK = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests here, with one account."""
    with RunningServer(tmp_path_factory.mktemp("asked"), environment=STEADY) as running:
        assert httpx2.post(f"{running.url}/api/sign-up", json=CREDENTIALS, timeout=20).status_code == 201
        yield running


@pytest.fixture(scope="module")
def follows(server: RunningServer) -> Client:
    """A client that may follow the log and ask."""
    return made(server, "--verifier", "--introspect")


@pytest.fixture(scope="module")
def asks(server: RunningServer) -> Client:
    """A client that may only ask."""
    return made(server, "--introspect")


class Service:
    """A service that has the issuer's public keys and a credential, and hears nothing of its log."""

    def __init__(
        self,
        server: RunningServer,
        client: Client,
        rules: AskRules = PATIENT,
        follower: type[Follower] = Hasty,
    ) -> None:
        clock, nowhere = SystemClock(), MemoryStore(SystemRandomness())
        wire = Wire(nowhere)
        wire.trouble = Busy()
        self.issuer = Issuer(server.url, Credential(client[0], Secret(client[1])), clock, rules)
        follows = follower(wire, clock, Identity("orders-1", 1), bound=BOUND)
        checks = GuardRules(
            server.url, server.url, LIMITS, ROLES, timedelta(minutes=10), when_stale=Ask(self.issuer)
        )
        self.guard = Guard(keys_of(server), follows, nowhere, clock, checks)

    def __enter__(self) -> Guard:
        return self.guard

    def __exit__(self, *failure: object) -> None:
        self.issuer.close()


def keys_of(server: RunningServer) -> KeyRing:
    """What the server publishes, as a service uses it: to verify."""
    jwks = httpx2.get(f"{server.url}/.well-known/jwks.json", timeout=20).json()
    found = [VerifyingKey(jwk["kid"], "ES256", ALGORITHMS["ES256"].public_of(jwk)) for jwk in jwks["keys"]]
    return KeyRing(make_ring().signing, {key.header(ACCESS_TYP): key for key in found}, (), {})


def signed_in(server: RunningServer) -> Bearer:
    """A token of a new session of Ada's."""
    tokens = (
        httpx2.post(f"{server.url}/api/sign-in", json=CREDENTIALS, timeout=20)
        .raise_for_status()
        .json()["tokens"]
    )
    return Bearer(tokens["access_token"])


def found(guard: Guard, token: Bearer) -> type[GatepostError] | None:
    """Why the guard refuses a token, by both of its faces; None if it lets it in."""
    refusals: set[type[GatepostError] | None] = set()
    for check in (guard.check, lambda presented: anyio.run(guard.check_async, presented)):
        try:
            check(token)
            refusals.add(None)
        except Refused as refused:
            refusals.add(type(refused))
    [refusal] = refusals
    return refusal


def sign_out(server: RunningServer, token: Bearer) -> None:
    """Its owner signs out."""
    headers = {"Authorization": f"Bearer {token.token}"}
    assert httpx2.post(f"{server.url}/api/sign-out", headers=headers, timeout=20).status_code == 204


def lock(server: RunningServer, token: Bearer) -> None:
    """An administrator locks the account, and thinks better of it."""
    for act in ("lock", "unlock"):
        assert server.command("account", act, CREDENTIALS["email"]).code == 0


def end_token(server: RunningServer, token: Bearer) -> None:
    """A page of ours ends this one token."""
    form = {"client_id": "first-party", "token": token.token}
    assert httpx2.post(f"{server.url}/oauth/revoke", data=form, timeout=20).status_code == 200


@pytest.mark.parametrize("end", [sign_out, lock, end_token], ids=lambda end: end.__name__)
def test_a_token_is_taken_while_it_stands_and_refused_when_the_ending_was_answered(
    server: RunningServer, follows: Client, asks: Client, end: object
) -> None:
    """A client that may follow the log is told that it was ended; one that may only ask, that it is not active."""
    assert callable(end)
    with Service(server, follows) as follower, Service(server, asks) as asker:
        token, other = signed_in(server), signed_in(server)
        assert [found(guard, token) for guard in (follower, asker)] == [None, None]
        end(server, token)
        assert [found(guard, token) for guard in (follower, asker)] == [Revoked, Outdated]
        assert (found(asker, other) is None) is (end is not lock)


def test_a_change_of_roles_is_met_by_asking(server: RunningServer, follows: Client, asks: Client) -> None:
    """The token is to be renewed, whoever asks; the next one is in order."""
    with Service(server, follows) as follower, Service(server, asks) as asker:
        token = signed_in(server)
        assert found(follower, token) is None
        assert server.command("account", "roles", CREDENTIALS["email"], "member", "support").code == 0
        assert [found(guard, token) for guard in (follower, asker)] == [Outdated, Outdated]
        assert found(asker, signed_in(server)) is None


def test_tokens_of_an_ended_client_are_refused(server: RunningServer, follows: Client) -> None:
    """And no other client's."""
    shop = made(server, "--service")
    with beside(server) as authority:
        account = authority.accounts.find(CREDENTIALS["email"])
        token = Bearer(issue_to(authority, account, shop[0]).access)
    with Service(server, follows) as guard:
        other = signed_in(server)
        assert (found(guard, token), found(guard, other)) == (None, None)
        assert server.command("client", "revoke", shop[0]).code == 0
        assert (found(guard, token), found(guard, other)) == (Revoked, None)


def test_whose_credential_is_worth_nothing_is_told_nothing(server: RunningServer) -> None:
    """Ended, wrong, or without the power: `Stale`, for nobody was signed out by it. The journal has no secret of it."""
    ended, powerless = made(server, "--introspect"), made(server, "--verifier")
    token = signed_in(server)
    with Service(server, ended) as guard:
        assert found(guard, token) is None
        assert server.command("client", "revoke", ended[0]).code == 0
        assert found(guard, token) is Stale
    for client in (powerless, (powerless[0], "w" * 43), ("nobody", powerless[1])):
        with Service(server, client) as guard:
            assert found(guard, token) is Stale
    for secret in (ended[1], powerless[1], token.token):
        assert secret not in server.journal


def test_a_server_that_stands_still_is_waited_for_once_and_then_it_is_stale(
    server: RunningServer, asks: Client
) -> None:
    """As long as the shared catch-up and the limit together; nobody is let in or signed out; it goes on afterwards."""
    token, quick = signed_in(server), AskRules(patience=0.5)
    with Service(server, asks, quick, Follower) as guard, Service(server, asks) as patient:
        assert found(patient, token) is None
        with stopped({server.pid}):
            began = time.monotonic()
            with pytest.raises(Stale):
                guard.check(token)
            assert CATCH_UP <= time.monotonic() - began < CATCH_UP + quick.patience + SLACK
        assert found(patient, token) is None


def test_a_server_that_is_gone_is_stale_until_it_is_back(tmp_path: Path) -> None:
    """Killed and started again on the same port: connections that were kept are noticed to be dead, and made anew."""
    with RunningServer(tmp_path, environment=STEADY) as server:
        assert httpx2.post(f"{server.url}/api/sign-up", json=CREDENTIALS, timeout=20).status_code == 201
        client, token = made(server, "--introspect"), signed_in(server)
        with Service(server, client) as guard:
            assert found(guard, token) is None
            server.kill9()
            assert found(guard, token) is Stale
            server.start()
            assert found(guard, token) is None
