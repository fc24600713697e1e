"""What an administrator reads of server processes and of verifiers in other services: how far each has heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.authority import Authority
from gatepost.core.sentences import Sentence
from gatepost.core.verifiers import Policy
from gatepost.services.servers import Server
from gatepost.services.verifier_lag import Instance
from gatepost.web.rendering import at_a_glance, in_words

# A page is to stay small, and whoever needs looking at comes first.
MOST_VERIFIERS: Final = 30
_POLICIES: Final = {
    Policy.REFUSE: Sentence("refuses everything"),
    Policy.ASK: Sentence("asks this server each time"),
    Policy.ALLOW: Sentence("goes on without hearing"),
}


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server process in words."""

    pid: int
    behind: int
    heard: str
    quiet: bool
    own: bool


@dataclass(frozen=True, slots=True)
class VerifierRow:
    """An instance of a verifier in words. `behind` is None where it has said nothing since it began anew."""

    name: str
    instance: str
    address: str
    behind: int | None
    late: str
    live: bool
    lost: bool
    policy: str
    bound: str
    heard: str
    until: str


@dataclass(frozen=True, slots=True)
class Processes:
    """Everybody who follows the log; `left_out` counts verifiers that are not shown."""

    servers: Sequence[ServerRow] = ()
    verifiers: Sequence[VerifierRow] = ()
    left_out: int = 0


def processes(authority: Authority) -> Processes:
    """Server processes and verifiers, those that need looking at first."""
    now, found = authority.clock.now(), sorted(authority.verifier_lag.listed(), key=_order)
    return Processes(
        servers=[server_row(one) for one in authority.servers.listed()],
        verifiers=[verifier_row(one, now) for one in found[:MOST_VERIFIERS]],
        left_out=max(0, len(found) - MOST_VERIFIERS),
    )


def server_row(server: Server) -> ServerRow:
    """A server process in words."""
    return ServerRow(server.pid, server.behind, in_words(server.heard_at), server.quiet, server.own)


def verifier_row(one: Instance, now: datetime) -> VerifierRow:
    """An instance of a verifier in words."""
    return VerifierRow(
        name=one.name,
        instance=one.instance,
        address=one.address,
        behind=one.behind,
        late=f"{one.behind_ms / 1000:.1f}" if one.behind_ms else "",
        live=one.live,
        lost=one.counts and not one.live,
        policy=_POLICIES[one.policy],
        bound=f"{one.bound:g}",
        heard=at_a_glance(one.heard_at, now, seconds=True),
        until=at_a_glance(one.lease_ends_at, now, seconds=True),
    )


def _order(one: Instance) -> tuple[bool, bool, str, str]:
    trouble = one.counts and (not one.live or one.behind != 0)
    return not trouble, not one.live, one.name, one.instance
