"""Pods as users need them: what the settings ask for is in the running pods, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import all_objects, kubectl
from tests.e2e.machine import GATEWAY, Deployment, run
from tests.e2e.models_on_platform import stack_of_models

NAMESPACE = "pods"
TWIN = "pods-twin"
FEATURES = [
    "podspec-affinity",
    "podspec-persistent-volume-claim",
    "podspec-priorityclassname",
    "podspec-topologyspreadconstraints",
]
SHM = "/dev/shm"  # noqa: S108 - of a pod
HOSTNAME = "kubernetes.io/hostname"
# What the models need and their stack does not make.
NEEDED: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "pods-urgent"},
        "value": 1000,
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "answers", "namespace": NAMESPACE},
        "stringData": {"probabilities": "true"},
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pods-data"},
        "spec": {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "pods",
            "hostPath": {"path": "/var/pods-data", "type": "DirectoryOrCreate"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "pods",
            "volumeName": "pods-data",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    },
]
PODS: dict[str, Any] = {
    "model_name": "irises",
    "args": ["--grpc_port=8085"],
    "environment": {"PREDICT_PROBA": {"secret": "answers", "key": "probabilities"}},
    "volumes": [
        {"name": "shm", "mount_path": SHM, "empty_dir": {"medium": "Memory", "size_limit": "16Mi"}},
        {"name": "data", "mount_path": "/data", "persistent_volume_claim": "data", "read_only": True},
    ],
    "affinity": {
        "node_affinity": {"required": [{"key": "kubernetes.io/os", "values": ["linux"]}]},
        "pod_anti_affinity": {"preferred": [{"topology_key": HOSTNAME, "weight": 10}]},
    },
    "topology_spread": [{"topology_key": HOSTNAME}],
    "priority_class": "pods-urgent",
    "disruption_budget": {"max_unavailable": 1},
    "storage_initializer": {"limits": {"memory": "900Mi"}},
}
SCALE = {"target_utilization_percentage": 90, "initial_scale": 1, "scale_to_zero_pod_retention_period": 3600}


@pytest.fixture(scope="module")
def platform(deployment: Deployment) -> Iterator[Deployment]:
    """The platform, whose Knative lets models of other stacks have all that the models here need."""
    before = deployment.stack_file.read_text()
    deployment.configure(knative={"pod_features": FEATURES, "registries_skipping_tag_resolving": ["tags.example:5000"]})
    deployment.up()
    yield deployment
    deployment.stack_file.write_text(before)
    deployment.up()


@pytest.fixture(scope="module")
def stack(platform: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    before = all_objects(platform)
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": NEEDED})
    made = run("kubectl", "apply", "-f", "-", env=platform.environment, stdin=objects)
    assert made.status == 0, made.text
    (sklearn,) = (dict(model) for model in platform.settings["models"] if model["name"] == "sklearn-model")
    sklearn |= {"replicas": {"min": 1, "max": 1}, "check": None}
    models = [
        sklearn | {"name": "bound", "replicas": {"min": 0, "max": 1}, "scale": SCALE} | PODS,
        sklearn | {"name": "alone", "mode": "Standard"} | PODS,
        sklearn | {"name": "inside", "visibility": "cluster-local", "check": _check([1, 0])},
        sklearn | {"name": "twin", "service_name": "bound", "namespace": TWIN, "check": _check([1, 0])},
    ]
    stack = stack_of_models(NAMESPACE, *models, directory=tmp_path_factory.mktemp("stack"), deployment=platform)
    try:
        stack.up()
        yield stack
    finally:
        stack.destroy()
        stack.remove()
        gone = run("kubectl", "delete", "-f", "-", env=platform.environment, stdin=objects)
        assert gone.status == 0, gone.text
    assert all_objects(platform) - before == set()


def _check(predictions: list[Any]) -> dict[str, Any]:
    return {"instances": INSTANCES, "predictions": predictions}


def asked(name: str, *, model: str) -> requests.Response:
    """The answer through the gateway."""
    return requests.post(
        f"{GATEWAY}/v1/models/{model}:predict",
        json={"instances": INSTANCES},
        headers={"Host": f"{name}.{NAMESPACE}.example.com"},
        timeout=60,
    )


def pod_of(stack: Deployment, name: str) -> dict[str, Any]:
    selector = f"serving.kserve.io/inferenceservice={name},component=predictor"
    pods = kubectl(stack, "-n", NAMESPACE, "get", "pods", "-l", selector)["items"]
    (pod,) = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    found: dict[str, Any] = pod
    return found


def server_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = (one for one in pod["spec"]["containers"] if one["name"] == "kserve-container")
    found: dict[str, Any] = container
    return found


def inside(stack: Deployment, pod: str, *command: str) -> str:
    """What a command in a pod's server says."""
    words = ("kubectl", "-n", NAMESPACE, "exec", pod, "-c", "kserve-container", "--", *command)
    done = run(*words, env=stack.environment)
    assert done.status == 0, done.text
    return done.stdout


@pytest.mark.feature("arguments of a format's server", mode="both")
@pytest.mark.feature("variables of Secrets", mode="both")
@pytest.mark.feature("a model's own name in requests", mode="both")
@pytest.mark.parametrize("name", ["bound", "alone"])
def test_a_server_has_its_arguments_its_name_and_the_value_of_a_secret(stack: Deployment, name: str) -> None:
    answer = asked(name, model="irises")
    assert answer.status_code == 200, answer.text
    assert [row.index(max(row)) for row in answer.json()["predictions"]] == [1, 0]
    assert asked(name, model=name).status_code == 404
    assert server_of(pod_of(stack, name))["args"][-2:] == ["--model_name=irises", "--grpc_port=8085"]


@pytest.mark.feature("volumes", mode="both")
@pytest.mark.parametrize("name", ["bound", "alone"])
def test_a_server_has_its_volumes(stack: Deployment, name: str) -> None:
    pod = pod_of(stack, name)
    mounts = inside(stack, pod["metadata"]["name"], "python3", "-c", "print(open('/proc/mounts').read())")
    kinds = {words[1]: (words[2], words[3].split(",")) for words in map(str.split, mounts.splitlines()) if words}
    kind, options = kinds[SHM]
    assert (kind, "size=16384k" in options) == ("tmpfs", True), options
    assert "ro" in kinds["/data"][1]


@pytest.mark.feature("affinity, topology spread and priority", mode="both")
@pytest.mark.parametrize("name", ["bound", "alone"])
def test_pods_are_scheduled_as_their_settings_say(stack: Deployment, name: str) -> None:
    spec = pod_of(stack, name)["spec"]
    own = {"matchLabels": {"serving.kserve.io/inferenceservice": name, "component": "predictor"}}
    nodes = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    assert nodes == [{"matchExpressions": [linux]}]
    (away,) = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert away == {"weight": 10, "podAffinityTerm": {"labelSelector": own, "topologyKey": HOSTNAME}}
    (spread,) = spec["topologySpreadConstraints"]
    skew = {"maxSkew": 1, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": own}
    assert spread.items() >= skew.items()
    assert (spec["priorityClassName"], spec["priority"]) == ("pods-urgent", 1000)


@pytest.mark.feature("a disruption budget", mode="both")
@pytest.mark.parametrize("name", ["bound", "alone"])
def test_a_disruption_budget_counts_the_servers_pods(stack: Deployment, name: str) -> None:
    budget = kubectl(stack, "-n", NAMESPACE, "get", "pdb", f"{name}-predictor")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["status"]["currentHealthy"] == budget["status"]["expectedPods"] == 1
    assert budget["status"]["disruptionsAllowed"] == 1


@pytest.mark.feature("resources of the container that downloads", mode="both")
def test_the_container_that_downloads_has_its_own_resources(stack: Deployment) -> None:
    limits = {name: _download_limits(stack, name) for name in ("bound", "alone", "inside")}
    assert limits == {"bound": "900Mi", "alone": "900Mi", "inside": "1Gi"}


def _download_limits(stack: Deployment, name: str) -> str:
    (container,) = pod_of(stack, name)["spec"]["initContainers"]
    memory: str = container["resources"]["limits"]["memory"]
    return memory


@pytest.mark.feature("one name in two namespaces")
def test_two_models_have_one_name_in_two_namespaces(stack: Deployment) -> None:
    checked = stack.predict("--stack", stack.stack, "--json", "--only", "twin")
    assert checked.status == 0, checked.text
    (twin,) = json.loads(checked.stdout)["models"]
    assert (twin["verdict"], twin["got"]) == ("ok", [1, 0])
    assert twin["endpoint"]["host"] == f"bound.{TWIN}.example.com"
    services = kubectl(stack, "get", "inferenceservices", "-A")["items"]
    named = {one["metadata"]["namespace"] for one in services if one["metadata"]["name"] == "bound"}
    assert named == {NAMESPACE, TWIN}


@pytest.mark.feature("Knative's own settings of its autoscaler")
def test_knatives_autoscaler_has_its_settings(stack: Deployment) -> None:
    scaled = kubectl(stack, "-n", NAMESPACE, "get", "podautoscalers")["items"]
    (annotations,) = (one["metadata"]["annotations"] for one in scaled if one["metadata"]["name"].startswith("bound-"))
    given = {
        "target-utilization-percentage": "90",
        "initial-scale": "1",
        "scale-to-zero-pod-retention-period": "3600s",
    }
    assert annotations.items() >= {f"autoscaling.knative.dev/{name}": value for name, value in given.items()}.items()


@pytest.mark.feature("registries whose tags are not resolved")
def test_knative_leaves_the_tags_of_a_registry_alone(platform: Deployment) -> None:
    config = kubectl(platform, "-n", "knative-serving", "get", "configmap", "config-deployment")["data"]
    assert config["registries-skipping-tag-resolving"].split(",")[-1] == "tags.example:5000"


@pytest.mark.feature("a model that is reached from inside the cluster only")
def test_a_cluster_local_model_answers_inside_and_is_not_asked(stack: Deployment) -> None:
    assert asked("inside", model="inside").status_code == 404
    assert _from_a_pod(stack, "http://inside.pods.svc.cluster.local/v1/models/inside:predict") == [1, 0]
    _is_not_asked(stack, "inside")


@pytest.mark.feature("a model that is reached from inside the cluster only", mode="Standard")
def test_a_model_of_mode_standard_that_becomes_cluster_local_has_no_route_left(stack: Deployment) -> None:
    assert asked("alone", model="irises").status_code == 200
    models = stack.settings["models"]
    local = {"visibility": "cluster-local", "environment": {}}
    stack.configure(models=[model | (local if model["name"] == "alone" else {}) for model in models])
    stack.up()
    assert asked("alone", model="irises").status_code == 404
    routes = kubectl(stack, "-n", NAMESPACE, "get", "httproutes")["items"]
    assert not [route for route in routes if route["metadata"]["name"].startswith("alone")]
    assert _from_a_pod(stack, "http://alone-predictor.pods.svc.cluster.local/v1/models/irises:predict") == [1, 0]
    _is_not_asked(stack, "alone")


def _from_a_pod(stack: Deployment, url: str) -> Any:
    """What a pod of the cluster is answered."""
    body = json.dumps({"instances": INSTANCES})
    code = (
        "import urllib.request as r;"
        f"q = r.Request({url!r}, data={body.encode()!r}, headers={{'Content-Type': 'application/json'}});"
        "print(r.urlopen(q, timeout=60).read().decode())"
    )
    pod = pod_of(stack, "bound")["metadata"]["name"]
    return json.loads(inside(stack, pod, "python3", "-c", code))["predictions"]


def _is_not_asked(stack: Deployment, name: str) -> None:
    checked = stack.predict("--stack", stack.stack, "--json", "--only", name)
    (model,) = json.loads(checked.stdout)["models"]
    assert (model["verdict"], model["got"], checked.status) == ("not-asked", None, 0)
