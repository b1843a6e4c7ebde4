"""Tests touch nothing of a user's: no stack file is lost, no setting in the environment changes a result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import machine

ROOT = Path(__file__).parents[2]
# Like Pulumi: writes its salt into the stack file of the project's folder, whatever the stack file is.
PULUMI = """\
#!/bin/sh
folder=.
while [ $# -gt 0 ]; do
  case "$1" in init) stack=$2 ;; --cwd) folder=$2 ;; esac
  shift
done
[ -z "$stack" ] || echo "encryptionsalt: s" >> "$folder/Pulumi.$stack.yaml"
"""
VARIABLES = {
    "CACHE_FROM": "/nowhere",
    "KUBECONFIG": "/nowhere",
    "PULUMI_HOME": "/nowhere",
    "PULUMI_K8S_DELETE_UNREACHABLE": "true",
    "AWS_PROFILE": "nowhere",
    "https_proxy": "http://127.0.0.1:1",
}


def pytest_of(*arguments: str, **environment: str) -> str:
    """Run pytest in a process of its own; it succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_users_own_stack_file_survives_a_stack_of_this_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, programs, folder = (tmp_path / name for name in ("project", "programs", "folder"))
    for made in (project, programs, folder):
        made.mkdir()
    (programs / "pulumi").write_text(PULUMI)
    (programs / "pulumi").chmod(0o755)
    (project / "Pulumi.yaml").write_text("name: kserve-multi-model\n")
    (project / "Pulumi.models.yaml").write_text("config: mine\n")
    monkeypatch.setattr(machine, "ROOT", project)
    path = f"{programs}:{os.environ['PATH']}"
    stack = machine.Deployment.made("models", directory=folder, environment={"PATH": path}, text="config: {}\n")
    assert (project / "Pulumi.models.yaml").read_text() == "config: mine\n"
    assert stack.stack_file.read_text() == "config: {}\n"
    assert {file.name for file in project.iterdir()} == {"Pulumi.yaml", "Pulumi.models.yaml"}


def test_the_users_environment_does_not_reach_the_fast_tests() -> None:
    tests = "tests/unit/cluster/test_command_line.py::test_a_cluster_of_the_users_needs_no_root_nor_debian"
    assert "1 passed" in pytest_of(tests, **VARIABLES)


# A route to every subnet that a local cluster may have, in hexadecimal as Linux writes it.
IN_USE = """Iface Destination Gateway Flags RefCnt Use Metric Mask
eth0 000012C6 00000000 0001 0 0 0 0000FEFF
"""


@pytest.mark.parametrize("routes", [None, IN_USE], ids=["not Linux", "every subnet in use"])
def test_all_tests_can_be_collected_on_any_machine(tmp_path: Path, routes: str | None) -> None:
    """`make unit` collects the end-to-end tests, too; it works on macOS."""
    file = tmp_path / "routes"
    if routes:
        file.write_text(routes)
    (tmp_path / "other_routes.py").write_text(
        f"from pathlib import Path\nfrom cluster.node import network\nnetwork.ROUTES = Path({str(file)!r})\n"
    )
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    collected = pytest_of("-p", "other_routes", "--collect-only", "tests/e2e", PYTHONPATH=path)
    assert "test_demo.py" in collected
