"""Models of formats that KServe has no serving runtime for: each gets one in its namespace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.charts.sources import ImageMirror
from components.serving.inference_service import InferenceService
from components.serving.model_runtime import ModelRuntime
from components.settings.model import Model
from kube.views.kserve import SPEC_HASH_ANNOTATION
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import DeclaredRuntime, ModelFormat, Release
from tests.unit.components.recording import Recording, record
from tests.unit.components.serving.test_inference_service import arguments, predictor, probe

MIRROR = ImageMirror(repository="localhost:5000")
LOAF = DeclaredRuntime(
    name="kserve-loafserver",
    extra="loaf",
    image="bakery/loafserver",
    tag="3.2.1",
    formats=(ModelFormat(name="loaf", version="1"), ModelFormat(name="loaf", version="2")),
    protocols=("v1", "v2"),
    grpc_port=9000,
    name_argument="--name",
    command=("serve",),
    arguments=("--name={{.Name}}", "--port=8080"),
    environment=(("OVEN", "hot"),),
    metrics_port=8082,
    ready_path="/baked",
)
BAKERY = replace(LOCAL, more_runtimes=(LOAF,))


def recorded(*, release: Release = BAKERY, **settings: Any) -> Recording:
    args = arguments(release=release, images=MIRROR, format="loaf", **settings)
    return record(lambda: InferenceService("iris", args=args))


def runtime(release: Release, **settings: Any) -> ModelRuntime | None:
    model: Model = arguments(release=release, images=MIRROR, **settings).model
    return ModelRuntime.of(model, namespace="models", runtimes=release.runtimes, images=MIRROR)


def test_the_model_waits_for_its_runtime_and_names_it() -> None:
    recording = recorded()
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    declared = recording.the("serving.kserve.io/v1alpha1:ServingRuntime", "iris-runtime")
    assert recording.waits_for(service, declared)
    assert declared.plain["metadata"] == {"name": "iris-loaf", "namespace": "models"}
    assert declared.on_error == ("iris-runtime-webhooks",)
    model = service.plain["spec"]["predictor"]["model"]
    assert model == {
        "modelFormat": {"name": "loaf"},
        "protocolVersion": "v1",
        "runtime": "iris-loaf",
        "storageUri": "s3://models/iris/",
    }


def test_the_runtime_is_what_the_release_says() -> None:
    spec = recorded().the(":ServingRuntime", "iris-runtime").plain["spec"]
    (container,) = spec.pop("containers")
    assert spec == {
        "annotations": {"prometheus.kserve.io/port": "8082", "prometheus.kserve.io/path": "/metrics"},
        "protocolVersions": ["v1", "v2"],
        # KServe must not select it for a model of somebody else in the namespace.
        "supportedModelFormats": [
            {"name": "loaf", "version": "1", "autoSelect": False},
            {"name": "loaf", "version": "2", "autoSelect": False},
        ],
    }
    security = container.pop("securityContext")
    assert (security["runAsNonRoot"], security["capabilities"]) == (True, {"drop": ["ALL"]})
    assert container == {
        "name": "kserve-container",
        "image": "localhost:5000/bakery/loafserver:3.2.1",
        "command": ["serve"],
        "args": ["--name={{.Name}}", "--port=8080"],
        "env": [{"name": "OVEN", "value": "hot"}],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
        "readinessProbe": probe("/baked"),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def test_what_a_runtime_does_not_have_is_left_out() -> None:
    plain = replace(LOAF, command=(), arguments=(), environment=(), metrics_port=None, ready_path=None)
    recording = recorded(release=replace(LOCAL, more_runtimes=(plain,)))
    spec = recording.the(":ServingRuntime", "iris-runtime").plain["spec"]
    (container,) = spec["containers"]
    assert not {"command", "args", "env", "readinessProbe"} & container.keys()
    assert "annotations" not in spec


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_a_server_that_speaks_one_protocol_at_a_time_is_told_which(protocol: str) -> None:
    told = replace(LOAF, protocol_variable="PROTOCOL_VERSION")
    recording = recorded(release=replace(LOCAL, more_runtimes=(told,)), protocol=protocol)
    (container,) = recording.the(":ServingRuntime", "iris-runtime").plain["spec"]["containers"]
    assert container["env"] == [
        {"name": "OVEN", "value": "hot"},
        {"name": "PROTOCOL_VERSION", "value": protocol},
    ]


def test_the_settings_of_the_model_reach_the_server() -> None:
    recording = recorded(protocol="grpc-v2", model_name="rye", args=["--slow"], runtime="kserve-loafserver")
    model = recording.the("v1beta1:InferenceService", "iris").plain["spec"]["predictor"]["model"]
    assert (model["runtime"], model["protocolVersion"]) == ("iris-loaf", "v2")
    assert model["ports"] == [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    assert model["args"] == ["--name=rye", "--slow"]


def test_a_changed_runtime_starts_new_pods() -> None:
    hashes = {
        predictor(release=replace(LOCAL, more_runtimes=(replace(LOAF, tag=tag),)), images=MIRROR, format="loaf")[
            "annotations"
        ][SPEC_HASH_ANNOTATION]
        for tag in ("3.2.1", "3.2.2")
    }
    assert len(hashes) == 2


def test_models_of_two_namespaces_have_runtimes_of_their_own() -> None:
    first = arguments(release=BAKERY, images=MIRROR, format="loaf")
    second = arguments(release=BAKERY, images=MIRROR, format="loaf", name="rye", service_name="iris", namespace="b")

    def program() -> None:
        for args in (first, second):
            InferenceService(args.model.name, args=args)

    recording = record(program)
    places = [recording.the(":ServingRuntime", f"{key}-runtime").plain["metadata"] for key in ("iris", "rye")]
    assert places == [{"name": "iris-loaf", "namespace": "models"}, {"name": "iris-loaf", "namespace": "b"}]


@pytest.mark.parametrize("model_format", ["sklearn", "xgboost", "lightgbm", "onnx"])
def test_no_runtime_for_a_format_of_kserves_own(model_format: str) -> None:
    assert runtime(LOCAL, format=model_format) is None


def test_no_runtime_for_a_container() -> None:
    assert runtime(LOCAL, container={"image": "registry.example/a:1"}) is None


@pytest.mark.parametrize("declared", LOCAL.more_runtimes, ids=lambda declared: declared.extra)
def test_the_official_release_uses_kserves_own_runtime_of_the_same_name(declared: DeclaredRuntime) -> None:
    (official,) = (r for r in OFFICIAL_0_20.runtimes if r.name == declared.name)
    assert not OFFICIAL_0_20.more_runtimes
    assert {(f.name, f.version) for f in declared.formats} <= {(f.name, f.version) for f in official.formats}
    assert {*official.protocols} >= {*declared.protocols}
    settings: dict[str, Any] = {"format": declared.formats[0].name, "protocol": declared.protocols[0]}
    assert runtime(LOCAL, **settings) is not None
    assert runtime(OFFICIAL_0_20, **settings) is None


def test_kserve_itself_does_not_get_them() -> None:
    assert not {r.name for r in LOCAL.more_runtimes} & {r.name for r in LOCAL.kserve.runtimes}
