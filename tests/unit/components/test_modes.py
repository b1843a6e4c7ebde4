"""KServe's two modes: what a stack may say in each, what is declared, and which part of the platform it needs."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.rollout.wait import DECLARED
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.settings.errors import SettingsError
from components.settings.model import Model, Surroundings
from components.settings.modes import Mode
from components.settings.stack import Cluster, Settings, parse
from releases.local import LOCAL
from tests.unit.components.recording import Recording, Resource, record

REFUSED = [
    ("Standard", {"replicas": {"min": 0}}, "replicas: min 0 needs mode Knative: in mode Standard nothing scales"),
    ("Standard", {"concurrency": 4}, "concurrency: needs mode Knative: in mode Standard nothing holds requests back"),
    ("Standard", {"canary": {"traffic": 20}}, "canary: needs mode Knative: in mode Standard KServe does not share req"),
    ("Standard", {"labels": {"app": "iris"}}, "labels: app is KServe's own in mode Standard: it finds the model's pod"),
    ("Standard", {"scale": {"window": 30}}, "scale: window needs mode Knative: in mode Standard it is the cluster's"),
    ("Standard", {"scale": {"metric": "rps"}}, "scale: metric rps needs mode Knative; in mode Standard it is cpu or "),
    (
        "Standard",
        {"scale": {"metric": "concurrency"}},
        "scale: metric concurrency needs mode Knative; in mode Standard",
    ),
    ("Standard", {"scale": {"target": 101}}, "scale: target 101 is more than 100: in mode Standard it is per cent of"),
    ("Standard", {"scale": {"metric": "memory"}}, "scale: target is missing: metric memory has none of its own; say "),
    ("Standard", {"scale": {"metric": "cpu"}}, "scale: has no effect: replicas.min and replicas.max are both 1; raise"),
    (
        "Standard",
        {"scale": {"target": 50}},
        "scale: has no effect: replicas.min and replicas.max are both 1; raise max",
    ),
    (
        "Knative",
        {"scale": {"metric": "cpu"}},
        "scale: metric cpu needs mode Standard; in mode Knative it is concurrenc",
    ),
    (
        "Knative",
        {"scale": {"metric": "memory", "target": 50}},
        "scale: metric memory needs mode Standard; in mode Knat",
    ),
]


def stack(*models: dict[str, Any], **settings: Any) -> Settings:
    mirror = {"charts": "oci://registry.example/charts", "images": "registry.example"}
    listed = [
        {"name": f"model-{i}", "format": "sklearn", "storage_uri": "s3://models/m", **model}
        for i, model in enumerate(models)
    ]
    return parse({"release": "local", "mirror": mirror, "models": listed, **settings})


@pytest.mark.feature("scale to zero", mode="Standard", proof="refused")
@pytest.mark.feature("a limit of requests at a time", mode="Standard", proof="refused")
@pytest.mark.feature("canary", mode="Standard", proof="refused")
@pytest.mark.feature("scaling by requests", mode="Standard", proof="refused")
@pytest.mark.feature("scaling by cpu or memory", mode="Knative", proof="refused")
@pytest.mark.parametrize(("mode", "said", "problem"), REFUSED, ids=[problem[:40] for *_, problem in REFUSED])
@pytest.mark.parametrize("by", ["the model", "the stack"])
def test_what_a_mode_does_not_honour_is_refused(mode: str, said: dict[str, Any], problem: str, by: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _ = stack({"mode": mode, **said}) if by == "the model" else stack(said, mode=mode)
    (found,) = refused.value.problems
    assert found.startswith(f"models[0].{problem}")


@pytest.mark.parametrize("key", ["serving.kserve.io/deploymentMode", "serving.kserve.io/autoscalerClass"])
def test_a_mode_is_not_said_by_an_annotation(key: str) -> None:
    with pytest.raises(SettingsError, match=f"{key} is KServe's own; use "):
        stack({"annotations": {key: "Standard"}})


def test_a_model_without_a_mode_has_the_stacks() -> None:
    assert [model.mode for model in stack({}, {"mode": "Standard"}).models] == ["Knative", "Standard"]
    assert [model.mode for model in stack({}, {"mode": "Knative"}, mode="Standard").models] == ["Standard", "Knative"]


def test_a_mode_that_there_is_not_is_named_once() -> None:
    with pytest.raises(SettingsError) as refused:
        stack({}, mode="Serverless")
    assert refused.value.problems == ("mode: must be 'Knative' or 'Standard'",)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (stack(), True),
        (stack(mode="Standard"), False),
        (stack({}), True),
        (stack({}, mode="Standard"), False),
        (stack({"mode": "Standard"}), False),
        (stack({"mode": "Standard"}, {"mode": "Knative"}, mode="Standard"), True),
    ],
)
def test_knative_is_there_for_the_models_that_need_it(settings: Settings, *, needs: bool) -> None:
    assert settings.needs_knative is needs


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (stack({"replicas": {"max": 2}}), False),
        (stack({}, mode="Standard"), False),
        (stack({"replicas": {"max": 2}}, mode="Standard"), True),
    ],
)
def test_only_a_scaled_deployment_needs_metrics(settings: Settings, *, needs: bool) -> None:
    assert settings.needs_metrics is needs


def declared(mode: Mode = "Standard", *, changes_mode: bool = False, **said: Any) -> tuple[Recording, Resource]:
    """A model as it is declared: the program, and the InferenceService."""
    document = {"name": "iris", "format": "sklearn", "storage_uri": "s3://models/iris", **said}
    args = InferenceServiceArgs(
        model=Model.model_validate(document, context=Surroundings(release=LOCAL, storage=None, mode=mode)),
        runtimes=LOCAL.runtimes,
        cluster=Cluster(),
        namespace="models",
        owner="org/project/dev",
        domain="example.com",
        service_account=None,
        resources=None,
        gateway_address=pulumi.Output.from_input("http://192.0.2.1:31080"),
        changes_mode=changes_mode,
    )
    recording = record(lambda: InferenceService("iris", args=args))
    return recording, recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")


def test_a_deployment_in_its_fewest_words() -> None:
    _, service = declared()
    assert service.plain["metadata"]["annotations"] == {
        "kserve-multi-model/stack": "org/project/dev",
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
        "pulumi.com/waitFor": "condition=Ready",
        "pulumi.com/deletionPropagationPolicy": "background",
    }
    predictor = service.plain["spec"]["predictor"]
    assert list(predictor.pop("annotations")) == [DECLARED]
    assert predictor == {
        "minReplicas": 1,
        "maxReplicas": 1,
        # As long as Knative gives a request; and a server that ends may finish one.
        "timeout": 300,
        "terminationGracePeriodSeconds": 305,
        "model": {
            "modelFormat": {"name": "sklearn"},
            "protocolVersion": "v1",
            "storageUri": "s3://models/iris",
            "readinessProbe": {
                "httpGet": {"path": "/v1/models/iris", "port": 8080},
                "periodSeconds": 2,
                "timeoutSeconds": 30,
                "failureThreshold": 10,
            },
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        },
    }


@pytest.mark.feature("scaling by cpu or memory", mode="Standard", proof="objects")
def test_a_deployment_that_is_scaled() -> None:
    _, service = declared(replicas={"min": 2, "max": 5}, scale={"metric": "memory", "target": 70}, request_timeout=20)
    assert service.plain["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "hpa"
    predictor = service.plain["spec"]["predictor"]
    said = {"minReplicas": 2, "maxReplicas": 5, "scaleMetric": "memory", "scaleTarget": 70}
    assert predictor.items() >= {**said, "timeout": 20, "terminationGracePeriodSeconds": 25}.items()


@pytest.mark.feature("GPUs, nodes and tolerations", mode="Standard", proof="objects")
@pytest.mark.feature("replicas, resources and timeouts", mode="Standard", proof="objects")
def test_a_deployment_asks_for_what_its_model_needs() -> None:
    _, service = declared(
        replicas={"min": 2, "max": 2},
        resources={"requests": {"cpu": "2"}},
        gpus=1,
        node_selector={"example.com/pool": "gpu"},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
    )
    predictor = service.plain["spec"]["predictor"]
    said = {"minReplicas": 2, "maxReplicas": 2, "nodeSelector": {"example.com/pool": "gpu"}}
    assert predictor.items() >= {**said, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}.items()
    asked = {"cpu": "2", "nvidia.com/gpu": "1"}
    assert predictor["model"]["resources"] == {"requests": asked, "limits": asked}


def test_any_change_reaches_the_deployment() -> None:
    def digest(**said: Any) -> str:
        noted: dict[str, str] = declared(**said)[1].plain["spec"]["predictor"]["annotations"]
        return noted[DECLARED]

    scaled: list[dict[str, Any]] = [{"replicas": {"min": 1, "max": most}} for most in (2, 3)]
    changed = [*scaled, {"request_timeout": 9}]
    assert len({digest(), *(digest(**said) for said in changed)}) == 1 + len(changed)


def test_a_deployment_is_followed_whenever_it_is_declared() -> None:
    recording, service = declared()
    former = ("model-iris-former-transformer", "model-iris-former-explainer")
    assert service.afterwards == (("model-iris-rollout",), ("model-iris-rollout", *former))
    finish: Any = recording.afterwards["model-iris-rollout"].callback
    rollout = finish.__self__
    assert (rollout.place, rollout.selector) == (("models", "iris-predictor"), "app=isvc.iris-predictor")
    assert rollout.declared == service.plain["spec"]["predictor"]["annotations"][DECLARED]


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
@pytest.mark.parametrize("changes_mode", [True, False])
def test_another_mode_is_another_object_under_the_same_name(mode: Mode, *, changes_mode: bool) -> None:
    _, service = declared(mode, changes_mode=changes_mode)
    assert service.replaced_by == ('metadata.annotations["serving.kserve.io/deploymentMode"]',)
    assert service.deleted_first is changes_mode
