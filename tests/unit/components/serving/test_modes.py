"""What is declared of a model in each of KServe's two modes."""

from __future__ import annotations

from typing import Any

import pytest

from components.serving.inference_service import InferenceService
from components.settings.modes import Mode
from kube.views.kserve import SPEC_HASH_ANNOTATION
from tests.unit.components.recording import Recording, Resource, record
from tests.unit.components.serving.test_inference_service import arguments


def declared(mode: Mode = "Standard", *, changes_mode: bool = False, **settings: Any) -> tuple[Recording, Resource]:
    """A model as it is declared: the program, and the InferenceService."""
    args = arguments(mode=mode, changes_mode=changes_mode, **settings)
    recording = record(lambda: InferenceService("iris", args=args))
    return recording, recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")


def test_standard_model_with_defaults() -> None:
    _, service = declared()
    assert service.plain["metadata"]["annotations"] == {
        "kserve-multi-model/stack": "org/project/dev",
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
        "pulumi.com/waitFor": "condition=Ready",
        "pulumi.com/deletionPropagationPolicy": "background",
    }
    predictor = service.plain["spec"]["predictor"]
    assert list(predictor.pop("annotations")) == [SPEC_HASH_ANNOTATION]
    assert predictor == {
        "minReplicas": 1,
        "maxReplicas": 1,
        # Knative's default timeout; a terminating server may finish a request.
        "timeout": 300,
        "terminationGracePeriodSeconds": 305,
        "model": {
            "modelFormat": {"name": "sklearn"},
            "protocolVersion": "v1",
            "storageUri": "s3://models/iris/",
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
def test_standard_model_with_scaling() -> None:
    _, service = declared(replicas={"min": 2, "max": 5}, scale={"metric": "memory", "target": 70}, request_timeout=20)
    assert service.plain["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "hpa"
    predictor = service.plain["spec"]["predictor"]
    expected = {"minReplicas": 2, "maxReplicas": 5, "scaleMetric": "memory", "scaleTarget": 70}
    assert predictor.items() >= {**expected, "timeout": 20, "terminationGracePeriodSeconds": 25}.items()


@pytest.mark.feature("GPUs, nodes and tolerations", mode="Standard", proof="objects")
@pytest.mark.feature("replicas, resources and timeouts", mode="Standard", proof="objects")
def test_standard_model_with_resources_and_nodes() -> None:
    _, service = declared(
        replicas={"min": 2, "max": 2},
        resources={"requests": {"cpu": "2"}},
        gpus=1,
        node_selector={"example.com/pool": "gpu"},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
    )
    predictor = service.plain["spec"]["predictor"]
    expected = {"minReplicas": 2, "maxReplicas": 2, "nodeSelector": {"example.com/pool": "gpu"}}
    assert predictor.items() >= {**expected, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}.items()
    asked = {"cpu": "2", "nvidia.com/gpu": "1"}
    assert predictor["model"]["resources"] == {"requests": asked, "limits": asked}


def test_change_of_a_standard_model_changes_its_hash() -> None:
    def digest(**fields: Any) -> str:
        annotations: dict[str, str] = declared(**fields)[1].plain["spec"]["predictor"]["annotations"]
        return annotations[SPEC_HASH_ANNOTATION]

    scaled: list[dict[str, Any]] = [{"replicas": {"min": 1, "max": most}} for most in (2, 3)]
    changed = [*scaled, {"request_timeout": 9}]
    assert len({digest(), *(digest(**fields) for fields in changed)}) == 1 + len(changed)


def test_hook_waits_for_the_model_in_mode_standard() -> None:
    recording, service = declared()
    former = ("model-iris-former-transformer", "model-iris-former-explainer")
    after_create, after_update = service.afterwards
    assert after_create == ("model-iris-rollout", "model-iris-downloaded")
    assert after_update == ("model-iris-rollout", *former, "model-iris-downloaded")
    finish: Any = recording.afterwards["model-iris-rollout"].callback
    rollout = finish.__self__
    assert (rollout.scope.namespace, rollout.name) == ("models", "iris-predictor")
    assert rollout.selector == "app=isvc.iris-predictor"
    assert rollout.spec_hash == service.plain["spec"]["predictor"]["annotations"][SPEC_HASH_ANNOTATION]


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
@pytest.mark.parametrize("changes_mode", [True, False])
def test_change_of_mode_replaces_the_object(mode: Mode, *, changes_mode: bool) -> None:
    _, service = declared(mode, changes_mode=changes_mode)
    assert service.replaced_by == ('metadata.annotations["serving.kserve.io/deploymentMode"]',)
    assert service.deleted_first is changes_mode
