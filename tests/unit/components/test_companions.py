"""Transformers and explainers: what is declared of them, and how `up` waits for them and for their end."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.rollout.companions import CompanionRemoval, CompanionRollout
from components.rollout.wait import Following, KnativeRollout, RolloutError
from components.serving.inference_service import InferenceService
from components.settings.resource_profiles import FOOTPRINTS
from tests.unit.components.recording import Recording, record
from tests.unit.components.test_models import arguments, probe, served
from tests.unit.components.test_rollout import DECLARED, finish, knative_service
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

IMAGE = "registry.example/named-fields:1"
EXPLAINS = {"image": "registry.example/feature-importance:1"}
ANNOTATION = "kserve-multi-model/declared"
KNATIVE = "/apis/serving.knative.dev/v1/namespaces/models/services/iris-transformer"
KSERVE = "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/iris"


def recorded(**stated: Any) -> Recording:
    args = arguments(**stated)
    return record(lambda: InferenceService("iris", args=args))


def declared(**stated: Any) -> Any:
    return recorded(**stated).the("serving.kserve.io/v1beta1:InferenceService", "iris").plain


def transformer(protocol: str = "v1", **stated: Any) -> Any:
    spec: dict[str, Any] = declared(protocol=protocol, transformer={"image": IMAGE, **stated})["spec"]["transformer"]
    assert list(spec.pop("annotations")) == [ANNOTATION]
    return spec


@pytest.mark.feature("transformer", proof="objects", mode="both")
def test_a_transformer_in_its_fewest_words() -> None:
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


def test_everything_a_transformer_can_say() -> None:
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


def test_what_a_transformer_says_itself_is_not_said_again() -> None:
    said = ["--http_port=9091", "--workers", "2", "--predictor_protocol=v1"]
    (container,) = transformer(protocol="v2", args=said, port=9091, concurrency=8)["containers"]
    assert container["args"] == said


def test_a_transformer_that_says_nothing_has_the_footprints_resources() -> None:
    small = FOOTPRINTS["small"].predictor
    assert small
    spec = declared(footprint=small, transformer={"image": IMAGE})["spec"]["transformer"]
    assert spec["containers"][0]["resources"] == small.values()


def test_whatever_changes_in_a_transformer_reaches_both_of_knatives_services() -> None:
    """The model's, so that the generation that KServe says it observed is right again when the transformer goes."""

    def digests(**stated: Any) -> tuple[str, str]:
        spec = declared(**stated)["spec"]
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


def test_a_model_without_a_transformer_is_declared_as_ever() -> None:
    with_none, with_one = declared(), declared(transformer={"image": IMAGE})
    assert "transformer" not in with_none["spec"]
    assert with_none["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    # KServe says it observed the younger transformer's generation, which is never the model's.
    assert "pulumi.com/waitFor" not in with_one["metadata"]["annotations"]


def test_a_transformer_is_followed_into_knative() -> None:
    recording = recorded(transformer={"image": IMAGE}, canary={"traffic": 30})
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    hooks = ("model-iris-rollout", "model-iris-transformer-rollout")
    assert service.afterwards == (hooks, (*hooks, "model-iris-former-explainer"))
    callback: Any = recording.afterwards[hooks[1]].callback
    rollout = callback.__self__
    assert isinstance(rollout, CompanionRollout)
    assert (rollout.place, rollout.model) == (("models", "iris-transformer"), "iris")
    server = rollout.server
    assert isinstance(server, KnativeRollout)
    assert server.place == rollout.place
    assert server.declared == service.plain["spec"]["transformer"]["annotations"][ANNOTATION]
    assert server.share == 100, "a canary is of the model"


@pytest.mark.feature("explainer", proof="objects", mode="both")
def test_an_explainer_beside_a_transformer() -> None:
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
    assert service.afterwards == (hooks, hooks)
    callback: Any = recording.afterwards[hooks[2]].callback
    assert callback.__self__.place == ("models", "iris-explainer")


def test_a_change_of_an_explainer_reaches_the_model_but_not_the_transformer() -> None:
    def digests(**stated: Any) -> list[str]:
        spec = declared(transformer={"image": IMAGE}, explainer={**EXPLAINS, **stated})["spec"]
        return [spec[part]["annotations"][ANNOTATION] for part in ("predictor", "explainer", "transformer")]

    before, after = digests(), digests(args=["--baseline=1,2"])
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert before[2] == after[2]


def test_what_a_model_explains_is_in_its_endpoint() -> None:
    _, endpoint = served(
        explainer=EXPLAINS, check={"instances": [[1, 2]], "predictions": [1], "explanations": [[0.5, 0.5]]}
    )
    assert endpoint["explain_path"] == "/v1/models/iris:explain"
    assert endpoint["check"]["explanations"] == [[0.5, 0.5]]
    assert served()[1]["explain_path"] is None


def inference_service(ready: str) -> Reply:
    return Reply({"status": {"conditions": [{"type": "Ready", "status": ready}]}})


def answers(api: Server, **replies: Reply | tuple[Reply, ...]) -> None:
    paths = {"knative": f"GET {KNATIVE}", "delete": f"DELETE {KNATIVE}", "kserve": KSERVE}
    host = api.address.removeprefix("http://")
    for name, reply in replies.items():
        api.on(host, paths[name], *(reply if isinstance(reply, tuple) else (reply,)))


def rollout(api: Server, timeout: float = 60) -> Following:
    place = ("models", "iris-transformer")

    def connect() -> httpx.Client:
        return httpx.Client(base_url=api.address)

    server = KnativeRollout(connect=connect, place=place, declared=DECLARED, share=100, timeout=timeout)
    return CompanionRollout(connect=connect, place=place, server=server, timeout=timeout, model="iris")


def removal(api: Server, timeout: float = 60) -> Following:
    return CompanionRemoval(
        connect=lambda: httpx.Client(base_url=api.address),
        place=("models", "iris-transformer"),
        paths=(KNATIVE,),
        timeout=timeout,
        model="iris",
    )


def test_a_transformer_has_the_requests_when_kserve_says_so_after_knative(api: Server, pauses: list[float]) -> None:
    answers(
        api,
        knative=(knative_service(ready="Unknown"), knative_service()),
        kserve=(inference_service("Unknown"), inference_service("True")),
    )
    finish(rollout(api))
    assert len(pauses) == 2


def test_a_transformer_that_never_gets_them_fails(api: Server) -> None:
    answers(api, knative=knative_service(), kserve=inference_service("False"))
    with pytest.raises(RolloutError, match="does not serve it after 0 s: KServe has not turned the requests over yet"):
        finish(rollout(api, timeout=0))


def test_where_there_was_no_transformer_none_is_removed(api: Server, pauses: list[float]) -> None:
    answers(api, knative=Reply(status=404))
    finish(removal(api))
    assert pauses == []


def test_a_former_transformer_goes_when_it_gets_no_more_requests(api: Server, pauses: list[float]) -> None:
    answers(
        api,
        knative=knative_service(),
        kserve=(inference_service("Unknown"), inference_service("True")),
        delete=Reply({}),
    )
    finish(removal(api))
    assert len(pauses) == 1
    asked = [(request.method, request.path) for request in api.requests]
    assert asked[-1] == ("DELETE", KNATIVE)
    assert len(asked) == 5


def test_a_former_transformer_that_may_not_be_removed_is_told_of(api: Server) -> None:
    answers(api, knative=knative_service(), kserve=inference_service("True"), delete=Reply(status=409))
    with pytest.raises(RolloutError, match=r"iris-transformer is still there after 0 s: .*409"):
        finish(removal(api, timeout=0))


def test_who_may_not_look_is_warned(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    answers(api, knative=Reply(status=403))
    finish(removal(api))
    assert len(said) == 1
