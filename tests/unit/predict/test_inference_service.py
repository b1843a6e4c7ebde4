"""What the cluster's InferenceService adds, read from a real Kubernetes API path."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoints.failures import LoadFailed, StorageRefused
from kube.views.kserve import InferenceService
from locales.language import load
from predict.inference_service import ServiceStatus
from predict.report import to_json
from tests.unit.kube.conftest import PluginScript, credential, write
from tests.unit.predict.conftest import check, endpoint, serve_v1, words
from tests.unit.predict.server import Reply, Server

HOST = "sklearn-model.default.example.com"
READY = "GET /v1/models/sklearn-model"
PREDICT = "POST /v1/models/sklearn-model:predict"
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
    assert "存储拒绝了访问密钥" in words(outcome, "zh")


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        (REFUSED, True),
        ("An error occurred (403) when calling the HeadObject operation", True),
        ("403 Client Error: for url: http://minio/models", True),
        ("403 Forbidden", True),
        ("An error occurred (SignatureDoesNotMatch) when calling the ListObjects operation", True),
        ("An error occurred (InvalidAccessKeyId) when calling the ListObjects operation", True),
        ("An error occurred (AccessDenied) when calling the ListObjects operation", True),
        ("An error occurred (InvalidToken) when calling the ListObjects operation", True),
        ("An error occurred (ExpiredToken) when calling the ListObjects operation", True),
        ("botocore.exceptions.NoCredentialsError: no keys", True),
        ("Unable to locate credentials", True),
        ("RuntimeError: Failed to fetch model. No model found in s3://models/churn-403.", False),
        ("connect timed out: http://minio:403/models/403/", False),
        ("HTTP authentication failed for 'https://h/m'. Verify credentials.", True),
        ("HuggingFace authentication failed. Set HF_TOKEN or request access to the gated repository.", True),
        ("GCS error: ('invalid_grant: Invalid JWT Signature.', {})", True),
        ("GCS authentication failed. Verify GOOGLE_APPLICATION_CREDENTIALS or use anonymous access.", True),
        ("Azure authentication failed. Verify AZURE_CLIENT_ID/AZURE_CLIENT_SECRET or AZURE_STORAGE_ACCESS_KEY.", True),
        ("S3 authentication failed. Set AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY or use awsAnonymousCredential", True),
        ("Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", True),
        ("HTTP access denied for 'https://h/m'. Verify permissions.", True),
        ("Access denied to S3 resource 'models'. Verify permissions.", True),
        ("Access denied. Verify HuggingFace permissions.", True),
        ("S3 resource 'models' not found.", False),
        ("HTTP resource not found at 'https://h/401/m'.", False),
        ("unexpected status from HEAD request to http://r/v2/iris/manifests/401: 401 Unauthorized", True),
        ("pull access denied, repository does not exist or may require authorization", True),
        ("authorization failed: no basic auth credentials", True),
        ("reading manifest 1 in r/iris: unauthorized: authentication required", True),
        ("denied: requested access to the resource is denied", True),
    ],
)
def test_what_counts_as_refused_keys(message: str, refused: bool) -> None:
    service = InferenceService.model_validate({"metadata": {}, "status": blocked(message)})
    failure = ServiceStatus.of(service).load_failure
    assert type(failure) is (StorageRefused if refused else LoadFailed)


def test_refused_keys_name_the_store_and_what_it_answered() -> None:
    log = (
        "ERROR [x.py:raise_storage_error():42] GCS error for gs://m/iris: reader@acme has no access\n"
        "Storage initialization failed: Access denied to GCS resource 'm'. Verify permissions.\n"
    )
    marks = {"annotations": {"kserve-multi-model/stack": "organization/kserve-multi-model/dev:1a2b3c4d"}}
    predictor = {"serviceAccountName": "dev-storage-google", "model": {"storageUri": "gs://m/iris"}}
    declared = {"metadata": marks, "spec": {"predictor": predictor}, "status": blocked(log)}
    failure = ServiceStatus.of(InferenceService.model_validate(declared)).load_failure
    assert isinstance(failure, StorageRefused)
    assert (failure.uri, failure.setting) == ("gs://m/iris", "storage.google (key, key_file, service_account)")
    assert failure.message == (
        "Storage initialization failed: Access denied to GCS resource 'm'. Verify permissions. "
        "(reader@acme has no access)"
    )


EVENTS = "GET /api/v1/namespaces/default/events?fieldSelector=reason%3DModelNotFetched"
PODS = "GET /api/v1/namespaces/default/pods?labelSelector=serving.kserve.io%2Finferenceservice%3Dsklearn-model"
SECRETS = "GET /api/v1/namespaces/default/secrets"
DECLARED = "kserve-multi-model/declared"
PULL = "failed to pull image: unexpected status from HEAD request to http://r/v2/: 401 Unauthorized"


def serve_kept(
    kubernetes: Server, status: dict[str, Any], *, declared: str = "new", reply: Reply | None = None
) -> None:
    """A model with this status, and what an update kept of one of its pods."""
    host = kubernetes.address.removeprefix("http://")
    marks = {"kserve-multi-model/stack": "organization/kserve-multi-model/dev:1a2b3c4d"}
    predictor = {
        "serviceAccountName": "dev-storage-images",
        "model": {"storageUri": "oci://r/iris:1"},
        "annotations": {DECLARED: "new"},
    }
    metadata = {"name": "sklearn-model", "namespace": "default", "uid": "u1", "annotations": marks}
    service = {"metadata": metadata, "spec": {"predictor": predictor}, "status": status}
    kubernetes.on(host, INFERENCE_SERVICE, Reply(service))
    event = {
        "metadata": {"name": "e", "annotations": {DECLARED: declared}, "creationTimestamp": "2026-01-01T00:01:00Z"},
        "involvedObject": {"kind": "InferenceService", "name": "sklearn-model", "uid": "u1"},
        "reason": "ModelNotFetched",
        "message": PULL,
    }
    kubernetes.on(host, EVENTS, reply or Reply({"items": [event]}))


def test_a_model_without_pods_is_explained_by_what_the_update_kept(gateway: Server, kubernetes: Server) -> None:
    """KServe says that it is blocked, and not why."""
    serve_kept(kubernetes, {"modelStatus": {"transitionStatus": "BlockedByFailedLoad"}})
    outcome = check(endpoint(gateway), timeout=60)
    assert outcome.verdict == "storage-refused"
    assert outcome.waited_s < 20
    text = words(outcome)
    assert f"ModelNotFetched: {PULL}" in text
    assert "`storage.images (username, password)`, for oci://r/iris:1" in text


def test_what_the_update_kept_is_said_once_the_time_is_over(gateway: Server, kubernetes: Server) -> None:
    """KServe says nothing of an image that is not pulled; it may be pulled yet."""
    serve_kept(kubernetes, {"modelStatus": {"transitionStatus": "InProgress"}})
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("storage-refused", 2)
    assert outcome.waited_s >= 0.6
    assert PULL in words(outcome)


@pytest.mark.parametrize(("declared", "reply"), [("before", None), ("new", Reply({"message": "no"}, status=403))])
def test_what_was_kept_of_another_declaration_or_may_not_be_read_is_not_said(
    gateway: Server, kubernetes: Server, declared: str, reply: Reply | None
) -> None:
    serve_kept(kubernetes, {"modelStatus": {"transitionStatus": "InProgress"}}, declared=declared, reply=reply)
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-route"
    assert PULL not in words(outcome)


def test_what_was_kept_is_not_said_once_a_pod_has_the_files(gateway: Server, kubernetes: Server) -> None:
    """The keys were mended since; now its server takes its time."""
    serve_kept(kubernetes, {"modelStatus": {"transitionStatus": "InProgress"}})
    done = {"name": "modelcar-init", "state": {"terminated": {"exitCode": 0}}}
    pod = {"metadata": {"name": "p", "annotations": {DECLARED: "new"}}, "status": {"initContainerStatuses": [done]}}
    kubernetes.on(kubernetes.address.removeprefix("http://"), PODS, Reply({"items": [pod]}))
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-route"
    assert PULL not in words(outcome)


@pytest.mark.parametrize(
    ("name", "minute", "said"),
    [("dev-storage-images-pull", 2, False), ("dev-storage-images-pull", 0, True), ("another", 2, True)],
)
def test_what_was_kept_is_not_said_once_the_keys_were_set_anew(
    gateway: Server, kubernetes: Server, name: str, minute: int, *, said: bool
) -> None:
    serve_kept(kubernetes, {"modelStatus": {"transitionStatus": "InProgress"}})
    written = [{"manager": "pulumi", "time": f"2026-01-01T00:0{minute}:00Z"}]
    of_store = Reply({"items": [{"metadata": {"name": name, "managedFields": written}}]})
    kubernetes.on(kubernetes.address.removeprefix("http://"), SECRETS, of_store)
    outcome = check(endpoint(gateway))
    assert outcome.verdict == ("storage-refused" if said else "no-route")
    (asked,) = (request for request in kubernetes.requests if request.path.endswith("/secrets"))
    assert "as=PartialObjectMetadataList" in asked.headers["accept"]


def test_a_download_that_succeeds_at_a_later_try_is_waited_for(gateway: Server, kubernetes: Server) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, READY, Reply(b"", status=503), Reply(b"", status=503), Reply({"ready": True}))
    serve_status(kubernetes, blocked("connect timed out"))
    assert check(endpoint(gateway), timeout=20).verdict == "ok"


def test_a_load_failure_that_lasts_ends_the_waiting(
    gateway: Server, kubernetes: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predict.check.PAUSE_SECONDS", 0.2)
    monkeypatch.setattr("predict.check.LOAD_FAILURE_SECONDS", 1.0)
    loading = {"modelStatus": {"transitionStatus": "InProgress"}}
    first, later = blocked("the first"), blocked("a later one")
    serve_status(kubernetes, first, first, loading, later)  # the retry in between starts the count again
    outcome = check(endpoint(gateway), timeout=60)
    assert (outcome.verdict, outcome.exit_code) == ("load-failed", 2)
    assert "a later one" in words(outcome)
    assert 1.4 < outcome.waited_s < 20


def test_at_the_end_of_the_timeout_the_latest_load_failure_is_said(gateway: Server, kubernetes: Server) -> None:
    serve_status(kubernetes, blocked("the first"), blocked("the latest"))
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "load-failed"
    assert "the latest" in words(outcome)
    assert outcome.waited_s >= 0.6


def test_a_load_failure_that_is_over_does_not_hide_the_answer(gateway: Server, kubernetes: Server) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, READY, Reply(b"", status=503), Reply({"ready": True}))
    gateway.on(HOST, PREDICT, Reply({"error": "wrong width"}, status=400))
    serve_status(kubernetes, blocked("connect timed out"))
    outcome = check(endpoint(gateway), timeout=20)
    assert (outcome.verdict, outcome.exit_code, outcome.service) == ("prediction-refused", 1, None)


def test_a_wrong_spec_stops_the_waiting_at_once(gateway: Server, kubernetes: Server) -> None:
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
    assert "InferenceService default/sklearn-model 未就绪" in words(outcome, "zh")


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


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"metadata": {"name": "sklearn-model"}}), "status"),
        (Reply({"kind": "Status", "message": "not found", "code": 404}, status=404), "missing"),
        (Reply({"kind": "Status", "message": "not you", "code": 403}, status=403), "unreadable"),
    ],
)
def test_the_json_report_names_the_kind_of_finding(
    gateway: Server, kubernetes: Server, reply: Reply, kind: str
) -> None:
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, reply)
    report = json.loads(to_json([check(endpoint(gateway))], language=load("en")))
    assert report["models"][0]["inference_service"]["kind"] == kind


def test_nothing_secret_of_the_log_that_kserve_keeps_is_in_a_report(gateway: Server, kubernetes: Server) -> None:
    log = "GET https://reader:pa-ss@host/m?sig=ab%2Fc\nS3 error [403]: Forbidden"
    condition = {"type": "PredictorReady", "status": "False", "message": "exited: X-Api-Key: key-7f3a"}
    serve_status(kubernetes, {**blocked(log), "conditions": [condition]})
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "storage-refused"
    report = to_json([outcome], language=load("en"))
    found = json.loads(report)["models"][0]["inference_service"]
    assert found["message"] == "GET https://…@host/m?…\nS3 error [403]: Forbidden"
    assert not [secret for secret in ("pa-ss", "ab%2Fc", "key-7f3a") if secret in report + words(outcome)]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_look_that_fails_is_repeated(gateway: Server, kubernetes: Server, status: int) -> None:
    refused = Reply({"kind": "Status", "message": "try again", "code": status}, status=status)
    ready = Reply({"metadata": {"name": "sklearn-model"}, "status": {"conditions": []}})
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, refused, ready)
    assert "says it is ready" in words(check(endpoint(gateway)))


def test_a_look_is_repeated_after_a_login_plugin_that_failed(
    gateway: Server, kubernetes: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = PluginScript(path=tmp_path / "plugin")
    plugin.prints("no session", credential(token="issued"))
    file = write(tmp_path / "config", server=kubernetes.address, user=plugin.user())
    monkeypatch.setenv("KUBECONFIG", str(file))
    serve_status(kubernetes, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert "says it is ready" in words(check(endpoint(gateway)))


@pytest.mark.parametrize("status", [401, 403])
def test_a_look_that_is_not_allowed_is_not_repeated(gateway: Server, kubernetes: Server, status: int) -> None:
    refused = Reply({"kind": "Status", "message": "not you", "code": status}, status=status)
    kubernetes.on(kubernetes.address.removeprefix("http://"), INFERENCE_SERVICE, refused)
    assert "could not be read: not you" in words(check(endpoint(gateway)))
    assert len(kubernetes.requests) == 1


def test_no_kubeconfig_is_said_and_no_crash(gateway: Server) -> None:
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-route"
    said = "The status of InferenceService default/sklearn-model could not be read: "
    assert f"{said}{Path.home() / '.kube/config'} not found; set KUBECONFIG" in words(outcome)
    assert "无法读取 InferenceService default/sklearn-model 的状态" in words(outcome, "zh")


def test_a_broken_kubeconfig_is_said(gateway: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").write_text("clusters: [")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    assert f"could not be read: {tmp_path / 'broken'}, line 1: it is not a kubeconfig: it is not YAML" in words(
        check(endpoint(gateway))
    )


@pytest.mark.parametrize(
    ("own", "given", "said"),
    [
        ("elsewhere", None, "could not be read: ConnectError"),
        ("elsewhere", "here", "says it is ready"),
        ("nowhere", None, "kubeconfig, context 'nowhere': there is no such context; its contexts are elsewhere, here"),
    ],
)
def test_the_given_context_wins_over_the_endpoints(
    gateway: Server, kubernetes: Server, own: str, given: str | None, said: str
) -> None:
    serve_status(kubernetes, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert said in words(check(endpoint(gateway, context=own), context=given))


@pytest.mark.parametrize("context", ["here", None])
def test_several_kubeconfigs(
    gateway: Server, kubernetes: Server, context: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_status(kubernetes, {"conditions": [{"type": "Ready", "status": "True"}]})
    (tmp_path / "other").write_text(yaml.safe_dump({"clusters": [], "users": [], "contexts": []}))
    files = [tmp_path / "absent", tmp_path / "other", os.environ["KUBECONFIG"], tmp_path / "absent too"]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert "says it is ready" in words(check(endpoint(gateway, context=context)))


def test_several_kubeconfigs_without_the_context(
    gateway: Server, kubernetes: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "absent"), os.environ["KUBECONFIG"]]))
    assert "context 'nowhere': there is no such context" in words(check(endpoint(gateway, context="nowhere")))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "absent"), str(tmp_path / "absent too")]))
    assert f"{tmp_path / 'absent'}, {tmp_path / 'absent too'} not found" in words(check(endpoint(gateway)))
