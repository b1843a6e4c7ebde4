"""Objects as a cluster gives them, with what the doctor reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from doctor.causes import models, platform
from doctor.facts import Facts
from doctor.findings import Finding
from kube.views.base import MODEL_LABEL, Object
from kube.views.knative import Revision
from kube.views.kserve import ClusterServingRuntime, InferenceService
from kube.views.kubernetes import (
    Deployment,
    EndpointSlice,
    Event,
    Namespace,
    Node,
    Pod,
    Secret,
    Service,
    ServiceAccount,
)

T = TypeVar("T", bound=Object)
NOW = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)
MODEL, REVISION = "iris", "iris-predictor-00001"
POD = f"{REVISION}-deployment-6d57676f44-qcj9l"
URI = "s3://models/iris"


def stamp(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).isoformat()


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def meta(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "creationTimestamp": stamp(120), **more}


def inference_service(
    *,
    ready: bool = False,
    failure: tuple[str, str, str] | None = None,
    model: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    predictor: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
) -> InferenceService:
    """Ready or not; `failure` is KServe's transition, reason and message."""
    stated = "True" if ready else "Unknown"
    said: dict[str, Any] = {
        "conditions": [condition(kind, stated) for kind in ("PredictorReady", "IngressReady", "Ready")],
        "deploymentMode": "Knative",
    }
    if ready:
        said |= {"url": f"http://{MODEL}.default.example.com"}
        said |= {"components": {"predictor": {"latestCreatedRevision": REVISION, "latestReadyRevision": REVISION}}}
    if failure:
        info = {"reason": failure[1], "message": failure[2]}
        said |= {"modelStatus": {"transitionStatus": failure[0], "lastFailureInfo": info}}
    served = {"modelFormat": {"name": "sklearn"}, "storageUri": URI} | (model or {})
    return InferenceService.model_validate(
        {
            "metadata": meta(MODEL) | (metadata or {}),
            "spec": {
                "predictor": {"minReplicas": 1, "serviceAccountName": "keys", "model": served, **(predictor or {})}
            },
            "status": said | (status or {}),
        }
    )


def labels(**more: str) -> dict[str, str]:
    return {MODEL_LABEL: MODEL, "component": "predictor", "serving.knative.dev/revision": REVISION, **more}


def pod(
    *containers: dict[str, Any],
    init: Sequence[dict[str, Any]] = (),
    ready: bool = False,
    unscheduled: str = "",
    name: str = POD,
) -> Pod:
    conditions = [condition("Ready", "True" if ready else "False")]
    if unscheduled:
        conditions.append(condition("PodScheduled", "False", "Unschedulable", unscheduled))
    declared = [{"name": "kserve-container", "resources": {"limits": {"memory": "40Mi"}}}, {"name": "queue-proxy"}]
    return Pod.model_validate(
        {
            "metadata": meta(name, labels=labels()),
            "spec": {"containers": declared},
            "status": {
                "conditions": conditions,
                "containerStatuses": list(containers),
                "initContainerStatuses": list(init),
            },
        }
    )


def waiting(reason: str, message: str = "", *, name: str = "kserve-container", image: str = "x") -> dict[str, Any]:
    return {"name": name, "image": image, "state": {"waiting": {"reason": reason, "message": message}}}


def failed(
    message: str = "", *, name: str = "kserve-container", code: int = 1, reason: str = "Error"
) -> dict[str, Any]:
    """One that ended, and waits to be started again."""
    end = {"exitCode": code, "reason": reason, "message": message}
    again = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    return {"name": name, "restartCount": 3, "state": again, "lastState": {"terminated": end}}


def running(*, name: str = "kserve-container", seconds: float = 60, ready: bool = False) -> dict[str, Any]:
    return {"name": name, "ready": ready, "state": {"running": {"startedAt": stamp(seconds)}}}


def revision(*conditions: dict[str, str], name: str = REVISION) -> Revision:
    return Revision.model_validate(
        {"metadata": meta(name, labels=labels()), "status": {"conditions": list(conditions)}}
    )


def event(
    reason: str,
    message: str,
    *,
    about: str = POD,
    kind: str = "Pod",
    uid: str = "",
    annotations: dict[str, str] | None = None,
) -> Event:
    return Event.model_validate(
        {
            "metadata": meta("e", annotations=annotations),
            "involvedObject": {"kind": kind, "name": about, "uid": uid},
            "reason": reason,
            "message": message,
            "lastTimestamp": stamp(5),
        }
    )


def deployment(
    name: str,
    namespace: str,
    *conditions: dict[str, str],
    ready: int = 1,
    wanted: int = 1,
    of: dict[str, str] | None = None,
) -> Deployment:
    return Deployment.model_validate(
        {
            "metadata": meta(name, namespace, labels=of or {}),
            "spec": {
                "replicas": wanted,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}},
            },
            "status": {"readyReplicas": ready, "conditions": list(conditions)},
        }
    )


def account(*secrets: str) -> ServiceAccount:
    return ServiceAccount.model_validate({"metadata": meta("keys"), "secrets": [{"name": name} for name in secrets]})


def secret(name: str = "keys", *, written: str | None = None, **annotations: str) -> Secret:
    managed = [{"manager": "pulumi", "time": written}] if written else None
    return Secret.model_validate({"metadata": meta(name, annotations=annotations, managedFields=managed)})


def runtime(
    name: str, form: str, *, disabled: bool = False, protocols: Sequence[str] = ("v1", "v2")
) -> ClusterServingRuntime:
    formats = [{"name": form, "version": "1", "autoSelect": True}]
    spec = {"disabled": disabled, "supportedModelFormats": formats, "protocolVersions": list(protocols)}
    return ClusterServingRuntime.model_validate({"metadata": meta(name, ""), "spec": spec})


def service(
    name: str,
    namespace: str,
    *,
    kind: str = "NodePort",
    selector: dict[str, str] | None = None,
    balanced: Sequence[str] = (),
) -> Service:
    ports = [{"name": "http2", "port": 80, "nodePort": 31080}]
    return Service.model_validate(
        {
            "metadata": meta(name, namespace),
            "spec": {"type": kind, "selector": selector or {}, "ports": ports},
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in balanced]}},
        }
    )


def backends(service: str, namespace: str, *ready: bool) -> EndpointSlice:
    named = {"kubernetes.io/service-name": service}
    endpoints = [{"conditions": {"ready": one}} for one in ready]
    return EndpointSlice.model_validate(
        {"metadata": meta(f"{service}-x", namespace, labels=named), "endpoints": endpoints}
    )


def node(*, ready: bool = True) -> Node:
    conditions = [condition("Ready", "True" if ready else "False", "KubeletNotReady")]
    addresses = [{"type": "InternalIP", "address": "10.0.0.1"}]
    return Node.model_validate(
        {"metadata": meta("one", ""), "status": {"conditions": conditions, "addresses": addresses}}
    )


def namespace(name: str = "default", phase: str = "Active") -> Namespace:
    return Namespace.model_validate({"metadata": meta(name, ""), "status": {"phase": phase}})


def facts(*objects: Object, **more: Any) -> Facts:
    """A look at a cluster that has these objects."""
    by_kind: dict[type[Object], tuple[Object, ...]] = {}
    for item in objects:
        by_kind[type(item)] = (*by_kind.get(type(item), ()), item)
    return Facts(**{"version": "v1.34.3", "objects": by_kind, "now": NOW, **more})


def found(*objects: Object, **more: Any) -> tuple[Finding, ...]:
    """What is found of the one model among the objects."""
    seen = facts(*objects, **more)
    (model,) = models.all_of(seen)
    return models.check(seen, model, broken=platform.stops_models(seen)).findings


def named(findings: Sequence[Finding]) -> list[str]:
    return [finding.cause.value for finding in findings]
