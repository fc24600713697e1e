"""Accounts that come over: who may, who is left alone, and whose hash is ours after the first sign-in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change, Event
from gatepost.core.emails import parse_email
from gatepost.errors import InvalidCredentials
from gatepost.factors.foreign import Argon2Hash, Unusable, read_hash
from gatepost.services.beginnings import Wish
from gatepost.services.newcomers import Admission, BadLine, Candidate, Line, Standing
from gatepost.stores.sightings import TemporarySightings
from tests.foreign import KINDS
from tests.services.installation import HOME, PASSWORD, Installation, add_account, trail

ADA = "ada@example.com"
ID = "bTkQR7B26KHsiTe_Gm9Stw"


@pytest.fixture
def seen() -> Iterator[TemporarySightings]:
    """What a run has met so far: nothing."""
    with TemporarySightings() as sightings:
        yield sightings


def judged(at: Authority, seen: TemporarySightings, number: int = 2, **fields: object) -> Candidate | BadLine:
    """What the service says of one line."""
    return at.newcomers.judge(Line(number, {"email": ADA, **fields}), seen)


def come_over(at: Authority, *lines: dict[str, object], source: str = "users.csv") -> Admission:
    """One run over these lines, all of them good."""
    with TemporarySightings() as seen:
        batch = [at.newcomers.judge(Line(number, line), seen) for number, line in enumerate(lines, 2)]
    assert all(isinstance(one, Candidate) for one in batch), batch
    return at.newcomers.admit([one for one in batch if isinstance(one, Candidate)], source, "cli")


def imported(at: Authority, stored: str | None, email: str = ADA) -> Account:
    """An account that came over with this hash."""
    assert come_over(at, {"email": email, "password_hash": stored}).imported == 1
    return at.accounts.find(email)


def test_an_account_is_here_as_the_file_tells_it(authority: Authority) -> None:
    """Every column, and one audit row in the same change that says where it came from."""
    line = {
        "id": ID,
        "email": "Ada@Example.com",
        "email_verified": "t",
        "roles": "support member",
        "created_at": "2020-02-03T04:05:06.000007Z",
        "locked_at": "2021-02-03",
        "password_hash": KINDS["bcrypt 2b"]("x"),
    }
    assert come_over(authority, line) == Admission(1, 0, 0, ())
    account = authority.accounts.find(ID)
    assert (account.email.typed, account.email.key) == ("Ada@Example.com", "ada@example.com")
    assert (account.email_verified, account.roles) == (True, ("support", "member"))
    assert account.created_at.isoformat() == "2020-02-03T04:05:06.000007+00:00"
    assert account.locked_at is not None
    assert account.locked_at.year == 2021
    assert account.password_hash == line["password_hash"]
    [row] = trail(authority, account)
    assert (row.event, row.actor) == (Event.ACCOUNT_IMPORTED, "cli")
    assert dict(row.more) == {"source": "users.csv", "roles": "support,member"}


def test_what_the_file_does_not_say_is_as_with_a_new_account(authority: Authority) -> None:
    """Made now, a member; locked now if it is only said that it is."""
    come_over(authority, {"email": ADA}, {"email": "bob@example.com", "locked": "yes"})
    ada, bob = authority.accounts.find(ADA), authority.accounts.find("bob@example.com")
    assert (ada.created_at, ada.roles, ada.locked_at) == (authority.clock.now(), ("member",), None)
    assert bob.locked_at == authority.clock.now()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"roles": "captain"}, "roles: There is no role 'captain' here"),
        ({"password_hash": "md5$salt$0123"}, "password_hash: This is no password hash"),
        ({"password_hash": "$2b$31$" + "." * 22 + "a" * 31}, "password_hash: This bcrypt hash asks for 31"),
        ({"email": "ada"}, "email: "),
    ],
)
def test_a_bad_line_says_why(
    authority: Authority, seen: TemporarySightings, fields: dict[str, object], says: str
) -> None:
    """The column and a sentence."""
    found = judged(authority, seen, number=7, **fields)
    assert isinstance(found, BadLine)
    assert (found.number, found.says[: len(says)]) == (7, says)


def test_judging_computes_no_hash(authority: Authority, seen: TemporarySightings) -> None:
    """However many lines ask for however much."""
    before = authority.hashing.hashes_done
    judged(authority, seen, password_hash="$argon2id$v=19$m=9999999,t=9,p=1$" + "A" * 22 + "$" + "A" * 43)
    judged(authority, seen, email="bob@example.com", password_hash=KINDS["django scrypt"]("x"))
    assert authority.hashing.hashes_done == before


def test_roles_that_no_token_could_hold_are_a_bad_line(
    installation: Installation, seen: TemporarySightings
) -> None:
    """As with an account that is made here, for the longest address there can be; the next line may be good."""
    many = {f"r{number:02}{'r' * 29}": [f"p{number:02}:read"] for number in range(60)}
    installation.sections = {"roles": many}
    at = installation.open()
    for number in (2, 3):
        found = judged(at, seen, number, email=f"p{number}@example.com", roles=list(many))
        assert isinstance(found, BadLine)
        assert found.says.startswith("roles: ")
    assert isinstance(judged(at, seen, 4, roles="member"), Candidate)


def test_the_same_address_twice_in_a_file_is_a_bad_line_with_the_first_ones_number(
    authority: Authority, seen: TemporarySightings
) -> None:
    """Compared as accounts are: without regard to case."""
    assert isinstance(judged(authority, seen, 2), Candidate)
    second = judged(authority, seen, 9, email="ADA@EXAMPLE.com")
    assert second == BadLine(9, "email: Line 2 has the same address.")
    # As when a file is read once more after it was checked.
    assert isinstance(judged(authority, seen, 2), Candidate)


def test_the_same_id_twice_in_a_file_is_a_bad_line(authority: Authority, seen: TemporarySightings) -> None:
    """Two accounts cannot be one."""
    assert isinstance(judged(authority, seen, 2, id=ID), Candidate)
    second = judged(authority, seen, 3, email="bob@example.com", id=ID)
    assert second == BadLine(3, "id: An earlier line has the same id.")


def test_an_account_that_was_made_here_is_never_touched(authority: Authority) -> None:
    """A bad line, whether it has the address or the id of somebody; the rest of the batch comes."""
    ada = add_account(authority, ADA)
    admission = come_over(
        authority,
        {"email": ADA, "password_hash": KINDS["bcrypt 2b"]("x"), "roles": "admin"},
        {"email": "bob@example.com", "id": ada.id},
        {"email": "eve@example.com"},
    )
    assert (admission.imported, admission.without_password, admission.already_there) == (1, 1, 0)
    assert [line.number for line in admission.bad] == [2, 3]
    assert authority.accounts.find(ADA) == ada


def test_a_second_run_passes_over_what_the_first_one_brought(authority: Authority) -> None:
    """Known by the import's name in the trail, also after a sign-in, a change of roles and another hash."""
    lines: list[dict[str, object]] = [{"email": ADA, "password_hash": KINDS["bcrypt 2b"](PASSWORD)}]
    assert come_over(authority, *lines) == Admission(1, 0, 0, ())
    authority.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    authority.accounts.set_roles(ADA, ["support"], "cli")
    before = authority.accounts.find(ADA)
    lines.append({"email": "bob@example.com"})
    assert come_over(authority, *lines) == Admission(1, 1, 1, ())
    assert authority.accounts.find(ADA) == before


def test_another_import_is_not_the_same_one(authority: Authority) -> None:
    """An address that came from elsewhere is somebody else's until a person says otherwise."""
    imported(authority, None)
    [bad] = come_over(authority, {"email": ADA}, source="others.csv").bad
    assert bad == BadLine(2, "email: There is an account with this address already.")


def test_somebody_who_signs_up_between_the_look_and_the_write_keeps_their_account(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch meets a conflict, is decided anew, and has one bad line."""
    commit, standing = authority.store.commit, authority.newcomers.standing
    raced: list[Account] = []

    def looked_then_raced(candidate: Candidate, source: str) -> Standing | BadLine:
        found = standing(candidate, source)
        if not raced:
            now = authority.clock.now()
            raced.append(Account(ID, parse_email(ADA), None, ("member",), now))
            commit(Change(at=now, put=tuple(raced)))
        return found

    monkeypatch.setattr(authority.newcomers, "standing", looked_then_raced)
    admission = come_over(authority, {"email": ADA}, {"email": "bob@example.com"})
    assert (admission.imported, [line.number for line in admission.bad]) == (1, [2])
    assert authority.accounts.find(ADA).id == ID


@pytest.mark.parametrize("kind", KINDS)
def test_first_sign_in_makes_the_hash_ours(authority: Authority, kind: str) -> None:
    """The foreign hash is verified once; from then on the account is like any other."""
    before = imported(authority, KINDS[kind](PASSWORD))
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in(ADA, "not the password", Wish(HOME))
    assert authority.accounts.find(ADA).password_hash == before.password_hash
    authority.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    after = authority.accounts.find(ADA)
    assert isinstance(read_hash(after.password_hash or ""), Argon2Hash)
    assert (after.password_hash or "").startswith("$argon2id$")
    authority.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    assert authority.accounts.find(ADA) == after


def test_account_without_a_password_is_opened_by_none(authority: Authority) -> None:
    """Not by the empty one, and not by that of the neighbour whose cost it is answered at."""
    add_account(authority, "neighbour@example.com")
    imported(authority, None)
    for password in (PASSWORD, "", "!"):
        with pytest.raises(InvalidCredentials):
            authority.sign_in.sign_in(ADA, password, Wish(HOME))


def test_a_decoy_that_could_be_opened_would_open_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is verified in the place of a hash that is not there, the verdict on it is nobody's."""
    imported(authority, None)
    opened = authority.hashing.hash(PASSWORD.encode())
    monkeypatch.setattr(authority.sign_in, "_decoy", lambda email_key: opened)
    for email in (ADA, "nobody@example.com"):
        with pytest.raises(InvalidCredentials):
            authority.sign_in.sign_in(email, PASSWORD, Wish(HOME))


def test_a_locked_account_that_came_over_stays_shut(authority: Authority) -> None:
    """The right password is answered like a wrong one, and the hash stays as it was."""
    come_over(authority, {"email": ADA, "password_hash": KINDS["bcrypt 2b"](PASSWORD), "locked": "t"})
    before = authority.accounts.find(ADA)
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    assert authority.accounts.find(ADA) == before


def test_a_hash_that_turns_out_unreadable_opens_to_nobody(authority: Authority) -> None:
    """What an import refuses is refused at a sign-in too, should it get into the store in another way."""
    account = imported(authority, None)
    absurd = "$2b$31$" + "." * 22 + "a" * 31
    assert isinstance(read_hash(absurd), Unusable)
    changed = replace(account, password_hash=absurd)
    authority.commits.commit(Change(at=authority.clock.now(), put=(changed,)))
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    assert authority.hashing.unreadable_hashes == 1
