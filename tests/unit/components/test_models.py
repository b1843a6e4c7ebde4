"""Credentials and InferenceServices: down to the fields KServe reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from pydantic import SecretStr

from components.charts.sources import ImageMirror
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.model import Model, ValidationContext
from components.settings.resource_profiles import FOOTPRINTS, PodResources
from components.settings.stack import Cluster, S3Storage
from components.teardown.leftovers import FormerRemoval
from components.teardown.termination_wait import Served
from endpoints.endpoint import Endpoint
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.conftest import ACCESS_KEY, PROFILE, SECRET_KEY
from tests.unit.components.recording import Recording, record, without_secrets

PREFIX = "serving.kserve.io/s3-"


def credentials(**stated: Any) -> Recording:
    storage = S3Storage(kind="s3", **stated)
    args = StorageCredentialsArgs(name="demo", storage=storage, namespace="models")
    return record(lambda: StorageCredentials("demo", args=args))


def notes(recording: Recording) -> dict[str, str]:
    noted: dict[str, str] = recording.the(":Secret", "demo").plain["metadata"]["annotations"]
    return {key.removeprefix(PREFIX): value for key, value in noted.items()}


def test_a_store_on_the_own_machine() -> None:
    recording = credentials(profile=PROFILE, endpoint="http://192.0.2.2:9000/", verify_ssl=False)
    assert notes(recording) == {
        "endpoint": "192.0.2.2:9000",
        "usehttps": "0",
        "region": "us-east-1",
        "verifyssl": "0",
        "usevirtualbucket": "false",
        "useanoncredential": "false",
    }
    secret = recording.the(":Secret", "demo").plain
    assert secret["stringData"] == {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    assert secret["metadata"]["namespace"] == "models"


def test_amazons_store() -> None:
    noted = notes(credentials(profile=PROFILE, region="eu-west-1", virtual_bucket=True))
    assert (noted["endpoint"], noted["usehttps"], noted["region"]) == ("s3.amazonaws.com", "1", "eu-west-1")
    assert noted["usevirtualbucket"] == "true"


def test_an_open_store_has_no_keys() -> None:
    recording = credentials(anonymous=True)
    assert notes(recording)["useanoncredential"] == "true"
    assert set(recording.the(":Secret", "demo").plain["stringData"].values()) == {""}


def test_keys_are_stored_as_secrets() -> None:
    recording = credentials(access_key_id=SecretStr("AKIDGIVEN"), secret_access_key=SecretStr("given-secret"))
    in_the_open = json.dumps([without_secrets(r.inputs) for r in recording.resources.values()])
    assert "AKIDGIVEN" not in in_the_open
    assert "given-secret" not in in_the_open


def test_the_service_account_has_the_secret_of_the_store() -> None:
    recording = credentials(profile=PROFILE)
    secret, account = recording.the(":Secret", "demo"), recording.the(":ServiceAccount", "demo")
    assert account.plain["secrets"] == [{"name": secret.plain["metadata"]["name"]}]
    assert recording.waits_for(account, secret)


def arguments(
    *,
    account: str | None = "storage-demo",
    footprint: PodResources | None = None,
    release: Release = LOCAL,
    images: ImageMirror | None = None,
    **stated: Any,
) -> InferenceServiceArgs:
    document = {"name": "iris", "storage_uri": "s3://models/iris", **stated}
    if "container" not in stated:
        document.setdefault("format", "sklearn")
    around = ValidationContext(release=release, storage=None, mode="Knative", mirrored=images is not None)
    return InferenceServiceArgs(
        model=Model.model_validate(document, context=around),
        runtimes=release.runtimes,
        cluster=Cluster(context="here"),
        namespace="models",
        owner="org/project/dev",
        domain="example.com",
        service_account=pulumi.Output.from_input(account) if account else None,
        resources=footprint,
        gateway_address=pulumi.Output.from_input("http://192.0.2.1:31080"),
        images=images,
    )


def served(**stated: Any) -> tuple[Any, Any]:
    """The InferenceService's object and the endpoint it gives."""
    args = arguments(**stated)
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


def predictor(**stated: Any) -> Any:
    return served(**stated)[0]["spec"]["predictor"]


def test_a_model_in_its_fewest_words() -> None:
    service, endpoint = served(account=None)
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
            "storageUri": "s3://models/iris",
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
def test_everything_a_model_can_say() -> None:
    service, _ = served(
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
            "storageUri": "s3://models/iris",
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


def test_resources_are_the_models_own_or_the_footprints() -> None:
    small = FOOTPRINTS["small"].predictor
    assert small
    service, _ = served(footprint=small)
    assert service["spec"]["predictor"]["model"]["resources"] == small.values()


@pytest.mark.parametrize(
    ("stated", "completed"),
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
def test_resources_said_in_part_make_a_valid_pod(stated: dict[str, Any], completed: dict[str, Any]) -> None:
    service, _ = served(resources=stated)
    assert service["spec"]["predictor"]["model"]["resources"] == completed


def test_gpus_alone_ask_for_nothing_else() -> None:
    gpus = {"nvidia.com/gpu": "2"}
    assert predictor(gpus=2)["model"]["resources"] == {"requests": gpus, "limits": gpus}


@pytest.mark.feature("batches of requests", proof="objects")
def test_a_batcher_collects_rows() -> None:
    batcher = {"max_batch_size": 32, "max_latency": 50}
    assert predictor(batcher=batcher)["batcher"] == {"maxBatchSize": 32, "maxLatency": 50}


def test_a_logger_says_which_part_it_wants() -> None:
    """KServe refuses a logger without a mode."""
    assert predictor(logger={"url": "http://log"})["logger"] == {"url": "http://log", "mode": "all"}


def test_a_service_account_is_the_stores_or_the_models_own() -> None:
    assert predictor(account="storage-demo")["serviceAccountName"] == "storage-demo"
    assert predictor(account=None, service_account="mine")["serviceAccountName"] == "mine"
    assert "serviceAccountName" not in predictor(account=None)


@pytest.mark.parametrize(
    ("stated", "path"),
    [
        ({}, "/v1/models/iris"),
        ({"protocol": "v2"}, "/v2/models/iris/ready"),
        ({"runtime": "kserve-predictiveserver"}, "/v1/models/iris"),
        ({"format": "mlflow", "protocol": "v2"}, "/v2/models/iris/ready"),
        ({"format": "huggingface"}, "/v1/models/iris"),
        ({"protocol": "grpc-v2"}, "/v2/models/iris/ready"),
    ],
)
def test_a_model_is_ready_when_its_server_says_that_it_is_loaded(stated: dict[str, Any], path: str) -> None:
    assert predictor(release=OFFICIAL_0_20, **stated)["model"]["readinessProbe"] == probe(path)


@pytest.mark.parametrize(
    "stated",
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
def test_a_server_that_cannot_tell_is_not_asked(stated: dict[str, Any]) -> None:
    assert "readinessProbe" not in predictor(release=OFFICIAL_0_20, **stated)["model"]


def test_a_model_is_not_probed_where_kserve_may_give_it_a_server_that_cannot_tell() -> None:
    mute = replace(LOCAL.runtimes[0], name="mute", reports_loaded=False)
    release = replace(LOCAL, kserve=replace(LOCAL.kserve, runtimes=(*LOCAL.runtimes, mute)))
    assert "readinessProbe" not in predictor(release=release)["model"]
    named = predictor(release=release, runtime=LOCAL.runtimes[0].name)["model"]
    assert named["readinessProbe"] == probe("/v1/models/iris")


@pytest.mark.parametrize("traffic", [0, 1, 99])
def test_a_canary_gets_its_share(traffic: int) -> None:
    assert predictor(canary={"traffic": traffic})["canaryTrafficPercent"] == traffic


def test_a_canary_with_everything_is_none() -> None:
    """Two ways to say the same would be a change of the InferenceService and none of Knative's Service."""
    assert predictor(canary={"traffic": 100}) == predictor()


def test_moving_a_canarys_share_starts_no_new_servers() -> None:
    """And so 0 goes back to the last revision, instead of a copy of the one on trial."""

    def without_share(**stated: Any) -> Any:
        return {key: value for key, value in predictor(**stated).items() if key != "canaryTrafficPercent"}

    assert without_share(canary={"traffic": 30}) == without_share(canary={"traffic": 0}) == without_share()


CHANGES: list[dict[str, Any]] = [
    {"storage_uri": "s3://models/iris-v2"},
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
def test_whatever_changes_reaches_knative_and_the_specification(change: dict[str, Any]) -> None:
    """Else the generation that KServe says it observed, which is Knative's, is not that of the change."""

    def declared(**stated: Any) -> object:
        return predictor(**stated)["annotations"]["kserve-multi-model/declared"]

    assert declared(**change) != declared()
    assert declared(check={"instances": [[1]], "predictions": [1]}) == declared()


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_a_model_waits_for_the_objects_of_one_before(mode: str) -> None:
    recording = record(lambda: InferenceService("iris", args=arguments(mode=mode)))
    (hook,) = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris").beforehand
    former: Any = recording.afterwards[hook].callback
    assert isinstance(former.__self__, FormerRemoval)
    assert (former.__self__.place[0], former.__self__.served) == ("models", Served(models=("iris",)))


def test_a_model_is_followed_into_knative_whenever_it_is_declared() -> None:
    args = arguments(canary={"traffic": 30})
    recording = record(lambda: InferenceService("iris", args=args))
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    former = ("model-iris-former-transformer", "model-iris-former-explainer")
    assert service.afterwards == (("model-iris-rollout",), ("model-iris-rollout", *former))
    finish: Any = recording.afterwards["model-iris-rollout"].callback
    rollout = finish.__self__
    assert rollout.place == ("models", "iris-predictor")
    assert rollout.declared == service.plain["spec"]["predictor"]["annotations"]["kserve-multi-model/declared"]
    assert (rollout.share, rollout.timeout) == (30, 660)


@pytest.mark.parametrize("name", ["kserve", "knative"])
def test_a_model_may_be_called_like_a_part_of_the_platform(name: str) -> None:
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
def test_where_a_model_answers(protocol: str, metadata: str, predict: str) -> None:
    check = {"instances": [[5.1, 3.5]], "predictions": [1]}
    _, endpoint = served(protocol=protocol, check=check)
    understood = Endpoint.model_validate(endpoint)
    assert (understood.metadata_path, understood.predict_path) == (metadata, predict)
    assert understood.host == "iris.models.example.com"
    assert understood.url == "http://iris.models.example.com"
    assert understood.check
    assert understood.check.tolerance == 1e-6
