"""Runs other programs in the project's folder and measures how long they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
LAST_LINES = 30


class CommandError(Exception):
    """A program ended with a status other than 0; the text has the last lines of its output."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that ended with status 0: its standard output and its wall time in seconds."""

    stdout: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a program's output, and how many seconds after its start it came."""

    text: str
    seconds: float


def run(*command: str, env: Mapping[str, str], stdin: str = "") -> Finished:
    """Run a command to its end; raises CommandError."""
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **env}, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise _failed(command, status=done.returncode, output=done.stdout + done.stderr)
    return Finished(stdout=done.stdout, seconds=time.monotonic() - started)


def python(module: str, *arguments: str, env: Mapping[str, str]) -> Finished:
    """Run one of the project's own command lines; raises CommandError."""
    return run(sys.executable, "-m", module, *arguments, env=env)


def lines_of(module: str, *arguments: str, env: Mapping[str, str]) -> Iterator[Line]:
    """Yield each line that one of the project's own command lines prints; raises CommandError at its end."""
    command = (sys.executable, "-m", module, *arguments)
    started = time.monotonic()
    written: list[str] = []
    with subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            for text in child.stdout or ():
                written.append(text)
                yield Line(text=text.rstrip(), seconds=time.monotonic() - started)
        except BaseException:
            child.terminate()
            raise
    if child.returncode != 0:
        raise _failed(command, status=child.returncode, output="".join(written))


def _failed(command: tuple[str, ...], *, status: int, output: str) -> CommandError:
    last = "\n".join(output.splitlines()[-LAST_LINES:])
    return CommandError(f"{' '.join(command)} failed (exit status {status}):\n{last}")
