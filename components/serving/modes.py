"""KServe's two modes: what is declared of an InferenceService or InferenceGraph in each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from components.objects import BACKGROUND_DELETION
from components.settings.model import Model
from components.settings.modes import Mode, Replicas, Scale
from components.settings.server import REQUEST_TIMEOUT
from kube.views.kserve import KNATIVE_VISIBILITY, KSERVE_VISIBILITY, MODE_ANNOTATION

AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
# A terminating server serves on for this long. By then the gateway sends it no more requests, even on a busy cluster.
PRE_STOP_SECONDS = 5


class ServingMode(ABC):
    """What is declared differently in each mode.

    Attributes:
        routes_graphs: whether graphs get routes in this mode; otherwise this program declares them.
        visibility_label: label that makes a model cluster-local.

    """

    routes_graphs: ClassVar[bool]
    visibility_label: ClassVar[str]

    @abstractmethod
    def internal_host(self, model: str, *, first: str, namespace: str) -> str:
        """Host of a model inside the cluster; `first` is the component that gets its requests first."""

    @abstractmethod
    def annotations(self, *, replicas: Replicas, scale: Scale, timeout: int) -> dict[str, str]:
        """Annotations of every InferenceService and InferenceGraph; `timeout` is in seconds until it is ready.

        They include BACKGROUND_DELETION: the deletion of the object does not wait for its children, which stop only
        after their longest request. KServe would also recreate a child that is deleted before its graph.
        """

    @property
    def model_annotations(self) -> dict[str, str]:
        """Further annotations of an InferenceService."""
        return {}

    def predictor_fields(self, model: Model) -> dict[str, Any]:
        """Fields of the predictor."""
        return {}

    @property
    def container_fields(self) -> dict[str, Any]:
        """Fields of the container in the predictor that serves the model."""
        return {}


class KnativeMode(ServingMode):
    """A server is a Service of Knative.

    The annotations do not name the mode, because it is KServe's default on every platform with Knative. One more
    annotation would start a new revision of every model that is deployed.
    """

    routes_graphs = True
    visibility_label = KNATIVE_VISIBILITY

    def internal_host(self, model: str, *, first: str, namespace: str) -> str:
        """Host of the Service that KServe makes for the model."""
        return f"{model}.{namespace}.svc.cluster.local"

    def annotations(self, *, replicas: Replicas, scale: Scale, timeout: int) -> dict[str, str]:
        """Deadline of Knative, and settings of its autoscaler."""
        retention = scale.scale_to_zero_pod_retention_period
        autoscaler = {
            "window": f"{scale.window}s" if scale.window else None,
            "target-utilization-percentage": scale.target_utilization_percentage,
            "initial-scale": scale.initial_scale,
            "scale-to-zero-pod-retention-period": None if retention is None else f"{retention}s",
        }
        given = {
            f"autoscaling.knative.dev/{name}": str(value) for name, value in autoscaler.items() if value is not None
        }
        return {"serving.knative.dev/progress-deadline": f"{timeout}s", **given, **BACKGROUND_DELETION}

    @property
    def model_annotations(self) -> dict[str, str]:
        """Routes by version, also without a canary.

        The annotation is part of the revision, so one that came and went with the canary would start new servers.
        """
        return {"serving.kserve.io/enable-tag-routing": "true"}


class StandardMode(ServingMode):
    """A server is a Deployment. The fields are those that Knative would set by itself."""

    routes_graphs = False
    visibility_label = KSERVE_VISIBILITY

    def internal_host(self, model: str, *, first: str, namespace: str) -> str:
        """Host of the component's Service: KServe makes none for the model."""
        return f"{model}-{first}.{namespace}.svc.cluster.local"

    def annotations(self, *, replicas: Replicas, scale: Scale, timeout: int) -> dict[str, str]:
        """Mode and autoscaler."""
        autoscaler = "hpa" if replicas.min < replicas.max else "none"
        return {MODE_ANNOTATION: "Standard", AUTOSCALER_ANNOTATION: autoscaler, **BACKGROUND_DELETION}

    def predictor_fields(self, model: Model) -> dict[str, Any]:
        """Timeout of a request; a terminating server may finish those it has."""
        timeout = model.request_timeout or REQUEST_TIMEOUT
        return {"timeout": timeout, "terminationGracePeriodSeconds": PRE_STOP_SECONDS + timeout}

    @property
    def container_fields(self) -> dict[str, Any]:
        """Pause before Kubernetes stops the server."""
        return {"lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}}


SERVING_MODES: dict[Mode, ServingMode] = {"Knative": KnativeMode(), "Standard": StandardMode()}
