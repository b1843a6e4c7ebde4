"""Pods as the settings ask for them: what of it is in the InferenceService and beside it."""

from __future__ import annotations

from typing import Any

import pytest

from components.serving.inference_service import InferenceService
from tests.unit.components.recording import record
from tests.unit.components.serving.test_inference_service import arguments, predictor, served

# Shared memory, which PyTorch uses between its processes.
SHM = "/dev/shm"  # noqa: S108 - of a pod
VOLUMES = [
    {"name": "shm", "mount_path": SHM, "empty_dir": {"medium": "Memory", "size_limit": "64Mi"}},
    {"name": "data", "mount_path": "/data", "persistent_volume_claim": "data", "read_only": True},
    {"name": "work", "mount_path": "/work", "persistent_volume_claim": "work"},
    {"name": "token", "mount_path": "/token", "secret": "token"},
    {"name": "words", "mount_path": "/words", "config_map": "words"},
]
DECLARED_VOLUMES = [
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
    {"name": "work", "persistentVolumeClaim": {"claimName": "work"}},
    {"name": "token", "secret": {"secretName": "token"}},
    {"name": "words", "configMap": {"name": "words"}},
]
MOUNTS = [
    {"name": "shm", "mountPath": SHM},
    {"name": "data", "mountPath": "/data", "readOnly": True},
    {"name": "work", "mountPath": "/work"},
    {"name": "token", "mountPath": "/token"},
    {"name": "words", "mountPath": "/words"},
]
OWN = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}
PODS: dict[str, Any] = {
    "affinity": {
        "node_affinity": {
            "required": [{"key": "gpu", "values": ["a100", "h100"]}, {"key": "spot", "operator": "DoesNotExist"}],
            "preferred": [{"weight": 5, "requirements": [{"key": "zone", "operator": "NotIn", "values": ["c"]}]}],
        },
        "pod_affinity": {"required": [{"topology_key": "zone", "labels": {"app": "store"}}]},
        "pod_anti_affinity": {"preferred": [{"topology_key": "kubernetes.io/hostname", "weight": 100}]},
    },
    "topology_spread": [{"topology_key": "zone", "max_skew": 2, "when_unsatisfiable": "DoNotSchedule"}],
    "priority_class": "urgent",
}


def declared_pods(labels: dict[str, str]) -> dict[str, Any]:
    required, preferred = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
    own = {"matchLabels": labels}
    near = {"labelSelector": {"matchLabels": {"app": "store"}}, "topologyKey": "zone"}
    away = {"labelSelector": own, "topologyKey": "kubernetes.io/hostname"}
    zone = {"key": "zone", "operator": "NotIn", "values": ["c"]}
    nodes = [
        {"key": "gpu", "operator": "In", "values": ["a100", "h100"]},
        {"key": "spot", "operator": "DoesNotExist"},
    ]
    return {
        "affinity": {
            "nodeAffinity": {
                required: {"nodeSelectorTerms": [{"matchExpressions": nodes}]},
                preferred: [{"weight": 5, "preference": {"matchExpressions": [zone]}}],
            },
            "podAffinity": {required: [near]},
            "podAntiAffinity": {preferred: [{"weight": 100, "podAffinityTerm": away}]},
        },
        "topologySpreadConstraints": [
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": own}
        ],
        "priorityClassName": "urgent",
    }


@pytest.mark.feature("arguments of a format's server", mode="both", proof="objects")
def test_arguments_of_a_format_are_in_the_model() -> None:
    """KServe appends them to those of the serving runtime."""
    assert predictor(args=["--workers=2", "--log-level", "debug"])["model"]["args"] == [
        *("--workers=2", "--log-level", "debug")
    ]


@pytest.mark.feature("variables of Secrets", mode="both", proof="objects")
@pytest.mark.parametrize("settings", [{}, {"container": {"image": "own:v1"}}], ids=["format", "container"])
def test_a_variable_of_a_secret_is_a_reference(settings: dict[str, Any]) -> None:
    environment = {"PLAIN": "text", "TOKEN": {"secret": "tokens", "key": "hf"}}
    spec = predictor(environment=environment, **settings)
    container = spec["containers"][0] if settings else spec["model"]
    assert container["env"][:2] == [
        {"name": "PLAIN", "value": "text"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "hf"}}},
    ]


@pytest.mark.feature("volumes", mode="both", proof="objects")
@pytest.mark.parametrize("settings", [{}, {"container": {"image": "own:v1"}}], ids=["format", "container"])
def test_volumes_are_in_the_pod_and_mounted_into_its_server(settings: dict[str, Any]) -> None:
    spec = predictor(volumes=VOLUMES, **settings)
    container = spec["containers"][0] if settings else spec["model"]
    assert (spec["volumes"], container["volumeMounts"]) == (DECLARED_VOLUMES, MOUNTS)


@pytest.mark.feature("affinity, topology spread and priority", mode="both", proof="objects")
def test_affinity_spread_and_priority() -> None:
    assert predictor(**PODS).items() >= declared_pods(OWN).items()


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_a_transformer_and_an_explainer_have_pods_of_their_own(component: str) -> None:
    own = {"image": "own:v1", "volumes": VOLUMES, "node_selector": {"a": "b"}, **PODS}
    own |= {"environment": {"TOKEN": {"secret": "tokens", "key": "hf"}}}
    own |= {"tolerations": [{"key": "a", "operator": "Exists"}]}
    spec = served(**{component: own})[0]["spec"][component]
    assert spec.items() >= declared_pods({**OWN, "component": component}).items()
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"a": "b"}, [{"key": "a", "operator": "Exists"}])
    (container,) = spec["containers"]
    assert (spec["volumes"], container["volumeMounts"]) == (DECLARED_VOLUMES, MOUNTS)
    assert container["env"] == [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "hf"}}}]


@pytest.mark.parametrize(
    "change",
    [{"args": ["--a"]}, {"environment": {"A": {"secret": "a", "key": "b"}}}, {"volumes": VOLUMES}, PODS],
    ids=["args", "environment", "volumes", "pods"],
)
def test_every_change_of_the_pods_changes_the_hash(change: dict[str, Any]) -> None:
    declared = [predictor(**settings)["annotations"]["kserve-multi-model/declared"] for settings in ({}, change)]
    assert declared[0] != declared[1]


@pytest.mark.feature("a disruption budget", mode="both", proof="objects")
def test_each_server_has_its_own_disruption_budget() -> None:
    args = arguments(
        replicas={"min": 2, "max": 2},
        disruption_budget={"min_available": "50%"},
        transformer={"image": "own:v1", "disruption_budget": {"max_unavailable": 1}},
    )
    recording = record(lambda: InferenceService("iris", args=args))
    specs = {}
    for component in ("predictor", "transformer"):
        budget = recording.the("kubernetes:policy/v1:PodDisruptionBudget", f"iris-{component}")
        assert budget.plain["metadata"] == {"name": f"iris-{component}", "namespace": "models"}
        assert budget.parent == recording.the("kserve-multi-model:serving:InferenceService", "iris").urn
        specs[component] = budget.plain["spec"]
    assert specs == {
        "predictor": {"minAvailable": "50%", "selector": {"matchLabels": OWN}},
        "transformer": {"maxUnavailable": 1, "selector": {"matchLabels": {**OWN, "component": "transformer"}}},
    }


def test_a_budget_that_can_block_a_drain_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    args = arguments(replicas={"min": 1, "max": 2}, disruption_budget={"min_available": 1})
    record(lambda: InferenceService("iris", args=args))
    (warning,) = caplog.messages
    assert "the disruption budget of iris-predictor allows no eviction while it has only replicas.min, 1" in warning


@pytest.mark.feature("Knative's own settings of its autoscaler", proof="objects")
def test_settings_of_knatives_autoscaler_are_annotations() -> None:
    scale = {
        "window": 6,
        "target_utilization_percentage": 90,
        "initial_scale": 2,
        "scale_to_zero_pod_retention_period": 0,
    }
    service, _ = served(replicas={"min": 0, "max": 2}, scale=scale)
    given = {
        key.removeprefix("autoscaling.knative.dev/"): value
        for key, value in service["metadata"]["annotations"].items()
        if key.startswith("autoscaling.knative.dev/")
    }
    assert given == {
        "window": "6s",
        "target-utilization-percentage": "90",
        "initial-scale": "2",
        "scale-to-zero-pod-retention-period": "0s",
    }
