"""A stack's life by `python -m lifecycle`, with the real Pulumi and a program without resources; needs no cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import Catalog
from cluster.environment import Environment
from cluster.locations import cache_dir
from tests.e2e.machine import cluster
from tests.lifecycle_project import DEMO, Project, project

__all__ = ["project"]
PROGRAM = """\
import os, pathlib, time, pulumi
if pathlib.Path("fail").exists():
    raise ValueError("as the test wants")
if pathlib.Path("slow").exists():
    pathlib.Path("started").touch()
    time.sleep(120)
pulumi.export("file", os.environ["PULUMI_OPTION_CONFIG_FILE"])
pulumi.export("release", pulumi.Config().require("release"))
"""
PENDING = {
    "type": "kubernetes:core/v1:Namespace",
    "urn": "urn:pulumi:dev::kserve-multi-model::kubernetes:core/v1:Namespace::a",
}


class WithoutProvider(Environment):
    """Pulumi and its files; the program needs no provider."""

    def _install_provider(self) -> None:
        pass


@pytest.fixture
def deployable(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a program, and a backend of its own."""
    cache = Cache(cache_dir() / "entries")
    build = Build(Catalog(cache))
    monkeypatch.setattr(WithoutProvider, "directory", project.folder.parent / "tools")
    environment = WithoutProvider(build)
    built = cluster("tools")
    assert built.status == 0, built.text
    environment.prepare()
    project.set_environment(**environment.variables())
    (project.folder / "Pulumi.yaml").write_text("name: kserve-multi-model\nruntime: python\n")
    (project.folder / "__main__.py").write_text(PROGRAM)
    return project


def pulumi(project: Project, *arguments: str) -> str:
    """Run the Pulumi CLI as a user does who has set the environment."""
    shell = '. ./environment; pulumi "$@" --non-interactive'
    command = ["sh", "-c", shell, "sh", *arguments]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.journey
def test_a_stack_lives_from_up_to_down(deployable: Project) -> None:
    status, text = deployable.run("up")
    assert status == 0, text
    copy = deployable.folder.parent / "tools" / "pulumi" / "Pulumi.dev.yaml"
    assert f'file   : "{copy}"' in text
    assert deployable.file.read_text() == DEMO
    assert "encryptionsalt:" in copy.read_text()

    # As a run that was killed leaves it. `pulumi stack import` would drop it.
    (checkpoint,) = (deployable.folder.parent / "tools").rglob("stacks/kserve-multi-model/dev.json")
    document = json.loads(checkpoint.read_text())
    document["checkpoint"]["latest"]["pending_operations"] = [{"resource": PENDING, "type": "creating"}]
    checkpoint.write_text(json.dumps(document))
    assert "pending_operations" in pulumi(deployable, "stack", "export")
    status, text = deployable.run("up")
    assert status == 0, text
    assert "pending_operations" not in pulumi(deployable, "stack", "export")

    status, text = deployable.run("preview")
    assert status == 0, text
    assert "1 unchanged" in text
    assert deployable.run("down")[0] == 0
    assert pulumi(deployable, "stack", "ls", "--json").strip() == "[]"
    assert deployable.file.read_text() == DEMO


def test_a_program_that_fails_ends_up_with_the_advice(deployable: Project) -> None:
    (deployable.folder / "fail").touch()
    status, text = deployable.run("up")
    assert status == 1
    assert "as the test wants" in text
    assert text.endswith("Why: make doctor\n")


def wait_for_program(project: Project, started: subprocess.Popen[str]) -> None:
    """Wait until Pulumi runs the program."""
    deadline = time.monotonic() + 240
    while not (project.folder / "started").exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "interrupt",
    [
        pytest.param(lambda process: os.killpg(process.pid, signal.SIGINT), id="ctrl-c"),
        pytest.param(lambda process: process.terminate(), id="sigterm"),
    ],
)
def test_an_interrupted_up_leaves_a_stack_that_goes_on(
    deployable: Project, interrupt: Callable[[subprocess.Popen[str]], None]
) -> None:
    (deployable.folder / "slow").touch()
    started = deployable.start("up")
    wait_for_program(deployable, started)
    interrupt(started)
    text, _ = started.communicate(timeout=100)
    assert started.returncode == 130, text
    assert "Why:" not in text
    (deployable.folder / "slow").unlink()
    status, text = deployable.run("up")
    assert status == 0, text


def test_ctrl_c_on_a_terminal_is_not_a_failure(deployable: Project) -> None:
    """Pulumi reads it as a key there, and no other process gets a signal."""
    (deployable.folder / "slow").touch()
    up = f"stty rows 40 cols 150; exec {sys.executable} -m lifecycle up"
    started = subprocess.Popen(
        ["script", "--quiet", "--return", "--command", up, "/dev/null"],
        cwd=deployable.folder,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for_program(deployable, started)
    text, _ = started.communicate("\x03", timeout=100)
    assert "^C received" in text
    assert started.returncode == 130, text
    assert "Why:" not in text


def test_a_users_cluster_is_changed_after_a_preview_and_a_yes(deployable: Project) -> None:
    on_kind = ("--stack", "dev", "--context", "kind")
    status, text = deployable.run_on_terminal("up", *on_kind, answer="n\n")
    assert status == 1, text
    assert text.index("1 to create") < text.index("[y/N]")
    assert json.loads(pulumi(deployable, "stack", "export"))["deployment"].get("resources") is None
    assert deployable.file.read_text() == DEMO
    status, text = deployable.run_on_terminal("up", *on_kind, answer="y\n")
    assert status == 0, text
    assert "context: kind" in deployable.file.read_text()
    assert json.loads(pulumi(deployable, "stack", "export"))["deployment"]["resources"]
    status, text = deployable.run_on_terminal("down", *on_kind, answer="y\n")
    assert status == 0, text
    assert text.index("1 to delete") < text.index("[y/N]") < text.index("1 deleted")
    assert pulumi(deployable, "stack", "ls", "--json").strip() == "[]"
