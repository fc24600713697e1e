"""What an administrator reads: accounts, sessions, keys and receipts in words.

Owns the sentences and which facts they are made of; what happened is `trail_words.py`'s. Loads nothing but how many
sessions an account has; pages, acts and the live page put these values into their templates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.core.accounts import Account
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.permissions import Difference
from gatepost.core.sentences import Sentence
from gatepost.core.verifiers import Policy
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.services.foresight import RolesForeseen
from gatepost.services.hearings import VerifierHearing
from gatepost.services.presence import Present
from gatepost.web.asking import Asking
from gatepost.web.devices import UNKNOWN
from gatepost.web.notes import EndedNote
from gatepost.web.rendering import SessionCard, at_a_glance, card, device_in_words, in_words
from gatepost.web.trail_words import EVENTS

OVER: Final = Sentence("That session was over already.")
_STATES: Final = {
    KeyState.NEXT: (Sentence("Next"), Sentence("takes over at the next rotation")),
    KeyState.ACTIVE: (Sentence("Active"), Sentence("signs or seals now")),
    KeyState.RETIRED: (Sentence("Retired"), Sentence("still opens what it made")),
    KeyState.WITHDRAWN: (Sentence("Withdrawn"), Sentence("nothing of it is believed")),
}


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in words."""

    id: str
    email: str
    roles: tuple[str, ...]
    locked: bool
    sessions: int
    created: str


@dataclass(frozen=True, slots=True)
class PresentRow:
    """A session in words, with what its account did last with it."""

    card: SessionCard
    account_id: str
    started: str
    last_seen: str
    did: str
    did_at: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key in words."""

    kid: str
    algorithm: str
    state: str
    means: str
    since: str
    active: bool
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class HearingRow:
    """Whether one server process, or one instance of a verifier, has confirmed, in words."""

    who: str
    confirmed: bool
    text: str


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """A receipt in words. `everywhere` is whether every process has said so itself."""

    text: str
    everywhere: bool
    hearings: tuple[HearingRow, ...]


def account_row(asking: Asking, account: Account) -> AccountRow:
    """An account in words, with how many live sessions it has."""
    return account_rows(asking, [account])[0]


def account_rows(asking: Asking, accounts: Sequence[Account]) -> list[AccountRow]:
    """Accounts in words. The sessions of all of them are counted at once."""
    live = asking.authority.accounts.live_counts(accounts)
    return [
        AccountRow(
            id=account.id,
            email=account.email.typed,
            roles=account.roles,
            locked=account.locked_at is not None,
            sessions=live.get(account.id, 0),
            created=in_words(account.created_at),
        )
        for account in accounts
    ]


def present_rows(present: Iterable[Present], current: str, now: datetime) -> list[PresentRow]:
    """Sessions in words; `current` is the one that looks."""
    return [
        PresentRow(
            card=card(one.standing, current),
            account_id=one.standing.session.account_id or "",
            started=at_a_glance(one.standing.session.started_at, now),
            last_seen=at_a_glance(one.standing.session.last_seen_at, now),
            did=EVENTS[one.last.event] if one.last else "",
            did_at=at_a_glance(one.last.at, now) if one.last else "",
        )
        for one in present
    ]


def key_row(key: RingKey) -> KeyRow:
    """A key in words, without what is secret of it."""
    return KeyRow(
        kid=key.id,
        algorithm=key.algorithm,
        state=_STATES[key.state][0],
        means=_STATES[key.state][1],
        since=in_words(key.since),
        active=key.state is KeyState.ACTIVE,
        withdrawn=key.state is KeyState.WITHDRAWN,
    )


def receipt_words(receipt: Receipt | None) -> ReceiptWords | None:
    """A receipt in words: who has confirmed, and after how many milliseconds."""
    if receipt is None:
        return None
    everywhere = receipt.state is ReceiptState.IN_FORCE
    hearings = [_hearing(one.pid, one.seconds) for one in receipt.workers]
    return ReceiptWords(
        _in_force(receipt),
        everywhere,
        (*hearings, *(_verifier_hearing(one, receipt.latest_at) for one in receipt.verifiers)),
    )


def _in_force(receipt: Receipt) -> Sentence:
    took = f"{(receipt.in_force_at - receipt.committed_at).total_seconds() * 1000:.0f}"
    if receipt.state is ReceiptState.IN_FORCE:
        return Sentence("In force everywhere, confirmed in {milliseconds} ms.", milliseconds=took)
    if receipt.state is ReceiptState.PENDING:
        return Sentence("In force at every server. Another service has not confirmed it yet.")
    if receipt.silent:
        return Sentence(
            "In force everywhere: a server that did not answer refuses everything until it has caught up."
        )
    return Sentence(
        "In force everywhere: another service that did not answer refuses everything until it has caught up."
    )


def _verifier_hearing(one: VerifierHearing, latest_at: datetime) -> HearingRow:
    who = Sentence("{name} ({instance})", name=one.name, instance=one.instance)
    if one.confirmed:
        return HearingRow(who, True, Sentence("confirmed"))
    if one.ended:
        return HearingRow(who, False, Sentence("silent: its lease has ended, so it refuses everything"))
    if one.policy is Policy.ALLOW:
        return HearingRow(
            who, False, Sentence("silent: it goes on without hearing, and may accept it until it expires")
        )
    until = f"{latest_at.astimezone(UTC):%H:%M:%S} UTC"
    return HearingRow(who, False, Sentence("not confirmed: it may accept it until {time}", time=until))


def _hearing(pid: int, seconds: float | None) -> HearingRow:
    who = Sentence("Server {pid}", pid=pid)
    if seconds is None:
        return HearingRow(who, False, Sentence("silent: its lease has ended, so it refuses everything"))
    return HearingRow(
        who, True, Sentence("confirmed in {milliseconds} ms", milliseconds=f"{seconds * 1000:.0f}")
    )


def ended_words(note: EndedNote) -> dict[str, object]:
    """What became of one session, for the page that comes after it."""
    if note.receipt is None:
        return {"notice": OVER}
    unknown = note.device in {UNKNOWN, ""}
    notice = Sentence(
        "Ended: the session of {email} using {device} from {address}.",
        email=note.email,
        device=Sentence("an unknown device") if unknown else device_in_words(note.device),
        address=note.address,
    )
    return {"notice": notice, "receipt": receipt_words(note.receipt)}


def nothing_changes(change: Difference) -> bool:
    """Whether new roles are the old ones."""
    return not (change.roles_gained or change.roles_lost)


def live_sessions(foreseen: RolesForeseen) -> int:
    """How many live sessions meet the change."""
    return sum(foreseen.sessions.values())
