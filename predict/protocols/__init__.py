"""Inference protocols: how to ask a model whether it is ready, what it is, and for a prediction."""

from endpoints.endpoint import Endpoint
from endpoints.gateway import GatewayClient
from predict.protocols.graph import Graph
from predict.protocols.interface import InferenceProtocol, Prediction
from predict.protocols.openai import OpenAI
from predict.protocols.v1 import V1
from predict.protocols.v2 import V2

__all__ = ["InferenceProtocol", "Prediction", "protocol_of"]


def protocol_of(endpoint: Endpoint, *, gateway: GatewayClient) -> InferenceProtocol:
    """The client for the endpoint's protocol."""
    if endpoint.protocol == "grpc-v2":
        from predict.protocols.grpc_v2 import GrpcV2  # noqa: PLC0415 - gRPC takes long to import

        return GrpcV2(endpoint=endpoint, gateway=gateway)
    if endpoint.protocol == "graph":
        return Graph(endpoint=endpoint, gateway=gateway)
    over_http: dict[str, type[V1 | V2 | OpenAI]] = {"v1": V1, "v2": V2, "openai": OpenAI}
    return over_http[endpoint.protocol](endpoint=endpoint, gateway=gateway)
