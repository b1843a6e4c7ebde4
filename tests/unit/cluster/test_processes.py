"""Other programs: they end with us, and a number in a file counts only for the process that it was written for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from cluster.processes import running


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
