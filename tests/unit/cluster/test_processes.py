"""Other programs: they end with us, and a number in a file counts only for the process that it was written for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cluster import processes
from cluster.errors import ClusterError
from cluster.processes import output, run, running

# Ends with a shell's status of its own, and leaves a program that does not end when it is asked to.
FAMILY = "(trap '' TERM; echo $$; sleep 600) & trap 'exit 3' TERM; wait"


def test_what_was_started_ends_when_we_are_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from cluster.processes import run; "
        f"run(['sleep', '600'], what='sleeping', log=Path({str(tmp_path / 'log')!r}))"
    )
    ours = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 30
    while not (started := [p for p in psutil.Process(ours.pid).children() if p.name() == "sleep"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ours.kill()
    ours.wait()
    assert psutil.wait_procs(started, timeout=10)[1] == []


def test_a_recorded_process_runs(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.touch()
    process = running(os.getpid(), recorded=file)
    assert process is not None
    assert process.pid == os.getpid()


def test_a_process_that_is_younger_than_the_record_is_another(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.touch()
    before = psutil.Process().create_time() - 60
    os.utime(file, (before, before))
    assert running(os.getpid(), recorded=file) is None


def test_a_process_that_ended_does_not_run(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.touch()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert running(ended.pid, recorded=file) is None
    assert running(os.getpid(), recorded=tmp_path / "missing") is None


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process groups that were ended."""
    monkeypatch.setattr(processes, "GRACE", 0.5)
    groups: list[int] = []
    end = os.killpg

    def killpg(group: int, number: int) -> None:
        groups.append(group)
        end(group, number)

    monkeypatch.setattr(os, "killpg", killpg)
    return groups


def nothing_runs_in(groups: list[int]) -> bool:
    """Whether every process of those groups ends; none of them can end by itself."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        alive = [process for process in psutil.process_iter() if _group(process) in groups]
        if not alive:
            return True
        time.sleep(0.05)
    return False


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (ProcessLookupError, psutil.Error):
        return None


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path, groups: list[int]) -> None:
    log = tmp_path / "log"
    with pytest.raises(ClusterError, match=r"starting the node took longer than 1 s and was ended\n--- last lines of"):
        run(["sh", "-c", FAMILY], what="starting the node", log=log, timeout=1)
    assert groups
    assert nothing_runs_in(groups)


def test_a_short_command_that_hangs_is_ended_with_what_it_started(groups: list[int]) -> None:
    with pytest.raises(ClusterError, match="ctr in the node dev took longer than 1 s and was ended"):
        output(["sh", "-c", FAMILY], what="ctr in the node dev", timeout=1)
    assert groups
    assert nothing_runs_in(groups)


def test_a_program_that_ends_when_asked_is_not_killed(tmp_path: Path) -> None:
    script = f"trap 'echo cleaned up > {tmp_path}/said; exit' TERM; sleep 600 & wait"
    with pytest.raises(ClusterError):
        output(["sh", "-c", script], timeout=1)
    assert (tmp_path / "said").read_text() == "cleaned up\n"


def test_an_interrupted_short_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupt(child: subprocess.Popen[bytes], timeout: float | None = None) -> None:
        started.append(child)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "communicate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            output(["sleep", "600"])
    assert started[0].returncode == -signal.SIGTERM


def test_a_failed_short_command_says_why() -> None:
    with pytest.raises(ClusterError, match=r"^reading failed \(exit status 3\):\nno such file$"):
        output(["sh", "-c", "echo no such file >&2; exit 3"], what="reading")
    with pytest.raises(ClusterError, match=r"^sh failed"):
        output(["sh", "-c", "exit 3"])
    with pytest.raises(ClusterError, match=r"^cannot start /no/such/program: No such file"):
        output(["/no/such/program"])
    assert output(["sh", "-c", "echo stopped; exit 3"], check=False) == "stopped\n"
