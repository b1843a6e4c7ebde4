"""One local cluster and one platform for all end-to-end tests, deployed when a test first needs them.

The platform is the demo's stack, which stays as it is deployed. A module with models of its own has them in a stack of
models on that platform, in a namespace of their own (tests/e2e/models_on_platform.py), and takes them away again. Every
module runs alone, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster_objects import all_objects
from tests.e2e.host_snapshot import HostSnapshot
from tests.e2e.machine import NAME, NODE, ROOT, SUBNET, Deployment, cluster, run
from tests.e2e.models_on_platform import PLATFORM

# The order of a deployment's life: first what needs an empty cluster, last what takes away what the others share. The
# others come between, in any order.
FIRST = ("test_local_cluster", "test_rights", "test_demo")
LAST = (
    "test_repair_and_destroy",
    "test_private_registries",
    "test_without_knative",
    "test_partly_existing_platform",
    "test_down",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_end_to_end(item):
            item.add_marker(pytest.mark.e2e)
    items.sort(key=_turn)


def _is_end_to_end(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _turn(item: pytest.Item) -> int:
    """Where a module comes in the order; the fast tests come first."""
    order = (*FIRST, "", *LAST)
    return order.index(item.path.stem if item.path.stem in order else "") + 1 if _is_end_to_end(item) else 0


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
def undeployed(node: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The demo's stack on this cluster; nothing is deployed yet."""
    text = (ROOT / "tests" / "stacks" / "dev.yaml").read_text().replace("198.19.0.2", NODE)
    return Deployment.made(PLATFORM, directory=tmp_path_factory.mktemp("stack"), environment=node, text=text)


@pytest.fixture(scope="session")
def empty_cluster(undeployed: Deployment) -> frozenset[str]:
    """Every object of the cluster before anything is deployed."""
    return frozenset(all_objects(undeployed))


@pytest.fixture(scope="session")
def deployment(undeployed: Deployment, empty_cluster: frozenset[str]) -> Deployment:
    """The demo's stack, deployed: what tests share. Who changes it changes it back."""
    del empty_cluster
    undeployed.up()
    return undeployed
