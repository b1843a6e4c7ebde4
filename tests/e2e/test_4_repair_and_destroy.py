"""What is killed comes back; destroy and down leave nothing, in the cluster or on the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cluster.locations import state_dir
from tests.e2e.cluster_objects import all_objects
from tests.e2e.host_snapshot import HostSnapshot
from tests.e2e.machine import NAME, ROOT, SUBNET, Deployment, cluster


def init_pid() -> int:
    return int((state_dir(NAME) / "container" / "pid").read_text())


def node_process(name: str) -> psutil.Process:
    """The node's own process of that name, not one of a pod's."""
    found = [p for p in psutil.Process(init_pid()).children(recursive=True) if p.name() == name]
    return min(found, key=lambda process: process.create_time())


@pytest.mark.parametrize("program", ["kubelet", "containerd", "registry", "versitygw", "kube-apiserver", "etcd"])
def test_a_killed_program_comes_back(deployment: Deployment, program: str) -> None:
    assert deployment
    killed = node_process(program)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    repaired = cluster("up", "--name", NAME, "--subnet", SUBNET, timeout=300)
    assert repaired.status == 0, repaired.text
    assert cluster("status", "--name", NAME).status == 0
    assert node_process(program).pid != killed.pid


def test_a_killed_node_comes_back_with_its_models(deployment: Deployment) -> None:
    os.kill(init_pid(), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while cluster("status", "--name", NAME).status == 0:
        assert time.monotonic() < deadline
    repaired = cluster("up", "--name", NAME, "--subnet", SUBNET, timeout=300)
    assert repaired.status == 0, repaired.text
    assert "started again" in repaired.text
    checked = deployment.predict("--stack", deployment.stack, "--timeout", "240")
    assert checked.status == 0, checked.text


def test_destroy_leaves_nothing_in_the_cluster(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = set(json.loads((tmp_path_factory.getbasetemp() / "objects-before.json").read_text()))
    destroyed = deployment.pulumi("destroy", "--yes", "--skip-preview", timeout=600)
    assert destroyed.status == 0, destroyed.text[-6000:]
    assert all_objects(deployment) - before == set()
    assert deployment.pulumi("stack", "rm", "--yes", "--preserve-config").status == 0


def test_down_leaves_nothing_on_the_machine(host_before: HostSnapshot, deployment: Deployment) -> None:
    assert deployment
    down = cluster("down", "--name", NAME)
    assert down.status == 0, down.text
    assert HostSnapshot.take().left_behind(host_before) == {}
    assert not state_dir(NAME).exists()
    assert "nothing to do" in cluster("down", "--name", NAME).text


def test_an_interrupted_up_leaves_a_state_from_which_up_and_down_work(host_before: HostSnapshot) -> None:
    command = [sys.executable, "-m", "cluster", "up", "--name", NAME, "--subnet", SUBNET]
    starting = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (state_dir(NAME) / "container" / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    starting.send_signal(signal.SIGTERM)
    _, said = starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert "interrupted" in said
    again = cluster("up", "--name", NAME, "--subnet", SUBNET)
    assert again.status == 0, again.text
    assert cluster("down", "--name", NAME).status == 0
    assert HostSnapshot.take().left_behind(host_before) == {}
    assert not Path(state_dir(NAME)).exists()
