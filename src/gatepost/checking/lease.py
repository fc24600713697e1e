"""How long knowledge may be believed. Pure; the follower renews, the guard asks.

Times are seconds on one process's boot-time clock, which nobody sets and which goes on through suspend. A lease is
never computed from a wall clock or from a moment on another machine.
"""

from dataclasses import dataclass

NEVER: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Lease:
    """Knowledge that may be believed before `until`."""

    until: float = NEVER

    def fresh(self, now: float) -> bool:
        """Whether the knowledge still counts at `now`."""
        return now < self.until


def renewed(lease: Lease, *, sent: float, age: float, bound: float) -> Lease:
    """The lease after an answer to a question sent at `sent`, from one whose own knowledge was `age` seconds old.

    It begins at the sending: between that and the answer's arrival anything may have been committed. It never moves
    back, because what an earlier question brought is still known.
    """
    return Lease(max(lease.until, sent - age + bound))
