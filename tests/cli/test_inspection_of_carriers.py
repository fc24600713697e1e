"""`token inspect` of every carrier: tokens of every algorithm, sealed cookies, pasted headers, a missing master key."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatepost.carriers.presented import Bearer, SealedCookie
from gatepost.carriers.sealed import open_session, seal_session
from gatepost.core.sessions import Carrier
from gatepost.errors import Refused
from gatepost.machine import SystemRandomness
from tests.cli.conftest import Run
from tests.cli.holding import EMAIL, HERE, Holding

ALGORITHMS = pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", "HS256"])
SECURE = "__Host-Http-gatepost"


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Callable[..., Holding]]:
    """`opening(tokens={...})`: an authority with these settings over the same folder."""
    opened: list[Holding] = []

    def make(**sections: Any) -> Holding:
        opened.append(Holding(tmp_path, sections))
        return opened[-1]

    yield make
    for one in opened:
        one.authority.stop()


@pytest.fixture
def holding(opening: Callable[..., Holding]) -> Holding:
    """One with the settings as they are without any."""
    return opening()


def passes(holding: Holding, sealed: str) -> bool:
    """Whether a server lets a sealed cookie in, by itself or after a renewal."""
    renew = lambda presented: holding.authority.renewals.renew(presented, HERE).presented  # noqa: E731
    try:
        holding.authority.guard.check(SealedCookie(sealed), renew)
    except Refused:
        return False
    return True


@ALGORITHMS
def test_a_token_of_every_algorithm_is_judged_and_its_key_named(
    opening: Callable[..., Holding], algorithm: str
) -> None:
    """Genuine it passes, changed it does not; HS256 too, whose key is opened with the master key."""
    holding = opening(tokens={"algorithm": algorithm})
    token = holding.pair().access.reveal()
    found = holding.judged(token)
    assert (found.kind, found.accepted, found.unchecked) == ("access token", True, "")
    assert found.key is not None
    assert (found.key.algorithm, found.key.state_text) == (algorithm, "active")
    header, payload, signature = token.split(".")
    changed = f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert "it was changed" in holding.judged(changed).reasons[0]


def test_a_token_from_before_a_change_to_a_secret_is_refused_here_as_by_the_server(
    opening: Callable[..., Holding],
) -> None:
    """Public keys and a secret are never believed side by side, in either direction."""
    before = opening().pair().access.reveal()
    after = opening(tokens={"algorithm": "HS256"})
    [reason] = after.judged(before).reasons
    assert reason.startswith("Its key is for ES256, and this installation signs with HS256")
    with pytest.raises(Refused):
        after.authority.guard.check(Bearer(before))


def test_a_sealed_cookie_is_opened_and_shown_without_its_secret(holding: Holding, run: Run) -> None:
    """Who, until when it is believed, which key, and that its record stands; the secret in it never."""
    value, begun = holding.sealed()
    holding.authority.sessions.merge_data(holding.who(value), {"cart": ["tea"]})
    found = holding.judged(value)
    assert found.accepted is True
    assert found.claims is not None
    assert found.claims["account"]["email"] == EMAIL
    assert found.key is not None
    assert (found.key.kid, found.key.algorithm) == (holding.authority.ring.sealing.kid, "A256GCM")
    first, second = found.remarks
    assert "in 9 minutes" in first
    assert second == "Its record stands and is newer: version 2, and the cookie has 1."
    secret = holding.authority.sealed.read(value).secret
    for options in ([], ["--json"]):
        done = run("token", "inspect", *options, stdin=value)
        assert (done.code, done.error) == (0, "")
        assert begun.session.id in done.out
        assert not any(part in done.out for part in (secret, *value.split(".")[2:]))
    assert "This is a sealed cookie.\n" in run("token", "inspect", stdin=value).out


def test_a_sealed_cookie_that_is_believed_no_more_is_exchanged_while_its_record_stands(
    holding: Holding,
) -> None:
    """At the very end of its belief and after; when the session is idle for too long it is refused."""
    value, _ = holding.sealed()
    horizon = holding.authority.settings.revocation.horizon
    later = holding.judged(value, horizon)
    assert later.accepted is True
    assert later.remarks[0].startswith("It has not spoken for itself since ")
    assert later.remarks[-1] == "Its record stands: a server exchanges it for a new one within the request."
    assert "not used for too long" in holding.judged(value, timedelta(days=8)).reasons[0]


@pytest.mark.parametrize(
    ("end", "words", "accepted"),
    [
        (
            lambda it, session: it.authority.sessions.end_any(session.id, "cli"),
            "Its session was ended at ",
            False,
        ),
        (
            lambda it, session: it.authority.accounts.lock(EMAIL, "cli"),
            "The sessions of its account were",
            False,
        ),
        (
            lambda it, session: it.authority.accounts.set_roles(EMAIL, ["admin"], "cli"),
            "roles of its account",
            True,
        ),
        (
            lambda it, session: it.authority.keys.withdraw(it.authority.ring.sealing.kid, "cli"),
            "The key that sealed it was withdrawn",
            True,
        ),
    ],
    ids=["session", "account", "roles", "key"],
)
def test_what_happened_to_a_sealed_cookie_is_told_and_the_server_agrees(
    holding: Holding, end: Callable[[Holding, Any], Any], words: str, accepted: bool
) -> None:
    """Ended it is refused; outdated, or under a withdrawn key, it is exchanged."""
    value, begun = holding.sealed()
    end(holding, begun.session)
    found = holding.judged(value)
    assert found.accepted is accepted
    assert words in " ".join((*found.remarks, *found.reasons))
    assert passes(holding, value) is accepted


def test_a_cookie_that_a_thief_of_the_key_made_is_told_from_a_genuine_one(holding: Holding) -> None:
    """The right key and a wrong secret: once it is held against its record it is refused."""
    value, _ = holding.sealed()
    ring = holding.authority.ring
    contents = open_session(value, ring.opening, holding.authority.settings.issuer).contents
    forged = type(contents)(
        **{name: getattr(contents, name) for name in contents.__struct_fields__} | {"secret": "x" * 43}
    )
    made = seal_session(forged, ring.sealing, SystemRandomness()).reveal()
    holding.authority.keys.withdraw(ring.sealing.kid, "cli")
    [reason] = holding.judged(made).reasons
    assert reason.startswith("The secret in it is not that of the session it names")
    assert not passes(holding, made)


def test_a_sealed_cookie_that_does_not_open_says_so(holding: Holding, tmp_path: Path) -> None:
    """Changed, under a key of somebody else, or under a header that only resembles ours."""
    value, _ = holding.sealed()
    header, _, nonce, box, tag = value.split(".")
    changed = f"{header}..{nonce}.{'A' if box[0] != 'A' else 'B'}{box[1:]}.{tag}"
    assert "It does not open, so it was changed" in holding.judged(changed).reasons[0]
    stranger = Holding(tmp_path / "elsewhere")
    try:
        assert "its kid is not known here" in stranger.judged(value).reasons[0]
    finally:
        stranger.authority.stop()


def test_without_the_master_key_all_is_said_that_can_be(
    opening: Callable[..., Holding], tmp_path: Path, run: Run
) -> None:
    """A public key needs none; a sealed cookie and an HS256 token name their key, and why nobody can use it here."""
    holding = opening()
    public, (sealed, _) = holding.pair().access.reveal(), holding.sealed()
    shared = opening(tokens={"algorithm": "HS256"}).pair().access.reveal()
    (tmp_path / "data" / "master.key").unlink()
    assert holding.judged(public).accepted is True
    for text, words in (
        (sealed, "What it holds cannot be read here"),
        (shared, "Its signature cannot be checked"),
    ):
        found = holding.judged(text)
        assert found.reasons[0].startswith(words)
        assert "master.key is missing" in found.reasons[0]
        assert found.key is not None
        assert found.key.state_text == "active"
    assert "It names the key " in run("token", "inspect", stdin=sealed).out
    assert not (tmp_path / "data" / "master.key").exists()


def test_another_master_key_is_not_the_one_that_belongs_here(holding: Holding, tmp_path: Path) -> None:
    """It opens nothing, and that is the sentence."""
    sealed, _ = holding.sealed()
    (tmp_path / "data" / "master.key").write_text("A" * 43 + "\n")
    assert "is not the one that belongs to this database" in holding.judged(sealed).reasons[0]


def test_header_lines_are_understood_whole(holding: Holding, run: Run) -> None:
    """A Cookie line with both tokens is one sign-in, each judged; in words and as JSON."""
    pair = holding.pair(Carrier.TOKEN_COOKIE)
    access, refresh = pair.access.reveal(), pair.refresh.reveal()
    line = f"Cookie: theme=dark; {SECURE}-access={access}; {SECURE}-refresh={refresh}"
    verdict = holding.verdict(line)
    assert [one.kind for one in verdict.found] == ["access token", "refresh token"]
    assert (verdict.accepted, verdict.sentence) == (True, "")
    late = holding.verdict(line, timedelta(minutes=11))
    assert [one.accepted for one in late.found] == [False, True]
    assert late.accepted is True
    assert late.sentence.startswith("Together they pass")
    answer = json.loads(run("token", "inspect", "--json", stdin=line).out)
    assert [item["found"] for item in answer["items"]] == [
        "in the access token's cookie",
        "in the refresh token's cookie",
    ]
    set_cookie = f"Set-Cookie: {SECURE}-access={access}; Max-Age=9; Path=/; Secure; HttpOnly; SameSite=Lax"
    done = run("token", "inspect", stdin=set_cookie)
    assert done.code == 0
    assert "This is an access token, in the access token's cookie.\n" in done.out


def test_more_than_one_sign_in_is_refused_as_a_server_refuses_it(holding: Holding, run: Run) -> None:
    """Each is shown, and all of it together is ambiguous; with no cookie of ours there is nothing."""
    access, (sealed, _) = holding.pair().access.reveal(), holding.sealed()
    both = f"Authorization: Bearer {access}\nCookie: {SECURE}-sealed={sealed}"
    done = run("token", "inspect", stdin=both)
    assert done.code == 1
    assert "it is more than one sign-in" in done.out
    none = run("token", "inspect", stdin="Cookie: theme=dark")
    assert (none.code, none.out) == (1, "There is no cookie of ours in it that signs anybody in.\n")


def test_a_refresh_token_in_the_wrong_place_is_refused(holding: Holding) -> None:
    """Tokens that a program holds are not taken out of a cookie."""
    refresh = holding.pair().refresh.reveal()
    assert holding.judged(refresh).accepted is True
    [reason] = holding.judged(f"{SECURE}-refresh={refresh}").reasons
    assert reason.startswith(
        "Its session holds its tokens as token: in the refresh token's cookie it is refused"
    )


def test_a_token_is_judged_for_the_service_that_is_named(opening: Callable[..., Holding]) -> None:
    """Without a name for this server itself."""
    holding = opening(tokens={"audiences": ["orders"]})
    access = holding.pair().access.reveal()
    assert holding.verdict(access, audience="orders").accepted is True
    [found] = holding.verdict(access, audience="billing").found
    assert found.reasons[0].endswith(", orders, not for billing.")


def test_a_token_from_the_future_is_renewed_first(holding: Holding) -> None:
    """More than five minutes ahead it is not a neighbour's clock, but one that was set."""
    access = holding.pair().access.reveal()
    assert holding.judged(access, -timedelta(minutes=4)).accepted is True
    assert "a clock was set back" in holding.judged(access, -timedelta(minutes=6)).reasons[0]
