"""What the garbage collector looks at in a process that holds a market in memory."""

import ctypes
import gc
from functools import cache
from typing import Any

_YOUNG_MOST = 10_000
_YOUNG_TO_MIDDLE = 10
_MIDDLE_TO_OLD = 10


def exclude_loaded_from_collection() -> None:
    """Takes everything that lives now out of the collector's sight, and lets it look less often at the rest. To be called when a
    process has loaded what it keeps.

    A full collection of an API process with 400,000 orders stops it for 50 ms, to find nothing: orders, people and modules hold no
    circles, and what is replaced among them is freed at once by its count. What comes later is looked at as ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_MOST, _YOUNG_TO_MIDDLE, _MIDDLE_TO_OLD)


def give_memory_back() -> None:
    """After something large was freed: the C library keeps what it might need again, as much as it ever needed at once."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    """glibc's; None elsewhere, where memory goes back by itself or not at all."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
