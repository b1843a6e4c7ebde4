"""KServe's modes Standard and Knative: what is declared for a model in each."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.rollout.wait import DECLARED
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.settings.model import Model, ValidationContext
from components.settings.modes import Mode
from components.settings.stack import Cluster
from releases.local import LOCAL
from tests.unit.components.recording import Recording, Resource, record


def declared(mode: Mode = "Standard", *, changes_mode: bool = False, **said: Any) -> tuple[Recording, Resource]:
    """A model as it is declared: the program, and the InferenceService."""
    document = {"name": "iris", "format": "sklearn", "storage_uri": "s3://models/iris", **said}
    args = InferenceServiceArgs(
        model=Model.model_validate(document, context=ValidationContext(release=LOCAL, storage=None, mode=mode)),
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
