"""What KServe is told of a model in one of its modes only."""

from __future__ import annotations

from typing import Any

from components.objects.custom_resource import BACKGROUND_DELETION
from components.settings.model import Model
from components.settings.modes import Mode, Replicas, Scale
from components.settings.server import REQUEST_TIMEOUT

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
# How long a server that is to end goes on: by then Istio has told the gateway, even on a busy cluster.
LEAVING = 5


def mode_annotations(model: Model) -> dict[str, str]:
    """Annotations of the InferenceService.

    Those of Knative do not name the mode: it is KServe's own wherever there is Knative, and one more annotation would
    be a new revision of every model that is there.
    """
    annotations = scaling_annotations(model.mode, replicas=model.replicas, scale=model.scale, timeout=model.timeout)
    if model.mode == "Standard":
        return annotations
    # Also without a canary: it is a part of the revision, so one that came and went would start new servers.
    return annotations | {"serving.kserve.io/enable-tag-routing": "true"}


def scaling_annotations(mode: Mode, *, replicas: Replicas, scale: Scale, timeout: int) -> dict[str, str]:
    """Annotations of a model or a graph that say how it is run, scaled and deleted.

    Its deletion is not to wait for its children: they end with their longest request, and KServe would recreate a child
    that goes before its graph. `timeout` is in seconds until it is ready.
    """
    if mode == "Standard":
        scaler = {AUTOSCALER_ANNOTATION: "hpa" if replicas.min < replicas.max else "none"}
        return {MODE_ANNOTATION: mode, **scaler, **BACKGROUND_DELETION}
    deadline = {"serving.knative.dev/progress-deadline": f"{timeout}s"}
    window = {"autoscaling.knative.dev/window": f"{scale.window}s"} if scale.window else {}
    return {**deadline, **window, **BACKGROUND_DELETION}


def mode_fields(model: Model) -> dict[str, Any]:
    """Fields of the predictor; in mode Standard those that Knative gives by itself."""
    if model.mode == "Knative":
        return {}
    timeout = model.request_timeout or REQUEST_TIMEOUT
    # It may finish the requests it has.
    return {"timeout": timeout, "terminationGracePeriodSeconds": LEAVING + timeout}


def mode_container_fields(model: Model) -> dict[str, Any]:
    """Fields of the model server's container."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": LEAVING}}}} if model.mode == "Standard" else {}
