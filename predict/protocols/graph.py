"""A graph of models: any JSON in, any JSON out."""

from pydantic import JsonValue

from endpoints.endpoint import Endpoint
from endpoints.gateway import GatewayClient, json_of
from predict.protocols.interface import InferenceProtocol, Prediction
from predict.protocols.rest import PREDICT_SECONDS, READY_SECONDS, refused


class Graph(InferenceProtocol):
    """KServe's router, which passes a request on to models."""

    def __init__(self, *, endpoint: Endpoint, gateway: GatewayClient) -> None:
        self._endpoint = endpoint
        self._gateway = gateway

    def ready(self) -> None:
        """Return if the router answers; it does not say whether its models are ready."""
        self._gateway.send("GET", self._endpoint.metadata_path, seconds=READY_SECONDS)

    def metadata(self) -> JsonValue:
        """A graph has none."""
        return None

    def predict(self, sent: JsonValue) -> Prediction:
        """Send a request; the prediction is the whole answer."""
        path = self._endpoint.predict_path
        with refused(below=500):  # the router answers 500 for a model that is not ready yet
            response = self._gateway.send("POST", path, body=sent, seconds=PREDICT_SECONDS)
        latency_ms = response.elapsed.total_seconds() * 1000
        return Prediction(predictions=json_of(response, path=path), latency_ms=latency_ms)
