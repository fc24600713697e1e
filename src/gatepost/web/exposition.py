"""What a server process has counted, named for Prometheus.

Owns the names, the words beside them and the text. Reads numbers that others count; keeps none, and registers nothing
with the library's own registry, which would count the process it runs in. Called by `metrics.py` at each scrape.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gatepost.authority import Authority
from gatepost.checking.tally import CARRIERS
from gatepost.errors import GatepostError
from gatepost.web.metering import BUCKETS, Durations, Meter

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

Labels = TypeVar("Labels", bound=tuple[str, ...])


def exposed(authority: Authority, meter: Meter) -> bytes:
    """Everything this process has counted and what all processes share, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(authority, meter))
    return generate_latest(registry)


class _Everything(Collector):
    """One scrape. What one process alone can say carries its number as `worker`; what all share has no such label."""

    def __init__(self, authority: Authority, meter: Meter) -> None:
        self._authority = authority
        self._meter = meter
        # At the time of the scrape: an application opened before a fork answers in the child.
        self._worker = str(os.getpid())

    def collect(self) -> Iterator[Metric]:
        """Every metric once."""
        yield from self._checks()
        yield from self._log()
        yield from self._hashing()
        yield from self._services()
        yield from self._requests()

    def _checks(self) -> Iterator[Metric]:
        guard = self._authority.guard
        tally, known = guard.tally, guard.known
        yield self._counter("checks", "Carriers checked.", tally.results(), "carrier", "result")
        misses = {(name,): count for name, count in zip(CARRIERS, tally.misses, strict=True)}
        yield self._counter(
            "check_misses",
            "Sessions loaded from the store, signatures verified, sealed cookies opened.",
            misses,
            "carrier",
        )
        remembered = {(name,): count for name, count in zip(CARRIERS, known, strict=True)}
        yield self._gauge(
            "known", "Carriers remembered, so that checking them needs no I/O.", remembered, "carrier"
        )
        yield self._counter(
            "catch_ups", "Checks that had to wait for the revocation log.", {(): tally.catch_ups}
        )
        unheard = {("asked",): tally.asked, ("allowed",): tally.allowed}
        yield self._counter(
            "checks_unheard", "Checks answered while the log was out of reach.", unheard, "policy"
        )

    def _log(self) -> Iterator[Metric]:
        authority, follower = self._authority, self._authority.follower
        bound, position = authority.settings.revocation.bound.total_seconds(), follower.position
        age = authority.clock.boot() - (follower.lease.until - bound)
        yield self._gauge(
            "live_facts", "Facts of the revocation log held in memory.", {(): len(follower.revocations)}
        )
        if position is not None:
            yield self._gauge("log_position", "The newest fact this process has read.", {(): position.seq})
        yield self._gauge("lease_age_seconds", "Age of what this process knows of the log.", {(): age})
        yield self._gauge(
            "lease_bound_seconds", "The age at which it stops answering from memory.", {(): bound}
        )
        yield from self._shared_log(position.seq if position else 0)

    def _shared_log(self, position: int) -> Iterator[Metric]:
        try:
            head = self._authority.store.position()
            followers = self._authority.log.followers()
            counting = [one for one in self._authority.verifier_lag.listed() if one.counts]
        except GatepostError:
            # The scrape is needed most when the store is out of reach.
            yield _shared("store_readable", "Whether the store answered this scrape.", 0)
            return
        slowest = min((row.seq for row in followers), default=head)
        yield _shared("store_readable", "Whether the store answered this scrape.", 1)
        yield _shared("log_head", "The newest fact in the revocation log.", head)
        yield _shared("log_followers", "Server processes that follow the log.", len(followers))
        yield _shared(
            "log_slowest_lag", "Facts that the slowest of them has not confirmed.", max(0, head - slowest)
        )
        yield _shared(
            "verifiers", "Instances of verifiers that may be answering.", sum(one.live for one in counting)
        )
        yield _shared(
            "verifiers_unheard",
            "Instances that have begun anew and confirmed nothing yet, or have lost their lease and go on.",
            sum(one.behind is None or not one.live for one in counting),
        )
        yield _shared(
            "verifiers_slowest_lag",
            "Facts that the slowest of them has not confirmed.",
            max((one.behind or 0 for one in counting), default=0),
        )
        yield _shared(
            "verifiers_slowest_lag_seconds",
            "Age of the oldest fact that the slowest of them has not confirmed.",
            max(((one.behind_ms or 0) / 1000 for one in counting), default=0),
        )
        yield self._gauge(
            "log_lag", "Facts in the log that this process has not read.", {(): max(0, head - position)}
        )

    def _hashing(self) -> Iterator[Metric]:
        hashing = self._authority.hashing
        yield self._gauge("hashes_in_use", "Password hashes being computed.", {(): hashing.in_use})
        yield self._gauge("hashes_waiting", "Calls that wait for their turn to hash.", {(): hashing.waiting})
        yield self._counter("hashes", "Password hashes computed.", {(): hashing.hashes_done})
        yield self._counter(
            "hashes_refused", "Calls that got no turn and were told 503.", {(): hashing.turned_away}
        )
        yield self._counter(
            "hashes_unreadable", "Stored hashes that could not be read.", {(): hashing.unreadable_hashes}
        )

    def _services(self) -> Iterator[Metric]:
        authority = self._authority
        yield self._counter(
            "sign_ins", "Ways in that were tried.", authority.sign_in.outcomes.counted(), "way", "outcome"
        )
        refreshes = {(outcome,): count for (_, outcome), count in authority.tokens.outcomes.counted().items()}
        yield self._counter("refreshes", "Refresh tokens presented.", refreshes, "outcome")
        slowed = {(limit.value,): count for limit, count in authority.guesses.slowed.items()}
        yield self._counter(
            "guesses_slowed", "Tries that were told to wait, by what was too much.", slowed, "limit"
        )
        reached = {(limit.value,): count for limit, count in authority.guesses.reached.items()}
        yield self._counter(
            "guess_limits_reached", "Times that a limit on wrong tries was met.", reached, "limit"
        )
        yield self._counter("swept_rows", "Dead records deleted.", {(): authority.housekeeper.swept})

    def _requests(self) -> Iterator[Metric]:
        errors = {(code,): count for code, count in self._meter.errors.items()}
        yield self._counter("error_answers", "Requests answered with an error.", errors, "code")
        family = HistogramMetricFamily(
            "gatepost_request_seconds", "How long requests took.", labels=("worker", "kind")
        )
        for kind, durations in list(self._meter.durations.items()):
            family.add_metric((self._worker, kind), list(_cumulative(durations)), durations.total)
        yield family

    def _counter(self, name: str, about: str, counts: Mapping[Labels, float], *labels: str) -> Metric:
        family = CounterMetricFamily(f"gatepost_{name}", about, labels=("worker", *labels))
        return self._filled(family, counts)

    def _gauge(self, name: str, about: str, counts: Mapping[Labels, float], *labels: str) -> Metric:
        family = GaugeMetricFamily(f"gatepost_{name}", about, labels=("worker", *labels))
        return self._filled(family, counts)

    def _filled(
        self, family: CounterMetricFamily | GaugeMetricFamily, counts: Mapping[Labels, float]
    ) -> Metric:
        for labels, count in sorted(counts.items()):
            family.add_metric((self._worker, *labels), count)
        return family


def _shared(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gatepost_{name}", about, value)


def _cumulative(durations: Durations) -> Iterable[tuple[str, float]]:
    so_far = 0
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), list(durations.counts), strict=True):
        so_far += count
        yield limit, so_far
