"""Stacks of models on another stack's platform, in namespaces of their own: each comes and goes alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from benchmarks.load import Load, Target, send_and_hold
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import all_objects, kubectl, pods
from tests.e2e.machine import Completed, Deployment
from tests.e2e.models_on_platform import PLATFORM, stack_of_models

ANSWERS = {"sklearn": [1, 0], "sklearn-v2": [0, 1]}
SKLEARN: dict[str, Any] = {"format": "sklearn", "storage_uri": "s3://models/sklearn", "storage": "demo"}
PLAIN = {"mode": "Standard"}
# A batch that is never full holds its requests, here for almost as long as they may take.
HOLDING = SKLEARN | {"batcher": {"max_batch_size": 1000, "max_latency": 280_000}}
ARRIVING_SECONDS = 5
ROWS: list[JsonValue] = [[*row] for row in INSTANCES]


def team(stack: str, version: str, mode: str, *, directory: Path, deployment: Deployment) -> Deployment:
    """A stack with a model called `flowers`."""
    flowers = {
        "name": "flowers",
        "format": "sklearn",
        "storage_uri": f"s3://models/{version}",
        "storage": "demo",
        "check": {"instances": INSTANCES, "predictions": ANSWERS[version]},
    }
    return stack_of_models(stack, flowers, mode=mode, directory=directory, deployment=deployment)


def right(done: Completed) -> None:
    assert done.status == 0, done.text[-4000:]


@pytest.fixture(scope="module")
def teams(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Deployment]]:
    directory = tmp_path_factory.mktemp("teams")
    one = team("team-a", "sklearn", "Knative", directory=directory, deployment=deployment)
    other = team("team-b", "sklearn-v2", "Standard", directory=directory, deployment=deployment)
    yield one, other
    for stack in (one, other):
        stack.pulumi("destroy", "--yes", "--skip-preview")
        stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


@pytest.mark.journey
@pytest.mark.feature("models in several namespaces, made when missing", mode="both")
@pytest.mark.feature("the platform in one stack, models in others", mode="both")
def test_two_stacks_of_models_on_one_platform_come_and_go_alone(
    deployment: Deployment, teams: tuple[Deployment, Deployment]
) -> None:
    one, other = teams
    before = all_objects(deployment)
    right(one.pulumi("up", "--yes", "--skip-preview"))
    only_one = all_objects(deployment)
    right(other.pulumi("up", "--yes", "--skip-preview"))
    right(one.predict("--stack", one.stack))
    right(other.predict("--stack", other.stack))
    right(one.pulumi("preview", "--expect-no-changes"))

    right(other.pulumi("destroy", "--yes", "--skip-preview"))
    assert all_objects(deployment) - only_one == set()
    right(one.predict("--stack", one.stack))
    right(deployment.predict("--stack", deployment.stack))
    right(one.pulumi("destroy", "--yes", "--skip-preview"))
    assert all_objects(deployment) - before == set()


@pytest.mark.journey
def test_what_is_another_stacks_is_refused_at_preview(
    deployment: Deployment, teams: tuple[Deployment, Deployment]
) -> None:
    one, _ = teams
    good = one.stack_file.read_text()
    one.stack_file.write_text(good.replace("flowers", "sklearn-model"))
    one.configure(cluster={"namespace": "default"})
    refused = one.pulumi("preview")
    one.stack_file.write_text(good)
    assert refused.status != 0
    said = " ".join(refused.text.split())
    whose = f"stack organization/kserve-multi-model/{PLATFORM}"
    assert f"models[0].name: 'sklearn-model' in namespace 'default' belongs to {whose}" in said
    assert "sklearn-model" in str(kubectl(deployment, "-n", "default", "get", "inferenceservices"))


@pytest.fixture
def busy(deployment: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """Models in each mode, two that answer and two that keep their requests waiting, and a graph of the latter."""
    models: list[dict[str, Any]] = [
        SKLEARN | {"name": "asked"},
        SKLEARN | PLAIN | {"name": "asked-plain"},
        HOLDING | {"name": "holding"},
        HOLDING | PLAIN | {"name": "holding-plain"},
    ]
    graph = {"name": "both", "ensemble": ["holding", "holding-plain"]}
    stack = stack_of_models("busy", *models, graphs=[graph], directory=tmp_path, deployment=deployment)
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")
    stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


@pytest.mark.feature("destroy leaves nothing of busy models, and does not wait for their requests", mode="both")
def test_busy_models_and_their_graph_go_with_requests_in_flight(deployment: Deployment, busy: Deployment) -> None:
    before = all_objects(deployment)
    right(busy.pulumi("up", "--yes", "--skip-preview"))
    targets = {
        name: Target(
            gateway=endpoint["gateway_address"],
            host=endpoint["host"],
            path=endpoint["predict_path"],
            instances=ROWS,
        )
        for name, endpoint in busy.endpoints().items()
    }
    with ExitStack() as asking:
        loads = [asking.enter_context(Load(targets[name], clients=2, rate=10)) for name in ("asked", "asked-plain")]
        waiting = [send_and_hold(targets[name]) for name in ("holding", "holding-plain", "both")]
        time.sleep(ARRIVING_SECONDS)
        assert [load.shots.summary for load in loads if load.shots.failures] == []
        assert waiting == [[], [], []]
        right(busy.pulumi("destroy", "--yes", "--skip-preview"))
        # A destroy that waited for them would have seen them answered.
        assert [outcome for outcomes in waiting for outcome in outcomes if outcome.startswith("200")] == []
        assert all_objects(deployment) - before == set()
        assert pods(deployment, namespace=busy.stack) == []
    right(deployment.predict("--stack", deployment.stack))
