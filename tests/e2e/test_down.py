"""Down leaves nothing on the machine, whatever it interrupts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.locations import state_dir
from tests.e2e.host_snapshot import HostSnapshot
from tests.e2e.machine import NAME, ROOT, SUBNET, Deployment, cluster

pytestmark = pytest.mark.journey


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
