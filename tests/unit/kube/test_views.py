"""What is read of an object, and what counts as missing."""

from __future__ import annotations

from typing import Any

import pytest

from kube.views.base import Condition, condition, is_true
from kube.views.knative import KnativeService
from kube.views.kserve import ClusterServingRuntime, InferenceGraph, InferenceService, ServingRuntime, not_true
from kube.views.kubernetes import Deployment, Namespace, Pod

STATUS: dict[str, Any] = {
    "url": "http://iris.default.example.com",
    "deploymentMode": "Knative",
    "modelStatus": {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"reason": "r", "message": "m"}},
    "components": {"predictor": {"previousRolledoutRevision": "iris-1", "traffic": [{"percent": 90}]}},
    "conditions": [{"type": "Ready", "status": "False", "reason": "why"}, {"type": "Stopped", "status": "False"}],
}


def test_an_inference_service() -> None:
    service = InferenceService.model_validate({"metadata": {"name": "iris", "namespace": "default"}, "status": STATUS})
    assert (service.name, service.namespace, service.host) == ("iris", "default", "iris.default.example.com")
    assert (service.ready, service.standard, service.mode) == (False, False, "Knative")
    assert (service.transition, service.failure_reason, service.failure_message) == ("BlockedByFailedLoad", "r", "m")
    assert (service.previous_revision, service.traffic[0].percent) == ("iris-1", 90)
    assert list(map(str, not_true(service.conditions))) == ["Ready=False (why)"]


def test_a_location_is_that_of_the_model_or_of_its_container() -> None:
    model = {"model": {"storageUri": "s3://models/iris/"}}
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    container = {"containers": [{"env": [secret, {"name": "STORAGE_URI", "value": "s3://models/own/"}]}]}
    found: list[dict[str, Any]] = [model, container, {"containers": [{"image": "a"}]}, {"containers": []}, {}]
    services = [InferenceService.model_validate({"metadata": {}, "spec": {"predictor": spec}}) for spec in found]
    assert [service.location for service in services] == ["s3://models/iris/", "s3://models/own/", "", "", ""]


@pytest.mark.parametrize("empty", [{}, {"spec": None, "status": None}, {"status": {"modelStatus": None, "url": None}}])
def test_null_means_the_same_as_missing(empty: dict[str, Any]) -> None:
    service = InferenceService.model_validate({"metadata": {"name": "iris", "labels": None}, **empty})
    assert (service.transition, service.url, service.conditions, service.service_account) == ("", "", (), "default")


def test_a_graph_runs_in_the_mode_that_is_declared() -> None:
    key = "serving.kserve.io/deploymentMode"
    standard = InferenceGraph.model_validate({"metadata": {"annotations": {key: "Standard"}}})
    assert (standard.mode, InferenceGraph.model_validate({"metadata": {}}).mode) == ("Standard", "Knative")


@pytest.mark.parametrize(("mode", "standard"), [("Standard", True), ("RawDeployment", True), ("Serverless", False)])
def test_before_a_status_the_annotation_says_the_mode(mode: str, standard: bool) -> None:
    metadata = {"annotations": {"serving.kserve.io/deploymentMode": mode}}
    assert InferenceService.model_validate({"metadata": metadata}).standard is standard


@pytest.mark.parametrize(
    ("mode", "label", "inside"),
    [
        ("Knative", "networking.knative.dev/visibility", True),
        ("Knative", "networking.kserve.io/visibility", False),
        ("Standard", "networking.kserve.io/visibility", True),
        ("Standard", "networking.knative.dev/visibility", False),
        ("Knative", "other", False),
    ],
)
def test_a_model_is_cluster_local_by_the_label_of_its_mode(mode: str, label: str, *, inside: bool) -> None:
    found = {"metadata": {"labels": {label: "cluster-local"}}, "status": {"deploymentMode": mode}}
    assert InferenceService.model_validate(found).cluster_local is inside


def test_a_format_version_may_be_a_number() -> None:
    formats = [{"name": "sklearn", "version": 1, "autoSelect": True}]
    runtime = ClusterServingRuntime.model_validate({"metadata": {}, "spec": {"supportedModelFormats": formats}})
    assert runtime.formats[0].version == "1"


def test_what_knative_and_kubernetes_were_told_and_did() -> None:
    template = {"metadata": {"annotations": {"hash": "a"}, "labels": {"app": "iris"}}}
    told = {"metadata": {"generation": 2}, "spec": {"template": template, "traffic": [{"latestRevision": True}]}}
    service = KnativeService.model_validate(told | {"status": {"observedGeneration": 1}})
    assert (service.metadata.generation, service.observed_generation) == (2, 1)
    assert (service.template_annotations, service.traffic[0].latest) == ({"hash": "a"}, True)
    deployment = Deployment.model_validate(told | {"status": {"updatedReplicas": 1}})
    assert (deployment.pod_annotations, deployment.pod_labels) == ({"hash": "a"}, {"app": "iris"})
    assert (deployment.wanted, deployment.updated, deployment.available) == (1, 1, 0)


def test_states_of_a_container() -> None:
    statuses = [
        {"name": "runs", "state": {"running": {}}},
        {"name": "ended", "state": {"terminated": {"exitCode": 0}}, "lastState": {"terminated": {"exitCode": 1}}},
        {"name": "restarts", "state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 3}}},
    ]
    pod = Pod.model_validate({"metadata": {}, "status": {"containerStatuses": statuses}})
    assert [status.running is not None for status in pod.containers] == [True, False, False]
    assert [status.failed and status.failed.exit_code for status in pod.containers] == [None, None, 3]


def test_conditions() -> None:
    conditions = (Condition(type="Ready", status="True"), Condition(type="Later", status="Unknown", message="m"))
    assert (is_true(conditions, "Ready"), is_true(conditions, "Later"), is_true(conditions, "None")) == (
        True,
        False,
        False,
    )
    assert str(condition(conditions, "Later")) == "Later=Unknown (m)"


def test_paths() -> None:
    assert Namespace.path() == "/api/v1/namespaces"
    assert Pod.path(namespace="team") == "/api/v1/namespaces/team/pods"
    assert (
        ServingRuntime.path(namespace="a", name="b")
        == "/apis/serving.kserve.io/v1alpha1/namespaces/a/servingruntimes/b"
    )
