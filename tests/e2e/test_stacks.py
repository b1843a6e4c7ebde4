"""Stacks of models on another stack's platform, in namespaces of their own: each comes and goes alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import all_objects, kubectl
from tests.e2e.machine import Completed, Deployment
from tests.e2e.models_on_platform import PLATFORM, stack_of_models

ANSWERS = {"sklearn": [1, 0], "sklearn-v2": [0, 1]}


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
    whose = f"stack organization/kserve-multi-model/{PLATFORM}'s"
    assert f"models[0].name: 'sklearn-model' in namespace 'default' is {whose}" in said
    assert "sklearn-model" in str(kubectl(deployment, "-n", "default", "get", "inferenceservices"))
