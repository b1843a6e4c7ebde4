"""`python -m lifecycle`: deploy, check and take down a stack, on the local cluster or on one the user has."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pulumi import automation

from components.teardown.cluster_guard import AnotherClusterError
from kube.kubeconfig import KubeconfigError, find_access
from lifecycle.commands import FailedCommandError, cluster_environment, run
from lifecycle.deployment import Deployment, hidden_stderr
from lifecycle.stack_file import StackFile, StackFileError

FOLDER = Path(__file__).parent.parent
# What `python -m predict` exits with when a model is not reachable or not ready.
NOT_READY = 2
INTERRUPTED = 130


class NoTerminalError(Exception):
    """A cluster of the user's is not changed without a question, and there is no terminal to ask it on."""


# What can go wrong with a stack, apart from the program itself and Ctrl-C.
FAILURES = (
    AnotherClusterError,
    FailedCommandError,
    automation.CommandError,
    automation.InvalidVersionError,
    StackFileError,
    KubeconfigError,
    NoTerminalError,
    OSError,
    subprocess.SubprocessError,
)
app = typer.Typer(
    help="Deploy, check and take down a stack, on the local cluster or on one you have.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
StackOption = Annotated[
    str | None, typer.Option("--stack", help="The stack.", show_default="dev; cluster where a context is given")
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="The kube-context of a cluster you have; without it, the local cluster.")
]

YesOption = Annotated[
    bool, typer.Option("--yes", help="With --context: change that cluster without a preview and a question.")
]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A stack, and the cluster it is deployed to.

    Attributes:
        context: the kube-context of a cluster that the user has; None for the local cluster.
    """

    file: StackFile
    context: str | None

    @classmethod
    def of(cls, stack: str | None, context: str | None) -> Target:
        """The target that the command line names."""
        name = stack or ("cluster" if context else "dev")
        return cls(file=StackFile(stack=name, folder=FOLDER), context=context or None)

    def run(self, *module: str, quiet: bool = False) -> int:
        """Run another command line of the project, as `cluster up`, which asks nothing, and give its exit status."""
        output = subprocess.DEVNULL if quiet else None
        return run([sys.executable, "-m", *module], folder=FOLDER, stdin=subprocess.DEVNULL, output=output)

    def require(self, *module: str) -> None:
        """Run another command line of the project.

        Raises:
            FailedCommandError: it failed.
        """
        if status := self.run(*module):
            raise FailedCommandError(status)

    def enter(self) -> None:
        """Work with the programs and variables that go with this cluster from now on."""
        os.environ.update(cluster_environment(folder=FOLDER, only_tools=self.context is not None))

    def cluster_to_confirm(self, command: str) -> str | None:
        """The user's cluster, as the question of `command` names it; None for the local cluster, which needs none.

        Raises:
            KubeconfigError: there is no such context.
            NoTerminalError: nobody could answer; the text says what to type.
        """
        if not self.context:
            return None
        access = find_access(kubeconfig=self.file.kubeconfig, context=self.context)
        cluster = f"the cluster of context {self.context!r} at {access.cluster.server}"
        if sys.stdin.isatty() and sys.stderr.isatty():
            return cluster
        stack = () if self.file.stack == "cluster" else (f"STACK={self.file.stack}",)
        consent = shlex.join(["make", command, f"CONTEXT={self.context}", *stack, "YES=1"])
        raise NoTerminalError(f"there is no terminal to ask on before {cluster} is changed; to agree, type: {consent}")

    def open(self) -> Deployment:
        """Enter the cluster's environment, and select or create the stack."""
        self.file.require()
        self.enter()
        return Deployment.open(self.file, context=self.context)


@app.command()
def up(stack: StackOption = None, context: ContextOption = None, yes: YesOption = False) -> None:
    """Start the local cluster if it is the one to use, deploy the stack, and compare every model's predictions.

    On a cluster you have, show first what would change, and ask.
    """
    target = Target.of(stack, context)
    # First, because building a cluster takes minutes.
    target.file.require()
    to_confirm = None if yes else target.cluster_to_confirm("up")
    if target.context:
        target.require("cluster", "tools")
    else:
        target.require("cluster", "up", "--stack-file", target.file.path.name)
    deployment = target.open()
    if to_confirm:
        _confirm(f"Deploy this to {to_confirm}?", deployment, preview=deployment.preview_up)
    _deploy(deployment, target)
    check = ("predict", "--stack", target.file.stack)
    answers = target.run(*check)
    if answers == NOT_READY:
        # An interrupted destroy can go on in the cluster, and delete what this `up` found there.
        _say("once more, for what an interrupted destroy had still to delete")
        _deploy(deployment, target)
        answers = target.run(*check)
    if answers:
        raise FailedCommandError(answers)
    tools = " --tools" if target.context else ""
    print(
        f'\nNext: eval "$(.venv/bin/python -m cluster env{tools})"; '
        "then kubectl get inferenceservices, pulumi stack output, pulumi up"
    )


def _confirm(question: str, deployment: Deployment, *, preview: Callable[[], None]) -> None:
    """Show the preview and ask on the terminal; unless the answer is yes, the command ends with nothing changed."""
    agreed = False
    try:
        preview()
        agreed = typer.confirm(question, err=True)
    finally:
        if not agreed:
            deployment.forget_context()
    if not agreed:
        _say("nothing was changed")
        raise typer.Exit(1)


def _deploy(deployment: Deployment, target: Target) -> None:
    try:
        deployment.up()
    except automation.CommandError:
        _say(f"Why: make doctor{f' CONTEXT={target.context}' if target.context else ''}")
        raise


@app.command()
def preview(stack: StackOption = None, context: ContextOption = None) -> None:
    """Show what `up` would change; the cluster must be there."""
    Target.of(stack, context).open().preview()


@app.command()
def refresh(stack: StackOption = None, context: ContextOption = None) -> None:
    """Bring Pulumi's state in line with what is in the cluster."""
    Target.of(stack, context).open().refresh()


@app.command()
def down(stack: StackOption = None, context: ContextOption = None, yes: YesOption = False) -> None:
    """Remove the deployment, then the local cluster if it was deployed there.

    On a cluster you have, show first what would be deleted, and ask.
    """
    target = Target.of(stack, context)
    if target.context:
        to_confirm = None if yes else target.cluster_to_confirm("down")
        target.enter()
        if deployment := Deployment.find(target.file, context=target.context):
            if to_confirm:
                _confirm(f"Delete this from {to_confirm}?", deployment, preview=deployment.preview_destroy)
            deployment.destroy()
            deployment.remove(force=False)
        target.file.drop_unused_salt()
        return
    if not target.run("cluster", "status", quiet=True):
        _destroy_if_possible(target)
    elif not target.run("cluster", "kubeconfig", quiet=True):
        _say("the local cluster does not answer: it goes with all that is deployed there")
    try:
        target.file.drop_unused_salt()
    except StackFileError as error:
        _say(f"error: {error}")
    target.require("cluster", "down")


def _destroy_if_possible(target: Target) -> None:
    """Destroy and remove the stack, if there is one. The local cluster ends even where that fails."""
    deployment = None
    try:
        target.enter()
        deployment = Deployment.find(target.file)
        if deployment:
            deployment.destroy()
    except FAILURES as error:
        _say_why(error)
        _say("the destroy failed: the local cluster goes with what is left in it")
    if deployment:
        try:
            deployment.remove(force=True)
        except FAILURES as error:
            _say_why(error)


@app.command()
def predict(stack: StackOption = None, context: ContextOption = None) -> None:
    """Ask every model for a prediction and compare it by value."""
    target = Target.of(stack, context)
    target.enter()
    target.require("predict", "--stack", target.file.stack)


@app.command()
def doctor(context: ContextOption = None) -> None:
    """Say why a model, or the deployment, is not ready."""
    target = Target.of(None, context)
    target.enter()
    target.require("predict", "doctor", *(["--context", target.context] if target.context else []))


@app.command()
def export(stack: StackOption = None, context: ContextOption = None) -> None:
    """Print the state of the deployed stack, as `pulumi stack export` does."""
    target = Target.of(stack, context)
    target.enter()
    if status := run(["pulumi", "stack", "export", "--stack", target.file.stack], folder=FOLDER):
        raise FailedCommandError(status)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _say_why(error: Exception) -> None:
    """Print the part of an error that the terminal does not show yet."""
    if isinstance(error, automation.CommandError):
        text = hidden_stderr(error)
    else:
        text = "" if isinstance(error, FailedCommandError) else f"error: {error}"
    if text:
        _say(text)


def main() -> int:
    """Run the command line: 0, 1 when Pulumi failed, 2 on bad usage, 130 after Ctrl-C, else what a command gave."""
    try:
        return int(app(standalone_mode=False) or 0)
    except FailedCommandError as error:
        return error.status
    except FAILURES as error:
        _say_why(error)
    except typer.TyperException as error:
        _say(f"{error.format_message()}\nTry 'python -m lifecycle --help'.")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return 1


if __name__ == "__main__":
    sys.exit(main())
