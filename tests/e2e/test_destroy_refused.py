"""A destroy that would harm others or hang ends before it deletes anything, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import Deployment, run

# By a user's hand, with no stack. Stopped, so that it needs no room.
BY_HAND = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: by-hand, namespace: team-b, annotations: {serving.kserve.io/stop: "true"}}
spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: "s3://models/sklearn"}}}
"""


def kubectl(deployment: Deployment, *arguments: str, stdin: str | None = None) -> None:
    done = run("kubectl", *arguments, env=deployment.environment, stdin=stdin)
    assert done.status == 0, done.text


@contextmanager
def kserve_stopped(deployment: Deployment) -> Iterator[None]:
    """KServe's controller does not run meanwhile."""
    scale = ("-n", "kserve", "scale", "deployment/kserve-controller-manager")
    kubectl(deployment, *scale, "--replicas=0")
    try:
        yield
    finally:
        kubectl(deployment, *scale, "--replicas=1")
        kubectl(deployment, "-n", "kserve", "rollout", "status", "deployment/kserve-controller-manager")


def refused_destroy(deployment: Deployment) -> str:
    """What a destroy says that changes nothing."""
    before = all_objects(deployment)
    done = deployment.pulumi("destroy", "--yes", "--skip-preview", timeout=300)
    assert done.status != 0
    assert all_objects(deployment) == before
    return " ".join(done.text.split())


@pytest.mark.feature("a destroy that would take models of others is refused", mode="both")
def test_a_platform_with_models_of_others_stays(deployment: Deployment) -> None:
    kubectl(deployment, "create", "namespace", "team-b")
    try:
        kubectl(deployment, "apply", "-f", "-", stdin=BY_HAND)
        said = refused_destroy(deployment)
        assert "nothing was deleted" in said
        assert "inferenceservices.serving.kserve.io team-b/by-hand. Destroy their stacks or delete them first" in said
    finally:
        kubectl(deployment, "delete", "namespace", "team-b")
    again = deployment.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]


@pytest.mark.journey
@pytest.mark.feature("a destroy that would hang ends with words", mode="both")
def test_a_destroy_without_kserves_controller_ends_with_words(deployment: Deployment) -> None:
    with kserve_stopped(deployment):
        said = refused_destroy(deployment)
    assert "nothing was deleted: it would hang" in said
    assert "KServe's controller" in said
    assert "python -m predict doctor" in said
