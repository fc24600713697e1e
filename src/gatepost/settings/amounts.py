"""Owns how an amount is written in a setting: a duration ("10m", "1h30m", seconds) or a size ("16KiB", bytes).

Refuses to know any setting. Pure: the sections parse with it, the listing prints with it. Every error is a
`ValueError` whose text continues the sentence "NAME ...", and never repeats the value.
"""

import math
import re
from datetime import timedelta

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(r"(\d+) ?(KiB|MiB|B)?", re.ASCII)
_LONGEST_TEXT = 64
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024 * 1024}

NOT_A_DURATION = 'must be a duration such as "10m", "7d", "1h30m" or a number of seconds'
NOT_A_SIZE = 'must be a number of bytes such as 16384 or "16KiB"'
NOT_WHOLE = "must be a whole number"


def parse_duration(value: object) -> timedelta:
    """The duration `value` stands for; a bare number is seconds. Never negative, never infinite."""
    if isinstance(value, timedelta):
        return _not_negative(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(NOT_A_DURATION)
    if isinstance(value, str):
        return _duration_from_text(value.strip())
    return _duration_from_seconds(value)


def duration_text(value: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `value` (not negative)."""
    micros = value // timedelta(microseconds=1)
    if micros and micros < 1_000_000 and micros % 1000 == 0:
        return f"{micros // 1000}ms"
    minutes, micros = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count]
    seconds, fraction = divmod(micros, 1_000_000)
    if fraction:
        parts.append(f"{seconds}.{fraction:06d}".rstrip("0") + "s")
    elif seconds or not parts:
        parts.append(f"{seconds}s")
    return "".join(parts)


def parse_size(value: object) -> int:
    """The number of bytes `value` stands for: a whole number, or text with B, KiB or MiB."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(NOT_A_SIZE)
    if isinstance(value, int):
        return value
    found = _SIZE.fullmatch(value.strip()) if len(value) <= _LONGEST_TEXT else None
    if found is None:
        raise ValueError(NOT_A_SIZE)
    return int(found[1]) * _BYTES[found[2]]


def refuse_truth_value(value: object) -> object:
    """`value` unchanged, unless it is true or false: Python would silently read those as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(NOT_WHOLE)
    return value


def _duration_from_text(text: str) -> timedelta:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(NOT_A_DURATION)
    total, end = timedelta(), 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != end:
            raise ValueError(NOT_A_DURATION)
        total, end = _plus(total, float(part[1]), _UNITS[part[2]]), part.end()
    if end and end == len(text):
        return total
    try:
        return _duration_from_seconds(float(text))
    except ValueError:
        raise ValueError(NOT_A_DURATION) from None


def _plus(total: timedelta, count: float, unit: timedelta) -> timedelta:
    try:
        return total + count * unit
    except OverflowError:
        raise ValueError(NOT_A_DURATION) from None


def _duration_from_seconds(seconds: float) -> timedelta:
    try:
        if not math.isfinite(seconds):
            raise ValueError(NOT_A_DURATION)
        return _not_negative(timedelta(seconds=seconds))
    except OverflowError:
        raise ValueError(NOT_A_DURATION) from None


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta():
        raise ValueError(NOT_A_DURATION)
    return value
