"""The schedule: needs are kept, the lanes run side by side, the first failure ends everything."""

from __future__ import annotations

import io
import subprocess
import threading

import psutil
import pytest
from rich.console import Console

from cluster.schedule import Task, run_all


def quiet() -> Console:
    return Console(file=io.StringIO())


def test_a_task_runs_after_what_it_needs() -> None:
    order: list[str] = []
    run_all(
        [
            Task("image", "prepare", 1, lambda: order.append("image"), frozenset({"binary"})),
            Task("binary", "compile", 1, lambda: order.append("binary"), frozenset({"modules"})),
            Task("modules", "prepare", 1, lambda: order.append("modules")),
        ],
        console=quiet(),
        title="building",
    )
    assert order == ["modules", "binary", "image"]


def test_needs_that_are_not_planned_are_there_already() -> None:
    order: list[str] = []
    task = Task("image", "prepare", 1, lambda: order.append("image"), frozenset({"built before"}))
    run_all([task], console=quiet(), title="building")
    assert order == ["image"]


def test_the_lanes_run_side_by_side() -> None:
    meet = threading.Barrier(2, timeout=10)
    tasks = [Task("compile", "compile", 1, meet.wait), Task("download", "prepare", 1, meet.wait)]
    run_all(tasks, console=quiet(), title="building")
    assert meet.n_waiting == 0


def test_a_failure_ends_what_else_runs() -> None:
    started = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def compile_long() -> None:
        child.append(subprocess.Popen(["sleep", "600"]))
        started.set()
        child[0].wait()

    def fail() -> None:
        started.wait(10)
        raise RuntimeError("no such module")

    tasks = [Task("long", "compile", 1, compile_long), Task("bad", "prepare", 1, fail)]
    with pytest.raises(RuntimeError, match="no such module"):
        run_all(tasks, console=quiet(), title="building")
    assert child[0].returncode == -15
    assert not psutil.pid_exists(child[0].pid)
