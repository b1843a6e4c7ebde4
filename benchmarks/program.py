"""The demo's stack, deployed by the plain Pulumi CLI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import stack_files
from benchmarks import declared
from benchmarks.commands import PROJECT, Finished, python, run
from benchmarks.engine_events import component_steps
from benchmarks.results import Deployment, Step
from cluster.node.network import Network

DEMO = PROJECT / "tests" / "stacks" / "dev.yaml"
PREDICTIONS = "predictions"
CHECK_TIMEOUT = "300"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack on a benchmark's local cluster; `environment` has that cluster's variables. Its methods run Pulumi.

    Raises:
        CommandError: a command failed.
    """

    name: str
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def on(cls, network: Network, *, environment: Mapping[str, str]) -> Iterator[Stack]:
        """A new stack with the demo's settings and this cluster's addresses; its state is removed with the cluster."""
        stack = cls(name=network.name, environment=environment)
        stack._file.write_text(DEMO.read_text().replace(Network(name=network.name).node, network.node))
        try:
            stack.pulumi("stack", "init")
            yield stack
        finally:
            stack._file.unlink()

    @property
    def _file(self) -> Path:
        return PROJECT / f"Pulumi.{self.name}.yaml"

    def settings(self) -> dict[str, Any]:
        """The project's settings in the stack's file, by name."""
        return stack_files.settings(stack_files.read(self._file))

    def configure(self, **settings: Any) -> None:
        """Replace these settings in the stack's file; an empty mapping removes the setting."""
        document = stack_files.read(self._file)
        config = document["config"] | {f"{stack_files.PROJECT}:{name}": value for name, value in settings.items()}
        document["config"] = {key: value for key, value in config.items() if value != {}}
        stack_files.write(self._file, document)

    def deploy(self) -> Deployment:
        """Run `pulumi up` on an empty cluster, then the prediction check."""
        up, events = self.change_with_events("up")
        total = up.seconds + python("predict", "--stack", self.name, env=self.environment).seconds
        check = Step(name=PREDICTIONS, intervals=((up.seconds, total),))
        return Deployment(steps=(*component_steps(events), check), total_s=total)

    def endpoints(self) -> str:
        """The stack's output that the prediction check reads, as JSON."""
        return self.pulumi("stack", "output", "endpoints", "--json").stdout

    def declared(self) -> declared.Declared:
        """The charts and objects that `pulumi up` would make on this cluster."""
        with TemporaryDirectory() as directory:
            log = Path(directory) / "requests"
            self.pulumi("preview", more={"PULUMI_DEBUG_GRPC": str(log)})
            with log.open() as requests:
                return declared.read(requests)

    def change(self, command: str, *options: str, more: Mapping[str, str] | None = None) -> Finished:
        """Run `up`, `refresh` or `destroy` without a preview or a question."""
        return self.pulumi(command, "--yes", "--skip-preview", *options, more=more)

    def change_with_events(self, command: str) -> tuple[Finished, list[str]]:
        """The same, with the engine's events, one a line."""
        with TemporaryDirectory() as directory:
            log = Path(directory) / "events"
            # `--event-log` is one of the options that Pulumi hides without this variable.
            done = self.change(command, "--event-log", str(log), more={"PULUMI_DEBUG_COMMANDS": "true"})
            return done, log.read_text().splitlines()

    def pulumi(self, *command: str, more: Mapping[str, str] | None = None) -> Finished:
        """Run the CLI on this stack, with `more` variables."""
        return run(
            "pulumi", *command, "--stack", self.name, "--non-interactive", env={**self.environment, **(more or {})}
        )
