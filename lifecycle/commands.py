"""Other commands of the project, run on the user's terminal."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType


class FailedCommandError(Exception):
    """A command failed; its own output says why.

    Attributes:
        status: its exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    output: int | None = None,
) -> int:
    """Run a command and give its exit status; without `stdin` and `output`, it has those of this process.

    Ctrl-C reaches the command, too, and it ends in its own time: a Pulumi that is killed leaves a state that needs
    repair. SIGTERM is passed on as Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came, and the command has ended.
        OSError: there is no such command.
    """
    interruptions: list[int] = []
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=stdin, stdout=output, stderr=output) as process:

        def interrupt(number: int, frame: FrameType | None) -> None:
            del frame
            interruptions.append(number)
            if number == signal.SIGTERM:
                process.send_signal(signal.SIGINT)

        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            status = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    if interruptions:
        raise KeyboardInterrupt
    return status


def cluster_environment(*, folder: Path, only_tools: bool) -> dict[str, str]:
    """Read the variables that `python -m cluster env` prints as shell settings; `only_tools` adds its option --tools.

    Raises:
        FailedCommandError: it could not give them.
    """
    command = [sys.executable, "-m", "cluster", "env", *(["--tools"] if only_tools else [])]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise FailedCommandError(done.returncode)
    return dict(word.split("=", 1) for word in shlex.split(done.stdout) if word != "export")
