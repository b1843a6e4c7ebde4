"""What is killed comes back; destroy leaves nothing in the cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from contextlib import ExitStack

import psutil
import pytest

from benchmarks.load import Load, Target
from cluster.locations import state_dir
from endpoints.endpoint import Check, parse_endpoints
from tests.e2e.cluster_objects import all_objects, pods
from tests.e2e.machine import NAME, SUBNET, Deployment, cluster


def init_pid() -> int:
    return int((state_dir(NAME) / "container" / "pid").read_text())


def node_process(name: str) -> psutil.Process:
    """The node's own process of that name, not one of a pod's."""
    started = {}
    for process in psutil.Process(init_pid()).children(recursive=True):
        # Others come and go meanwhile.
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() == name:
                started[process.create_time()] = process
    return started[min(started)]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("kubelet", marks=pytest.mark.journey),
        "containerd",
        "registry",
        "versitygw",
        "kube-apiserver",
        "etcd",
    ],
)
def test_a_killed_program_comes_back(deployment: Deployment, program: str) -> None:
    assert deployment
    killed = node_process(program)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    repaired = cluster("up", "--name", NAME, "--subnet", SUBNET, timeout=300)
    assert repaired.status == 0, repaired.text
    # A kubelet that starts says for a moment that its node is not Ready, and `up` may have come before that.
    deadline = time.monotonic() + 60
    while (status := cluster("status", "--name", NAME)).status != 0:
        assert time.monotonic() < deadline, status.text
    assert node_process(program).pid != killed.pid


@pytest.mark.journey
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


@pytest.mark.journey
@pytest.mark.feature("destroy leaves nothing")
def test_destroy_leaves_nothing_in_the_cluster(deployment: Deployment, empty_cluster: frozenset[str]) -> None:
    asked = [
        Target(
            gateway=str(endpoint.gateway_address),
            host=endpoint.host,
            path=endpoint.predict_path,
            instances=endpoint.check.instances,
        )
        for endpoint in parse_endpoints(deployment.endpoints()).values()
        if isinstance(endpoint.check, Check)
    ]
    assert asked
    with ExitStack() as asking:
        loads = [asking.enter_context(Load(target, clients=2, rate=10)) for target in asked]
        while not all(load.shots.statuses[200] for load in loads):
            time.sleep(0.5)
        deployment.destroy()
    assert all_objects(deployment) - empty_cluster == set()
    assert pods(deployment, namespace="default") == []
    deployment.remove()
