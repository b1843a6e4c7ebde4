"""Running other programs: each with a log file, and a failure that shows the log's last lines."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.errors import ClusterError

# The kernel counts a process's age in whole seconds since a boot time that it rounds, too.
CLOCK_TOLERANCE = 5.0


@dataclass(frozen=True)
class Watch:
    """When a program is taken for stuck.

    Attributes:
        progress: a number that changes while the program gets on.
        seconds: how long it may stay the same.
    """

    progress: Callable[[], int]
    seconds: float


def ending_with_us(command: Sequence[str | Path]) -> list[str]:
    """`command` such that the kernel ends it when this program is killed, where util-linux is there to arrange it."""
    words = [str(part) for part in command]
    return ["setpriv", "--pdeathsig", "TERM", *words] if shutil.which("setpriv") else words


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    hint: str | None = None,
    watch: Watch | None = None,
) -> None:
    """Run `command`, appending its output to `log`.

    The child gets a session of its own and is ended with its children on Ctrl-C, so nothing goes on behind our back;
    it ends, too, when this program is killed.

    Raises:
        ClusterError: it could not start, was stuck as `watch` says, or ended with another status than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"$ {' '.join(map(str, command))}\n".encode())
        sink.flush()
        try:
            child = subprocess.Popen(
                ending_with_us(command),
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise ClusterError(f"{what}: cannot start {command[0]}: {error.strerror}", hint=hint) from error
        try:
            status = _wait(child, watch, what=what) if watch else child.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            raise
    if status != 0:
        raise ClusterError(f"{what} failed (exit status {status})", log=log, hint=hint)


def _wait(child: subprocess.Popen[bytes], watch: Watch, *, what: str) -> int:
    """The child's exit status.

    Raises:
        ClusterError: it is stuck.
    """
    latest, since = watch.progress(), time.monotonic()
    while True:
        try:
            return child.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            pass
        if (now := watch.progress()) != latest:
            latest, since = now, time.monotonic()
        elif time.monotonic() - since > watch.seconds:
            raise ClusterError(f"{what} made no progress for {watch.seconds:.0f} s")


def output(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Standard output of a short `command`.

    Raises:
        ClusterError: it could not start or failed; the text ends with what it wrote to standard error.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            check=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    except subprocess.CalledProcessError as error:
        raise ClusterError(f"{command[0]} failed (exit status {error.returncode}):\n{error.stderr.strip()}") from error
    except OSError as error:
        raise ClusterError(f"cannot start {command[0]}: {error.strerror}") from error
    return done.stdout


def running(pid: int, *, recorded: Path) -> psutil.Process | None:
    """The process whose number the file `recorded` holds; None when it ended, also if another has its number now."""
    try:
        process = psutil.Process(pid)
        written = recorded.stat().st_mtime
        return process if process.create_time() <= written + CLOCK_TOLERANCE else None
    except (psutil.NoSuchProcess, OSError, ValueError):
        return None
