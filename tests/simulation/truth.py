"""What is true, as nobody in the simulation can know it: when each thing ended, and when that was answered.

Kept by watching the changes that the primary commits, in true time. Knows nothing of positions, sets and leases: it is
what those are judged by.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from gatepost.core.accounts import Account
from gatepost.core.changes import Change, Committed
from gatepost.core.revocation import AccountEnded, EveryoneEnded, Fact, Position, SessionEnded, TokenEnded
from gatepost.core.sessions import Session

Name = tuple[object, ...]


@dataclass(slots=True)
class Ending:
    """Something was over at `committed`; whoever ended it was told so at `answered`. True time, in seconds."""

    name: Name
    committed: float
    answered: float = inf


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of the log as it stands now, and when it was committed."""

    seq: int
    fact: Fact
    at: float


@dataclass(slots=True)
class Truth:
    """Everything that is `over`, or is `ending` in a commit under way.

    `rows` is the log as it stands; `forked_after` where it last left an older one.
    """

    over: dict[Name, Ending] = field(default_factory=dict)
    ending: set[Name] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    forked_after: int = 0
    everyone: int = 0
    _sessions: dict[str, str] = field(default_factory=dict)
    _roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _by_position: dict[str, list[Ending]] = field(default_factory=dict)
    _tags: dict[int, str] = field(default_factory=dict)

    def begun(self, change: Change, committed: Committed) -> list[Name]:
        """Watch one change that is being committed; what ends by it."""
        names: list[Name] = []
        for record in change.put:
            if isinstance(record, Session) and record.version == 0 and record.account_id is not None:
                self._sessions[record.id] = record.account_id
                if record.pos < self.everyone:
                    # Begun before everybody was signed out, finished after: it was never alive.
                    names.append(("session", record.id))
            elif isinstance(record, Account):
                before = self._roles.get(record.id, record.roles)
                self._roles[record.id] = record.roles
                if before != record.roles:
                    names.append(("roles", record.id, before))
        for logged in committed.logged:
            if isinstance(logged.fact, EveryoneEnded):
                self.everyone = logged.seq
            names += self._ended_by(logged.fact)
        self.ending.update(names)
        return names

    def committed(self, committed: Committed, names: list[Name], at: float) -> None:
        """From now on everybody could know it."""
        self.rows += [Row(logged.seq, logged.fact, at) for logged in committed.logged]
        self._tags[committed.pos] = committed.position.tag
        ended = [self.over.setdefault(name, Ending(name, at)) for name in names]
        self._by_position.setdefault(str(committed.position), []).extend(ended)

    def answered(self, position: str, at: float) -> None:
        """Whoever committed this was told that it is in force."""
        for ending in self._by_position.get(position, ()):
            ending.answered = min(ending.answered, at)

    def restored(self, head: int, roles: Mapping[str, tuple[str, ...]]) -> None:
        """The log is an older copy of itself, which ends at `head`. Sessions that had ended stay ended.

        Roles are again what they were; nobody is let in with them, for every session there was is over.
        """
        self.over = {name: ending for name, ending in self.over.items() if name[0] != "roles"}
        self._roles = dict(roles)
        self.rows = [row for row in self.rows if row.seq <= head]
        self._tags = {seq: tag for seq, tag in self._tags.items() if seq <= head}
        self.forked_after = head

    def is_here(self, position: Position) -> bool:
        """Whether a position is one of the log as it stands."""
        return position.seq == 0 or self._tags.get(position.seq) == position.tag

    def unheard(self, position: Position) -> Iterator[Row]:
        """What somebody at this position has not heard."""
        start = position.seq if self.is_here(position) else self.forked_after
        return (row for row in self.rows if row.seq > start)

    def _ended_by(self, fact: Fact) -> list[Name]:
        match fact:
            case SessionEnded(session_id):
                return [("session", session_id)]
            case TokenEnded(jti):
                return [("token", jti)]
            case AccountEnded(account_id, keep):
                mine = (sid for sid, holder in self._sessions.items() if holder == account_id)
                return [("session", session_id) for session_id in mine if session_id != keep]
            case EveryoneEnded():
                return [("session", session_id) for session_id in self._sessions]
            case _:
                return []
