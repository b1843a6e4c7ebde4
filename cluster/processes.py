"""Runs other programs; an error shows the last lines of what they wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.errors import ClusterError

# Seconds; the kernel rounds both a process's age and the boot time that it is counted from.
CLOCK_TOLERANCE = 5.0
# Seconds between SIGTERM and SIGKILL.
GRACE = 10.0
OUTPUT_TIMEOUT = 600.0


@dataclass(frozen=True)
class Watch:
    """When a program counts as stuck.

    Attributes:
        progress: gives a number that changes as long as the program makes progress.
        seconds: how long the number may stay the same.
    """

    progress: Callable[[], int]
    seconds: float


def ending_with_us(command: Sequence[str | Path]) -> list[str]:
    """`command`, run by setpriv (if installed) so that the kernel ends it when this program is killed."""
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
    timeout: float | None = None,
    watch: Watch | None = None,
) -> None:
    """Run `command` and append its output to `log`. Builds have no `timeout`, because a slow machine may take long.

    The command and its children are ended on Ctrl-C, and when this program is killed.

    Raises:
        ClusterError: the command could not start, took longer than `timeout` seconds, was stuck according to `watch`,
            or ended with a status other than 0.
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
            if watch:
                _follow(child, watch, what=what)
            else:
                _communicate(child, timeout)
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{what} took longer than {timeout:.0f} s and was ended", log=log, hint=hint) from error
    if child.returncode != 0:
        raise ClusterError(f"{what} failed (exit status {child.returncode})", log=log, hint=hint)


def _follow(child: subprocess.Popen[bytes], watch: Watch, *, what: str) -> None:
    """Wait for a child, and end it when it is stuck.

    Raises:
        ClusterError: the child was stuck.
    """
    latest, since = watch.progress(), time.monotonic()
    with _ended_early(child):
        while child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.2)
                return
            if (now := watch.progress()) != latest:
                latest, since = now, time.monotonic()
            elif time.monotonic() - since > watch.seconds:
                raise ClusterError(f"{what} made no progress for {watch.seconds:.0f} s")


def output(
    command: Sequence[str | Path],
    *,
    what: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = OUTPUT_TIMEOUT,
    check: bool = True,
) -> str:
    """The standard output of a short `command`; with `check=False`, also when it fails.

    Raises:
        ClusterError: the command could not start, took longer than `timeout` seconds or failed; the text ends with
            what it wrote to standard error.
    """
    what = what or str(command[0])
    try:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise ClusterError(f"cannot start {command[0]}: {error.strerror}") from error
    with child:
        try:
            written, complaint = (text.decode(errors="replace") for text in _communicate(child, timeout))
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{what} took longer than {timeout:.0f} s and was ended") from error
    if check and child.returncode != 0:
        raise ClusterError(f"{what} failed (exit status {child.returncode}):\n{complaint.strip()}")
    return written


def _communicate(child: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes]:
    """Wait for a child; returns its standard output and errors, if they are pipes."""
    with _ended_early(child):
        return child.communicate(timeout=timeout)


@contextlib.contextmanager
def _ended_early(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the child and its children when the block is left by an exception."""
    try:
        yield
    except BaseException:
        _signal_group(child, signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
        finally:
            # Also after another Ctrl-C, and for children that outlive their parent.
            _signal_group(child, signal.SIGKILL)
            child.wait()
        raise


def _signal_group(leader: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


def running(pid: int, *, recorded: Path) -> psutil.Process | None:
    """The process whose pid was written to the file `recorded`; None when it ended, even if its pid is used again."""
    try:
        process = psutil.Process(pid)
        written = recorded.stat().st_mtime
        return process if process.create_time() <= written + CLOCK_TOLERANCE else None
    except (psutil.NoSuchProcess, OSError, ValueError):
        return None
