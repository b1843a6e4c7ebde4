"""The project's own way: the demo's stack, by the plain Pulumi CLI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

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
    """The demo's stack on a benchmark's cluster; `environment` is what a shell has there."""

    name: str
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def on(cls, network: Network, *, environment: Mapping[str, str]) -> Iterator[Stack]:
        """A new stack with the demo's settings and this cluster's addresses; its state goes with the cluster."""
        file = PROJECT / f"Pulumi.{network.name}.yaml"
        demo = DEMO.read_text().replace(Network(name=network.name).node, network.node)
        file.write_text(demo)
        stack = cls(name=network.name, environment=environment)
        try:
            stack.pulumi("stack", "init")
            yield stack
        finally:
            file.unlink()

    def deploy(self) -> Deployment:
        """`pulumi up` on an empty cluster, then the prediction check."""
        with TemporaryDirectory() as directory:
            log = Path(directory) / "events"
            # The flag is there for those who look into Pulumi itself.
            up = self.pulumi(
                *("up", "--yes", "--skip-preview", "--event-log", str(log)), more={"PULUMI_DEBUG_COMMANDS": "true"}
            )
            with log.open() as events:
                steps = component_steps(events)
        total = up.seconds + python("predict", "--stack", self.name, env=self.environment).seconds
        return Deployment(steps=(*steps, Step(name=PREDICTIONS, intervals=((up.seconds, total),))), total_s=total)

    def endpoints(self) -> str:
        """What the prediction check reads, as JSON."""
        return self.pulumi("stack", "output", "endpoints", "--json").stdout

    def declared(self) -> declared.Declared:
        """What an `up` would make on this cluster."""
        with TemporaryDirectory() as directory:
            log = Path(directory) / "requests"
            self.pulumi("preview", more={"PULUMI_DEBUG_GRPC": str(log)})
            with log.open() as requests:
                return declared.read(requests)

    def pulumi(self, *command: str, more: Mapping[str, str] | None = None) -> Finished:
        """Run the CLI on this stack; raises CommandError."""
        return run(
            "pulumi", *command, "--stack", self.name, "--non-interactive", env={**self.environment, **(more or {})}
        )
