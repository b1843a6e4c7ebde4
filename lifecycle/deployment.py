"""A stack in Pulumi's backend: opened with a copy of its file, deployed, refreshed, destroyed, removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pulumi import automation

from lifecycle.commands import run
from lifecycle.own_cluster import is_context_gone, require_own_cluster
from lifecycle.stack_file import StackFile, StackFileError

OPERATIONS = ("up", "preview", "refresh", "destroy")
# What Pulumi's engine reports of an operation that Ctrl-C ended.
CANCELED = ("update canceled", "preview canceled")
# The program reads this variable, too, which the Automation API's own argument `config_file` does not set.
CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"


class PulumiOnTerminal(automation.PulumiCommand):
    """The Pulumi CLI, with the terminal left to its operations.

    The Automation API reads their output through a pipe, into which Pulumi draws no live progress, and it does not wait
    for their end after Ctrl-C.
    """

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        """Run a Pulumi command.

        Raises:
            automation.CommandError: it failed; of an operation, the terminal shows why.
        """
        if args[0] not in OPERATIONS:
            return super().run(args, cwd, additional_env, on_output, on_error)
        # A folder of its own, which goes afterwards: the Kubernetes provider of a stack that an older version of the
        # project deployed has the path of a kubeconfig in its state, and leaves a copy of the file.
        with TemporaryDirectory(prefix="kserve-multi-model-") as temporary:
            environment = {**os.environ, **additional_env, "TMPDIR": temporary}
            status = run([self.command, *args], folder=Path(cwd), environment=environment)
        result = automation.CommandResult(stdout="", stderr="", code=status)
        if status:
            raise automation.CommandError(result)
        return result


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A stack that Pulumi works with, by a copy of its file. The environment says where its backend is."""

    file: StackFile
    stack: automation.Stack
    text_before: str
    text_with_context: str

    @classmethod
    def find(cls, file: StackFile, *, context: str | None = None) -> Deployment | None:
        """Select the stack, write `context` to its file, and renew the copy; None when the backend has no such stack.

        Raises:
            StackFileError: the stack has no file.
            automation.CommandError: Pulumi cannot select it, or cannot write its file.
        """
        workspace = _workspace(file)
        try:
            stack = automation.Stack.select(file.stack, workspace)
        except automation.StackNotFoundError:
            return None
        file.require()
        return cls._opened(file, stack, workspace=workspace, context=context)

    @classmethod
    def open(cls, file: StackFile, *, context: str | None = None) -> Deployment:
        """Select the stack as `find` does, or create it.

        Raises:
            StackFileError: the stack has no file, or cannot be created.
            automation.CommandError: Pulumi cannot select it, or cannot write its file.
        """
        file.require()
        if found := cls.find(file, context=context):
            return found
        # The stack is new, so a salt in the file belongs to another passphrase.
        file.drop_unused_salt()
        before = file.path.read_text("utf-8")
        workspace = _workspace(file)
        try:
            stack = automation.Stack.create(file.stack, workspace)
        except automation.CommandError as error:
            raise StackFileError(_why_not_created(file, error)) from error
        if not file.secrets:
            file.move_salt(_copy(file), before=before)
        return cls._opened(file, stack, workspace=workspace, context=context)

    @classmethod
    def _opened(
        cls, file: StackFile, stack: automation.Stack, *, workspace: automation.LocalWorkspace, context: str | None
    ) -> Deployment:
        before = file.path.read_text("utf-8")
        if context:
            stack.set_config("cluster.context", automation.ConfigValue(context), path=True)
        copy = _copy(file)
        file.renew_copy(copy)
        workspace.env_vars = {CONFIG_FILE: str(copy)}
        if kubeconfig := file.kubeconfig:
            # Pulumi's Kubernetes provider reads the file that this names, and the program refuses another one.
            workspace.env_vars["KUBECONFIG"] = str(kubeconfig)
        after = file.path.read_text("utf-8")
        return cls(file=file, stack=stack, text_before=before, text_with_context=after)

    def forget_context(self) -> None:
        """Take the context out of the user's file again, unless the user has changed the file since."""
        if self.file.path.read_text("utf-8") == self.text_with_context:
            self.file.path.write_text(self.text_before, "utf-8")

    def up(self) -> None:
        """Deploy what the stack's file says, after a refresh: a destroy that was interrupted goes on in the cluster.

        Raises:
            AnotherClusterError: the cluster is not the stack's, or does not say so.
            automation.CommandError: Pulumi failed.
            KeyboardInterrupt: the user ended it.
        """
        state = self._state()
        if self._is_context_gone(state):
            # A refresh would look for it. Without one, the program checks that the new context leads to the cluster.
            self._operate(self.stack.up, show_secrets=False)
            state = self._state()
        self._require_own_cluster(state)
        if state.get("pending_operations"):
            # A run that was killed left them. They are no longer under way.
            self._operate(self.stack.refresh, clear_pending_creates=True, show_secrets=False)
        self._operate(self.stack.up, refresh=True, show_secrets=False)

    def preview(self) -> None:
        """Show what the program would change, if the state is what is in the cluster; raises as `up` does."""
        self._operate(self.stack.preview)

    def preview_up(self) -> None:
        """Show what `up` would change, after a refresh as it does; raises as it does."""
        state = self._state()
        if self._is_context_gone(state):
            self._operate(self.stack.preview)
            return
        self._require_own_cluster(state)
        self._operate(self.stack.preview, refresh=True)

    def preview_destroy(self) -> None:
        """Show what `destroy` would delete; raises as `up` does."""
        self._operate(self.stack.preview_destroy)

    def refresh(self) -> None:
        """Bring the state in line with what is in the cluster; raises as `up` does."""
        self._require_own_cluster(self._state())
        self._operate(self.stack.refresh, show_secrets=False)

    def destroy(self) -> None:
        """Destroy what is deployed; raises as `up` does."""
        self._require_own_cluster(self._state())
        self._operate(self.stack.destroy, show_secrets=False)

    def _state(self) -> Mapping[str, Any]:
        return self.stack.export_stack().deployment or {}

    def _is_context_gone(self, state: Mapping[str, Any]) -> bool:
        return is_context_gone(state.get("resources") or (), kubeconfig=self.file.kubeconfig)

    def _require_own_cluster(self, state: Mapping[str, Any]) -> None:
        """Check that the cluster is the stack's, whose state this is.

        Raises:
            AnotherClusterError: it is not, or does not say so.
        """
        require_own_cluster(state.get("resources") or (), kubeconfig=self.file.kubeconfig)

    def _operate(self, operation: Callable[..., object], **options: bool) -> None:
        """Run an operation, and raise KeyboardInterrupt if Ctrl-C ended it.

        While Pulumi draws live progress, it reads Ctrl-C as a key: this process gets no signal, and the exit status
        is that of any failure.
        """
        canceled: list[str] = []

        def note(event: automation.EngineEvent) -> None:
            if event.diagnostic_event and any(text in event.diagnostic_event.message for text in CANCELED):
                canceled.append(event.diagnostic_event.message)

        try:
            operation(on_event=note, **options)
        except automation.CommandError:
            if canceled:
                raise KeyboardInterrupt from None
            raise

    def remove(self, *, force: bool) -> None:
        """Remove the stack from the backend; with `force`, also one that still has resources.

        Raises:
            automation.CommandError: Pulumi failed.
        """
        self.stack.workspace.remove_stack(self.file.stack, force=force, preserve_config=True)


def _workspace(file: StackFile) -> automation.LocalWorkspace:
    """The project, with the user's file of the stack: `pulumi stack init` writes into no other."""
    os.environ.pop(CONFIG_FILE, None)
    try:
        command = PulumiOnTerminal()
    except OSError as error:
        raise StackFileError(f"pulumi cannot be run: {error.strerror}") from error
    return automation.LocalWorkspace(work_dir=str(file.folder), pulumi_command=command)


def _copy(file: StackFile) -> Path:
    """Where the copy of a stack's file is, beside its state: `python -m cluster env` sets PULUMI_HOME there."""
    return Path(os.environ["PULUMI_HOME"]).parent / file.path.name


def hidden_stderr(error: automation.CommandError) -> str:
    """Stderr of Pulumi that the terminal has not shown. The API has it only as a part of the error's message."""
    return str(error).partition("\n stderr: ")[2].strip()


def _why_not_created(file: StackFile, error: automation.CommandError) -> str:
    text = f"Pulumi did not create the stack {file.stack}: {hidden_stderr(error)}"
    if not file.secrets:
        return text
    return (
        f"{text}\nIf the passphrase is incorrect, the secrets in {file.path.name} were encrypted for a cluster that is "
        f"gone: take out {', '.join(file.secrets)} and the line encryptionsalt, make up, and set them again with "
        "pulumi config set --secret"
    )
