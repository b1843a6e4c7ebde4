"""A project of a test's own: the lifecycle commands, and programs in place of the cluster's and the check's."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.components.kubernetes import kubeconfig

ROOT = Path(__file__).parents[1]
SERVER = "https://kind.example:6443"
# How a question ends. What is typed before it is complete may get lost.
QUESTION = "[y/N]: "
# An exit status, and what was written.
Finished = tuple[int, str]
DEMO = "# A demo\nconfig:\n  kserve-multi-model:release: local\n"
# Stands in for `python -m cluster` and `python -m predict`: writes down each call, and ends with the next status that a
# test planned for it.
MODULE = """\
import sys
from pathlib import Path
folder = Path(__file__).parent.parent
with (folder / "calls").open("a") as calls:
    print(Path(__file__).parent.name, *sys.argv[1:], file=calls)
planned = folder / "planned" / "-".join([Path(__file__).parent.name, *sys.argv[1:2]])
statuses = planned.read_text().split() if planned.exists() else []
if len(statuses) > 1:
    planned.write_text(" ".join(statuses[1:]))
if sys.argv[1] == "env":
    print((folder / "environment").read_text())
sys.stderr.write("stdin is fed\\n" if sys.stdin.read() else "")
sys.exit(int(statuses[0]) if statuses else 0)
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with a stack file, Pulumi.dev.yaml, in which `python -m lifecycle` runs."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "Pulumi.dev.yaml"

    @property
    def calls(self) -> list[str]:
        """What was called, in order; without what the Automation API asks on its own."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [
            line for line in lines if not line.startswith(("pulumi version", "pulumi stack output", "pulumi stack h"))
        ]

    def plan(self, command: str, *statuses: int) -> None:
        """Have a call, as `cluster-up`, end with these statuses, one after the other; the last one stays."""
        (self.folder / "planned" / command).write_text(" ".join(map(str, statuses)))

    def set_environment(self, **variables: str) -> None:
        """What `python -m cluster env` prints."""
        text = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
        (self.folder / "environment").write_text(text)

    @property
    def shell(self) -> dict[str, str]:
        """The variables of the user's shell; its kubeconfig has the context `kind`, at SERVER."""
        return {
            "PATH": "/usr/bin:/bin",
            "PULUMI_OPTION_CONFIG_FILE": "of-the-users-shell",
            "KUBECONFIG": str(self.folder.parent / "kubeconfig"),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `python -m lifecycle`, in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [sys.executable, "-m", "lifecycle", *arguments],
            cwd=self.folder,
            env=self.shell,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Give the exit status of `python -m lifecycle` and what it wrote; its stdin has a word."""
        started = self.start(*arguments)
        text, _ = started.communicate("word", timeout=300)
        return started.returncode, text

    def run_on_terminal(self, *arguments: str, answer: str, meanwhile: Callable[[], None] = lambda: None) -> Finished:
        """Run `python -m lifecycle` on a terminal; type the answer, after `meanwhile`, when there is a question."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            # Its own terminal, so that Ctrl-C is a signal.
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "lifecycle", *arguments],
            cwd=self.folder,
            env=self.shell,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as started:
            os.close(theirs)
            text = ""
            with contextlib.suppress(OSError):  # the end of what a terminal has
                while read := os.read(ours, 65536):
                    asked = QUESTION in text
                    text += read.decode()
                    if not asked and QUESTION in text:
                        meanwhile()
                        os.write(ours, answer.encode())
        os.close(ours)
        return started.returncode, text.replace("\r\n", "\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    for stub in ("cluster", "predict"):
        (folder / stub).mkdir(parents=True)
        (folder / stub / "__main__.py").write_text(MODULE)
    (folder / "planned").mkdir()
    for name in ("components", "kube", "lifecycle", "stack_files"):
        (folder / name).symlink_to(ROOT / name)
    kubeconfig(tmp_path, server=SERVER, contexts=("kind",))
    made = Project(folder=folder)
    made.file.write_text(DEMO)
    return made
