"""The interface of an inference protocol."""

from typing import NamedTuple, Protocol

from pydantic import JsonValue


class Prediction(NamedTuple):
    """The predictions, one for each instance, or a graph's answer; how long it took; the explanations, if asked for."""

    predictions: JsonValue
    latency_ms: float
    explanations: list[JsonValue] | None = None


class InferenceProtocol(Protocol):
    """How to talk to one model or graph.

    Raises:
        CheckFailed: from every method, with what went wrong.

    """

    def ready(self) -> None:
        """Return if the server reports the model as ready, else raise. Does not wait."""

    def metadata(self) -> JsonValue:
        """The server's metadata of the model."""

    def predict(self, sent: JsonValue) -> Prediction:
        """Send what an endpoint's check sends, instances or a graph's request, and give the answer."""
