"""One local cluster and one deployment for all end-to-end tests, in the order of a deployment's life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.host_snapshot import HostSnapshot
from tests.e2e.machine import NAME, NODE, ROOT, SUBNET, Deployment, cluster, run

STACK = "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def host_before() -> HostSnapshot:
    """The machine before the cluster; what an interrupted run left is removed first."""
    gone = cluster("down", "--name", NAME)
    assert gone.status == 0, gone.text
    return HostSnapshot.take()


@pytest.fixture(scope="session")
def node(host_before: HostSnapshot) -> Iterator[dict[str, str]]:
    """A running local cluster; gives the variables a shell gets from `python -m cluster env`."""
    del host_before
    up = cluster("up", "--name", NAME, "--subnet", SUBNET)
    assert up.status == 0, up.text
    yield environment()
    cluster("down", "--name", NAME)


def environment() -> dict[str, str]:
    """What `eval "$(python -m cluster env)"` sets."""
    lines = cluster("env", "--name", NAME).stdout
    shell = run("bash", "-c", f"{lines}\nenv -0", env={})
    return dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)


@pytest.fixture(scope="session")
def deployment(node: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The demo's stack on this cluster; nothing is deployed yet."""
    text = (ROOT / "Pulumi.dev.yaml").read_text().replace("198.19.0.2", NODE)
    return Deployment.made(STACK, directory=tmp_path_factory.mktemp("stack"), environment=node, text=text)
