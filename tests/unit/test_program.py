"""The whole program, as `pulumi up` runs it, against a recording monitor."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import CreateResult

import stack_files
from components.ownership.stack_identity import StackIdentityProvider
from components.preflight.cluster import PreflightError
from components.preflight.removed_parts import KNATIVE, MONITORING
from components.settings.errors import SettingsError
from components.settings.platform_parts import PARTS
from endpoints.endpoint import parse_endpoints
from tests.unit.components.kubernetes import UID, answering, kubeconfig
from tests.unit.components.preflight.cluster_with_platform import PlatformServer
from tests.unit.components.recording import PROJECT, Recording, Resource, record, without_secrets
from tests.unit.components.registry import Registry, serving
from tests.unit.predict.server import serving as api_server
from tools import graph

ROOT = Path(__file__).parents[2]
ACCESS_KEY = "AKIDPROGRAM"
SECRET_KEY = "program-secret-key"


def run(stack: str, *, registry: Registry, state: Mapping[str, str] | None = None, **changes: Any) -> Recording:
    """Deploy an example of the project with the charts of a registry on the loopback."""
    config = config_of(stack, registry=registry)
    if "models" in changes:
        config.pop("graphs", None)  # they are of the stack's own models
    config |= changes
    return run_program(config, stack=stack, state=state)


def config_of(stack: str, *, registry: Registry) -> dict[str, Any]:
    """Settings of an example, with the charts of the registry."""
    registry.any_chart = True
    config = stack_files.settings(stack_files.read(ROOT / "tests" / "stacks" / f"{stack}.yaml"))
    config["mirror"] = {
        "charts": f"oci://{registry.address}/charts",
        "images": "registry.example:5000",
        "plain_http": True,
    }
    return config


def run_program(
    config: Mapping[str, Any],
    *,
    stack: str,
    stacks: Mapping[str, Mapping[str, Any]] | None = None,
    state: Mapping[str, str] | None = None,
) -> Recording:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    return record(
        lambda: runpy.run_path(str(ROOT / "__main__.py")), config=texts, stack=stack, stacks=stacks, state=state
    )


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    with serving() as registry, answering(tmp_path) as kubeconfig:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        yield registry


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("project")
    (folder / "credentials").write_text(
        f"[kserve-multi-model]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
    )
    with pytest.MonkeyPatch.context() as patch, serving() as registry, answering(folder) as kubeconfig:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.chdir(folder)
        return run("dev", registry=registry)


# later, earlier: made in this order, destroyed in the opposite one.
EDGES = [
    ("Release cert-manager", "Namespace cert-manager"),
    ("Chart istiod", "Release istio-base"),
    ("Chart istiod", "Release gateway-api"),
    ("Chart istio-ingressgateway", "Chart istiod"),
    *(
        ("Chart istiod", f"ConfigMap {namespace}/{name}")
        for namespace in ("default", "kube-system")
        for name in ("istio-ca-root-cert", "istio-ca-crl")
    ),
    ("KnativeServing knative-serving", "Release knative-operator"),
    ("KnativeServing knative-serving", "Release knative-serving-crds"),
    ("Chart net-gateway-api", "KnativeServing knative-serving"),
    ("Chart net-gateway-api", "ConfigMap config-gateway"),
    ("Chart net-gateway-api", "Release gateway-api"),
    ("Gateway gateway-api-knative-gateway", "Chart istio-ingressgateway"),
    *(
        (f"Gateway gateway-api-{gateway}", earlier)
        for gateway in ("knative-gateway", "knative-local-gateway")
        for earlier in ("Release gateway-api", "Service knative-local-gateway", "Service istio-ingressgateway")
    ),
    ("KnativeServing knative-serving", "TerminationWait knative-serving"),
    *(
        ("TerminationWait default", earlier)
        for earlier in ("KnativeServing knative-serving", "Chart net-gateway-api", "Chart kserve")
    ),
    ("Gateway istio-knative-ingress-gateway", "Chart istiod"),
    ("Gateway istio-knative-local-gateway", "Chart istiod"),
    ("Chart kserve", "Chart kserve-crd"),
    ("Chart kserve", "Release knative-serving-crds"),
    ("Chart kserve", "Release istio-base"),
    ("Chart kserve", "Release gateway-api"),
    ("Issuer kserve-selfsigned-issuer", "Release cert-manager"),
    ("Certificate kserve-serving-cert", "Issuer kserve-selfsigned-issuer"),
    ("Chart kserve", "Certificate kserve-serving-cert"),
    ("Chart kserve-runtimes", "Chart kserve"),
    ("ClusterServingRuntime kserve-onnxserver", "Chart kserve"),
    ("ServiceAccount default/demo", "Secret default/demo"),
    *(
        (f"InferenceService {model}", earlier)
        for model in ("sklearn-model", "xgboost-model")
        for earlier in (
            *("ClusterServingRuntime kserve-onnxserver", "Chart kserve-runtimes"),
            *("Chart kserve", "KnativeServing knative-serving", "Chart net-gateway-api"),
            *("Gateway gateway-api-knative-gateway", "Gateway gateway-api-knative-local-gateway"),
            *("Gateway istio-knative-ingress-gateway", "Gateway istio-knative-local-gateway"),
            "TerminationWait default",
            *("Chart istio-ingressgateway", "Service istio-ingressgateway"),
            *("ServiceAccount default/demo", "Secret default/demo"),
        )
    ),
    *(
        ("InferenceGraph multi-model-service", earlier)
        for earlier in (
            *("InferenceService sklearn-model", "InferenceService xgboost-model", "Chart kserve"),
            "TerminationWait default",
        )
    ),
]
# These run beside each other, whatever their order in the program.
INDEPENDENT = [
    ("Chart kserve", "KnativeServing knative-serving"),
    ("Chart kserve", "Chart istiod"),
    ("Chart kserve-crd", "Release cert-manager"),
    ("KnativeServing knative-serving", "Chart istiod"),
    ("KnativeServing knative-serving", "Release cert-manager"),
    ("Release knative-operator", "Release knative-serving-crds"),
    ("Release knative-operator", "Release istio-base"),
    ("Chart istiod", "Release cert-manager"),
]


def of_kind(recording: Recording, which: str) -> Resource:
    """By kind and name; of an InferenceService the object in the cluster, not our component around it."""
    kind, _, name = which.partition(" ")
    endings = {
        "InferenceService": "serving.kserve.io/v1beta1:InferenceService",
        "InferenceGraph": "serving.kserve.io/v1alpha1:InferenceGraph",
    }
    return recording.the(endings.get(kind, f":{kind}"), name)


@pytest.mark.parametrize(("later", "earlier"), EDGES)
def test_order(dev: Recording, later: str, earlier: str) -> None:
    assert dev.waits_for(of_kind(dev, later), of_kind(dev, earlier))
    assert not dev.waits_for(of_kind(dev, earlier), of_kind(dev, later))


@pytest.mark.parametrize(("one", "other"), INDEPENDENT)
def test_branches_run_beside_each_other(dev: Recording, one: str, other: str) -> None:
    assert not dev.waits_for(of_kind(dev, one), of_kind(dev, other))
    assert not dev.waits_for(of_kind(dev, other), of_kind(dev, one))


@pytest.mark.parametrize(
    "which", ["InferenceService sklearn-model", "InferenceGraph multi-model-service"], ids=lambda which: which
)
def test_what_is_replaced_is_deleted_before_the_end_of_its_pods(dev: Recording, which: str) -> None:
    """Then the component around it stays, and only what it depends on itself counts."""
    end = dev.the(":TerminationWait", "default")
    assert end.urn in of_kind(dev, which).dependencies
    assert end.plain["models"] == ["sklearn-model", "xgboost-model"]
    assert end.plain["graphs"] == ["multi-model-service"]


def test_the_graphs_page_is_of_this_program(dev: Recording) -> None:
    resources = [
        graph.Resource(urn=r.urn, type=r.type, parent=r.parent, dependencies=tuple(r.dependencies))
        for r in dev.resources.values()
    ]
    unrecorded = {r.parent for r in resources if r.parent} - {r.urn for r in resources}
    stack = [graph.Resource(urn=urn, type="pulumi:pulumi:Stack") for urn in unrecorded]
    of_program = graph.Graph({r.urn: r for r in (*stack, *resources)})
    assert graph.PAGE.read_text("utf-8") == graph.page(of_program), "it is stale: run `make docs`"


def test_everything_is_on_the_one_cluster(dev: Recording) -> None:
    provider = dev.the("pulumi:providers:kubernetes", "cluster")
    for resource in dev.resources.values():
        if resource.type.startswith("kubernetes:"):
            assert resource.provider.startswith(provider.urn), resource.name


def test_every_wait_ends(dev: Recording) -> None:
    waiting = [r for r in dev.resources.values() if "pulumi.com/waitFor" in str(r.inputs)]
    assert {r.type.rpartition(":")[2] for r in waiting} == {
        *("KnativeServing", "Gateway", "InferenceService", "InferenceGraph", "Certificate")
    }
    for resource in waiting:
        assert {"create", "update", "delete"} <= resource.bounds.keys(), resource.name


def test_what_webhooks_look_at_is_tried_again(dev: Recording) -> None:
    asked = {r.name for r in dev.resources.values() if any(hook.endswith("-webhooks") for hook in r.on_error)}
    assert {"knative-serving", "sklearn-model", "istio-knative-ingress-gateway", "kserve-serving-cert"} <= asked
    assert {r.name for r in dev.resources.values() if r.transforms} == {"kserve", "kserve-runtimes"}


def test_keys_are_secrets_everywhere(dev: Recording) -> None:
    in_the_open = json.dumps([without_secrets(r.inputs) for r in dev.resources.values()]) + json.dumps(dev.outputs)
    assert ACCESS_KEY not in in_the_open
    assert SECRET_KEY not in in_the_open
    data = dev.the(":Secret", "default/demo").plain["stringData"]
    assert data == {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def test_nothing_of_this_machine_is_in_what_a_state_keeps(dev: Recording) -> None:
    for resource in dev.resources.values():
        if not resource.remote:  # a Chart's own inputs are not kept
            assert str(ROOT) not in json.dumps(resource.inputs), resource.name
    for release in ("cert-manager", "istio-base", "gateway-api", "knative-operator", "knative-serving-crds"):
        assert dev.the(":Release", release).plain["chart"].startswith("build/charts/")


def test_the_prediction_check_understands_the_outputs(dev: Recording) -> None:
    endpoints = parse_endpoints(json.loads(json.dumps(dev.outputs["endpoints"])))
    sklearn = endpoints["sklearn-model"]
    assert sklearn.url == "http://sklearn-model.default.example.com"
    assert sklearn.predict_path == "/v1/models/sklearn-model:predict"
    assert sklearn.metadata_path == "/v1/models/sklearn-model"
    assert sklearn.check
    assert sklearn.check.expected == [1, 0]
    both = endpoints["multi-model-service"]
    assert (both.url, both.predict_path) == ("http://multi-model-service.default.example.com", "/")
    assert both.check
    assert dev.outputs["gateway"]["address"] == sklearn.gateway_address
    assert "Host: sklearn-model.default.example.com" in dev.outputs["gateway"]["example"]


def test_bad_settings_declare_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    declared: list[str] = []
    monkeypatch.setattr(pulumi.Resource, "__init__", lambda self, kind, *_, **__: declared.append(kind))
    wrong = {"name": "m", "format": "caffe", "storage_uri": "s3://models/m"}
    with pytest.raises(SettingsError, match=r"models\[0\]\.format: 'caffe'"):
        run("dev", registry=registry, models=[wrong], graphs=[])
    assert declared == []


def test_an_example_for_a_cluster_of_ones_own(registry: Registry) -> None:
    cluster = run("cluster", registry=registry)
    serving_spec = cluster.the(":KnativeServing", "knative-serving")
    assert serving_spec.plain["spec"]["ingress"]["istio"] == {"enabled": True}
    assert cluster.waits_for(serving_spec, cluster.the(":Chart", "istio-ingressgateway"))
    assert not [name for name in cluster.names if "net-gateway-api" in name]
    assert cluster.outputs["gateway"]["address"] == "http://192.0.2.7"
    assert set(parse_endpoints(cluster.outputs["endpoints"])) == {"sklearn-model", "xgboost-model"}


def test_a_model_more_is_a_resource_more_and_changes_no_other(registry: Registry, dev: Recording) -> None:
    models = [
        {"name": name, "format": "sklearn", "storage_uri": "gs://models/one"}
        for name in ("sklearn-model", "xgboost-model", "third-model")
    ]
    more = run("dev", registry=registry, models=models, storage={}, graphs=[])
    assert set(more.outputs["endpoints"]) == {model["name"] for model in models}
    platform = {name for name in dev.names if "model" not in name and "demo" not in name}
    assert platform <= set(more.names)


def test_without_a_cluster_nothing_is_declared(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "nowhere")
    with pytest.raises(PreflightError, match="no Kubernetes cluster answers"):
        run("dev", registry=registry, storage={}, models=[], graphs=[])
    assert registry.requests == []


def test_a_program_without_models_deploys_the_platform(registry: Registry) -> None:
    platform = run("dev", registry=registry, models=[], storage={}, graphs=[])
    assert platform.outputs["endpoints"] == {}
    assert platform.the(":Chart", "kserve-runtimes")


PLATFORM = f"organization/{PROJECT}/dev"
SKLEARN = {"format": "sklearn", "storage_uri": "s3://models/sklearn", "storage": "own"}
STORAGE = {"own": {"kind": "s3", "anonymous": True}}


def identity_of(recording: Recording) -> str:
    """The provider, and so everything in the cluster, waits for the identity: it is deleted last."""
    kept = recording.the(":StackIdentity", "stack")
    assert recording.waits_for(recording.the("pulumi:providers:kubernetes", "cluster"), kept)
    identity: str = recording.the(":Release", "cert-manager").plain["description"].rpartition(" ")[2]
    return identity


def test_every_object_has_the_stacks_identity(dev: Recording) -> None:
    identity = identity_of(dev)
    assert re.fullmatch(rf"{PLATFORM}:[0-9a-f]{{8}}", identity)
    objects = [r for r in dev.resources.values() if r.type.startswith("kubernetes:") and not r.remote]
    for resource in objects:
        if resource.type.endswith(":Release"):
            assert resource.plain["description"] == f"made by kserve-multi-model, stack {identity}"
        elif not resource.type.endswith("Patch"):
            marks = resource.plain["metadata"]["annotations"]
            assert marks["kserve-multi-model/stack"] == identity, resource.name
    assert len(objects) > 20


def test_nothing_that_exists_is_adopted(dev: Recording) -> None:
    """The hook is on each object that the program declares, beside the others that it has."""
    for resource in dev.resources.values():
        own = resource.type.startswith("kubernetes:") and not resource.remote and not resource.type.endswith("Patch")
        assert ("refuse-existing" in resource.beforehand) == own, resource.name
    model = of_kind(dev, "InferenceService sklearn-model")
    assert model.beforehand == ("model-sklearn-model-former", "model-sklearn-model-download", "refuse-existing")
    hook = dev.afterwards["refuse-existing"]
    assert hook.opts
    assert hook.opts.on_dry_run


def test_a_renamed_stack_declares_the_same(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"identity": f"{PLATFORM}:1a2b3c4d", "deployed_before": False, "cluster_uid": UID, "cluster_name": "n"}
    monkeypatch.setattr(
        StackIdentityProvider, "create", lambda _, props: CreateResult("kept", {**props, **kept, "stack": PLATFORM})
    )
    models = [SKLEARN | {"name": "here"}, SKLEARN | {"name": "there", "namespace": "team-a"}]
    config = config_of("dev", registry=registry) | {"models": models, "storage": STORAGE}
    del config["graphs"]

    def declared(stack: str) -> dict[str, Any]:
        made = run_program(config, stack=stack)
        return {f"{r.type} {r.name}": r.plain for r in made.resources.values() if not r.type.endswith("Identity")}

    assert declared("renamed") == declared("dev")


@pytest.mark.feature("models in several namespaces, made when missing", mode="both", proof="objects")
def test_a_namespace_that_is_missing_is_made_before_what_is_in_it(registry: Registry) -> None:
    models = [SKLEARN | {"name": "here"}, SKLEARN | {"name": "there", "namespace": "team-a"}]
    made = run("dev", registry=registry, models=models, storage=STORAGE)
    namespace = made.the(":Namespace", "team-a")
    mark = namespace.plain["metadata"]["annotations"]["kserve-multi-model/stack"]
    assert mark == identity_of(made)
    service = of_kind(made, "InferenceService there")
    for later in (service, made.the(":Secret", "team-a/own"), made.the(":ServiceAccount", "team-a/own")):
        assert later.plain["metadata"]["namespace"] == "team-a"
        assert made.waits_for(later, namespace)
    assert service.plain["spec"]["predictor"]["serviceAccountName"] == "dev-storage-own"
    assert made.outputs["endpoints"]["there"]["host"] == "there.team-a.example.com"
    assert not [name for name in made.names if name.endswith(":Namespace default")]
    end = made.the(":TerminationWait", "team-a")
    assert (end.plain["models"], end.plain["graphs"]) == (["there"], [])
    assert namespace.urn in end.dependencies
    assert end.urn in service.dependencies
    assert end.plain["own"]
    other = made.the(":TerminationWait", "default")
    assert (other.plain["models"], other.plain["own"]) == (["here"], False)


def test_what_is_in_a_namespace_does_not_depend_on_another_one(registry: Registry) -> None:
    """So `pulumi state delete --target-dependents` of a namespace, which errors advise, forgets nothing elsewhere."""
    spaces = ("team-a", "team-b")
    models = [SKLEARN | {"name": f"in-{space}", "namespace": space} for space in spaces]
    made = run("dev", registry=registry, models=models, graphs=[], storage=STORAGE)
    for here, elsewhere in (spaces, spaces[::-1]):
        dependents = [
            of_kind(made, f"InferenceService in-{here}"),
            made.the(":TerminationWait", here),
            made.the(":ServiceAccount", f"{here}/own"),
        ]
        namespace, other = made.the(":Namespace", here), made.the(":Namespace", elsewhere)
        assert all(made.waits_for(later, namespace) for later in dependents)
        assert not any(made.waits_for(later, other) for later in dependents)
        assert all(made.waits_for(dependents[0], one) for one in dependents[1:])


@pytest.mark.feature("the platform in one stack, models in others", mode="both", proof="objects")
def test_models_on_another_stacks_platform(registry: Registry, dev: Recording, tmp_path: Path) -> None:
    config = {"platform": "dev", "models": [SKLEARN | {"name": "flowers"}], "storage": STORAGE}
    with answering(tmp_path, namespaces={"default": None}, served={"default": {}}):
        models = run_program(config, stack="team", stacks={PLATFORM: dev.outputs})
    ours = {name for name in models.names if name.startswith("kserve-multi-model:")}
    assert ours == {
        "kserve-multi-model:storage:StorageCredentials default/own",
        "kserve-multi-model:serving:InferenceService flowers",
    }
    endpoint = models.outputs["endpoints"]["flowers"]
    assert endpoint["gateway_address"] == dev.outputs["gateway"]["address"]
    assert endpoint["host"] == "flowers.default.example.com"
    assert models.the(":Secret", "default/own").plain["metadata"]["name"] == "team-storage-own"
    assert registry.requests == []


def test_what_the_platforms_stack_says_is_not_said_again(registry: Registry, dev: Recording) -> None:
    config = {"platform": "dev", "release": "local", "ingress": {"domain": "other.example"}}
    with pytest.raises(SettingsError, match="ingress: comes from the platform's stack, 'dev'") as refused:
        run_program(config, stack="team", stacks={PLATFORM: dev.outputs})
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["ingress", "release"]
    assert registry.requests == []


@pytest.mark.parametrize("outputs", [{}, {"platform": {"settings": {}}}])
def test_a_platform_that_is_not_deployed(outputs: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"platform: stack 'org/project/prod' .*pulumi up --stack org/project/prod"):
        run_program({"platform": "org/project/prod"}, stack="team", stacks={"org/project/prod": outputs})


def test_monitoring_is_made_beside_everything_else(registry: Registry, dev: Recording) -> None:
    watched = run("dev", registry=registry, monitoring=True, storage={}, models=[])
    prometheus = watched.the(":Deployment", "prometheus-server")
    assert watched.waits_for(prometheus, watched.the(":Namespace", "monitoring"))
    assert watched.waits_for(prometheus, watched.the(":ConfigMap", "prometheus-config"))
    for other in ("Chart istiod", "KnativeServing knative-serving", "Chart kserve", "Release cert-manager"):
        assert not watched.waits_for(prometheus, of_kind(watched, other))
        assert not watched.waits_for(of_kind(watched, other), prometheus)
    assert watched.outputs["monitoring"]["prometheus"]["url"].endswith("monitoring.svc.cluster.local")
    assert not [name for name in dev.names if "prometheus" in name or "monitoring" in name]
    assert "monitoring" not in dev.outputs


def test_with_monitoring_the_platform_offers_its_metrics(registry: Registry, dev: Recording) -> None:
    watched = run("dev", registry=registry, monitoring=True, storage={}, models=[])

    def asked(recording: Recording) -> tuple[object, ...]:
        serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
        gateway = recording.the(":Chart", "istio-ingressgateway").plain["values"]
        restarted = {part["name"] for part in serving["workloads"] if part.get("annotations")}
        return serving["config"].get("observability"), restarted, gateway.get("podAnnotations", {}).keys()

    protocols = {"metrics-protocol": "prometheus", "request-metrics-protocol": "prometheus"}
    parts = {"activator", "autoscaler", "controller", "webhook"}
    assert asked(watched) == (protocols, parts, {"sidecar.istio.io/statsInclusionRegexps"})
    assert asked(dev) == (None, set(), set())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All parts of the platform of the other release, with monitoring, and models in two namespaces of the stack."""
    folder = tmp_path_factory.mktemp("everything")
    with pytest.MonkeyPatch.context() as patch, serving() as registry, answering(folder) as kubeconfig:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.chdir(folder)
        return run("everything", registry=registry)


GUARD = ":PartGuard"
# Charts without a CustomResourceDefinition.
WITHOUT_DEFINITIONS = {"grafana"}


def guards(recording: Recording) -> dict[str, Resource]:
    return {resource.name: resource for resource in recording.resources.values() if resource.type.endswith(GUARD)}


@pytest.mark.parametrize("stack", ["dev", "everything"])
def test_each_namespace_and_each_definition_of_the_stack_has_a_guard_as_early_as_it_is_there(
    stack: str, request: pytest.FixtureRequest
) -> None:
    recording: Recording = request.getfixturevalue(stack)
    made = [resource for resource in recording.resources.values() if resource.type.startswith("kubernetes:")]
    namespaces = [resource for resource in made if resource.type == "kubernetes:core/v1:Namespace"]
    releases = [found for found in made if found.type.endswith(":Release") and found.name not in WITHOUT_DEFINITIONS]
    charts = [recording.the(":Chart", "kserve-crd")]
    expected = {f"namespace/{found.name}": found for found in namespaces}
    expected |= {f"definitions/{found.name}": found for found in (*releases, *charts)}
    found = guards(recording)
    assert expected.keys() <= found.keys()
    assert {name.partition("/")[0] for name in found.keys() - expected.keys()} <= {"part"}
    for name, guarded in expected.items():
        guard = found[name]
        assert guard.dependencies == {guarded.urn}
        props = guard.plain
        if name.startswith("namespace/"):
            assert (props["namespaces"], props["releases"], props["groups"]) == ([guarded.name], [], [])
            assert props["of_models"] == (guarded.parent not in recording.resources)
        elif guarded in releases:
            named = f"{guarded.plain['namespace']}/{guarded.plain['name']}"
            assert (props["namespaces"], props["releases"], props["groups"]) == ([], [named], [])
        else:
            assert props["groups"] == ["serving.kserve.io"]
    # No part waits for a guard.
    last = recording.the(":ClusterGuard", "cluster-guard")
    urns = {guard.urn for guard in found.values()}
    waiting = [one.name for one in recording.resources.values() if one.dependencies & urns and one != last]
    assert waiting == []
    assert all(recording.waits_for(last, guard) for guard in found.values())


def test_the_guard_of_a_part_that_can_be_removed_is_deleted_before_all_of_the_part(everything: Recording) -> None:
    found = guards(everything)
    parts = {"knative": KNATIVE, "monitoring": MONITORING}
    assert {name for name in found if name.startswith("part/")} == {f"part/{name}" for name in parts}
    for name, part in parts.items():
        guard = found[f"part/{name}"]
        assert tuple(sorted(part.namespaces)) == tuple(guard.plain["namespaces"])
        assert tuple(sorted(part.releases)) == tuple(guard.plain["releases"])
        component = next(one for one in everything.resources.values() if one.type.lower().endswith(f"platform:{name}"))
        inside = [one for one in everything.resources.values() if one.parent == component.urn]
        assert len(inside) > 5
        assert all(everything.waits_for(guard, one) for one in inside)
        declared = {one.name for one in inside if one.type == "kubernetes:core/v1:Namespace"}
        assert declared == set(part.namespaces)
        charts = {one.name for one in inside if one.type.endswith(":Release")} - WITHOUT_DEFINITIONS
        assert charts == {release.partition("/")[2] for release in part.releases}


def test_on_a_platform_that_is_there_only_models_are_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_files.settings(stack_files.read(ROOT / "tests" / "stacks" / "existing.yaml"))
    assert len(config) <= 5
    with api_server() as server:
        PlatformServer(server, *PARTS)
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server=server.address)))
        monkeypatch.chdir(tmp_path)
        recording = run_program(config, stack="existing")
    declared = {name for name in recording.names if not name.startswith(("pulumi:", "kserve-multi-model:"))}
    assert declared == {
        "kubernetes:serving.kserve.io/v1beta1:InferenceService sklearn-model",
        "kubernetes:serving.kserve.io/v1beta1:InferenceService xgboost-model",
        "pulumi-python:dynamic/kserve-multi-model:ClusterGuard cluster-guard",
        "pulumi-python:dynamic/kserve-multi-model:StackIdentity stack",
        "pulumi-python:dynamic/kserve-multi-model:TerminationWait default",
    }
    assert recording.outputs["gateway"]["address"] == "http://192.0.2.9"
    assert recording.outputs["endpoints"]["sklearn-model"]["host"] == "sklearn-model.default.example.com"


def test_a_model_beside_another_of_its_location_is_not_downloaded_by_the_others_container(registry: Registry) -> None:
    """KServe would take any ClusterStorageContainer that fits the location, in no order."""
    sklearn = {"name": "sklearn-model", "format": "sklearn", "storage_uri": "s3://models/sklearn"}
    own = {**sklearn, "name": "own", "storage_initializer": {"limits": {"memory": "4Gi"}}}
    elsewhere = {**sklearn, "name": "elsewhere", "storage_uri": "s3://models/others"}
    recording = run("dev", registry=registry, models=[sklearn, own, elsewhere], storage={})

    def container(model: str) -> str | None:
        service = recording.the("serving.kserve.io/v1beta1:InferenceService", model)
        named: str | None = service.plain["spec"]["predictor"].get("storageContainerName")
        return named

    assert container("own") == "default.own"
    assert container("sklearn-model") == "default"
    assert container("elsewhere") is None
