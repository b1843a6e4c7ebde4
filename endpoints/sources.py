"""Where the stack outputs come from: a stack, a file, or standard input."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from predict.messages import Language


class InputError(Exception):
    """There are no usable endpoints; the text says why and what to do."""


def from_stack(name: str | None, *, cwd: Path | None, language: Language) -> str:
    """Ask the Pulumi CLI for the output `endpoints` of the stack `name`, else the selected one, or raise InputError."""
    command = ["pulumi", "stack", "output", "endpoints", "--json", *(["--stack", name] if name else [])]
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as problem:
        raise InputError(language.no_pulumi) from problem
    except OSError as problem:  # not executable
        raise InputError(language.unusable_pulumi.format(problem=problem)) from problem
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise InputError(language.pulumi_failed.format(command=" ".join(command), said=said))
    return done.stdout


def from_file(path: Path, *, language: Language) -> str:
    """Read a file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(language.unreadable_file.format(path=path, problem=problem)) from problem


def from_stdin(*, language: Language) -> str:
    """Read standard input to its end."""
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as problem:
        raise InputError(language.unreadable_file.format(path="<stdin>", problem=problem)) from problem


def stdin_is_fed() -> bool:
    """Tell whether something is piped or redirected in; a terminal and /dev/null are character devices."""
    return sys.stdin is not None and not stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)
