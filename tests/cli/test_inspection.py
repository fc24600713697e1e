"""`gatepost token inspect`: what it shows, what it judges, and that it agrees with the server's own check."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer
from gatepost.carriers.tokens import issue
from gatepost.cli.finding import Inspection, instant_of, span
from gatepost.cli.inspection import inspect_pasted
from gatepost.cli.records import Records, open_records
from gatepost.core.sessions import AHEAD, Carrier, Origin
from gatepost.errors import Refused
from gatepost.services.beginnings import CookieIssued, Wish
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from tests.cli.conftest import PASSWORD, Run

HERE = Origin("127.0.0.1", "a test")


@dataclass
class Issuer:
    """An authority on a real database, and somebody signed in to it by token and by cookie."""

    authority: Authority
    account_id: str
    session_id: str
    pair: TokenPair
    cookie: str

    @property
    def access(self) -> str:
        """The access token."""
        return self.pair.access.reveal()

    def judged(self, token: str, after: timedelta = timedelta()) -> Inspection:
        """What an inspection says now, or later."""
        with open_records(self.authority.settings) as records:
            return inspect(token, records, datetime.now(UTC) + after)

    def accepts(self, token: str) -> bool:
        """Whether the guard lets a token pass."""
        try:
            self.authority.guard.check(Bearer(token))
        except Refused:
            return False
        return True


def inspect(token: str, records: Records | str, now: datetime) -> Inspection:
    """What is found in the one credential there is."""
    (found,) = inspect_pasted(token, "gatepost", records, now).found
    return found


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """In the folder where the command line looks too."""
    authority = Authority(load_settings({}, environ={}, directory=tmp_path))
    authority.start()
    try:
        begun = authority.sign_in.sign_up("ada@example.com", PASSWORD, Wish(HERE, Carrier.TOKEN))
        other = authority.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HERE, Carrier.COOKIE))
        assert isinstance(begun.credential, TokenPair)
        assert isinstance(other.credential, CookieIssued)
        cookie = other.credential.handle.reveal()
        yield Issuer(authority, begun.account.id, begun.session.id, begun.credential, cookie)
    finally:
        authority.stop()


def segment(value: object) -> str:
    """A JSON value as a segment of a token."""
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_that_would_pass_is_accepted(issuer: Issuer) -> None:
    """All three that a client can hold; an access token also behind the word Bearer."""
    refresh = issuer.pair.refresh.reveal()
    for token in (issuer.access, f"Bearer {issuer.access}", refresh, issuer.cookie):
        assert issuer.judged(token).reasons == ()
    found = issuer.judged(issuer.access)
    assert found.claims is not None
    assert found.claims["sid"] == issuer.session_id
    assert found.key is not None
    assert found.key.kid == issuer.authority.ring.signing.verifying.kid


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda it: it.authority.sessions.end_any(it.session_id, "cli"), "Its session was ended at "),
        (
            lambda it: it.authority.accounts.lock(it.account_id, "cli"),
            "The sessions of its account were ended at ",
        ),
        (lambda it: it.authority.sessions.end_all("cli"), "Every session there was has been ended at "),
        (
            lambda it: it.authority.accounts.set_roles(it.account_id, ["admin"], "cli"),
            "the roles of its account",
        ),
    ],
    ids=["session", "account", "everyone", "roles"],
)
def test_what_was_ended_is_named_and_the_guard_agrees(
    issuer: Issuer, end: Callable[[Issuer], Any], words: str
) -> None:
    """The reason says what happened, and when."""
    end(issuer)
    [reason] = issuer.judged(issuer.access).reasons
    assert words in reason
    assert not issuer.accepts(issuer.access)


def test_an_ended_session_ends_cookie_and_refresh_token(issuer: Issuer) -> None:
    """The same for the other carriers."""
    issuer.authority.accounts.lock(issuer.account_id, "cli")
    for token in (issuer.pair.refresh.reveal(), issuer.cookie):
        assert issuer.judged(token).reasons == ("Its account is locked.",)
    issuer.authority.accounts.unlock(issuer.account_id, "cli")
    for token in (issuer.pair.refresh.reveal(), issuer.cookie):
        assert issuer.judged(token).reasons == ("Its session was ended.",)


def test_a_used_refresh_token_is_a_repeat_and_then_a_replay(issuer: Issuer) -> None:
    """Inside the grace it still gets its answer; after it, it is the mark of a thief. Looking ends nothing."""
    used = issuer.pair.refresh.reveal()
    issuer.authority.tokens.refresh(used, HERE)
    inside = issuer.judged(used)
    assert inside.accepted
    assert inside.remarks
    [reason] = issuer.judged(used, timedelta(seconds=11)).reasons
    assert "somebody has a copy" in reason
    assert issuer.accepts(issuer.access)


def test_a_refresh_token_used_while_the_clock_was_ahead_is_explained(issuer: Issuer) -> None:
    """Five minutes may be another clock; more is one that was set, and the token is refused without any effect."""
    used = issuer.pair.refresh.reveal()
    issuer.authority.tokens.refresh(used, HERE)
    assert issuer.judged(used, -AHEAD).accepted
    seen = issuer.judged(used, -AHEAD - timedelta(minutes=5))
    assert not seen.accepted
    assert "what is now the future" in seen.reasons[0]


def test_time_runs_out_at_the_very_second(issuer: Issuer) -> None:
    """The second of `exp` is over, the moment before it is not."""
    at = issuer.pair.expires_at
    with open_records(issuer.authority.settings) as records:
        before = inspect(issuer.access, records, at - timedelta(microseconds=1))
        over = inspect(issuer.access, records, at)
    assert before.accepted
    assert over.reasons[0].startswith("It expired 0 seconds ago, at ")


def test_a_session_unused_for_too_long_is_over(issuer: Issuer) -> None:
    """A cookie has no date of its own; its session has."""
    [reason] = issuer.judged(issuer.cookie, timedelta(days=31)).reasons
    assert reason.startswith("Its session has been over since ")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"alg": "none"}, "not signed"),
        ({"alg": "ES256", "kid": "stranger", "typ": "at+jwt"}, "its kid is not known here"),
        ({"alg": "HS256", "kid": "OURS", "typ": "at+jwt"}, "Its alg is not the one"),
        ({"alg": "ES256", "kid": "OURS", "typ": "JWT"}, "Its typ is not"),
        ({"typ": "at+jwt", "kid": "OURS", "alg": "ES256"}, "not written as that key writes it"),
    ],
)
def test_a_header_of_somebody_else_is_explained(issuer: Issuer, header: dict[str, str], words: str) -> None:
    """Each way in which a header is not ours has its own sentence; the guard refuses them all."""
    kid = issuer.authority.ring.signing.verifying.kid
    ours = {name: kid if value == "OURS" else value for name, value in header.items()}
    _, payload, signature = issuer.access.split(".")
    forged = f"{segment(ours)}.{payload}.{signature}"
    assert words in issuer.judged(forged).reasons[0]
    assert not issuer.accepts(forged)


def test_a_changed_token_does_not_verify(issuer: Issuer) -> None:
    """Other claims under the same signature."""
    header, _, signature = issuer.access.split(".")
    forged = f"{header}.{segment({'sub': 'somebody', 'exp': 1})}.{signature}"
    [reason] = issuer.judged(forged).reasons
    assert "it was changed" in reason
    assert not issuer.accepts(forged)


def test_another_issuer_and_audience_are_both_named(issuer: Issuer) -> None:
    """Everything that is wrong is said, not only the first."""
    claims = json.loads(decoded(issuer.access.split(".")[1]))
    strange = {**claims, "iss": "https://elsewhere.example", "aud": ["orders"]}
    token = issue(issuer.authority.ring.signing, strange).reveal()
    first, second = issuer.judged(token).reasons
    assert "https://elsewhere.example" in first
    assert "It is for orders" in second
    assert not issuer.accepts(token)


def decoded(text: str) -> bytes:
    """Base64url with its padding left out."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", "." * 5, "é" * 43, "9" * 100_000, "{}", "bm90IGpzb24.e30.e30"]
)
def test_nonsense_is_told_to_be_nonsense(issuer: Issuer, text: str) -> None:
    """Whatever is handed in, the answer is a judgement."""
    assert not issuer.judged(text).accepted


def test_the_command_shows_the_claims_and_never_the_token(run: Run, issuer: Issuer) -> None:
    """Exit 0 for a token that would pass, with times in words; neither form repeats any part of its signature."""
    for token in (issuer.access, issuer.pair.refresh.reveal(), issuer.cookie):
        for options in ([], ["--json"]):
            done = run("token", "inspect", *options, stdin=f"{token}\n")
            assert (done.code, done.error) == (0, "")
            assert token.rpartition(".")[2] not in done.out
    shown = run("token", "inspect", stdin=issuer.access).out
    assert "This is an access token." in shown
    assert "in 9 minutes)" in shown
    assert "A server here would accept it now." in shown


def test_the_command_reads_a_file_and_says_why_not(run: Run, issuer: Issuer, tmp_path: Path) -> None:
    """Exit 1 with the reasons, in words and as JSON."""
    file = tmp_path / "token.txt"
    file.write_text(issuer.access + "\n")
    issuer.authority.sessions.end_any(issuer.session_id, "cli")
    done = run("token", "inspect", str(file))
    assert done.code == 1
    assert "It would not be accepted:\n  Its session was ended at " in done.out
    answer = json.loads(run("token", "inspect", str(file), "--json").out)
    assert (answer["kind"], answer["accepted"], len(answer["reasons"])) == ("access token", False, 1)
    assert answer["claims"]["sub"] == issuer.account_id
    assert set(answer["times"]) == {"iat", "exp", "auth_time"}


def test_without_a_database_the_claims_are_shown_and_nothing_is_made(
    run: Run, issuer: Issuer, tmp_path: Path
) -> None:
    """There is nothing to check with, and it says so."""
    done = run("token", "inspect", "--data", "elsewhere", stdin=issuer.access)
    assert done.code == 1
    assert issuer.session_id in done.out
    assert "It cannot be checked here: there is no database at " in done.out
    assert not (tmp_path / "elsewhere").exists()
    in_memory = run("token", "inspect", "--database", "memory://", stdin=issuer.cookie)
    assert "the database is kept in the server's memory" in in_memory.out


def test_a_payload_cannot_move_the_cursor(run: Run) -> None:
    """Text out of a stranger's token is shown without control characters."""
    hostile = {"sub": "a\u009b2Jb", "x\u001b": ["\u202e"]}
    token = f"{segment({'alg': 'none'})}.{segment(hostile)}."
    assert not {"\x9b", "\x1b", "\u202e"} & set(run("token", "inspect", stdin=token).out)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds ago"),
        (1, "in 1 second"),
        (59, "in 59 seconds"),
        (60, "in 1 minute"),
        (-3600, "1 hour ago"),
        (86_399, "in 23 hours"),
        (172_800, "in 2 days"),
    ],
)
def test_a_time_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    """Rounded down, as people say it."""
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert span(now + timedelta(seconds=seconds), now) == words


@pytest.mark.parametrize("value", [True, "1", None, [], 1e40, float("nan"), -(10**30)])
def test_a_claim_that_is_no_time_is_none(value: object) -> None:
    """A stranger's claims may hold anything."""
    assert instant_of(value) is None
