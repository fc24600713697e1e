"""A scraper as tests use it: it reads `/metrics` and finds one number in it.

Reads with the parser that Prometheus' own library ships, so that what it cannot read is a failure.
"""

from dataclasses import dataclass

from httpx2 import Response
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.web.house import House

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Scrape:
    """The samples of one answer, by name and labels without the worker's."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one sample; 0 for what was never counted."""
        return self.samples.get((f"gatepost_{name}", frozenset(labels.items())), 0.0)

    def names(self) -> set[str]:
        """Every name that has a sample."""
        return {name for name, _ in self.samples}


def parsed(text: str) -> Scrape:
    """The samples of an answer."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset((key, value) for key, value in sample.labels.items() if key != "worker")
            assert (sample.name, labels) not in samples
            samples[sample.name, labels] = sample.value
    return Scrape(samples)


def ask(house: House, address: str = LOCAL, **headers: str) -> Response:
    """The answer to a scraper at an address."""
    client = TestClient(house.app, house.base, client=(address, 50_000), raise_server_exceptions=False)
    return client.get("/metrics", headers=headers)


def scrape(house: House) -> Scrape:
    """What a scraper on this machine reads."""
    answer = ask(house)
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)
