"""`python -m stack_files`: what `make up` and `make down` do with a stack's file, and with the stack in the backend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stack_files.copies import OwnFile, StackFileError

FOLDER = Path(__file__).parent.parent
Stack = Annotated[str, typer.Argument(help="The stack's name.")]
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def make(stack: Stack) -> None:
    """Copy the example to the stack's file where there is none yet."""
    file = OwnFile(stack=stack, folder=FOLDER)
    if file.make():
        _say(f"{file.path.name} is now a copy of {file.example.name}; edit it as you like, git ignores it")
    elif file.example.is_file() and file.is_edited:
        _say(f"{file.path.name} differs from {file.example.name}, and is deployed as it is")


@app.command("open")
def open_stack(
    stack: Stack,
    context: Annotated[str, typer.Option(help="The kube-context to deploy to, which is written to the file.")] = "",
) -> None:
    """Select the stack in Pulumi's backend; create it where it is missing."""
    file = OwnFile(stack=stack, folder=FOLDER)
    if _pulumi("stack", "select", stack, quiet=True):
        # The salt is of another passphrase, if there is one: where there is no stack, none has been used yet.
        file.drop_unused_salt()
        if _pulumi("stack", "init", stack):
            raise StackFileError(_why_not_created(file))
    if context and _pulumi("config", "set", "--stack", stack, "--path", "cluster.context", context):
        raise StackFileError(f"cluster.context was not written to {file.path.name}: see above")


@app.command()
def clean(stack: Stack) -> None:
    """After `pulumi destroy`: remove a copy that nobody edited, and the salt that encrypts nothing."""
    OwnFile(stack=stack, folder=FOLDER).clean()


def _why_not_created(file: OwnFile) -> str:
    secrets = file.secrets
    if not secrets:
        return f"Pulumi did not create the stack {file.stack}: see above"
    return (
        f"Pulumi did not create the stack {file.stack}: see above. If the passphrase is incorrect, the secrets in "
        f"{file.path.name} were encrypted for a cluster that is gone: take out {', '.join(secrets)} and the line "
        "encryptionsalt, make up, and set them again with pulumi config set --secret"
    )


def _pulumi(*command: str, quiet: bool = False) -> int:
    """The exit status of the CLI, whose words go to the terminal."""
    stream = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run(["pulumi", *command], cwd=FOLDER, stdout=stream, stderr=stream, check=False).returncode
    except OSError as error:
        raise StackFileError(f"pulumi cannot be run: {error.strerror}") from error


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


if __name__ == "__main__":
    try:
        app()
    except (StackFileError, OSError) as error:
        sys.exit(f"error: {error}")
