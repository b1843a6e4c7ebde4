"""The v1 protocol: `instances` in, `predictions` out; of an explainer, `explanations`."""

from pydantic import JsonValue

from endpoints.endpoint import Check
from endpoints.failures import CheckFailed, NoExplanation, PredictionRefused, one_line
from endpoints.gateway import json_of
from predict.protocols.interface import Prediction
from predict.protocols.rest import PREDICT_SECONDS, RestProtocol, refused


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

    def predict(self, sent: JsonValue) -> Prediction:
        """Ask for one prediction for each instance, and for explanations if the check expects some."""
        prediction = super().predict(sent)
        check, path = self._endpoint.check, self._endpoint.explain_path
        if path is None or not isinstance(check, Check) or check.explanations is None:
            return prediction
        return prediction._replace(explanations=self._explanations(check.instances, path=path))

    def _explanations(self, instances: list[JsonValue], *, path: str) -> list[JsonValue]:
        try:
            with refused():
                response = self._gateway.send("POST", path, body=self.request(instances), seconds=PREDICT_SECONDS)
        except CheckFailed as problem:
            error = problem.failure
            if isinstance(error, PredictionRefused):
                raise CheckFailed(NoExplanation(path=path, status=error.status, detail=error.detail)) from problem
            raise
        answer = json_of(response, path=path)
        explanations = answer.get("explanations") if isinstance(answer, dict) else None
        if not isinstance(explanations, list):
            detail = one_line(response.text)
            raise CheckFailed(NoExplanation(path=path, status=response.status_code, detail=detail))
        return explanations
