"""From objects as the cluster gave them to the cause of a model that is not ready."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.facts import Unread
from doctor.findings import Cause
from doctor.words import remedy
from kube.views.base import Object
from kube.views.fetching import INITIALIZER
from kube.views.kserve import InferenceService
from kube.views.kubernetes import Event, PersistentVolumeClaim, ServiceAccount
from locales.language import load
from tests.unit.doctor.objects import (
    MODEL,
    POD,
    REVISION,
    account,
    condition,
    deployment,
    event,
    failed,
    found,
    inference_service,
    labels,
    meta,
    named,
    namespace,
    pod,
    revision,
    running,
    runtime,
    secret,
    stamp,
    waiting,
)

CONTROLLER = deployment("kserve-controller-manager", "kserve")
INVALID = "InvalidSpec"


def seen(*objects: Object, **more: Any) -> list[str]:
    return named(found(CONTROLLER, *objects, **more))


def fetched(message: str, *objects: Object, uri: str = "s3://models/iris") -> list[str]:
    """What is found of a storage initializer that ended with these words."""
    ended = pod(waiting("PodInitializing"), init=[failed(message, name=INITIALIZER)])
    return seen(inference_service(model={"storageUri": uri}), ended, *objects)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Failed to fetch model. No model found in nothing-here/", "storage-not-found"),
        ("An error occurred (404) when calling the HeadObject operation: Not Found", "storage-not-found"),
        ("S3 resource 'no-such-bucket' not found", "storage-bucket-missing"),
        ("An error occurred (NoSuchBucket) when calling ListObjectsV2", "storage-bucket-missing"),
        ('Could not connect to the endpoint URL: "http://10.0.0.1:9999/models"', "storage-unreachable"),
        ("HTTPSConnectionPool: Max retries exceeded (Name or service not known)", "storage-unreachable"),
        ("S3 error [403]: Forbidden", "storage-keys-refused"),
        ("SignatureDoesNotMatch", "storage-keys-refused"),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "storage-keys-missing"),
        ("S3 authentication failed. Set AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY or use aws", "storage-keys-missing"),
        ("Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", "storage-keys-refused"),
        ("Access denied. Verify HuggingFace permissions.", "storage-keys-refused"),
        ("OSError: [Errno 28] No space left on device", "storage-failed"),
        # What KServe's initializer says of other stores; tests/unit/cluster/serving/test_stores.py has it from there.
        ("HTTP authentication failed for 'https://h/m.joblib'. Verify credentials.", "storage-keys-refused"),
        ("HTTP access denied for 'https://h/m.joblib'. Verify permissions.", "storage-keys-refused"),
        ("HTTP resource not found at 'https://h/m.joblib'.", "storage-not-found"),
        ("Failed to connect to HTTP endpoint 'h'.", "storage-unreachable"),
        ("HuggingFace authentication failed. Set HF_TOKEN or request access to the gated", "storage-keys-refused"),
        ("GCS error: ('invalid_grant: Invalid JWT Signature.', {})", "storage-keys-refused"),
        ("GCS authentication failed. Verify GOOGLE_APPLICATION_CREDENTIALS or use", "storage-keys-refused"),
        ("Access denied to GCS resource 'models'. Verify permissions.", "storage-keys-refused"),
        ("Azure authentication failed. Verify AZURE_CLIENT_ID/AZURE_CLIENT_SECRET or", "storage-keys-refused"),
        ("SSL validation failed for https://h [SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "storage-untrusted"),
    ],
)
def test_what_the_storage_initializer_says(message: str, cause: str) -> None:
    assert fetched(f"Traceback …\n{message}\n") == [cause]


MARK = {"kserve-multi-model/stack": "organization/kserve-multi-model/Prod_1:1a2b3c4d"}
WEB = "https://h/m.joblib"


def refused_at(uri: str, log: str, *objects: Object, **predictor: Any) -> Any:
    """The finding of a model of the store `mine` of the stack above, whose download ended so."""
    ended = pod(waiting("PodInitializing"), init=[failed(log, name=INITIALIZER)])
    named = {"serviceAccountName": "prod-1-storage-mine", **predictor}
    model = inference_service(model={"storageUri": uri}, metadata=meta(MODEL, annotations=MARK), predictor=named)
    (finding,) = found(CONTROLLER, model, ended, *objects)
    return finding


@pytest.mark.parametrize(
    ("uri", "said", "setting"),
    [
        (WEB, "HTTP authentication failed for 'x'.", "storage.mine (headers, username, password)"),
        ("hf://acme/iris", "HuggingFace authentication failed. Set HF_TOKEN", "storage.mine (token)"),
        ("gs://m/iris", "Access denied to GCS resource 'm'", "storage.mine (key, key_file, service_account)"),
        (
            "https://acme.blob.core.windows.net/m/iris",
            "Azure authentication failed.",
            "storage.mine (client_secret, storage_key, sas_token)",
        ),
    ],
)
def test_refused_keys_name_the_setting(uri: str, said: str, setting: str) -> None:
    finding = refused_at(uri, said, storageContainerName="c")
    assert (finding.cause, finding.facts["setting"]) == (Cause.STORAGE_KEYS_REFUSED, setting)
    assert (finding.facts["secret"] == "prod-1-storage-mine-variables") == uri.startswith("http")


def test_a_folder_that_the_program_gave_its_slash_names_the_setting() -> None:
    finding = refused_at("s3://models/churn-pickle/", "Failed to fetch model. No model found in churn-pickle/.")
    assert (finding.cause, finding.facts["uri"]) == (Cause.STORAGE_NOT_FOUND, "s3://models/churn-pickle/")
    for language in ("en", "zh"):
        assert "storage_file: true" in " ".join(remedy(finding, language=load(language)))


def test_a_container_has_its_files_in_a_variable() -> None:
    own = {"containers": [{"name": "kserve-container", "env": [{"name": "STORAGE_URI", "value": "gs://m/iris"}]}]}
    finding = refused_at("", "Access denied to GCS resource 'm'", **own)
    assert (finding.cause, finding.facts["uri"]) == (Cause.STORAGE_KEYS_REFUSED, "gs://m/iris")
    assert finding.facts["setting"] == "storage.mine (key, key_file, service_account)"


def test_a_model_without_keys_is_told_from_one_with_wrong_keys() -> None:
    said = "HuggingFace authentication failed. Set HF_TOKEN or request access to the gated repository."
    bare = ServiceAccount.model_validate({"metadata": meta("prod-1-storage-mine")})
    assert refused_at("hf://acme/iris", said, bare).cause is Cause.STORAGE_KEYS_MISSING
    assert refused_at(WEB, "HTTP authentication failed", bare).cause is Cause.STORAGE_KEYS_MISSING
    with_variables = refused_at(WEB, "HTTP authentication failed", bare, storageContainerName="c")
    assert with_variables.cause is Cause.STORAGE_KEYS_REFUSED
    identity = {"iam.gke.io/gcp-service-account": "reader@acme.iam.gserviceaccount.com"}
    with_role = ServiceAccount.model_validate({"metadata": meta("prod-1-storage-mine", annotations=identity)})
    assert refused_at("gs://m/iris", "Access denied to GCS resource 'm'", with_role).cause is Cause.STORAGE_KEYS_REFUSED


def test_the_stores_own_words_are_evidence() -> None:
    log = (
        "12:00 storage.initializer ERROR [storage_errors.py:raise_storage_error():42] HTTP error for "
        f"{WEB}: certificate verify failed: unable to get local issuer certificate\n"
        "Storage initialization failed: Failed to connect to HTTP endpoint 'h'.\n"
    )
    finding = refused_at(WEB, log)
    assert finding.cause is Cause.STORAGE_UNTRUSTED
    assert finding.facts["store"] == "storage.mine"
    assert [evidence.text for evidence in finding.evidence] == [
        "Storage initialization failed: Failed to connect to HTTP endpoint 'h'.",
        "certificate verify failed: unable to get local issuer certificate",
    ]


def test_keys_without_an_endpoint_are_sent_to_aws() -> None:
    said = 'Could not connect to the endpoint URL: "https://models.s3.amazonaws.com/"'
    annotated = secret(**{"serving.kserve.io/s3-endpoint": "minio:9000"})
    assert fetched(said, account("keys"), secret()) == ["storage-secret-bare"]
    assert fetched(said, account("keys"), annotated) == ["storage-unreachable"]
    assert fetched(said) == ["storage-unreachable"]  # its Secret was not read: nothing is said of it


def test_a_pod_that_is_gone_is_explained_by_what_it_left() -> None:
    late = revision(condition("Ready", "False", "ProgressDeadlineExceeded", "Initial scale was never achieved"))
    blocked = ("BlockedByFailedLoad", "ModelLoadFailed", "s3://models/iris at minio: No model found in iris")
    assert seen(inference_service(failure=blocked), late) == ["storage-not-found", "deadline-exceeded"]
    # Its Deployment says so first; it is the revision that users know.
    given_up = condition("Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing.")
    by_deployment = deployment(f"{REVISION}-deployment", "default", given_up, ready=0, of=labels())
    (sooner,), (later,) = (
        found(CONTROLLER, inference_service(), by_deployment),
        found(CONTROLLER, inference_service(), late),
    )
    assert sooner.facts == later.facts
    backed_off = event("BackOff", "Back-off restarting failed container storage-initializer in pod x")
    assert seen(inference_service(), late, backed_off) == ["storage-failed", "deadline-exceeded"]
    # KServe still has its last words, also when it waits for another pod.
    said = "s3://models/iris/: TarFile.extractall() got an unexpected keyword argument"
    for transition in ("BlockedByFailedLoad", "InProgress"):
        failed = inference_service(failure=(transition, "ModelLoadFailed", said))
        finding = found(CONTROLLER, failed, late, backed_off)[0]
        assert (finding.cause, [item.text for item in finding.evidence]) == (Cause.STORAGE_FAILED, [said])
    unplaced = event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")
    assert seen(inference_service(), late, unplaced) == ["nodes-too-small", "deadline-exceeded"]
    crash = revision(condition("ContainerHealthy", "False", "ExitCode1", "Container failed with: no model file"))
    assert seen(inference_service(), crash) == ["server-crashed"]
    killed = revision(condition("ContainerHealthy", "False", "ExitCode137", "Container failed with: "))
    assert seen(inference_service(), killed) == ["memory-exceeded"]
    pulled = event("Failed", 'Failed to pull image "reg/x:1": rpc error: code = NotFound desc = reg/x:1: not found')
    assert seen(inference_service(), pulled) == ["image-not-found"]


DECLARED = "kserve-multi-model/declared"
LATE = revision(condition("Ready", "False", "ProgressDeadlineExceeded", "Initial scale was never achieved"))
SAID = "HTTP authentication failed for 'https://h/m.joblib'. Verify credentials."


def kept(said: str = SAID, *, declared: str = "new", uid: str = "u1") -> Event:
    """What an update kept of a model's pod."""
    marks = {DECLARED: declared}
    return event("ModelNotFetched", said, about=MODEL, kind="InferenceService", uid=uid, annotations=marks)


def declared_model(**more: Any) -> InferenceService:
    predictor = {"annotations": {DECLARED: "new"}, "serviceAccountName": "prod-1-storage-mine"}
    metadata = meta(MODEL, annotations=MARK, uid="u1")
    return inference_service(model={"storageUri": WEB}, metadata=metadata, predictor=predictor | more)


def test_what_the_update_kept_explains_a_pod_that_is_gone() -> None:
    backed_off = event("BackOff", "Back-off restarting failed container storage-initializer in pod x")
    finding, late = found(CONTROLLER, declared_model(storageContainerName="c"), LATE, backed_off, kept())
    assert (finding.cause, late.cause) == (Cause.STORAGE_KEYS_REFUSED, Cause.DEADLINE_EXCEEDED)
    assert [item.text for item in finding.evidence] == [SAID]
    assert finding.facts["uri"] == WEB
    assert finding.facts["setting"] == "storage.mine (headers, username, password)"
    # Another pod fetches again.
    ended = {"name": INITIALIZER, "state": {"running": {"startedAt": stamp(1)}}}
    assert seen(declared_model(), pod(waiting("PodInitializing"), init=[ended]), kept())[0] == "storage-keys-refused"


@pytest.mark.parametrize("other", [kept(declared="before"), kept(uid="u0"), kept(declared="")])
def test_what_was_kept_of_another_declaration_explains_nothing(other: Event) -> None:
    assert seen(declared_model(), LATE, other) == ["deadline-exceeded"]


@pytest.mark.parametrize("suffix", ["", "-variables", "-pull"])
def test_what_was_kept_before_the_keys_were_set_anew_explains_nothing(suffix: str) -> None:
    """The Event is of 120 seconds ago."""
    name = f"prod-1-storage-mine{suffix}"
    mended = secret(name, written=stamp(10))
    assert seen(declared_model(), LATE, kept(), mended) == ["deadline-exceeded"]
    for other in (secret(name, written=stamp(300)), secret(name), secret("another", written=stamp(10))):
        assert seen(declared_model(), LATE, kept(), other)[0].startswith("storage-keys-")


@pytest.mark.parametrize(("subresource", "explains"), [("status", True), ("", False)])
def test_what_was_kept_before_the_model_was_declared_anew_explains_nothing(subresource: str, *, explains: bool) -> None:
    """As when it names another store. KServe writes the status again and again."""
    write = {"time": stamp(10), "subresource": subresource}
    metadata = meta(MODEL, annotations=MARK, uid="u1", managedFields=[{"time": stamp(200)}, write])
    predictor = {"annotations": {DECLARED: "new"}, "serviceAccountName": "prod-1-storage-mine"}
    model = inference_service(model={"storageUri": WEB}, metadata=metadata, predictor=predictor)
    found_first = seen(model, LATE, kept())[0]
    assert (found_first == "storage-keys-refused") == explains


@pytest.mark.parametrize("beside", [[], [{"name": "istio-proxy", "state": {"running": {"startedAt": stamp(1)}}}]])
def test_what_was_kept_explains_nothing_once_a_pod_has_the_files(beside: list[dict[str, Any]]) -> None:
    """A sidecar that Istio puts among what comes before the server does not end."""
    done = {"name": INITIALIZER, "state": {"terminated": {"exitCode": 0}}}
    starting = pod(waiting("ContainerCreating"), init=[*beside, done])
    marked = starting.model_copy(
        update={"metadata": starting.metadata.model_copy(update={"annotations": {DECLARED: "new"}})}
    )
    assert seen(declared_model(), marked, kept()) == ["starting"]


CAR = "oci://registry.example.com/iris:1"
PULL = 'failed to pull image "registry.example.com/iris:1": '


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("unexpected status from HEAD request to https://r/v2/: 401 Unauthorized", "storage-keys-refused"),
        ("pull access denied, repository does not exist or may require authorization: x", "storage-keys-refused"),
        ("reading manifest 1 in r/iris: unauthorized: authentication required", "storage-keys-refused"),
        ("authorization failed: no basic auth credentials", "storage-keys-missing"),
        ("failed to resolve reference: registry.example.com/iris:1: not found", "image-not-found"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "registry-unreachable"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "registry-unreachable"),
        ("unexpected media type", "image-failed"),
    ],
)
@pytest.mark.parametrize("back_off", ["", 'Back-off pulling image "registry.example.com/iris:1": ErrImagePull: '])
def test_an_image_with_a_model_is_a_kind_of_storage(said: str, cause: str, back_off: str) -> None:
    reason = "ImagePullBackOff" if back_off else "ErrImagePull"
    pulling = waiting(reason, f"{back_off}{PULL}{said}", name="modelcar-init", image="registry.example.com/iris:1")
    predictor = {"serviceAccountName": "prod-1-storage-mine", "imagePullSecrets": [{"name": "x"}]}
    model = inference_service(model={"storageUri": CAR}, metadata=meta(MODEL, annotations=MARK), predictor=predictor)
    bare = ServiceAccount.model_validate({"metadata": meta("prod-1-storage-mine")})
    (finding,) = found(CONTROLLER, model, bare, pod(waiting("PodInitializing"), init=[pulling]))
    assert finding.cause == cause
    assert (finding.facts["image"], finding.facts["registry"]) == (
        "registry.example.com/iris:1",
        "registry.example.com",
    )
    assert finding.facts["setting"] == "storage.mine (username, password)"
    assert finding.facts["secret"] == "prod-1-storage-mine-pull"
    assert said in finding.evidence[0].text
    assert "Back-off" not in finding.evidence[0].text


def test_a_kubelet_that_says_the_error_of_a_pull_in_an_event_only() -> None:
    short = waiting("ImagePullBackOff", 'Back-off pulling image "registry.example.com/iris:1"', name="modelcar-init")
    waits = pod(waiting("PodInitializing"), init=[short])
    model = inference_service(model={"storageUri": CAR}, predictor={"imagePullSecrets": [{"name": "x"}]})
    warning = event("Failed", 'Failed to pull image "registry.example.com/iris:1": 401 Unauthorized')
    assert seen(model, waits, warning) == ["storage-keys-refused"]
    (finding,) = found(CONTROLLER, model, waits)
    assert finding.cause is Cause.IMAGE_FAILED
    assert finding.evidence[0].text == 'Back-off pulling image "registry.example.com/iris:1"'


def test_an_image_with_a_model_without_a_password() -> None:
    said = f"{PULL}pulling from host registry.example.com failed with status code [manifests 1]: 401 Unauthorized"
    pulling = waiting("ErrImagePull", said, name="modelcar-init", image="registry.example.com/iris:1")
    (finding,) = found(
        CONTROLLER, inference_service(model={"storageUri": CAR}), pod(waiting("PodInitializing"), init=[pulling])
    )
    assert (finding.cause, finding.facts["store"]) == (Cause.STORAGE_KEYS_MISSING, "storage.<name>")


def test_an_image_with_a_model_whose_pod_is_gone() -> None:
    warning = event("Failed", 'Failed to pull image "registry.example.com/iris:1": 401 Unauthorized')
    model = inference_service(model={"storageUri": CAR}, predictor={"imagePullSecrets": [{"name": "x"}]})
    assert seen(model, warning) == ["storage-keys-refused"]


def test_an_image_without_a_model_in_it() -> None:
    invalid = "NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)"
    said = f"Pre-fetching modelcar registry.example.com/iris:1: \n{invalid}\n"
    empty = pod(waiting("PodInitializing"), init=[failed(said, name="modelcar-init")])
    (finding,) = found(CONTROLLER, inference_service(model={"storageUri": CAR}), empty)
    assert finding.cause is Cause.STORAGE_NOT_FOUND
    shell = 'exec: "sh": executable file not found in $PATH'
    without_shell = pod(waiting("PodInitializing"), init=[failed(shell, name="modelcar-init")])
    assert seen(inference_service(model={"storageUri": CAR}), without_shell) == ["storage-failed"]


def test_secrets_in_the_initializers_words_are_left_out() -> None:
    finding = refused_at(WEB, "403 Client Error: for url: https://h/m.joblib?X-Amz-Signature=abcdef")
    assert finding.evidence[0].text == "403 Client Error: for url: https://h/m.joblib?…"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("code = NotFound desc = failed to resolve reference: reg/no-such:1: not found", "image-not-found"),
        ("pull access denied, repository does not exist or may require authorization", "image-refused"),
        ("unexpected status from HEAD request: 401 Unauthorized", "image-refused"),
        ("failed to do request: dial tcp: lookup reg: no such host", "registry-unreachable"),
        ("unexpected media type", "image-failed"),
    ],
)
def test_what_the_kubelet_says_of_an_image(said: str, cause: str) -> None:
    pulling = waiting("ImagePullBackOff", f'Back-off pulling image "reg/no-such:1": {said}', image="reg/no-such:1")
    assert seen(inference_service(), pod(pulling)) == [cause]
    # Older kubelets say it in an event only.
    short = waiting("ImagePullBackOff", 'Back-off pulling image "reg/no-such:1"', image="reg/no-such:1")
    told = event("Failed", f'Failed to pull image "reg/no-such:1": rpc error: {said}')
    assert seen(inference_service(), pod(short), told) == [cause]


def test_knative_that_cannot_ask_for_a_digest() -> None:
    said = 'Unable to fetch image "reg.invalid/x:1": failed to resolve image to digest: dial tcp: lookup reg.invalid'
    (finding,) = found(CONTROLLER, inference_service(), revision(condition("ContainerHealthy", "False", "x", said)))
    assert finding.cause is Cause.REGISTRY_UNREACHABLE
    assert finding.facts["registry"] == "reg.invalid"


@pytest.mark.parametrize(
    ("said", "cause", "fact"),
    [
        (
            'pods "x" is forbidden: exceeded quota: tight, requested: requests.cpu=35m, used: requests.cpu=0, '
            "limited: requests.cpu=10m",
            "quota-exceeded",
            ("limit", "requests.cpu=10m"),
        ),
        ("pods is forbidden: failed quota: tight: must specify limits.cpu", "quota-exceeded", ("quota", "tight")),
        (
            'pods is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
            "service-account-missing",
            ("missing", "nobody"),
        ),
        (
            'admission webhook "inferenceservice.kserve-webhook-server.pod-mutator" denied the request: '
            'secrets "nowhere" not found',
            "secret-missing",
            ("missing", "nowhere"),
        ),
        (
            'Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.pod-mutator": '
            "no endpoints available",
            "webhook-down",
            ("webhook", "inferenceservice.kserve-webhook-server.pod-mutator"),
        ),
        ('admission webhook "policy.example.com" denied the request: no', "pod-refused", ("by", "policy.example.com")),
        ("unable to create new content because it is being terminated", "namespace-terminating", ("model", "iris")),
    ],
)
def test_pods_that_the_api_server_refuses(said: str, cause: str, fact: tuple[str, str]) -> None:
    failure = condition("ReplicaFailure", "True", "FailedCreate", said)
    refused = deployment(f"{REVISION}-deployment", "default", failure, ready=0, of=labels())
    (by_deployment,) = found(CONTROLLER, inference_service(), refused)
    (by_revision,) = found(
        CONTROLLER, inference_service(), revision(condition("ResourcesAvailable", "False", "FailedCreate", said))
    )
    reconciled = {"conditions": [condition("Ready", "False", "ReconcileFailed", f"fails to reconcile: {said}")]}
    (by_kserve,) = found(CONTROLLER, inference_service(status=reconciled))
    for finding in (by_deployment, by_revision, by_kserve):
        assert finding.cause.value == cause
        assert finding.facts[fact[0]] == fact[1]


@pytest.mark.parametrize(
    ("reason", "model", "cause", "fact"),
    [
        ("NoSupportingRuntime", {"modelFormat": {"name": "caffe"}}, "runtime-none", ("why", "format caffe")),
        (
            "NoSupportingRuntime",
            {"modelFormat": {"name": "onnx"}},
            "runtime-none",
            ("why", "format onnx (disabled: triton)"),
        ),
        (
            "NoSupportingRuntime",
            {"modelFormat": {"name": "sklearn", "version": "9"}},
            "runtime-none",
            ("why", "sklearn version 9 (there: 1)"),
        ),
        (
            "NoSupportingRuntime",
            {"protocolVersion": "grpc-v2"},
            "runtime-none",
            ("why", "sklearn with protocol grpc-v2 (there: v1, v2)"),
        ),
        ("NoSupportingRuntime", {"runtime": "triton"}, "runtime-mismatch", ("why", "triton (onnx; v2)")),
        ("RuntimeDisabled", {"runtime": "triton"}, "runtime-disabled", ("enabled", "sklearnserver (sklearn; v1, v2)")),
        ("RuntimeNotRecognized", {"runtime": "no-such"}, "runtime-unknown", ("runtime", "no-such")),
    ],
)
def test_what_kserve_has_no_runtime_for(reason: str, model: dict[str, Any], cause: str, fact: tuple[str, str]) -> None:
    declared = inference_service(failure=(INVALID, reason, "…"), model=model)
    # The event that says the same again is no second finding.
    again = event("InternalError", "no runtime found", about="iris", kind="InferenceService")
    there = (runtime("sklearnserver", "sklearn"), runtime("triton", "onnx", disabled=True, protocols=["v2"]))
    (finding,) = found(CONTROLLER, declared, again, *there)
    assert (finding.cause.value, finding.facts[fact[0]]) == (cause, fact[1])


def test_a_storage_uri_of_no_known_kind() -> None:
    said = "StorageURI not supported: storageUri, must be one of: [gs://, s3://] or … [ftp://x] is not supported"
    told = event("InternalError", said, about="iris", kind="InferenceService")
    (finding,) = found(CONTROLLER, inference_service(), told)
    assert (finding.cause, finding.facts["schemes"]) == (Cause.STORAGE_URI_UNKNOWN, "gs://, s3://")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate", "nodes-too-small"),
        ("0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient memory.", "nodes-too-small"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "nodes-not-fitting"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.", "nodes-not-fitting"),
        ('0/1 nodes are available: persistentvolumeclaim "files" not found. not found', "claim-missing"),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "claim-pending"),
    ],
)
def test_what_the_scheduler_says(said: str, cause: str) -> None:
    assert seen(inference_service(), pod(unscheduled=said)) == [cause]
    assert seen(inference_service(), revision(condition("ResourcesAvailable", "False", "Unschedulable", said))) == [
        cause
    ]


def test_a_missing_claim_is_found_unless_claims_may_not_be_read() -> None:
    model = inference_service(model={"storageUri": "pvc://files/iris"})
    unread = Unread(what="persistentvolumeclaims", where="default", why="forbidden")
    pending = PersistentVolumeClaim.model_validate({"metadata": meta("files"), "status": {"phase": "Pending"}})
    bound = PersistentVolumeClaim.model_validate({"metadata": meta("files"), "status": {"phase": "Bound"}})
    assert seen(model) == ["claim-missing"]
    assert seen(model, unread=(unread,)) == ["starting"]
    assert seen(model, pending) == ["claim-pending"]
    assert seen(model, bound) == ["starting"]


def test_a_container_killed_for_its_memory() -> None:
    (finding,) = found(CONTROLLER, inference_service(), pod(failed(code=137, reason="OOMKilled")))
    assert (finding.cause, finding.facts["limit"]) == (Cause.MEMORY_EXCEEDED, "40Mi")


def test_a_server_that_crashes_says_why_itself_or_in_its_log() -> None:
    (finding,) = found(CONTROLLER, inference_service(), pod(failed("Traceback\nValueError: no model file")))
    assert (finding.cause, finding.facts["exit"]) == (Cause.SERVER_CRASHED, "1")
    assert finding.evidence[0].text == "exit 1: ValueError: no model file"
    logs = {("default", POD, "kserve-container"): "starting\nImportError: sklearn"}
    (finding,) = found(CONTROLLER, inference_service(), pod(failed()), logs=logs)
    assert finding.evidence[0].text == "exit 1: ImportError: sklearn"


@pytest.mark.parametrize(
    ("status", "seconds", "cause"),
    [
        (404, 10, "starting"),  # it may have just begun
        (404, 30, "probe-failing"),
        (503, 30, "starting"),  # a server that loads says so, too
        (503, 130, "probe-failing"),
    ],
)
def test_a_probe_that_is_answered_with_an_error(status: int, seconds: float, cause: str) -> None:
    model = inference_service(model={"readinessProbe": {"httpGet": {"path": "/v1/models/other"}}})
    server, queue = running(seconds=seconds, ready=True), running(name="queue-proxy", seconds=seconds)
    logs = {("default", POD, "queue-proxy"): f"HTTP probe did not respond Ready, got status code: {status}"}
    (finding,) = found(CONTROLLER, model, pod(server, queue), logs=logs)
    assert finding.cause.value == cause
    if cause == "probe-failing":
        assert (finding.facts["path"], finding.facts["status"]) == ("/v1/models/other", str(status))
    # Without Knative, the kubelet's warning says it.
    warned = event("Unhealthy", f"Readiness probe failed: HTTP probe failed with statuscode: {status}")
    assert seen(model, pod(server), warned) == [cause]


def test_a_loading_server_with_a_tcp_probe_is_starting() -> None:
    silent = pod(running(seconds=600), running(name="queue-proxy", seconds=600))
    assert seen(inference_service(), silent) == ["starting"]


def traffic(new: str, old: str) -> dict[str, Any]:
    share = [{"revisionName": old, "percent": 10}, {"revisionName": old, "percent": 90}]
    return {"components": {"predictor": {"latestCreatedRevision": new, "latestReadyRevision": old, "traffic": share}}}


def test_the_cause_comes_before_the_canary_that_is_stuck_by_it() -> None:
    model = inference_service(predictor={"canaryTrafficPercent": 10}, status=traffic("iris-predictor-00002", REVISION))
    newer = revision(
        condition("ResourcesAvailable", "False", "Unschedulable", "0/1: 1 Insufficient cpu."),
        name="iris-predictor-00002",
    )
    findings = found(CONTROLLER, model, newer, revision())
    assert named(findings) == ["nodes-too-small", "canary-stuck"]
    assert (findings[1].facts["new"], findings[1].facts["share"]) == ("iris-predictor-00002", "10")
    # One that has nothing wrong is on its way.
    assert seen(model, revision(name="iris-predictor-00002"), revision()) == ["starting"]


def test_old_versions_are_ignored() -> None:
    old = pod(failed("no model file"))
    status = {"components": {"predictor": {"latestCreatedRevision": "iris-predictor-00002"}}}
    assert seen(inference_service(status=status), old, revision(), revision(name="iris-predictor-00002")) == [
        "starting"
    ]


@pytest.mark.parametrize(
    ("finalizers", "seconds", "cause"),
    [
        (["example.com/gone"], 60, "deletion-stuck"),
        (["example.com/gone"], 5, "deletion"),
        (["inferenceservice.finalizers"], 30, "deletion"),
        (["inferenceservice.finalizers"], 90, "deletion-stuck"),
    ],
)
def test_a_deletion(finalizers: list[str], seconds: float, cause: str) -> None:
    model = inference_service(ready=True, metadata={"deletionTimestamp": stamp(seconds), "finalizers": finalizers})
    assert seen(model) == [cause]


def test_a_ready_model_without_pods_is_scaled_to_zero_only_if_declared_so() -> None:
    assert seen(inference_service(ready=True, predictor={"minReplicas": 0}), revision()) == ["scaled-to-zero"]
    assert seen(inference_service(ready=True), revision()) == []
    unread = Unread(what="pods", where="default", why="forbidden")
    assert seen(inference_service(ready=True, predictor={"minReplicas": 0}), revision(), unread=(unread,)) == []
    stopped = {"annotations": {"serving.kserve.io/stop": "true"}}
    assert seen(inference_service(metadata=stopped)) == ["stopped"]
    assert Cause.SCALED_TO_ZERO.note


def test_a_route_that_is_not_ready() -> None:
    conditions = [
        condition("PredictorReady", "True"),
        condition("IngressReady", "Unknown", "IngressNotConfigured"),
        condition("Ready", "Unknown"),
    ]
    assert seen(inference_service(status={"conditions": conditions})) == ["route-not-ready"]


def test_a_model_that_kserve_does_not_handle() -> None:
    assert seen(inference_service(status={"conditions": []})) == ["unnoticed"]
    down = deployment("kserve-controller-manager", "kserve", ready=0, wanted=0)
    (finding,) = found(inference_service(status={"conditions": []}), down)
    assert (finding.cause, finding.facts["broken"]) == (Cause.WAITS_FOR_PLATFORM, "kserve/kserve-controller-manager")
    # Its own fault is not the platform's.
    assert named(found(inference_service(), pod(failed("no model file")), down)) == ["server-crashed"]


def test_a_namespace_that_is_being_deleted() -> None:
    assert seen(inference_service(), namespace(phase="Terminating"))[0] == "namespace-terminating"
