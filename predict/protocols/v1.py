"""The v1 protocol: `instances` in, `predictions` out."""

from pydantic import JsonValue

from predict.protocols.rest import RestProtocol


class V1(RestProtocol):
    """TensorFlow Serving's REST protocol, as KServe's model servers speak it."""

    @property
    def ready_path(self) -> str:
        """GET /v1/models/<model> is both readiness and metadata."""
        return self._endpoint.metadata_path

    def request(self, instances: list[JsonValue]) -> JsonValue:
        """Send the rows as they are."""
        return {"instances": instances}

    def predictions(self, answer: dict[str, JsonValue]) -> list[JsonValue]:
        """Take `predictions`, which must be a list."""
        predictions = answer["predictions"]
        if not isinstance(predictions, list):
            raise TypeError("predictions is not a list")
        return predictions
