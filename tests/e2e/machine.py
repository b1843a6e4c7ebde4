"""Runs the project's own command lines against one local cluster, as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightkube import Client, KubeConfig

import stack_files
from cluster.errors import ClusterError
from cluster.node.network import Network

ROOT = Path(__file__).parent.parent.parent
# Two checkouts on one machine can test at the same time: TEST_CLUSTER=other make test
NAME = os.environ.get("TEST_CLUSTER", "e2e")


def _network() -> Network:
    """The first free subnet; where none is, `cluster up` says so, and the other tests can be collected."""
    try:
        return Network.first_free(NAME)
    except ClusterError:
        return Network(name=NAME)


NETWORK = _network()
SUBNET, NODE = NETWORK.subnet, NETWORK.node
GATEWAY = f"http://{NODE}:31080"


@dataclass
class Completed:
    """A finished command."""

    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


def run(*command: str, env: dict[str, str] | None = None, timeout: float = 900, stdin: str | None = None) -> Completed:
    """Run a command in the project's folder."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr)


def cluster(*arguments: str, timeout: float = 5000) -> Completed:
    """`python -m cluster …`."""
    return run(sys.executable, "-m", "cluster", *arguments, timeout=timeout)


def need(*parts: str) -> None:
    """Have parts of the local cluster that the demo does without; those not built yet are built now."""
    added = cluster("add", *parts, "--name", NAME)
    assert added.status == 0, added.text


@dataclass
class Deployment:
    """A stack on the cluster, in a stack file of its own."""

    directory: Path
    stack: str
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, stack: str, *, directory: Path, environment: dict[str, str], text: str) -> Deployment:
        """A new stack with this stack file; nothing is deployed yet."""
        made = cls(directory=directory, stack=stack, environment=environment)
        made.stack_file.write_text(text)
        # `stack init` writes its salt into the project's folder, whatever the stack file is; a user may have one there.
        with TemporaryDirectory() as project:
            shutil.copy(ROOT / "Pulumi.yaml", project)
            for words in (("stack", "init", stack, "--cwd", project), ("stack", "select", stack)):
                done = made.pulumi(*words)
                assert done.status == 0, done.text
        return made

    @property
    def stack_file(self) -> Path:
        return self.directory / f"Pulumi.{self.stack}.yaml"

    @property
    def settings(self) -> dict[str, Any]:
        return stack_files.settings(stack_files.read(self.stack_file))

    def configure(self, **settings: object) -> None:
        """Set top-level settings, keeping the rest of the stack file."""
        document = stack_files.read(self.stack_file)
        document["config"] |= {f"kserve-multi-model:{key}": value for key, value in settings.items()}
        stack_files.write(self.stack_file, document)

    def up(self, *, timeout: float = 900) -> str:
        """`pulumi up`, which succeeds; gives what it said."""
        done = self.pulumi("up", "--yes", "--skip-preview", timeout=timeout)
        assert done.status == 0, done.text[-6000:]
        return done.text

    def destroy(self) -> None:
        """`pulumi destroy`, which succeeds."""
        done = self.pulumi("destroy", "--yes", "--skip-preview", timeout=600)
        assert done.status == 0, done.text[-6000:]

    def exists(self) -> bool:
        """Whether Pulumi knows the stack."""
        listed = run("pulumi", "stack", "ls", "--json", "--non-interactive", env=self.environment)
        assert listed.status == 0, listed.text
        return self.stack in {stack["name"].rpartition("/")[2] for stack in json.loads(listed.stdout)}

    def remove(self) -> None:
        """Forget the stack, of which nothing is deployed."""
        done = self.pulumi("stack", "rm", "--yes", "--preserve-config")
        assert done.status == 0, done.text

    def pulumi(self, command: str, *arguments: str, timeout: float = 900) -> Completed:
        words = [command, *arguments]
        if words[:2] not in (["stack", "init"], ["stack", "select"]):
            words += ["--stack", self.stack]
        env = self.environment | {"PULUMI_OPTION_CONFIG_FILE": str(self.stack_file)}
        return run("pulumi", *words, "--non-interactive", env=env, timeout=timeout)

    def predict(self, *arguments: str, stdin: str | None = None, timeout: float = 400) -> Completed:
        return run(sys.executable, "-m", "predict", *arguments, env=self.environment, stdin=stdin, timeout=timeout)

    def endpoints(self) -> dict[str, Any]:
        shown = self.pulumi("stack", "output", "endpoints", "--json")
        assert shown.status == 0, shown.text
        endpoints: dict[str, Any] = json.loads(shown.stdout)
        return endpoints

    def client(self) -> Client:
        return Client(config=KubeConfig.from_file(self.environment["KUBECONFIG"]))
