"""A stack without Knative on an empty cluster, from up to destroy, with Knative coming and going in between."""

from __future__ import annotations

import json

import pytest

from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import Deployment

STACK = "standard"


@pytest.fixture(scope="module")
def before(undeployed: Deployment) -> set[str]:
    """The objects of a cluster without the demo, which goes if its own test of that has not run."""
    if undeployed.exists():
        undeployed.destroy()
        undeployed.remove()
    return all_objects(undeployed)


@pytest.fixture(scope="module")
def alone(undeployed: Deployment, before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The demo in mode Standard, deployed there."""
    del before
    directory, text = tmp_path_factory.mktemp("standard"), undeployed.stack_file.read_text()
    made = Deployment.made(STACK, directory=directory, environment=undeployed.environment, text=text)
    made.configure(mode="Standard")
    made.up()
    return made


def knative(deployment: Deployment) -> set[str]:
    """What of Knative is in the cluster."""
    return {thing for thing in all_objects(deployment) if "knative" in thing.lower()}


def answers(deployment: Deployment, *options: str) -> dict[str, object]:
    checked = deployment.predict("--stack", deployment.stack, "--json", *options, timeout=300)
    assert checked.status == 0, checked.text
    return {model["endpoint"]["name"]: model["got"] for model in json.loads(checked.stdout)["models"]}


@pytest.mark.feature("a cluster without Knative", mode="Standard")
def test_the_demo_without_knative(alone: Deployment) -> None:
    assert knative(alone) == set()
    got = answers(alone)
    assert got["sklearn-model"] == [1, 0]
    assert got["xgboost-model"] == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert {name: endpoint["url"] for name, endpoint in alone.endpoints().items()} == {
        name: f"http://{name}.default.example.com" for name in got
    }


@pytest.mark.feature("up again changes nothing", mode="Standard")
def test_up_again_and_refresh_have_nothing_to_do(alone: Deployment) -> None:
    for command in (("up", "--yes", "--skip-preview"), ("refresh", "--yes", "--skip-preview"), ("preview",)):
        done = alone.pulumi(*command, "--expect-no-changes")
        assert done.status == 0, done.text[-4000:]


@pytest.mark.feature("Knative comes and goes with the models behind it", mode="both")
def test_knative_comes_with_the_first_model_behind_it_and_goes_with_the_last(alone: Deployment) -> None:
    models = alone.settings["models"]
    alone.configure(models=[*models, models[0] | {"name": "behind-knative", "mode": "Knative"}])
    alone.up()
    assert answers(alone)["behind-knative"] == [1, 0]
    assert knative(alone)
    alone.configure(models=models)
    alone.up()
    assert knative(alone) == set()
    assert answers(alone).keys() == {"sklearn-model", "xgboost-model", "multi-model-service"}
    changed = models[0] | {"storage_uri": "s3://models/sklearn-v2"}
    alone.configure(models=[changed | {"check": models[0]["check"] | {"predictions": [0, 1]}}, models[1]])
    alone.up()
    # The graph's check is of the version before.
    assert answers(alone, "--only", "sklearn-model") == {"sklearn-model": [0, 1]}


@pytest.mark.feature("destroy leaves nothing", mode="Standard")
def test_destroy_leaves_nothing_in_the_cluster(alone: Deployment, before: set[str]) -> None:
    alone.destroy()
    assert all_objects(alone) - before == set()
    alone.remove()
