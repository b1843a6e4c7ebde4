"""Runs tasks that depend on each other in three lanes, and shows a progress bar with the time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal, get_args

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.processes import GRACE

Lane = Literal["compile", "link", "prepare"]
LANES: tuple[Lane, ...] = get_args(Lane)


@dataclass(frozen=True)
class Task:
    """One step.

    Attributes:
        lane: one task of a lane runs at a time; compiling alone uses all cores, linking and packing run beside it.
        seconds: what it took on two cores; the estimate for the progress bar.
        needs: names of the tasks that must be finished first.
    """

    name: str
    lane: Lane
    seconds: int
    run: Callable[[], object]
    needs: frozenset[str] = frozenset()


def run_all(tasks: Sequence[Task], *, console: Console, title: str) -> None:
    """Run `tasks`, those of a lane in order as far as their needs allow; the first failure ends all others.

    Raises:
        Exception: the failing task's exception, after all programs have ended.
    """
    waiting = list(tasks)
    planned = {task.name for task in tasks}
    done: set[str] = set()
    running: dict[Future[object], tuple[Task, float]] = {}
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, ThreadPoolExecutor(len(LANES)) as pool:
        bar = progress.add_task(title, total=sum(task.seconds for task in tasks), left="")
        try:
            while waiting or running:
                for lane in LANES:
                    busy = any(task.lane == lane for task, _ in running.values())
                    ready = (t for t in waiting if t.lane == lane and not (t.needs & planned) - done)
                    task = None if busy else next(ready, None)
                    if task is not None:
                        waiting.remove(task)
                        running[pool.submit(task.run)] = (task, time.monotonic())
                progress.update(bar, description=f"{title}: {', '.join(task.name for task, _ in running.values())}")
                finished, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in finished:
                    task, started = running.pop(future)
                    future.result()
                    done.add(task.name)
                    console.print(f"  [green]✓[/] {task.name} [dim]{time.monotonic() - started:.0f} s[/]")
                    progress.advance(bar, task.seconds)
                progress.update(bar, left=_left(progress.tasks[bar].completed, waiting, running, began))
        except BaseException:
            progress.update(bar, description=f"{title}: ending {', '.join(task.name for task, _ in running.values())}")
            _end(running)
            raise


def _end(running: Collection[Future[object]]) -> None:
    """End the programs of `running` tasks, and wait for the tasks.

    Each program gets one SIGTERM, and is killed after GRACE seconds or another Ctrl-C.
    """
    asked: set[psutil.Process] = set()
    kill_at = time.monotonic() + GRACE
    while True:
        try:
            for child in psutil.Process().children(recursive=True):
                # It may have ended since it was listed.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if time.monotonic() >= kill_at:
                        child.kill()
                    elif child not in asked:
                        asked.add(child)
                        child.terminate()
            if not wait(running, timeout=0.1).not_done:
                return
        except KeyboardInterrupt:
            kill_at = time.monotonic()


def _left(done: float, waiting: Sequence[Task], running: dict[Future[object], tuple[Task, float]], began: float) -> str:
    """The estimated time left, corrected by how far the estimates were off so far."""
    if not done:
        return ""
    now = time.monotonic()
    remaining = float(sum(task.seconds for task in waiting))
    remaining += sum(max(1.0, task.seconds - (now - started)) for task, started in running.values())
    seconds = remaining * (now - began) / (done + sum(now - started for _, started in running.values()))
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
