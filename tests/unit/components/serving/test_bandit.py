"""The bandit of a model with a canary: what is declared, and in which order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from components.charts.sources import ImageMirror
from components.serving.bandit import Bandit, BanditArgs
from components.serving.inference_service import InferenceService
from components.settings.gateway_names import GatewayNames
from endpoints.endpoint import Endpoint
from releases.runtimes import BANDIT_IMAGE
from tests.unit.components.recording import Recording, record
from tests.unit.components.serving.test_inference_service import arguments, served

NAME = "iris-bandit"


def declared(**changes: Any) -> Recording:
    args = BanditArgs(
        model="iris",
        namespace="models",
        host="iris-bandit.models.example.com",
        gateway="corp/public",
        predict_path="/v1/models/iris:predict",
        versions="0123456789abcdef",
        epsilon=0.2,
        timeout=300,
        image="registry.example/bandit:1",
        **changes,
    )
    return record(lambda: Bandit(NAME, args=args))


def test_bandit_reaches_each_version_by_its_host_name() -> None:
    (container,) = declared().the(":Deployment", NAME).plain["spec"]["template"]["spec"]["containers"]
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert options["--latest"] == "http://latest-iris-predictor.models.svc.cluster.local/v1/models/iris:predict"
    assert options["--prev"] == "http://prev-iris-predictor.models.svc.cluster.local/v1/models/iris:predict"
    assert (options["--versions"], options["--epsilon"], options["--timeout"]) == ("0123456789abcdef", "0.2", "300")
    assert (options["--namespace"], options["--state"], options["--owner"]) == ("models", NAME, NAME)
    assert container["image"] == "registry.example/bandit:1"
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}


def test_bandit_may_only_access_its_own_config_map() -> None:
    recording = declared()
    assert recording.the(":Role", NAME).plain["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "update"], "resourceNames": [NAME]},
    ]
    binding = recording.the(":RoleBinding", NAME).plain
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "models"}]
    assert binding["roleRef"]["name"] == NAME
    deployment = recording.the(":Deployment", NAME)
    assert deployment.plain["spec"]["template"]["spec"]["serviceAccountName"] == NAME
    assert recording.waits_for(deployment, recording.the(":RoleBinding", NAME))


def test_route_is_declared_after_the_deployment() -> None:
    recording = declared()
    route = recording.the(":VirtualService", NAME)
    assert route.plain["spec"] == {
        "hosts": ["iris-bandit.models.example.com"],
        "gateways": ["corp/public"],
        "http": [
            {"route": [{"destination": {"host": "iris-bandit.models.svc.cluster.local", "port": {"number": 80}}}]}
        ],
    }
    assert recording.waits_for(route, recording.the(":Deployment", NAME))
    selector = recording.the(":Service", NAME).plain["spec"]["selector"]
    template = recording.the(":Deployment", NAME).plain["spec"]["template"]
    assert selector.items() <= template["metadata"]["labels"].items()


def with_canary(canary: dict[str, Any], images: ImageMirror | None = None) -> Recording:
    args = arguments(canary=canary, images=images)
    return record(lambda: InferenceService("iris", args=args))


def test_bandit_is_declared_on_request_after_its_model() -> None:
    mirror = ImageMirror(repository="registry.example:5000")
    recording = with_canary({"traffic": 20, "bandit": {}}, mirror)
    deployment = recording.the(":Deployment", NAME)
    service = recording.the("serving.kserve.io/v1beta1:InferenceService", "iris")
    assert recording.waits_for(deployment, service)
    (container,) = deployment.plain["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example:5000/{BANDIT_IMAGE}"
    assert "--epsilon 0.1 " in " ".join(map(str, container["args"]))
    digest = service.plain["spec"]["predictor"]["annotations"]["kserve-multi-model/declared"]
    assert f"--versions {digest} " in " ".join(map(str, container["args"]))
    assert not [name for name in with_canary({"traffic": 20}).names if "bandit" in name]


def test_bandit_is_behind_the_gateway_of_kserves_own_routes() -> None:
    args = arguments(canary={"traffic": 20, "bandit": {"image": "mine:1"}})
    for names in (GatewayNames(), GatewayNames(knative="corp/public")):
        given = replace(args, context=replace(args.context, gateways=names))
        recording = record(partial(InferenceService, "iris", args=given))
        assert recording.the(":VirtualService", NAME).plain["spec"]["gateways"] == [names.knative]


def test_bandit_does_not_change_the_inference_service() -> None:
    """Requests to the model itself keep the declared share, and no new server starts."""
    alone, beside = (
        with_canary(canary).the("serving.kserve.io/v1beta1:InferenceService", "iris").plain
        for canary in ({"traffic": 20}, {"traffic": 20, "bandit": {"image": "mine:1"}})
    )
    assert alone == beside


def test_endpoint_has_the_host_of_the_bandit() -> None:
    _, endpoint = served(canary={"traffic": 20, "bandit": {"image": "mine:1"}})
    assert Endpoint.model_validate(endpoint).bandit == "iris-bandit.models.example.com"
    _, endpoint = served(canary={"traffic": 20})
    assert Endpoint.model_validate(endpoint).bandit is None
