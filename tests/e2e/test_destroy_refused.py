"""A destroy or an up that would harm others, or hang, ends before it deletes anything, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import Deployment, need, run

# By a user's hand, with no stack. Stopped, so that it needs no room.
BY_HAND = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: by-hand, namespace: team-b, annotations: {serving.kserve.io/stop: "true"}}
spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: "s3://models/sklearn"}}}
"""


# By a user's hand, in the namespace of the monitoring. Without pods, so that it needs no room.
IN_MONITORING = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs, namespace: monitoring}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: exporter, namespace: monitoring}
spec:
  replicas: 0
  selector: {matchLabels: {app: exporter}}
  template: {metadata: {labels: {app: exporter}}, spec: {containers: [{name: exporter, image: "registry.example/a:1"}]}}
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


@pytest.fixture
def monitored(deployment: Deployment) -> Iterator[Deployment]:
    """The demo with monitoring; afterwards without."""
    settings = deployment.stack_file.read_text()
    need("monitoring")
    deployment.configure(monitoring=True)
    deployment.up()
    yield deployment
    kubectl(deployment, "delete", "--ignore-not-found", "-f", "-", stdin=IN_MONITORING)
    deployment.stack_file.write_text(settings)
    deployment.up()


@pytest.mark.feature("an up that would remove a part with something of others in it is refused")
def test_monitoring_with_something_of_others_is_not_removed(monitored: Deployment) -> None:
    kubectl(monitored, "apply", "-f", "-", stdin=IN_MONITORING)
    theirs = ": configmaps monitoring/theirs; deployments.apps monitoring/exporter. "
    assert f"which are this stack's{theirs}Destroy" in refused_destroy(monitored)

    monitored.configure(monitoring=False)
    before = all_objects(monitored)
    for command in (("preview",), ("up", "--yes"), ("up", "--yes", "--skip-preview")):
        done = monitored.pulumi(*command)
        said = " ".join(done.text.split())
        assert done.status != 0, said
        refusal = (
            "monitoring: this would remove the monitoring, and with it what others have in its namespace monitoring"
        )
        assert f"{refusal}{theirs}Delete these first" in said
        assert all_objects(monitored) == before

    kubectl(monitored, "delete", "-f", "-", stdin=IN_MONITORING)
    monitored.up()
    left = all_objects(monitored)
    assert "Namespace//monitoring" not in left
    assert not [thing for thing in left if "/monitoring/" in thing]


@pytest.mark.journey
@pytest.mark.feature("a destroy that would hang ends with words", mode="both")
def test_a_destroy_without_kserves_controller_ends_with_words(deployment: Deployment) -> None:
    with kserve_stopped(deployment):
        said = refused_destroy(deployment)
    assert "nothing was deleted: it would hang" in said
    assert "KServe's controller" in said
    assert "python -m predict doctor" in said
