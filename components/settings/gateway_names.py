"""Names of the Gateways that routes are bound to: those that this program declares, or those of a KServe there."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from releases.namespaces import ISTIO_NAMESPACE, KNATIVE_NAMESPACE

# Istio Gateways, to which the VirtualServices that KServe creates are bound.
KNATIVE_INGRESS_GATEWAY = "knative-ingress-gateway"
KNATIVE_LOCAL_GATEWAY = "knative-local-gateway"
# The Gateway of Gateway API for models in mode Standard.
MODEL_GATEWAY = "kserve-gateway"


class GatewayNames(BaseModel):
    """The Gateways that KServe's configuration names, as namespace/name.

    Attributes:
        standard: of Gateway API, for models and graphs in mode Standard.
        knative: of Istio, for models and graphs in mode Knative.

    """

    model_config = ConfigDict(frozen=True)

    standard: str = f"{ISTIO_NAMESPACE}/{MODEL_GATEWAY}"
    knative: str = f"{KNATIVE_NAMESPACE}/{KNATIVE_INGRESS_GATEWAY}"
