"""Pods as the settings ask for them: what of it is in the InferenceService and beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.serving.inference_service import InferenceService
from endpoints.endpoint import Endpoint
from releases.official_0_20 import OFFICIAL_0_20
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


@pytest.mark.feature("a model's own name in requests", mode="both", proof="objects")
def test_a_model_has_its_own_name_in_requests() -> None:
    service, endpoint = served(model_name="iris.v2", protocol="v2", args=["--a"], transformer={"image": "own:v1"})
    spec = service["spec"]
    assert service["metadata"]["name"] == "iris"
    assert spec["predictor"]["model"]["args"] == ["--model_name=iris.v2", "--a"]
    assert spec["predictor"]["model"]["readinessProbe"]["httpGet"]["path"] == "/v2/models/iris.v2/ready"
    (transformer,) = spec["transformer"]["containers"]
    assert "--model_name=iris.v2" in transformer["args"]
    assert transformer["readinessProbe"]["httpGet"]["path"] == "/v2/models/iris.v2/ready"
    known = Endpoint.model_validate(endpoint)
    assert (known.name, known.served_name, known.host) == ("iris", "iris.v2", "iris.models.example.com")
    assert (known.metadata_path, known.predict_path) == ("/v2/models/iris.v2", "/v2/models/iris.v2/infer")


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"format": "vLLM", "protocol": "openai"}, "--served-model-name=own"),
        ({"format": "tensorflow"}, "--model_name=own"),
    ],
    ids=["vllm", "tensorflow"],
)
def test_each_server_gets_the_name_by_its_own_argument(settings: dict[str, Any], argument: str) -> None:
    assert predictor(release=OFFICIAL_0_20, model_name="own", **settings)["model"]["args"] == [argument]


@pytest.mark.feature("a model that is reached from inside the cluster only", mode="both", proof="objects")
@pytest.mark.parametrize(
    ("settings", "label", "host"),
    [
        ({"mode": "Knative"}, "networking.knative.dev/visibility", "iris.models.svc.cluster.local"),
        ({"mode": "Standard"}, "networking.kserve.io/visibility", "iris-predictor.models.svc.cluster.local"),
        (
            {"mode": "Standard", "transformer": {"image": "own:v1"}},
            "networking.kserve.io/visibility",
            "iris-transformer.models.svc.cluster.local",
        ),
    ],
    ids=["Knative", "Standard", "transformer"],
)
def test_a_cluster_local_model(settings: dict[str, Any], label: str, host: str) -> None:
    service, endpoint = served(visibility="cluster-local", **settings)
    assert service["metadata"]["labels"] == {label: "cluster-local"}
    known = Endpoint.model_validate(endpoint)
    assert (known.cluster_local, known.host, known.url) == (True, host, f"http://{host}")
    public, endpoint = served(**settings)
    assert "labels" not in public["metadata"]
    assert Endpoint.model_validate(endpoint).cluster_local is False
    for component in service["spec"]:
        declared = [one["spec"][component]["annotations"]["kserve-multi-model/declared"] for one in (service, public)]
        assert declared[0] != declared[1]


def test_the_example_of_a_cluster_local_model_says_where_to_ask() -> None:
    examples: list[str] = []
    args = arguments(visibility="cluster-local")
    record(lambda: InferenceService("iris", args=args).example.apply(examples.append) and None)
    assert examples == ["from a pod of the cluster: curl http://iris.models.svc.cluster.local/v1/models/iris"]


@pytest.mark.parametrize(("mode", "replaced"), [("Knative", False), ("Standard", True)])
def test_a_model_that_becomes_cluster_local_is_replaced_where_kserve_would_leave_its_routes(
    mode: str, *, replaced: bool
) -> None:
    args = arguments(mode=mode, visibility="cluster-local")
    service = record(lambda: InferenceService("iris", args=args)).the("v1beta1:InferenceService", "iris")
    assert ("metadata.labels" in service.replaced_by, bool(service.deleted_first)) == (replaced, replaced)


@pytest.mark.feature("resources of the container that downloads", mode="both", proof="objects")
def test_the_container_that_downloads_has_its_own_resources() -> None:
    args = arguments(storage_uri="s3://models/iris.v2", storage_initializer={"limits": {"memory": "4Gi"}})
    recording = record(lambda: InferenceService("iris", args=args))
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    storage = recording.the(":ClusterStorageContainer", "iris-storage")
    assert service.plain["spec"]["predictor"]["storageContainerName"] == "models.iris"
    assert recording.waits_for(service, storage)
    assert storage.plain["metadata"] == {"name": "models.iris"}
    spec = storage.plain["spec"]
    assert spec["container"]["name"] == "storage-initializer"
    assert spec["container"]["resources"] == {
        "requests": {"cpu": "100m", "memory": "100Mi"},
        "limits": {"cpu": "1", "memory": "4Gi"},
    }
    (fits,) = spec["supportedUriFormats"]
    assert service.plain["spec"]["predictor"]["model"]["storageUri"] == "s3://models/iris.v2/"
    assert re.search(fits["regex"], "s3://models/iris.v2/")
    for other in ("s3://models/iris.v2/b", "s3://models/iris-v2/", "as3://models/iris.v2/"):
        assert not re.search(fits["regex"], other)


def test_a_changed_container_that_downloads_starts_new_pods() -> None:
    hashes = {
        predictor(**settings)["annotations"]["kserve-multi-model/declared"]
        for settings in ({}, *({"storage_initializer": {"limits": {"memory": size}}} for size in ("1Gi", "2Gi")))
    }
    assert len(hashes) == 3
    assert "storageContainerName" not in predictor()


@pytest.mark.feature("one name in two namespaces", mode="both", proof="objects")
def test_two_models_have_the_same_name_in_two_namespaces() -> None:
    second: dict[str, Any] = {"name": "iris-b", "service_name": "iris", "namespace": "b", "storage_initializer": {}}
    both = [arguments(), arguments(**second, disruption_budget={"max_unavailable": 1})]
    endpoints: list[Any] = []

    def program() -> None:
        for args in both:
            InferenceService(args.model.name, args=args).endpoint.apply(endpoints.append)

    recording = record(program)
    names = {}
    for key in ("iris", "iris-b"):
        service = recording.the("serving.kserve.io/v1beta1:InferenceService", key)
        names[key] = (service.plain["metadata"]["namespace"], service.plain["metadata"]["name"])
        hook, _ = service.beforehand
        former: Any = recording.afterwards[hook].callback
        assert former.__self__.leftovers.models == ("iris",)
        rollout: Any = recording.afterwards[f"model-{key}-rollout"].callback
        assert rollout.__self__.name == "iris-predictor"
    assert names == {"iris": ("models", "iris"), "iris-b": ("b", "iris")}
    budget = recording.the(":PodDisruptionBudget", "iris-b-predictor").plain
    assert budget["metadata"] == {"name": "iris-predictor", "namespace": "b"}
    assert budget["spec"]["selector"]["matchLabels"] == OWN
    assert recording.the(":ClusterStorageContainer", "iris-b-storage").plain["metadata"] == {"name": "b.iris"}
    first, other = sorted(map(Endpoint.model_validate, endpoints), key=lambda endpoint: endpoint.name)
    assert (first.name, first.service, first.host) == ("iris", "iris", "iris.models.example.com")
    assert (other.name, other.service, other.host) == ("iris-b", "iris", "iris.b.example.com")
    assert (other.metadata_path, other.served_name) == ("/v1/models/iris", "iris")
