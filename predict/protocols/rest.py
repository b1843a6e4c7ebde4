"""What the protocols over REST have in common; each of them adds its paths and payloads."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2 as httpx
from pydantic import JsonValue

from endpoints.endpoint import Endpoint
from endpoints.failures import CheckFailed, ErrorInAnswer, HttpError, NoModel, PredictionRefused, one_line
from endpoints.gateway import GatewayClient, json_of
from predict.protocols.interface import InferenceProtocol, Prediction

READY_SECONDS = 10.0
PREDICT_SECONDS = float("inf")  # the gateway's deadline bounds it
# Statuses that come from the gateway or its policies, and not from the model; some of them while pods start and stop.
GATEWAY_STATUSES = {401, 403, 407, 408, 429, 502, 503, 504}


@contextmanager
def refused(*, below: int = 600) -> Iterator[None]:
    """Turn an error of the model itself, with a status `below`, into PredictionRefused; others are left as they are."""
    try:
        yield
    except CheckFailed as problem:
        error = problem.failure
        if isinstance(error, HttpError) and 400 <= error.status < below and error.status not in GATEWAY_STATUSES:
            raise CheckFailed(PredictionRefused(status=error.status, detail=error.detail)) from problem
        raise


class RestProtocol(InferenceProtocol, ABC):
    """An inference protocol over the gateway's HTTP."""

    def __init__(self, *, endpoint: Endpoint, gateway: GatewayClient) -> None:
        self._endpoint = endpoint
        self._gateway = gateway

    @property
    @abstractmethod
    def ready_path(self) -> str:
        """Path that answers 200 once the model is loaded."""

    @abstractmethod
    def request(self, instances: list[JsonValue]) -> JsonValue:
        """The prediction request's body."""

    @abstractmethod
    def predictions(self, answer: dict[str, JsonValue]) -> list[JsonValue]:
        """Take the predictions out of an answer.

        Raises:
            LookupError, TypeError, ValueError: there are none in it.

        """

    def ready(self) -> None:
        """Return if the model is ready; raise CheckFailed(NoModel) if a server answers that does not have it ready."""
        try:
            response = self._gateway.send("GET", self.ready_path, seconds=READY_SECONDS)
        except CheckFailed as problem:
            error = problem.failure
            if isinstance(error, HttpError) and error.by_model_server and error.status in {404, 503}:
                raise CheckFailed(NoModel(detail=error.detail, serves=self._served())) from problem
            raise
        # MLServer answers with an empty body; KServe before 0.11 with the word "False".
        state = json_of(response, path=self.ready_path) if response.content else None
        if isinstance(state, dict) and (state.get("error") or state.get("ready", True) in (False, "False")):
            raise CheckFailed(NoModel(detail=one_line(str(state.get("error") or response.text)), serves=self._served()))

    def metadata(self) -> JsonValue:
        """The server's metadata of the model."""
        path = self._endpoint.metadata_path
        return json_of(self._gateway.send("GET", path, seconds=READY_SECONDS), path=path)

    def predict(self, sent: JsonValue) -> Prediction:
        """Ask for one prediction for each instance."""
        instances: list[JsonValue] = sent if isinstance(sent, list) else [sent]
        path = self._endpoint.predict_path
        with refused():
            response = self._gateway.send("POST", path, body=self.request(instances), seconds=PREDICT_SECONDS)
        return Prediction(
            predictions=self._predictions(response, json_of(response, path=path)),
            latency_ms=response.elapsed.total_seconds() * 1000,
        )

    def _predictions(self, response: httpx.Response, answer: JsonValue) -> list[JsonValue]:
        if not isinstance(answer, dict) or "error" in answer:
            detail = str(answer["error"]) if isinstance(answer, dict) else response.text
            raise CheckFailed(ErrorInAnswer(detail=one_line(detail)))
        try:
            return self.predictions(answer)
        except (LookupError, TypeError, ValueError) as problem:
            detail = f"{type(problem).__name__} {problem}: {response.text}"
            raise CheckFailed(ErrorInAnswer(detail=one_line(detail))) from problem

    def _served(self) -> str:
        """The server's list of models, for a message; `?` if it has none."""
        path = self._endpoint.metadata_path.rpartition("/")[0]
        try:
            answer = json_of(self._gateway.send("GET", path, seconds=READY_SECONDS), path=path)
        except CheckFailed:
            return "?"
        return one_line(str(answer.get("models", "?") if isinstance(answer, dict) else "?"))
