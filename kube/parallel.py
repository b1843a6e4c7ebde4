"""Ask several things of a cluster at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# An API server serves requests of one login in few queues; more at a time would wait there.
AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Result of the function for each item, in the order of the items; AT_ONCE calls run at a time.

    Raises the first problem in that order; what has not begun by then is not called.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        return list(threads.map(function, items))
