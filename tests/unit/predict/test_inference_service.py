"""What the cluster's InferenceService adds, read from a real Kubernetes API path."""

from pathlib import Path
from typing import Any

import pytest

from predict.messages import Lang
from tests.unit.predict.conftest import check, endpoint, words
from tests.unit.predict.server import Reply, Server

INFERENCE_SERVICE = "GET /apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/sklearn-model"
REFUSED = "Failed to download the model: S3 error [403]: Forbidden"


def serve_status(kubernetes: Server, *statuses: dict[str, Any] | None) -> None:
    replies = [Reply({"metadata": {"name": "sklearn-model"}, **({"status": s} if s else {})}) for s in statuses]
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, *replies)


def blocked(
    message: str, *, transition: str = "BlockedByFailedLoad", reason: str = "ModelLoadFailed"
) -> dict[str, Any]:
    failure = {"exitCode": 1, "reason": reason, "message": message}
    return {"modelStatus": {"transitionStatus": transition, "lastFailureInfo": failure}}


@pytest.mark.parametrize(
    "message", [REFUSED, "SignatureDoesNotMatch when calling ListObjects", "InvalidAccessKeyId: no"]
)
def test_refused_storage_keys_are_said_plainly_and_at_once(gateway: Server, kubernetes: Server, message: str) -> None:
    serve_status(kubernetes, blocked(message))
    outcome = check(endpoint(gateway), timeout=60)
    assert (outcome.verdict, outcome.exit_code) == ("storage-refused", 2)
    assert outcome.waited_s < 20
    text = words(outcome)
    assert text.startswith(
        f"The storage refused the access keys: ModelLoadFailed: {message} "
        "(InferenceService default/sklearn-model, BlockedByFailedLoad)."
    )
    assert "Set the right keys in the stack's setting `storage.<name>`" in text
    assert "存储拒绝了访问密钥" in words(outcome, Lang.ZH)


def test_other_load_failures_stop_the_waiting_too(gateway: Server, kubernetes: Server) -> None:
    serve_status(kubernetes, blocked("No runtime", transition="InvalidSpec", reason="NoSupportingRuntime"))
    outcome = check(endpoint(gateway), timeout=60)
    assert (outcome.verdict, outcome.exit_code) == ("load-failed", 2)
    assert outcome.waited_s < 20
    assert words(outcome).startswith(
        "KServe cannot load the model: NoSupportingRuntime: No runtime "
        "(InferenceService default/sklearn-model, InvalidSpec)."
    )


def test_loading_that_fails_later_stops_the_waiting(gateway: Server, kubernetes: Server) -> None:
    loading = {"modelStatus": {"transitionStatus": "InProgress"}}
    serve_status(kubernetes, loading, blocked(REFUSED))
    outcome = check(endpoint(gateway), timeout=60)
    assert outcome.verdict == "storage-refused"
    assert outcome.waited_s < 30


def test_conditions_in_the_way_are_listed(gateway: Server, kubernetes: Server) -> None:
    conditions = [
        {"type": "IngressReady", "status": "Unknown", "reason": "Predictor ingress not created"},
        {"type": "PredictorReady", "status": "False", "reason": "RevisionFailed", "message": "0/1 nodes available"},
        {"type": "Stopped", "status": "False"},
        {"type": "LatestDeploymentReady", "status": "True"},
    ]
    serve_status(kubernetes, {"conditions": conditions, "modelStatus": {"transitionStatus": "InProgress"}})
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-route"
    assert (
        "InferenceService default/sklearn-model is not ready: IngressReady=Unknown (Predictor ingress not created); "
        "PredictorReady=False (RevisionFailed: 0/1 nodes available)." in words(outcome)
    )
    assert "InferenceService default/sklearn-model 未就绪" in words(outcome, Lang.ZH)


def test_a_stopped_service_says_so(gateway: Server, kubernetes: Server) -> None:
    serve_status(kubernetes, {"conditions": [{"type": "Stopped", "status": "True"}]})
    assert "is not ready: Stopped=True." in words(check(endpoint(gateway)))


def test_a_ready_service_points_to_the_path_in_between(gateway: Server, kubernetes: Server) -> None:
    serve_status(kubernetes, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert "InferenceService default/sklearn-model says it is ready: look between" in words(check(endpoint(gateway)))


def test_a_service_without_status_yet(gateway: Server, kubernetes: Server) -> None:
    serve_status(kubernetes, None)
    assert check(endpoint(gateway)).verdict == "no-route"


def test_no_such_service(gateway: Server, kubernetes: Server) -> None:
    status = {"kind": "Status", "message": "not found", "code": 404}
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, Reply(status, status=404))
    assert "There is no InferenceService default/sklearn-model in the cluster" in words(check(endpoint(gateway)))


def test_no_permission(gateway: Server, kubernetes: Server) -> None:
    status = {"kind": "Status", "message": "user cannot get resource", "code": 403}
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, Reply(status, status=403))
    assert "could not be read: user cannot get resource (--kubeconfig" in words(check(endpoint(gateway)))


def test_no_kubeconfig_is_said_and_no_crash(gateway: Server) -> None:
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-route"
    said = "The status of InferenceService default/sklearn-model could not be read: ConfigError: Configuration file"
    assert said in words(outcome)
    assert "无法读取 InferenceService default/sklearn-model 的状态" in words(outcome, Lang.ZH)


def test_a_broken_kubeconfig_is_said(gateway: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").write_text("clusters: [")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    assert "could not be read: ParserError" in words(check(endpoint(gateway)))


@pytest.mark.parametrize(
    ("own", "given", "said"),
    [
        ("elsewhere", None, "could not be read: ConnectError"),
        ("elsewhere", "here", "says it is ready"),
        ("nowhere", None, "could not be read: ConfigError: Context 'nowhere' not found"),
    ],
)
def test_the_given_context_wins_over_the_endpoints(
    gateway: Server, kubernetes: Server, own: str, given: str | None, said: str
) -> None:
    serve_status(kubernetes, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert said in words(check(endpoint(gateway, context=own), context=given))
