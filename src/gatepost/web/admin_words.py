"""What an administrator reads: accounts, sessions, events, keys, servers and receipts in words.

Owns the sentences and which facts they are made of. Loads nothing but the names of those who acted; pages, acts and
the live page put these values into their templates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Event
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.permissions import Difference
from gatepost.core.sentences import Sentence
from gatepost.errors import NotFound
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.services.foresight import RolesForeseen
from gatepost.services.presence import Present
from gatepost.services.servers import Server
from gatepost.web.asking import Asking
from gatepost.web.rendering import SessionCard, card, device_in_words, in_words

EVENTS: Final = {
    Event.SIGNED_UP: Sentence("Signed up"),
    Event.SIGNED_IN: Sentence("Signed in"),
    Event.SIGN_IN_FAILED: Sentence("Sign-in refused"),
    Event.SIGN_IN_REFUSED: Sentence("Sign-in refused by the application"),
    Event.GUESSING_SLOWED: Sentence("Guessing slowed down"),
    Event.SIGNED_OUT: Sentence("Signed out"),
    Event.SESSION_ENDED: Sentence("One session ended"),
    Event.OTHER_SESSIONS_ENDED: Sentence("All other sessions ended"),
    Event.SESSIONS_ENDED: Sentence("All sessions ended"),
    Event.EVERYONE_ENDED: Sentence("Everybody signed out"),
    Event.TOKEN_ENDED: Sentence("One access token ended"),
    Event.CLIENT_ENDED: Sentence("Client ended"),
    Event.REFRESH_REPEATED_ELSEWHERE: Sentence("Refresh token used twice, from elsewhere"),
    Event.REFRESH_REPLAYED: Sentence("Used-up refresh token shown again: session ended"),
    Event.PASSWORD_CHANGED: Sentence("Password changed"),
    Event.PASSWORD_CHANGE_FAILED: Sentence("Password change refused"),
    Event.REAUTHENTICATED: Sentence("Password shown again"),
    Event.REAUTHENTICATION_FAILED: Sentence("Password shown again: refused"),
    Event.ACCOUNT_CREATED: Sentence("Account made"),
    Event.ACCOUNT_IMPORTED: Sentence("Account imported"),
    Event.ACCOUNT_LOCKED: Sentence("Account locked"),
    Event.ACCOUNT_UNLOCKED: Sentence("Account unlocked"),
    Event.ROLES_CHANGED: Sentence("Roles changed"),
    Event.INVITATION_MADE: Sentence("One-time link made"),
    Event.INVITATION_USED: Sentence("One-time link used"),
    Event.CLIENT_CREATED: Sentence("Client made"),
    Event.CLIENT_SECRET_CHANGED: Sentence("Client has a new secret"),
    Event.KEY_MADE: Sentence("Key made"),
    Event.KEY_ROTATED: Sentence("Key rotated"),
    Event.KEY_WITHDRAWN: Sentence("Key withdrawn"),
    Event.MASTER_KEY_CHANGED: Sentence("Master key changed"),
    Event.RESTORED: Sentence("Restored from a backup"),
    Event.CLOCK_SET_BACK: Sentence("The clock was set back"),
}
_LONGEST_FACT: Final = 60
_ALARMING: Final = frozenset(
    {
        Event.SIGN_IN_FAILED,
        Event.GUESSING_SLOWED,
        Event.REFRESH_REPEATED_ELSEWHERE,
        Event.REFRESH_REPLAYED,
        Event.PASSWORD_CHANGE_FAILED,
        Event.REAUTHENTICATION_FAILED,
        Event.CLOCK_SET_BACK,
    }
)
_ACTORS: Final = {"cli": Sentence("a command on the server"), "system": Sentence("the server itself")}
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
    """A session in words, with what its account did last."""

    card: SessionCard
    account_id: str
    started: str
    last_seen: str
    did: str
    did_at: str


@dataclass(frozen=True, slots=True)
class Happening:
    """An entry of the audit trail in words. `facts` are short and plain: a carrier, the roles before and after."""

    number: int
    what: str
    at: str
    alarming: bool
    about: str
    about_id: str
    by: str
    device: str
    address: str
    facts: tuple[tuple[str, str], ...]


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
class ServerRow:
    """A server process in words."""

    pid: int
    behind: int
    heard: str
    quiet: bool
    own: bool


@dataclass(frozen=True, slots=True)
class HearingRow:
    """Whether one server process has confirmed, in words."""

    pid: int
    confirmed: bool
    text: str


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """A receipt in words. `everywhere` is whether every process has said so itself."""

    text: str
    everywhere: bool
    hearings: tuple[HearingRow, ...]


def at_a_glance(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """A time as short as it can be told: the day only if it is another one. The same in every language."""
    utc, form = moment.astimezone(UTC), "%H:%M:%S" if seconds else "%H:%M"
    day = "" if utc.date() == now.astimezone(UTC).date() else f"{utc:%Y-%m-%d} "
    return f"{day}{utc.strftime(form)} UTC"


def account_row(asking: Asking, account: Account) -> AccountRow:
    """An account in words, with how many sessions it has."""
    return AccountRow(
        id=account.id,
        email=account.email.typed,
        roles=account.roles,
        locked=account.locked_at is not None,
        sessions=len(asking.authority.sessions.of_account(account.id)),
        created=in_words(account.created_at),
    )


def present_rows(present: Iterable[Present], current: str, now: datetime) -> list[PresentRow]:
    """Sessions in words; `current` is the one that looks."""
    return [
        PresentRow(
            card=card(one.standing, current),
            account_id=one.standing.session.account_id or "",
            started=at_a_glance(one.standing.session.started_at, now),
            last_seen=at_a_glance(one.standing.session.last_seen_at, now),
            did=EVENTS.get(one.last.event, one.last.event.value) if one.last else "",
            did_at=at_a_glance(one.last.at, now) if one.last else "",
        )
        for one in present
    ]


def happenings(authority: Authority, rows: Sequence[tuple[int, AuditRow]]) -> list[Happening]:
    """Entries of the trail in words. Each name is looked up once."""
    names: dict[str, str] = {}
    return [
        Happening(
            number=number,
            what=EVENTS.get(row.event, row.event.value),
            at=at_a_glance(row.at, authority.clock.now(), seconds=True),
            alarming=row.event in _ALARMING,
            about=_name(authority, row.account_id, names),
            about_id=row.account_id or "",
            by=_actor(authority, row, names),
            device=device_in_words(row.device) if row.device else "",
            address=row.address,
            facts=tuple((name, _short(value)) for name, value in row.more.items() if name != "ended"),
        )
        for number, row in rows
    ]


def _short(value: str) -> str:
    spaced = value.replace(",", ", ")
    return spaced if len(spaced) <= _LONGEST_FACT else f"{spaced[:_LONGEST_FACT]}…"


def _actor(authority: Authority, row: AuditRow, names: dict[str, str]) -> str:
    if row.actor is None or row.actor == row.account_id:
        return ""
    return _ACTORS.get(row.actor) or _name(authority, row.actor, names)


def _name(authority: Authority, account_id: str | None, names: dict[str, str]) -> str:
    if account_id is None:
        return ""
    if account_id not in names:
        try:
            names[account_id] = authority.accounts.find(account_id).email.typed
        except NotFound:
            # Deleted, or never ours: the trail knows it by its id alone.
            names[account_id] = account_id
    return names[account_id]


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


def server_row(server: Server) -> ServerRow:
    """A server process in words."""
    return ServerRow(server.pid, server.behind, in_words(server.heard_at), server.quiet, server.own)


def receipt_words(receipt: Receipt | None) -> ReceiptWords | None:
    """A receipt in words: who has confirmed, and after how many milliseconds."""
    if receipt is None:
        return None
    took = f"{(receipt.in_force_at - receipt.committed_at).total_seconds() * 1000:.0f}"
    everywhere = receipt.state is ReceiptState.IN_FORCE
    text = Sentence("In force everywhere, confirmed in {milliseconds} ms.", milliseconds=took)
    if not everywhere:
        text = Sentence(
            "In force everywhere: a server that did not answer refuses everything until it has caught up."
        )
    return ReceiptWords(text, everywhere, tuple(_hearing(one.pid, one.seconds) for one in receipt.workers))


def _hearing(pid: int, seconds: float | None) -> HearingRow:
    if seconds is None:
        return HearingRow(pid, False, Sentence("silent: its lease has ended, so it refuses everything"))
    return HearingRow(
        pid, True, Sentence("confirmed in {milliseconds} ms", milliseconds=f"{seconds * 1000:.0f}")
    )


def nothing_changes(change: Difference) -> bool:
    """Whether new roles are the old ones."""
    return not (change.roles_gained or change.roles_lost)


def live_sessions(foreseen: RolesForeseen) -> int:
    """How many live sessions meet the change."""
    return sum(foreseen.sessions.values())
