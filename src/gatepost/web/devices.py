"""Words for a device that its owner recognises: "Firefox on Linux"."""

from functools import lru_cache
from typing import Final

from ua_parser import parse

UNKNOWN: Final = "Unknown device"
_LONGEST: Final = 512


@lru_cache(maxsize=4096)
def describe(user_agent: str) -> str:
    """What sent this User-Agent header. The patterns are compiled at the first one."""
    if not user_agent:
        return UNKNOWN
    found = parse(user_agent[:_LONGEST])
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or UNKNOWN
