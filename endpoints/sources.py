"""Reads the endpoints from where the command line says: a stack, a file, or standard input."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from pydantic import ValidationError

from endpoints.endpoint import Endpoint, parse_endpoints


class InputError(Exception):
    """The user's input cannot be used: `message` is the id of the text that says why, `values` fill it in."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message, values)
        self.message = message
        self.values = values


def read_endpoints(
    *, stack: str | None, cwd: Path | None, file: Path | None, may_be_empty: bool = False
) -> list[Endpoint] | None:
    """Read the endpoints of a stack, a file, standard input if something is piped in, or else the selected stack.

    With `may_be_empty`, standard input may have no text at all; then the result is None.

    Raises:
        InputError: there are no endpoints, or they are not what this program understands.

    """
    if stack and file:
        raise InputError("two-sources")
    if file:
        text = _read(file)
    elif not stack and stdin_is_fed():
        text = _read(None)
        if may_be_empty and not text.strip():
            return None
    else:
        text = _from_stack(stack, cwd=cwd)
    try:
        return list(parse_endpoints(json.loads(text)).values())
    except json.JSONDecodeError as problem:
        raise InputError("not-json", problem=problem) from problem
    except ValidationError as problem:
        lines = (f"  {'.'.join(map(str, error['loc'])) or 'endpoints'}: {error['msg']}" for error in problem.errors())
        raise InputError("bad-fields", problems="\n".join(lines)) from problem


def stdin_is_fed() -> bool:
    """Whether something is piped or redirected in; a terminal and /dev/null are character devices."""
    return sys.stdin is not None and not stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)


def _read(file: Path | None) -> str:
    """Text of a file, or of standard input."""
    try:
        return file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError("unreadable-file", path=file or "<stdin>", problem=problem) from problem


def _from_stack(name: str | None, *, cwd: Path | None) -> str:
    """Ask the Pulumi CLI for the output `endpoints` of the stack `name`, or of the selected stack."""
    command = ["pulumi", "stack", "output", "endpoints", "--json", *(["--stack", name] if name else [])]
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as problem:
        raise InputError("no-pulumi") from problem
    except OSError as problem:  # not executable
        raise InputError("unusable-pulumi", problem=problem) from problem
    if done.returncode:
        raise InputError("pulumi-failed", command=" ".join(command), detail=(done.stderr or done.stdout).strip())
    return done.stdout
