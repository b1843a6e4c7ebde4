"""The interface of an inference protocol."""

from typing import NamedTuple, Protocol

from pydantic import JsonValue


class Prediction(NamedTuple):
    """The predictions, one an instance, or a graph's answer, and how long it took; what explains them, if asked for."""

    predictions: JsonValue
    latency_ms: float
    explanations: list[JsonValue] | None = None


class InferenceProtocol(Protocol):
    """How to talk to one model or graph; every method raises CheckFailed with what went wrong."""

    def ready(self) -> None:
        """Return once the model says it is ready; raise at once if it does not."""

    def metadata(self) -> JsonValue:
        """Give what the server tells about the model."""

    def predict(self, sent: JsonValue) -> Prediction:
        """Ask for what an endpoint's check sends: instances, or a graph's request."""
