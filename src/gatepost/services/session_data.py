"""The application's data of a session: how much of it there may be. Called by whoever writes some."""

from collections.abc import Mapping
from typing import Any

from gatepost.carriers.sealed import largest_keys, sizes_of
from gatepost.errors import TooLarge


def require_data_fits(data: Mapping[str, Any], limit: int) -> None:
    """Raise `TooLarge` with the size and the largest keys if the data is longer than `limit` bytes of JSON."""
    sizes = sizes_of(data)
    size = sum(sizes.values()) + 2
    if size > limit:
        raise TooLarge(f"The data would have {size} bytes, the limit is {limit}. {largest_keys(sizes)}")
