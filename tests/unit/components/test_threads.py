from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from components.threads import in_own_thread

VALUE: ContextVar[str] = ContextVar("VALUE")


def test_a_hook_runs_while_every_thread_of_pulumi_waits_for_it(event_loop: asyncio.AbstractEventLoop) -> None:
    done = threading.Event()

    async def program() -> bool:
        resource = asyncio.get_running_loop().run_in_executor(None, done.wait, 30)
        await in_own_thread(done.set)
        return await resource

    with ThreadPoolExecutor(max_workers=1) as threads:
        event_loop.set_default_executor(threads)
        assert event_loop.run_until_complete(program())
    event_loop.set_default_executor(ThreadPoolExecutor())


def test_result_error_and_context_are_those_of_the_function(event_loop: asyncio.AbstractEventLoop) -> None:
    def fail() -> None:
        raise ValueError("as told")

    async def program() -> str:
        VALUE.set("of the program")
        with pytest.raises(ValueError, match="as told"):
            await in_own_thread(fail)
        return await in_own_thread(VALUE.get)

    assert event_loop.run_until_complete(program()) == "of the program"
