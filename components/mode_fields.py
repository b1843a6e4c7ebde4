"""What KServe is told of a model in one of its modes only."""

from __future__ import annotations

from typing import Any

from components.model_settings import Model
from components.server_settings import REQUEST_TIMEOUT

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
# How long a server that is to end goes on: by then Istio has told the gateway, even on a busy cluster.
LEAVING = 5


def mode_annotations(model: Model) -> dict[str, str]:
    """Annotations of the InferenceService.

    Those of Knative do not name the mode: it is KServe's own wherever there is Knative, and one more annotation would
    be a new revision of every model that is there.
    """
    if model.mode == "Standard":
        scaled = model.replicas.min < model.replicas.max
        return {MODE_ANNOTATION: model.mode, AUTOSCALER_ANNOTATION: "hpa" if scaled else "none"}
    deadline = {"serving.knative.dev/progress-deadline": f"{model.timeout}s"}
    # Also without a canary: it is a part of the revision, so one that came and went would start new servers.
    tags = {"serving.kserve.io/enable-tag-routing": "true"}
    window = {"autoscaling.knative.dev/window": f"{model.scale.window}s"} if model.scale.window else {}
    return deadline | tags | window


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
