"""InferenceServices: the fields that KServe reads, the hooks and the endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.charts.sources import ImageMirror
from components.rollout.hooks import PredecessorRemoval
from components.serving.context import ServingContext
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.serving.spec import InferenceServiceSpec
from components.serving.storage_credentials import StoreAccess
from components.settings.model import Model, ValidationContext
from components.settings.resource_profiles import FOOTPRINTS, Footprint
from components.settings.stack import Cluster
from endpoints.endpoint import Endpoint
from kube.views.kserve import SPEC_HASH_ANNOTATION
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import record


def arguments(
    *,
    account: str | None = None,
    footprint: Footprint = FOOTPRINTS["default"],
    release: Release = LOCAL,
    images: ImageMirror | None = None,
    changes_mode: bool = False,
    **settings: Any,
) -> InferenceServiceArgs:
    document = {"name": "iris", "storage_uri": "s3://models/iris", **settings}
    if "container" not in settings:
        document.setdefault("format", "sklearn")
    if account:
        document["storage"] = "demo"
    around = ValidationContext(release=release, storage=None, mode="Knative", mirrored=images is not None)
    context = ServingContext(
        cluster=Cluster(context="here", namespace="models"),
        owner="org/project/dev",
        domain="example.com",
        runtimes=release.runtimes,
        footprint=footprint,
        images=images,
        gateway_address=pulumi.Output.from_input("http://192.0.2.1:31080"),
        stores={("demo", "models"): StoreAccess(service_account=pulumi.Output.from_input(account))} if account else {},
        changing_mode=frozenset({"iris"} if changes_mode else ()),
    )
    return InferenceServiceArgs(model=Model.model_validate(document, context=around), context=context)


def served(**settings: Any) -> tuple[Any, Any]:
    """InferenceService as it is declared, and its endpoint."""
    args = arguments(**settings)
    endpoints: list[Any] = []

    def program() -> None:
        InferenceService("iris", args=args).endpoint.apply(endpoints.append)

    recording = record(program)
    return recording.the("serving.kserve.io/v1beta1:InferenceService", "iris").plain, endpoints[0]


def probe(path: str) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": 8080},
        "periodSeconds": 2,
        "timeoutSeconds": 30,
        "failureThreshold": 10,
    }


def predictor(**settings: Any) -> Any:
    return served(**settings)[0]["spec"]["predictor"]


def test_model_with_defaults() -> None:
    service, endpoint = served()
    assert service["metadata"] == {
        "name": "iris",
        "namespace": "models",
        "annotations": {
            "kserve-multi-model/stack": "org/project/dev",
            "serving.knative.dev/progress-deadline": "600s",
            "serving.kserve.io/enable-tag-routing": "true",
            "pulumi.com/waitFor": "condition=Ready",
            "pulumi.com/deletionPropagationPolicy": "background",
        },
    }
    declared = service["spec"]["predictor"].pop("annotations")
    assert list(declared) == ["kserve-multi-model/declared"]
    assert service["spec"]["predictor"] == {
        "minReplicas": 1,
        "maxReplicas": 1,
        "model": {
            "modelFormat": {"name": "sklearn"},
            "protocolVersion": "v1",
            "storageUri": "s3://models/iris/",
            "readinessProbe": probe("/v1/models/iris"),
        },
    }
    assert Endpoint.model_validate(endpoint).check is None
    assert endpoint["context"] == "here"


@pytest.mark.feature("a log of requests and responses", proof="objects")
@pytest.mark.feature("scaling by requests", proof="objects")
@pytest.mark.feature("a limit of requests at a time", proof="objects")
@pytest.mark.feature("GPUs, nodes and tolerations", proof="objects")
@pytest.mark.feature("replicas, resources and timeouts", proof="objects")
def test_model_with_all_settings() -> None:
    service, _ = served(
        account="storage-demo",
        version="1",
        runtime="kserve-sklearnserver",
        protocol="v2",
        replicas={"min": 0, "max": 3},
        scale={"metric": "rps", "target": 50, "window": 6},
        concurrency=8,
        request_timeout=20,
        timeout=90,
        resources={"requests": {"cpu": "1"}},
        gpus=1,
        node_selector={"example.com/pool": "gpu"},
        tolerations=[
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute", "seconds": 60},
            {"key": "team", "value": "ml"},
        ],
        environment={"OMP_NUM_THREADS": "2", "PREDICT_PROBA": "true"},
        labels={"team": "ml"},
        annotations={"example.com/owner": "ml@example.com"},
        logger={"url": "http://log.example.com/in", "mode": "response"},
        canary={"traffic": 30},
    )
    annotations = service["spec"]["predictor"].pop("annotations")
    assert annotations.pop("example.com/owner") == "ml@example.com"
    assert list(annotations) == ["kserve-multi-model/declared"]
    assert service["spec"]["predictor"] == {
        "minReplicas": 0,
        "maxReplicas": 3,
        "scaleMetric": "rps",
        "scaleTarget": 50,
        "containerConcurrency": 8,
        "timeout": 20,
        "canaryTrafficPercent": 30,
        "serviceAccountName": "storage-demo",
        "nodeSelector": {"example.com/pool": "gpu"},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
            {"key": "team", "operator": "Equal", "value": "ml"},
        ],
        "labels": {"team": "ml"},
        "logger": {"url": "http://log.example.com/in", "mode": "response"},
        "model": {
            "modelFormat": {"name": "sklearn", "version": "1"},
            "protocolVersion": "v2",
            "storageUri": "s3://models/iris/",
            "runtime": "kserve-sklearnserver",
            "resources": {
                "requests": {"cpu": "1", "nvidia.com/gpu": "1"},
                "limits": {"cpu": "1", "nvidia.com/gpu": "1"},
            },
            "env": [{"name": "OMP_NUM_THREADS", "value": "2"}, {"name": "PREDICT_PROBA", "value": "true"}],
            "readinessProbe": probe("/v2/models/iris/ready"),
        },
    }
    noted = service["metadata"]["annotations"]
    assert noted["autoscaling.knative.dev/window"] == "6s"
    assert noted["serving.knative.dev/progress-deadline"] == "90s"


def test_model_without_resources_gets_those_of_the_footprint() -> None:
    small = FOOTPRINTS["small"]
    assert small.predictor
    service, _ = served(footprint=small)
    assert service["spec"]["predictor"]["model"]["resources"] == small.predictor.values()


@pytest.mark.parametrize(
    ("settings", "completed"),
    [
        ({"requests": {"cpu": 2}}, {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}),
        ({"requests": {"cpu": "500m"}}, {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}}),
        ({"limits": {"memory": "1Gi"}}, {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
        ({"limits": {"memory": "4Gi"}}, {"requests": {"memory": "2Gi"}, "limits": {"memory": "4Gi"}}),
        ({"limits": {"a.b/gpu": 2}}, {"requests": {"a.b/gpu": "2"}, "limits": {"a.b/gpu": "2"}}),
        ({"requests": {"a.b/gpu": 1}}, {"requests": {"a.b/gpu": "1"}, "limits": {"a.b/gpu": "1"}}),
        ({"limits": {"ephemeral-storage": "1Gi"}}, {"requests": {}, "limits": {"ephemeral-storage": "1Gi"}}),
    ],
)
def test_partial_resources_are_completed(settings: dict[str, Any], completed: dict[str, Any]) -> None:
    service, _ = served(resources=settings)
    assert service["spec"]["predictor"]["model"]["resources"] == completed


def test_gpus_without_other_resources() -> None:
    gpus = {"nvidia.com/gpu": "2"}
    assert predictor(gpus=2)["model"]["resources"] == {"requests": gpus, "limits": gpus}


@pytest.mark.feature("batches of requests", proof="objects")
def test_batcher() -> None:
    batcher = {"max_batch_size": 32, "max_latency": 50}
    assert predictor(batcher=batcher)["batcher"] == {"maxBatchSize": 32, "maxLatency": 50}


def test_logger_has_a_mode() -> None:
    """KServe refuses a logger without a mode."""
    assert predictor(logger={"url": "http://log"})["logger"] == {"url": "http://log", "mode": "all"}


def test_service_account_of_the_storage_or_the_model() -> None:
    assert predictor(account="storage-demo")["serviceAccountName"] == "storage-demo"
    assert predictor(account=None, service_account="mine")["serviceAccountName"] == "mine"
    assert "serviceAccountName" not in predictor(account=None)


def test_what_a_store_adds_to_the_pods_makes_a_new_revision() -> None:
    def of(access: StoreAccess) -> Any:
        args = arguments(account="demo")
        spec = InferenceServiceSpec(
            model=args.model, runtimes=args.context.runtimes, store=access, resources=args.context.footprint.predictor
        )
        return spec.components()["predictor"]

    account = pulumi.Output.from_input("demo")
    plain = of(StoreAccess(service_account=account))
    store = StoreAccess(service_account=account, pod_labels={"l": "1"}, pod_annotations={"a": "2"})
    declared = of(store)
    assert (declared["labels"], declared["annotations"]["a"]) == ({"l": "1"}, "2")
    assert declared["annotations"][SPEC_HASH_ANNOTATION] != plain["annotations"][SPEC_HASH_ANNOTATION]


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "/v1/models/iris"),
        ({"protocol": "v2"}, "/v2/models/iris/ready"),
        ({"runtime": "kserve-predictiveserver"}, "/v1/models/iris"),
        ({"format": "mlflow", "protocol": "v2"}, "/v2/models/iris/ready"),
        ({"format": "huggingface"}, "/v1/models/iris"),
        ({"protocol": "grpc-v2"}, "/v2/models/iris/ready"),
    ],
)
def test_readiness_probe_asks_whether_the_model_is_loaded(settings: dict[str, Any], path: str) -> None:
    assert predictor(release=OFFICIAL_0_20, **settings)["model"]["readinessProbe"] == probe(path)


@pytest.mark.parametrize(
    "settings",
    [
        {"format": "tensorflow"},
        {"format": "pytorch"},
        {"format": "pytorch", "protocol": "v2", "runtime": "kserve-tritonserver"},
        {"format": "onnx", "protocol": "v2"},
        {"format": "onnx", "protocol": "grpc-v2"},
        {"format": "vLLM", "protocol": "openai"},
    ],
    ids=str,
)
def test_no_probe_for_a_server_that_does_not_report_readiness(settings: dict[str, Any]) -> None:
    assert "readinessProbe" not in predictor(release=OFFICIAL_0_20, **settings)["model"]


def test_no_probe_if_kserve_may_choose_such_a_server() -> None:
    mute = replace(LOCAL.runtimes[0], name="mute", reports_loaded=False)
    release = replace(LOCAL, kserve=replace(LOCAL.kserve, runtimes=(*LOCAL.runtimes, mute)))
    assert "readinessProbe" not in predictor(release=release)["model"]
    named = predictor(release=release, runtime=LOCAL.runtimes[0].name)["model"]
    assert named["readinessProbe"] == probe("/v1/models/iris")


@pytest.mark.parametrize("traffic", [0, 1, 99])
def test_canary_share(traffic: int) -> None:
    assert predictor(canary={"traffic": traffic})["canaryTrafficPercent"] == traffic


def test_canary_of_100_percent_is_the_same_as_none() -> None:
    """A change from one to the other would change the InferenceService, but not Knative's Service."""
    assert predictor(canary={"traffic": 100}) == predictor()


def test_change_of_the_canary_share_changes_nothing_else() -> None:
    """So a share of 0 rolls back to the last revision instead of starting a copy of the new one."""

    def without_share(**settings: Any) -> Any:
        return {key: value for key, value in predictor(**settings).items() if key != "canaryTrafficPercent"}

    assert without_share(canary={"traffic": 30}) == without_share(canary={"traffic": 0}) == without_share()


CHANGES: list[dict[str, Any]] = [
    {"storage_uri": "s3://models/iris-v2"},
    {"storage_file": True},
    {"version": "1"},
    {"protocol": "v2"},
    {"runtime": "kserve-sklearnserver"},
    {"timeout": 90},
    {"scale": {"window": 6}},
    {"scale": {"metric": "rps"}},
    {"scale": {"target": 5}},
    {"concurrency": 5},
    {"request_timeout": 5},
    {"gpus": 1},
    {"node_selector": {"pool": "a"}},
    {"tolerations": [{"key": "a", "operator": "Exists"}]},
    {"environment": {"A": "b"}},
    {"labels": {"a": "b"}},
    {"annotations": {"a": "b"}},
    {"batcher": {"max_batch_size": 2, "max_latency": 5}},
    {"logger": {"url": "http://log"}},
    {"replicas": {"max": 2}},
    {"resources": {"requests": {"cpu": "10m"}}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_every_change_changes_the_hash(change: dict[str, Any]) -> None:
    """Otherwise the generation that KServe reports as observed, which is Knative's, would not be that of the change."""

    def declared(**settings: Any) -> object:
        return predictor(**settings)["annotations"]["kserve-multi-model/declared"]

    assert declared(**change) != declared()
    assert declared(check={"instances": [[1]], "predictions": [1]}) == declared()


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_model_waits_for_leftovers_of_the_same_name(mode: str) -> None:
    recording = record(lambda: InferenceService("iris", args=arguments(mode=mode)))
    hook, _ = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris").beforehand
    former: Any = recording.afterwards[hook].callback
    assert isinstance(former.__self__, PredecessorRemoval)
    leftovers = former.__self__.leftovers
    assert (leftovers.namespace, leftovers.models, leftovers.graphs) == ("models", ("iris",), None)


def test_the_download_is_watched_until_the_rollout() -> None:
    """With the secrets of the store, which are not to be repeated."""
    access = StoreAccess(service_account=pulumi.Output.from_input("keys"), secrets=("hf_secret",))
    context = replace(arguments().context, stores={("mine", "models"): access})
    args = arguments(storage_uri="hf://acme/iris", storage="mine")
    recording = record(lambda: InferenceService("iris", args=replace(args, context=context)))
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    assert service.beforehand[-1] == "model-iris-download"
    started: Any = recording.afterwards["model-iris-download"].callback
    stopped: Any = recording.afterwards["model-iris-downloaded"].callback
    download = started.__self__
    assert download is stopped.__self__
    declared = service.plain["spec"]["predictor"]["annotations"][SPEC_HASH_ANNOTATION]
    assert (download.model, download.spec_hashes, download.secrets) == ("iris", {declared}, ("hf_secret",))
    assert "hf_secret" not in repr(download)


def test_a_model_without_files_has_no_download_to_watch() -> None:
    own: dict[str, Any] = {"container": {"image": "registry.example/server:1"}, "storage_uri": None}
    recording = record(lambda: InferenceService("iris", args=arguments(**own)))
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    assert service.beforehand == ("model-iris-former",)


def test_hook_waits_for_the_model_in_mode_knative() -> None:
    args = arguments(canary={"traffic": 30})
    recording = record(lambda: InferenceService("iris", args=args))
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    former = ("model-iris-former-transformer", "model-iris-former-explainer")
    after_create, after_update = service.afterwards
    assert after_create == ("model-iris-rollout", "model-iris-downloaded")
    assert after_update == ("model-iris-rollout", *former, "model-iris-downloaded")
    finish: Any = recording.afterwards["model-iris-rollout"].callback
    rollout = finish.__self__
    assert (rollout.scope.namespace, rollout.name) == ("models", "iris-predictor")
    assert rollout.spec_hash == service.plain["spec"]["predictor"]["annotations"]["kserve-multi-model/declared"]
    assert (rollout.share, rollout.scope.timeout) == (30, 660)


@pytest.mark.parametrize("name", ["kserve", "knative"])
def test_model_may_have_the_name_of_a_platform_component(name: str) -> None:
    hooks = {hook for _, hook in _hooks(name)}
    assert f"{name}-webhooks" not in hooks
    assert hooks


def _hooks(name: str) -> list[tuple[str, str]]:
    args = arguments(name=name)
    recording = record(lambda: InferenceService(name, args=args))
    return [(resource.name, hook) for resource in recording.resources.values() for hook in resource.on_error]


@pytest.mark.parametrize(
    ("protocol", "metadata", "predict"),
    [
        ("v1", "/v1/models/iris", "/v1/models/iris:predict"),
        ("v2", "/v2/models/iris", "/v2/models/iris/infer"),
        (
            "grpc-v2",
            "/inference.GRPCInferenceService/ModelMetadata",
            "/inference.GRPCInferenceService/ModelInfer",
        ),
    ],
)
def test_endpoint_paths_by_protocol(protocol: str, metadata: str, predict: str) -> None:
    check = {"instances": [[5.1, 3.5]], "predictions": [1]}
    _, endpoint = served(protocol=protocol, check=check)
    understood = Endpoint.model_validate(endpoint)
    assert (understood.metadata_path, understood.predict_path) == (metadata, predict)
    assert understood.host == "iris.models.example.com"
    assert understood.url == "http://iris.models.example.com"
    assert understood.check
    assert understood.check.tolerance == 1e-6


@pytest.mark.feature("image pull secrets of a model, beside a store's keys", mode="both", proof="objects")
@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_pull_secrets_are_those_of_the_stack_and_of_the_model(mode: str) -> None:
    """They are beside the account with a store's keys, so that an own image can have files from a private store."""
    container = {"image": "registry.example/team/server:1"}
    transformer = {"image": "registry.example/team/transformer:1"}
    args = arguments(
        account="dev-storage-demo", container=container, transformer=transformer, mode=mode, image_pull_secrets=["mine"]
    )
    args = replace(args, context=replace(args.context, pull_secrets=("dev-registries",)))
    spec = record(lambda: InferenceService("iris", args=args)).the("v1beta1:InferenceService", "iris").plain["spec"]
    pulled = [{"name": "dev-registries"}, {"name": "mine"}]
    assert spec["predictor"]["serviceAccountName"] == "dev-storage-demo"
    assert spec["predictor"]["imagePullSecrets"] == spec["transformer"]["imagePullSecrets"] == pulled
