"""The schedule: needs are kept, the lanes run side by side, the first failure ends everything."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from cluster import schedule
from cluster.errors import ClusterError
from cluster.processes import run
from cluster.schedule import Task, run_all

# A program that does not end when it is asked to, and says so once it no longer does.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
]


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


def test_a_child_that_ended_meanwhile_does_not_hide_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = threading.Event(), threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def compile_long() -> None:
        child.append(subprocess.Popen(["sleep", "600"]))
        started.set()
        assert ended.wait(10)

    def fail() -> None:
        started.wait(10)
        raise RuntimeError("no such module")

    listing = psutil.Process.children

    def list_then_end(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        listed = listing(process, recursive)
        child[0].kill()
        child[0].wait()
        ended.set()
        return listed

    monkeypatch.setattr(psutil.Process, "children", list_then_end)
    tasks = [Task("long", "compile", 1, compile_long), Task("bad", "prepare", 1, fail)]
    with pytest.raises(RuntimeError, match="no such module"):
        run_all(tasks, console=quiet(), title="building")


def failing_beside(stubborn: Callable[[threading.Event], object]) -> None:
    """Runs `stubborn` beside a task that fails as soon as `stubborn` sets the event."""
    started = threading.Event()

    def fail() -> None:
        started.wait(10)
        raise RuntimeError("no such module")

    tasks = [Task("long", "compile", 1, lambda: stubborn(started)), Task("bad", "prepare", 1, fail)]
    with pytest.raises(RuntimeError, match="no such module"):
        run_all(tasks, console=quiet(), title="building")


def test_a_child_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "GRACE", 0.3)
    codes: list[int] = []

    def stubborn(started: threading.Event) -> None:
        with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE) as child:
            assert child.stdout
            child.stdout.readline()
            started.set()
            codes.append(child.wait())

    failing_beside(stubborn)
    assert codes == [-signal.SIGKILL]


def test_what_a_task_starts_after_the_failure_is_ended_too(tmp_path: Path) -> None:
    ended: list[str] = []

    def two_programs(started: threading.Event) -> None:
        started.set()
        for name in ("first", "second"):
            try:
                run(["sleep", "600"], what=name, log=tmp_path / "log")
            except ClusterError as error:
                ended.append(error.message)

    failing_beside(two_programs)
    assert ended == [f"{name} failed (exit status {-signal.SIGTERM})" for name in ("first", "second")]


INTERRUPTED = """
import io, subprocess, sys
from pathlib import Path
from rich.console import Console
from cluster import schedule
from cluster.processes import run
schedule.GRACE = float(sys.argv[1])
task = schedule.Task("long", "compile", 1, lambda: run(sys.argv[3:], what="long", log=Path(sys.argv[2])))
try:
    schedule.run_all([task], console=Console(file=io.StringIO()), title="building")
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def interrupt(log: Path, *, grace: float, times: int) -> tuple[int | None, list[psutil.Process]]:
    """Sends Ctrl-C while a stubborn program runs; the exit status, and what still runs after it."""
    command = [sys.executable, "-c", INTERRUPTED, str(grace), str(log), *STUBBORN]
    ours = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().endswith("\n\n")):
        assert time.monotonic() < deadline
        assert ours.poll() is None
        time.sleep(0.05)
    children = psutil.Process(ours.pid).children(recursive=True)
    assert len(children) == 1
    for _ in range(times):
        ours.send_signal(signal.SIGINT)
        time.sleep(0.5)
    _, said = ours.communicate(timeout=60)
    assert said == "interrupted\n"
    return ours.returncode, [child for child in children if child.is_running()]


def test_the_first_interruption_ends_a_program_that_does_not_end_by_itself(tmp_path: Path) -> None:
    assert interrupt(tmp_path / "log", grace=0.5, times=1) == (1, [])


def test_another_interruption_ends_it_at_once(tmp_path: Path) -> None:
    assert interrupt(tmp_path / "log", grace=3600, times=2) == (1, [])
