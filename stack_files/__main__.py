"""`python -m stack_files`: what `make up` and `make down` do with a stack's file, and with the stack in the backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stack_files.copies import StackFile, StackFileError

FOLDER = Path(__file__).parent.parent
Stack = Annotated[str, typer.Argument(help="The stack's name.")]
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _stack_file(stack: str) -> StackFile:
    """The stack's file; its copy is beside PULUMI_HOME, which `python -m cluster env` sets."""
    home = os.environ.get("PULUMI_HOME")
    if not home:
        raise StackFileError('PULUMI_HOME is not set; set it with: eval "$(python -m cluster env)"')
    return StackFile(stack=stack, folder=FOLDER, copies=Path(home).parent)


def _without_copy(stack: str) -> StackFile:
    return StackFile(stack=stack, folder=FOLDER, copies=FOLDER)


@app.command()
def check(stack: Stack) -> None:
    """See that there is a file for the stack, before anything is built for it."""
    _without_copy(stack).require()


@app.command("open")
def open_stack(
    stack: Stack,
    context: Annotated[str, typer.Option(help="The kube-context to deploy to, which is written to the file.")] = "",
) -> None:
    """Select the stack in Pulumi's backend, or create it; print the file for PULUMI_OPTION_CONFIG_FILE."""
    file = _stack_file(stack)
    file.require()
    if _pulumi("stack", "select", stack, quiet=True):
        # The salt is of another passphrase, if there is one: where there is no stack, none has been used yet.
        file.drop_unused_salt()
        before = file.path.read_text("utf-8")
        if _pulumi("stack", "init", stack):
            raise StackFileError(_why_not_created(file))
        if not file.secrets:
            file.move_salt(before=before)
    if context and _pulumi("config", "set", "--stack", stack, "--path", "cluster.context", context):
        raise StackFileError(f"cluster.context was not written to {file.path.name}: see above")
    sys.stdout.write(f"{file.renew_copy()}\n")


@app.command()
def clean(stack: Stack) -> None:
    """After `pulumi destroy`: take the salt that encrypts nothing out of the stack's file."""
    _without_copy(stack).drop_unused_salt()


def _why_not_created(file: StackFile) -> str:
    secrets = file.secrets
    if not secrets:
        return f"Pulumi did not create the stack {file.stack}: see above"
    return (
        f"Pulumi did not create the stack {file.stack}: see above. If the passphrase is incorrect, the secrets in "
        f"{file.path.name} were encrypted for a cluster that is gone: take out {', '.join(secrets)} and the line "
        "encryptionsalt, make up, and set them again with pulumi config set --secret"
    )


def _pulumi(*command: str, quiet: bool = False) -> int:
    """The exit status of the CLI, which works with the user's file and whose words go to the terminal."""
    stream = subprocess.DEVNULL if quiet else sys.stderr
    environment = {name: value for name, value in os.environ.items() if name != "PULUMI_OPTION_CONFIG_FILE"}
    try:
        done = subprocess.run(
            ["pulumi", *command], cwd=FOLDER, env=environment, stdout=stream, stderr=stream, check=False
        )
    except OSError as error:
        raise StackFileError(f"pulumi cannot be run: {error.strerror}") from error
    return done.returncode


if __name__ == "__main__":
    try:
        app()
    except (StackFileError, OSError) as error:
        sys.exit(f"error: {error}")
