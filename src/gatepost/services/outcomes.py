"""How use cases ended since the process began: counts for whoever watches the server.

Owns counting by names that are known before anybody asks (a use case, an outcome, a code of an error), never by
anything that was sent. The audit trail says who and when; this says only how often.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from gatepost.errors import GatepostError

DONE: Final = "done"

P = ParamSpec("P")
T = TypeVar("T")


class Outcomes:
    """Counts by use case and outcome; a refusal is counted under the code of its error."""

    __slots__ = ("_counted",)

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], int] = {}

    def count(self, use_case: str, outcome: str) -> None:
        """One more that ended like this."""
        key = (use_case, outcome)
        self._counted.setdefault(key, 0)
        self._counted[key] += 1

    @contextmanager
    def refusals(self, use_case: str) -> Iterator[None]:
        """Count an error of ours that leaves the block."""
        try:
            yield
        except GatepostError as error:
            self.count(use_case, error.code)
            raise

    def counted(self) -> dict[tuple[str, str], int]:
        """All counts, by use case and outcome."""
        return dict(self._counted)


class _Counting(Protocol):
    outcomes: Outcomes


S = TypeVar("S", bound=_Counting)


def counted(
    use_case: str,
) -> Callable[[Callable[Concatenate[S, P], T]], Callable[Concatenate[S, P], T]]:
    """Count every call of a service's method in its `outcomes`: `done`, or the code of the error it raised."""

    def decorate(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
        @wraps(method)
        def call(service: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            with service.outcomes.refusals(use_case):
                result = method(service, *args, **kwargs)
            service.outcomes.count(use_case, DONE)
            return result

        return call

    return decorate
