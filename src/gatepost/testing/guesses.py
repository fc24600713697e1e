"""Limits on guessing that nobody meets: for suites that are about something else, and sign in wrongly a lot."""

from datetime import timedelta
from typing import Final

from gatepost.core.guesses import GuessRules
from gatepost.core.ports import Clock, Randomness, Store
from gatepost.services.counting import Counting
from gatepost.services.guesses import Guesses
from gatepost.services.known_devices import KnownDevices

_ENDLESS: Final = 1_000_000
_SECOND: Final = timedelta(seconds=1)


def unhurried(store: Store, clock: Clock, randomness: Randomness) -> Guesses:
    """The real service over the counters of a store, with limits far away."""
    rules = GuessRules(_ENDLESS, _SECOND, _SECOND, 60 * _SECOND, _ENDLESS, _ENDLESS)
    secret = randomness.bytes(32)
    devices = KnownDevices(store, clock, randomness, secret)
    return Guesses(Counting(store.counters(), clock, secret), rules, devices, store.commit)
