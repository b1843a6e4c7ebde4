"""A thread of its own for what a hook waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_own_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread that nothing else uses.

    `asyncio.to_thread` takes one of the threads in which Pulumi's SDK waits for resources to be created. Once each of
    them waits for a resource, whose hook waits for such a thread, the program stands still.
    """
    context = copy_context()
    with ThreadPoolExecutor(max_workers=1) as threads:
        running = threads.submit(context.run, partial(function, *args, **kwargs))
        return await asyncio.wrap_future(running)
