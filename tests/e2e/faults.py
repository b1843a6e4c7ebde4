"""Models that cannot become ready, each for a reason of its own, all at once in namespaces of their own."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lightkube import ApiError, Client
from lightkube.models.core_v1 import ObjectReference, ResourceQuotaSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Pod, ResourceQuota, Secret, ServiceAccount
from lightkube.types import PatchType

from releases.local import KSERVE
from tests.e2e.cluster_objects import InferenceService

NAMESPACE, TIGHT = "faults", "faults-quota"
SERVER = f"localhost:5000/kserve/sklearnserver:{KSERVE}"
ENDPOINT = "serving.kserve.io/s3-endpoint"
DEADLINE = "serving.knative.dev/progress-deadline"
FINALIZER = "example.com/gone"
NOWHERE = {"nodeSelector": {"disk": "fast"}}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A model, the name of what is the matter with it, and words that say so."""

    name: str
    cause: str
    says: tuple[str, ...]
    predictor: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict)
    namespace: str = NAMESPACE
    # What is found before: a consequence is not the first finding.
    after: str = ""


def model(
    *,
    format: str = "sklearn",  # noqa: A002 - KServe's word
    uri: str = "s3://models/sklearn",
    account: str = "keys",
    memory: str = "512Mi",
    asked: dict[str, str] | None = None,
    **more: object,
) -> dict[str, Any]:
    limits = {"cpu": "1", "memory": memory, **(asked or {})}
    requests = {"cpu": "10m", "memory": "32Mi", **(asked or {})}
    served = {"modelFormat": {"name": format}, "storageUri": uri, "resources": {"requests": requests, "limits": limits}}
    return {"serviceAccountName": account, "model": served | more}


def image(name: str) -> dict[str, Any]:
    limits = {"cpu": "10m", "memory": "32Mi"}
    container = {"name": "kserve-container", "image": name, "resources": {"requests": limits, "limits": limits}}
    return {"containers": [container]}


FAULTS = (
    Fault(
        name="image",
        cause="image-not-found",
        says=("there is no image localhost:5000/kserve/no-such-server:1",),
        predictor=image("localhost:5000/kserve/no-such-server:1"),
    ),
    Fault(
        name="image-standard",
        cause="image-not-found",
        says=("there is no image localhost:5000/kserve/no-such-server:2",),
        predictor=image("localhost:5000/kserve/no-such-server:2"),
        annotations={"serving.kserve.io/deploymentMode": "Standard"},
    ),
    Fault(
        name="registry",
        cause="registry-unreachable",
        says=("the registry registry.invalid cannot be reached",),
        predictor=image("registry.invalid/server:1"),
    ),
    Fault(
        name="prefix",
        cause="storage-not-found",
        says=("there is nothing at s3://models/nothing-here", "No model found in nothing-here"),
        predictor=model(uri="s3://models/nothing-here"),
    ),
    Fault(
        name="bucket",
        cause="storage-bucket-missing",
        says=("there is no bucket no-such-bucket",),
        predictor=model(uri="s3://no-such-bucket/sklearn"),
    ),
    Fault(
        name="endpoint",
        cause="storage-unreachable",
        says=("the store cannot be reached", ":9999"),
        predictor=model(account="wrong-endpoint"),
    ),
    Fault(
        name="refused",
        cause="storage-keys-refused",
        says=("the store refuses the keys in Secret wrong-keys", "403"),
        predictor=model(account="wrong-keys"),
    ),
    Fault(
        name="keyless",
        cause="storage-keys-missing",
        says=("has no keys for s3://models/sklearn", "ServiceAccount default", "lists no Secret"),
        predictor=model(account="default"),
    ),
    Fault(
        name="bare",
        cause="storage-secret-bare",
        says=("Secret bare-keys names no endpoint", f"has no annotation {ENDPOINT}"),
        predictor=model(account="bare-keys"),
    ),
    Fault(
        name="secretless",
        cause="secret-missing",
        says=("service account no-secret lists a Secret that does not exist: nowhere",),
        predictor=model(account="no-secret"),
    ),
    Fault(
        name="accountless",
        cause="service-account-missing",
        says=("names a service account that does not exist: nobody",),
        predictor=model(account="nobody"),
    ),
    Fault(
        name="unreadable",
        cause="server-crashed",
        says=("kserve-container of unreadable ends with an error (exit 1)", "no model file", "model.ubj"),
        predictor=model(uri="s3://models/xgboost"),
    ),
    Fault(
        name="memory",
        cause="memory-exceeded",
        says=("kserve-container of memory was killed for its memory: its limit is 32Mi",),
        predictor=model(memory="32Mi"),
    ),
    Fault(
        name="probe",
        cause="probe-failing",
        says=(
            "answers its readiness probe with HTTP 404",
            "/v1/models/another",
            "Model with name another does not exist",
        ),
        predictor=model(readinessProbe={"httpGet": {"path": "/v1/models/another", "port": 8080}, "periodSeconds": 2}),
    ),
    Fault(
        name="format",
        cause="runtime-none",
        says=("no enabled runtime serves format caffe", "kserve-sklearnserver (sklearn"),
        predictor=model(format="caffe"),
    ),
    Fault(
        name="runtime",
        cause="runtime-unknown",
        says=("there is no runtime no-such-runtime",),
        predictor=model(runtime="no-such-runtime"),
    ),
    Fault(
        name="disabled",
        cause="runtime-disabled",
        says=("runtime kserve-tritonserver is disabled",),
        predictor=model(runtime="kserve-tritonserver"),
    ),
    Fault(
        name="scheme",
        cause="storage-uri-unknown",
        says=("KServe knows no storage like ftp://models/sklearn", "s3://"),
        predictor=model(uri="ftp://models/sklearn"),
    ),
    Fault(
        name="gpu",
        cause="nodes-too-small",
        says=("no node has enough left: nvidia.com/gpu",),
        predictor=model(asked={"nvidia.com/gpu": "1"}),
    ),
    Fault(
        name="nodes",
        cause="nodes-not-fitting",
        says=("nodes may run on none of the nodes", "node affinity/selector"),
        predictor=model() | NOWHERE,
    ),
    Fault(
        name="claim",
        cause="claim-missing",
        says=("there is no PersistentVolumeClaim no-such-claim",),
        predictor=model(uri="pvc://no-such-claim/model"),
    ),
    Fault(
        name="late",
        cause="deadline-exceeded",
        says=("late-predictor-00001 was given up: it was not ready in time",),
        predictor=model() | NOWHERE,
        annotations={DEADLINE: "20s"},
        after="nodes-not-fitting",
    ),
    Fault(
        name="quota",
        cause="quota-exceeded",
        says=("quota tight leaves no room", "limit requests.cpu=10m"),
        predictor=image(SERVER),
        namespace=TIGHT,
    ),
    Fault(
        name="leaving",
        cause="deletion-stuck",
        says=(f"leaving cannot be deleted: it waits for {FINALIZER}", "deleted"),
        predictor=model(runtime="no-such-runtime"),
    ),
    Fault(
        name="canary",
        cause="canary-stuck",
        says=("the new version canary-predictor-00002 (10 %) is not ready; canary-predictor-00001 goes on answering",),
        predictor=model(),
        after="nodes-not-fitting",
    ),
)


@contextlib.contextmanager
def injected(client: Client) -> Iterator[None]:
    """All of them in the cluster, and nothing of them afterwards."""
    remove(client)
    for namespace in (NAMESPACE, TIGHT):
        client.create(Namespace(metadata=ObjectMeta(name=namespace)))
    quota = ResourceQuotaSpec(hard={"requests.cpu": "10m"})
    client.create(ResourceQuota(metadata=ObjectMeta(name="tight", namespace=TIGHT), spec=quota))
    _keys(client)
    try:
        # What takes longest comes first.
        for fault in sorted(FAULTS, key=lambda fault: fault.name not in {"canary", "probe", "unreadable", "memory"}):
            client.create(_service(fault))
        client.delete(InferenceService, "leaving", namespace=NAMESPACE)
        yield
    finally:
        remove(client)


def remove(client: Client) -> None:
    """Take them away, the one with a finalizer of nobody's too, and wait for the models' ends."""
    with contextlib.suppress(ApiError):
        unheld = {"metadata": {"finalizers": None}}
        client.patch(InferenceService, "leaving", unheld, namespace=NAMESPACE, patch_type=PatchType.MERGE)
    for namespace in (NAMESPACE, TIGHT):
        for item in client.list(InferenceService, namespace=namespace):
            assert item.metadata
            with contextlib.suppress(ApiError):
                client.delete(InferenceService, str(item.metadata.name), namespace=namespace)
        with contextlib.suppress(ApiError):
            client.delete(Namespace, namespace)
    end = time.monotonic() + 180
    names = {NAMESPACE, TIGHT}
    while any(item.metadata and item.metadata.name in names for item in client.list(Namespace)):
        assert time.monotonic() < end, "the namespaces of the faults do not go"
        # Knative's pods may take minutes to end; nobody asks these.
        for pod in (pod for namespace in names for pod in client.list(Pod, namespace=namespace)):
            assert pod.metadata
            with contextlib.suppress(ApiError):
                client.delete(Pod, str(pod.metadata.name), namespace=str(pod.metadata.namespace), grace_period=0)
        time.sleep(2)


def _service(fault: Fault) -> Any:
    finalizers = [FINALIZER] if fault.name == "leaving" else None
    return InferenceService(
        metadata=ObjectMeta(
            name=fault.name, namespace=fault.namespace, annotations=fault.annotations, finalizers=finalizers
        ),
        spec={"predictor": {"minReplicas": 1, **fault.predictor}},
    )


def _keys(client: Client) -> None:
    """The demo's keys under several names, right and wrong."""
    deployed = client.get(Secret, "e2e-storage-demo", namespace="default")
    assert deployed.data
    assert deployed.metadata
    good = {key: base64.b64decode(value).decode() for key, value in deployed.data.items()}
    annotations = {key: value for key, value in (deployed.metadata.annotations or {}).items() if "kserve" in key}
    elsewhere = annotations | {ENDPOINT: annotations[ENDPOINT].replace(":9000", ":9999")}
    nobody = dict.fromkeys(good, "nobody")
    for name, data, said in (
        ("keys", good, annotations),
        ("wrong-keys", nobody, annotations),
        ("wrong-endpoint", good, elsewhere),
        ("bare-keys", good, {}),
    ):
        secret = ObjectMeta(name=name, namespace=NAMESPACE, annotations=said)
        client.create(Secret(metadata=secret, stringData=data))
        _account(client, name, name)
    _account(client, "no-secret", "nowhere")


def _account(client: Client, name: str, secret: str) -> None:
    account = ServiceAccount(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE), secrets=[ObjectReference(name=secret)]
    )
    client.create(account)


def change_canary(client: Client) -> None:
    """Once the first version is ready, a second one that no node takes gets a tenth of the requests."""
    if _ready(client.get(InferenceService, "canary", namespace=NAMESPACE)):
        change = {"spec": {"predictor": {"canaryTrafficPercent": 10, **NOWHERE}}}
        client.patch(InferenceService, "canary", change, namespace=NAMESPACE, patch_type=PatchType.MERGE)


def _ready(service: Any) -> bool:
    conditions = (service.get("status") or {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
