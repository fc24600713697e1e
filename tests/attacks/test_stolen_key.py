"""A stolen ring: whoever has the database and the master key signs and seals as anybody, until the keys are withdrawn.

Performed at a server of two workers (F6). What ends it is `gatepost key rotate --compromised KID`, after whose answer 0
of the thief's tokens and cookies are believed at any worker, and 0 people have to sign in again.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from gatepost.authority import Authority
from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import open_key
from gatepost.carriers.sealed import SealedAccount, SealedSession, SealingKey, seal_session
from gatepost.core.changes import Event
from gatepost.core.keys import SEALING, KeyState, RingKey
from gatepost.core.secrets import encode
from gatepost.machine import SystemRandomness, read_master_key
from gatepost.settings import load_settings
from tests.attacks.targets import Target, patiently
from tests.services.installation import PASSWORD, add_account

HORIZON = timedelta(minutes=10)
END_OF_LOG = 2**53 - 1
WORKERS = 2
# So many new connections are as good as certain to reach both workers.
CONNECTIONS = 6 * WORKERS
RANDOM = SystemRandomness()


def is_in_force(key: RingKey) -> bool:
    """Whether servers believe what this key makes."""
    return key.state is not KeyState.WITHDRAWN


def passes(ask: Callable[[], httpx2.Response]) -> bool:
    """Whether a credential is taken."""
    return patiently(ask, lambda answer: answer.status_code).status_code == 200


class Honest:
    """Somebody with a session in each of the four carriers, who does what a browser or a good client does."""

    def __init__(self, url: str, email: str) -> None:
        self.url = url
        self.cookies: dict[str, httpx2.Client] = {}
        for carrier in ("cookie", "sealed", "token-cookie"):
            self.cookies[carrier] = httpx2.Client(
                timeout=20, base_url=url, headers={"Sec-Fetch-Site": "same-origin"}
            )
            self._sign_in(self.cookies[carrier], email, carrier)
        with httpx2.Client(timeout=20, base_url=url) as program:
            self.tokens = self._sign_in(program, email, "token")["tokens"]

    def close(self) -> None:
        """Go away."""
        for client in self.cookies.values():
            client.close()

    def goes_on(self) -> bool:
        """Whether every session is still good, without a password: by what the carrier renews of itself."""
        passed = [passes(partial(client.get, "/api/session")) for client in self.cookies.values()]
        return all(passed) and (self._token_passes() or (self._refresh() and self._token_passes()))

    def value(self, name: str) -> str:
        """The cookie of this name, wherever it is kept."""
        return next(client.cookies[name] for client in self.cookies.values() if name in client.cookies)

    def _sign_in(self, client: httpx2.Client, email: str, carrier: str) -> Any:
        body = {"email": email, "password": PASSWORD, "carrier": carrier}
        return client.post("/api/sign-in", json=body).raise_for_status().json()

    def _token_passes(self) -> bool:
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return passes(lambda: httpx2.get(f"{self.url}/api/session", headers=bearer, timeout=20))

    def _refresh(self) -> bool:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        answer = httpx2.post(f"{self.url}/oauth/token", data=form, timeout=20)
        self.tokens = answer.json()
        return answer.status_code == 200


class Thief:
    """What a thief makes of a copy of the database and of the master key."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        folder.mkdir()
        data = target.server.data
        name = "gatepost.db"
        with closing(sqlite3.connect(data / name)) as source, closing(sqlite3.connect(folder / name)) as copy:
            source.backup(copy)
        shutil.copy(data / "master.key", folder)
        port = int(target.server.url.rpartition(":")[2])
        values = {"data": str(folder), "server": {"port": port}, "tokens": {"algorithm": target.algorithm}}
        self.loot = Authority(load_settings(values, environ={}, directory=folder))
        master = read_master_key(folder / "master.key")
        opened = [open_key(record, master) for record in self.loot.keys.listed() if is_in_force(record)]
        self.signing = [key.held for key in opened if isinstance(key.held, PrivateKey)]
        self.sealing = [key for key in self.loot.ring.opening.values() if not key.withdrawn]

    def token(self, key: PrivateKey, whose: str, **changes: Any) -> str:
        """An access token of an administrator's, for a session that never was, from the end of the log."""
        admin = self.loot.accounts.find(whose)
        named = {
            "sub": admin.id,
            "sid": "his",
            "jti": RANDOM.bytes(8).hex(),
            "roles": ["admin"],
            "pos": END_OF_LOG,
        }
        header = {**self.target.header, "kid": key.verifying.kid}
        return self.target.forge(header, {**self.target.claims, **named, **changes}, key)

    def cookie(self, key: SealingKey, whose: str, **changes: Any) -> str:
        """A sealed cookie of anybody's, for a session that never was, with a secret of the thief's own."""
        account, now = self.loot.accounts.find(whose), self.loot.clock.now()
        contents = SealedSession(
            iss=self.target.claims["iss"],
            sid="his",
            secret=encode(RANDOM.bytes(32)),
            account=SealedAccount(
                id=account.id, email=account.email.typed, email_verified=True, roles=account.roles
            ),
            client_id="first-party",
            started_at=now,
            last_seen_at=now,
            idle_expires_at=now + timedelta(hours=1),
            expires_at=now + timedelta(days=1),
            device="",
            address="",
            data={},
            version=1,
            pos=END_OF_LOG,
            sealed_at=now,
            believed_until=now + HORIZON,
        )
        return seal_session(msgspec.structs.replace(contents, **changes), key, RANDOM).reveal()


@pytest.fixture(scope="module")
def robbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of two workers, with a member and an administrator, `root`."""
    folder = tmp_path_factory.mktemp("robbed") / "server"
    target = Target(folder, "ES256", "--workers", str(WORKERS))
    add_account(target.authority, "root@example.com", ("admin", "member"))
    yield target
    target.close()


@pytest.fixture
def thief(robbed: Target, tmp_path: Path) -> Iterator[Thief]:
    """Somebody who has copied everything just now."""
    somebody = Thief(robbed, tmp_path / "loot")
    yield somebody
    somebody.loot.stop()


@pytest.fixture
def honest(robbed: Target) -> Iterator[Honest]:
    """The member, signed in with every carrier."""
    person = Honest(robbed.server.url, robbed.member.email.typed)
    yield person
    person.close()


def sign_ins(target: Target) -> int:
    """How often anybody has signed in so far."""
    rows = target.authority.store.audit_rows(account_id=None, after=0, limit=10_000)
    return sum(row.event in {Event.SIGNED_IN, Event.SIGNED_UP} for _, row in rows)


def believed(target: Target, headers: dict[str, str], path: str = "/api/admin/accounts") -> set[int]:
    """What all workers say to this credential."""
    return {target.ask_anybody(path, headers).status for _ in range(CONNECTIONS)}


def bearer(token: str) -> dict[str, str]:
    """The header of an access token."""
    return {"Authorization": f"Bearer {token}"}


def sealed(value: str) -> dict[str, str]:
    """The header of a sealed cookie."""
    return {"Cookie": f"gatepost-sealed={value}"}


def withdraw(target: Target, algorithm: str) -> set[str]:
    """End every key of an algorithm by the command, the next ones first; their names."""
    listed = [
        key for key in target.authority.keys.listed() if key.algorithm == algorithm and is_in_force(key)
    ]
    ending = sorted(listed, key=lambda one: one.state is not KeyState.NEXT)
    for key in ending:
        answer = target.server.command("key", "rotate", "--compromised", key.id, "--json")
        assert answer.code == 0, answer.error
        assert json.loads(answer.out)["receipt"]["state"] == "in_force"
    target.authority.keys.reload()
    return {key.id for key in ending}


def test_a_thief_of_the_signing_keys_is_out_when_they_are_withdrawn_and_nobody_signs_in_again(
    robbed: Target, honest: Honest, thief: Thief
) -> None:
    """Until then he is an administrator at every worker; after the answer 0 of his tokens pass, and all sessions do."""
    now = int(thief.loot.clock.now().timestamp())
    forged = [
        thief.token(key, "root@example.com", exp=end, iat=now)
        for key in thief.signing
        for end in (now + 600, now + 315_360_000)
    ]
    assert len(thief.signing) == 2
    assert [believed(robbed, bearer(token)) for token in forged] == [{200}] * 4
    before, kids = sign_ins(robbed), {key.verifying.kid for key in thief.signing}
    assert honest.goes_on()
    assert withdraw(robbed, robbed.algorithm) == kids
    forged += [thief.token(key, "root@example.com") for key in thief.signing]
    active = robbed.key.verifying.kid
    assert active not in kids
    renamed = {**robbed.header, "kid": active}
    forged += [robbed.forge(renamed, key=key) for key in thief.signing]
    for token in forged:
        assert believed(robbed, bearer(token)) == {401}
        assert robbed.asked_about(token).json == {"active": False}
    assert honest.goes_on()
    assert sign_ins(robbed) == before
    assert honest.tokens["access_token"].startswith(_named(robbed))
    assert honest.value("gatepost-access").startswith(_named(robbed))


def _named(target: Target) -> str:
    """The header segment of the key that signs now."""
    return target.key.verifying.header("at+jwt")


def test_withdrawing_the_active_key_alone_leaves_the_next_one_to_a_thief_of_the_ring(
    robbed: Target, thief: Thief
) -> None:
    """It verifies before it signs, and signs from then on: so all stolen keys are withdrawn, the next ones first."""
    active = robbed.key
    following = next(key for key in thief.signing if key.verifying.kid != active.verifying.kid)
    kid = active.verifying.kid
    assert robbed.server.command("key", "rotate", "--compromised", kid).code == 0
    assert believed(robbed, bearer(thief.token(active, "root@example.com"))) == {401}
    robbed.authority.keys.reload()
    assert robbed.key.verifying.kid == following.verifying.kid
    assert believed(robbed, bearer(thief.token(following, "root@example.com"))) == {200}
    withdraw(robbed, robbed.algorithm)
    assert believed(robbed, bearer(thief.token(following, "root@example.com"))) == {401}


def test_no_ending_but_that_of_the_key_ends_what_a_thief_signs(robbed: Target, thief: Thief) -> None:
    """He writes any position, session and name into it: neither a lock nor the end of all sessions hits him."""
    victim = add_account(robbed.authority, f"{RANDOM.bytes(4).hex()}@example.com", ("admin",))
    again = Thief(robbed, robbed.server.folder / RANDOM.bytes(4).hex())
    token = again.token(robbed.key, victim.email.typed)
    cookie = again.cookie(robbed.authority.ring.sealing, victim.email.typed)
    for command in (("account", "lock", victim.id), ("session", "revoke", "--account", victim.id)):
        assert robbed.server.command(*command).code == 0
    assert believed(robbed, bearer(token)) == {200}
    assert believed(robbed, sealed(cookie)) == {200}
    again.loot.stop()


def test_a_forged_sealed_cookie_is_believed_until_its_key_is_withdrawn_and_never_exchanged(
    robbed: Target, honest: Honest, thief: Thief
) -> None:
    """Until then he is anybody; after the answer no cookie of his is, and those of others are renewed."""
    forged = [thief.cookie(key, "root@example.com") for key in thief.sealing]
    assert len(forged) >= 2
    assert [believed(robbed, sealed(cookie)) for cookie in forged] == [{200}] * len(forged)
    before, old = sign_ins(robbed), honest.value("gatepost-sealed")
    kids = withdraw(robbed, SEALING)
    forged += [thief.cookie(key, "root@example.com") for key in thief.sealing]
    for cookie in forged:
        assert believed(robbed, sealed(cookie)) == {401}
    assert honest.goes_on()
    assert sign_ins(robbed) == before
    assert honest.value("gatepost-sealed") != old
    assert honest.value("gatepost-sealed").startswith(robbed.authority.ring.sealing.header)
    assert robbed.authority.ring.sealing.kid not in kids


def sealed_session_of(target: Target, value: str) -> str:
    """The id of the session behind a genuine sealed cookie, which lies in the database for a thief to read."""
    return target.authority.sealed.read(value).sid


def unbelieved(thief: Thief) -> list[dict[str, Any]]:
    """Cookies that do not speak for themselves: too old, from the future, or over."""
    now = thief.loot.clock.now()
    second = timedelta(seconds=1)
    return [
        {"sealed_at": now - HORIZON - second, "believed_until": now + timedelta(days=1)},
        {"sealed_at": now - HORIZON, "believed_until": now - second},
        {"believed_until": now},
        {"sealed_at": now + timedelta(minutes=6), "believed_until": now + timedelta(days=1)},
    ]


def test_a_forged_sealed_cookie_is_not_exchanged_for_a_genuine_one(
    robbed: Target, honest: Honest, thief: Thief
) -> None:
    """Past its horizon the record is asked, whose secret no thief knows: not for a real session, nor for one of his."""
    key, value = robbed.authority.ring.sealing, honest.value("gatepost-sealed")
    real = sealed_session_of(robbed, value)
    assert robbed.get("/api/session", sealed(value)).status == 200
    for changes in unbelieved(thief):
        for sid in ("his", real):
            cookie = thief.cookie(key, robbed.member.email.typed, sid=sid, **changes)
            reply = robbed.get("/api/session", sealed(cookie))
            assert (reply.status, reply.cookies) == (401, ())
    own = robbed.authority.sealed.read(value).secret
    genuine = thief.cookie(key, robbed.member.email.typed, sid=real, secret=own, **unbelieved(thief)[0])
    assert robbed.get("/api/session", sealed(genuine)).cookies != ()


def test_what_the_gateway_gave_for_a_forged_cookie_is_over_in_thirty_seconds(
    robbed: Target, honest: Honest, thief: Thief
) -> None:
    """It is signed by a key that nobody stole, so it outlives the sealing key; it makes no token that outlives it."""
    cookie = thief.cookie(robbed.authority.ring.sealing, "root@example.com")
    given = robbed.get("/gateway/check", sealed(cookie)).authorization
    assert given is not None
    withdraw(robbed, SEALING)
    now = int(robbed.authority.clock.now().timestamp())
    again = robbed.get("/gateway/check", {"Authorization": given})
    assert again.status == 204
    assert again.authorization is not None
    ends = [_claims(one)["exp"] for one in (given, again.authorization)]
    assert ends[1] <= ends[0] <= now + 30
    assert honest.goes_on()


def _claims(authorization: str) -> dict[str, int]:
    claims: dict[str, int] = json.loads(decode_strictly(authorization.split(".")[1]))
    return claims


def test_a_stolen_ring_holds_no_refresh_token(robbed: Target, honest: Honest, thief: Thief) -> None:
    """They are random and hashed, not signed: no key helps to make one, and a withdrawn key ends none."""
    stored = thief.loot.store.refresh(honest.tokens["refresh_token"].split(".")[0])
    assert stored is not None
    digests = (encode(stored.family.family), encode(stored.family.rotor))
    for family in digests:
        for rotor in digests:
            assert robbed.refreshed(f"{stored.family.id}.{family}.{rotor}").json["error"] == "invalid_grant"
    assert honest.goes_on()


def test_a_forged_sealed_cookie_writes_nothing_into_the_record(
    robbed: Target, honest: Honest, thief: Thief
) -> None:
    """With the id of a real session he may say what he likes until then; what the record holds stays its owner's."""
    real = sealed_session_of(robbed, honest.value("gatepost-sealed"))
    cookie = thief.cookie(robbed.authority.ring.sealing, robbed.member.email.typed, sid=real)
    with httpx2.Client(
        timeout=20, base_url=robbed.server.url, headers={"Sec-Fetch-Site": "same-origin"}
    ) as browser:
        patched = browser.patch("/api/session/data", json={"his": 1}, headers=sealed(cookie))
    assert patched.status_code == 401
    view = robbed.authority.store.session(real)
    assert view is not None
    assert "his" not in view.session.data
