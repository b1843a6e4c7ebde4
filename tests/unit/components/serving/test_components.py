"""Transformers and explainers: what is declared of them."""

from __future__ import annotations

from typing import Any

import pytest

from components.rollout.hooks import ComponentRollout
from components.rollout.server import KnativeRollout
from components.serving.inference_service import InferenceService
from components.settings.resource_profiles import FOOTPRINTS
from tests.unit.components.recording import Recording, record
from tests.unit.components.serving.test_inference_service import arguments, probe, served

IMAGE = "registry.example/named-fields:1"
EXPLAINS = {"image": "registry.example/feature-importance:1"}
ANNOTATION = "kserve-multi-model/declared"


def recorded(**settings: Any) -> Recording:
    args = arguments(**settings)
    return record(lambda: InferenceService("iris", args=args))


def declared(**settings: Any) -> Any:
    return recorded(**settings).the("serving.kserve.io/v1beta1:InferenceService", "iris").plain


def transformer(protocol: str = "v1", **settings: Any) -> Any:
    spec: dict[str, Any] = declared(protocol=protocol, transformer={"image": IMAGE, **settings})["spec"]["transformer"]
    assert list(spec.pop("annotations")) == [ANNOTATION]
    return spec


@pytest.mark.feature("transformer", proof="objects", mode="both")
def test_transformer_with_defaults() -> None:
    assert transformer() == {
        "minReplicas": 1,
        "maxReplicas": 1,
        "containers": [
            {
                "name": "kserve-container",
                "image": IMAGE,
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": probe("/v1/models/iris"),
            }
        ],
    }


def test_transformer_with_all_settings() -> None:
    spec = transformer(
        protocol="v2",
        command=["python3", "-m", "fields"],
        args=["--species=2"],
        port=9090,
        replicas={"min": 0, "max": 3},
        concurrency=4,
        request_timeout=20,
        resources={"requests": {"cpu": "2"}},
        environment={"UNIT": "cm"},
    )
    (container,) = spec.pop("containers")
    assert spec == {"minReplicas": 0, "maxReplicas": 3, "containerConcurrency": 4, "timeout": 20}
    assert container["command"] == ["python3", "-m", "fields"]
    assert container["args"] == ["--species=2", "--predictor_protocol=v2", "--http_port=9090", "--workers=1"]
    assert container["ports"] == [{"containerPort": 9090, "protocol": "TCP"}]
    assert container["env"] == [{"name": "UNIT", "value": "cm"}]
    assert container["resources"] == {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/models/iris/ready", "port": 9090}


def test_arguments_in_the_settings_are_not_added_again() -> None:
    args = ["--http_port=9091", "--workers", "2", "--predictor_protocol=v1"]
    (container,) = transformer(protocol="v2", args=args, port=9091, concurrency=8)["containers"]
    assert container["args"] == args


def test_transformer_without_resources_gets_those_of_the_footprint() -> None:
    small = FOOTPRINTS["small"]
    assert small.predictor
    spec = declared(footprint=small, transformer={"image": IMAGE})["spec"]["transformer"]
    assert spec["containers"][0]["resources"] == small.predictor.values()


def test_change_of_a_transformer_changes_both_hashes() -> None:
    """The predictor's changes, too, so that the observed generation is right after the transformer is removed."""

    def digests(**settings: Any) -> tuple[str, str]:
        spec = declared(**settings)["spec"]
        return spec["predictor"]["annotations"][ANNOTATION], spec["transformer"]["annotations"][ANNOTATION]

    before = digests(transformer={"image": IMAGE})
    for change in ({"image": "other"}, {"args": ["a"]}, {"concurrency": 1}, {"environment": {"A": "b"}}, {"port": 80}):
        after = digests(transformer={"image": IMAGE, **change})
        assert after[0] != before[0]
        assert after[1] != before[1]
    model, front = digests(transformer={"image": IMAGE}, storage_uri="s3://models/other")
    assert model != before[0]
    assert front == before[1], "a new model is no reason to start the transformer anew"
    assert digests(transformer={"image": IMAGE}, timeout=90)[1] != before[1]


def test_pulumi_waits_for_ready_only_without_a_transformer() -> None:
    with_none, with_one = declared(), declared(transformer={"image": IMAGE})
    assert "transformer" not in with_none["spec"]
    assert with_none["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    # KServe reports the generation of the newer transformer as observed, which is not the model's.
    assert "pulumi.com/waitFor" not in with_one["metadata"]["annotations"]


def test_hook_waits_for_the_transformer() -> None:
    recording = recorded(transformer={"image": IMAGE}, canary={"traffic": 30})
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    hooks = ("model-iris-rollout", "model-iris-transformer-rollout")
    downloaded = "model-iris-downloaded"
    assert service.afterwards == ((*hooks, downloaded), (*hooks, "model-iris-former-explainer", downloaded))
    callback: Any = recording.afterwards[hooks[1]].callback
    rollout = callback.__self__
    assert isinstance(rollout, ComponentRollout)
    assert (rollout.scope.namespace, rollout.name, rollout.model) == ("models", "iris-transformer", "iris")
    server = rollout.server
    assert isinstance(server, KnativeRollout)
    assert (server.scope.namespace, server.name) == ("models", "iris-transformer")
    assert server.spec_hash == service.plain["spec"]["transformer"]["annotations"][ANNOTATION]
    assert server.share == 100, "a canary is of the model"


@pytest.mark.feature("explainer", proof="objects", mode="both")
def test_explainer_and_transformer() -> None:
    recording = recorded(transformer={"image": IMAGE}, explainer={**EXPLAINS, "args": ["--baseline=1,2"]})
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    spec = service.plain["spec"]
    assert list(spec["explainer"].pop("annotations")) == [ANNOTATION]
    assert spec["explainer"] == {
        "minReplicas": 1,
        "maxReplicas": 1,
        "containers": [
            {
                "name": "kserve-container",
                **EXPLAINS,
                "args": ["--baseline=1,2"],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": probe("/v1/models/iris"),
            }
        ],
    }
    hooks = ("model-iris-rollout", "model-iris-transformer-rollout", "model-iris-explainer-rollout")
    assert service.afterwards == ((*hooks, "model-iris-downloaded"), (*hooks, "model-iris-downloaded"))
    callback: Any = recording.afterwards[hooks[2]].callback
    assert (callback.__self__.scope.namespace, callback.__self__.name) == ("models", "iris-explainer")


def test_change_of_an_explainer_changes_no_hash_of_the_transformer() -> None:
    def digests(**settings: Any) -> list[str]:
        spec = declared(transformer={"image": IMAGE}, explainer={**EXPLAINS, **settings})["spec"]
        return [spec[part]["annotations"][ANNOTATION] for part in ("predictor", "explainer", "transformer")]

    before, after = digests(), digests(args=["--baseline=1,2"])
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert before[2] == after[2]


def test_endpoint_of_a_model_with_an_explainer() -> None:
    _, endpoint = served(
        explainer=EXPLAINS, check={"instances": [[1, 2]], "predictions": [1], "explanations": [[0.5, 0.5]]}
    )
    assert endpoint["explain_path"] == "/v1/models/iris:explain"
    assert endpoint["check"]["explanations"] == [[0.5, 0.5]]
    assert served()[1]["explain_path"] is None
