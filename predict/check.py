"""Checks one endpoint: wait until the model is ready, predict, compare."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential

from predict.comparison import compare
from predict.endpoints import Endpoint
from predict.failures import CheckFailed, Failure
from predict.gateway import Gateway
from predict.inference_service import ServiceReport, ServiceStatus, StatusUnreadable
from predict.outcome import Outcome, Waiting
from predict.protocols import Prediction, protocol_of

PAUSE_SECONDS = 3.0  # longest pause between two attempts, shortest between two looks at the InferenceService


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait for a model (`timeout`, seconds), and the cluster that can say why it does not come."""

    timeout: float
    kubeconfig: Path | None = None
    context: str | None = None


class EndpointCheck:
    """One run of one check; `notify` is told at every attempt that failed but may yet succeed."""

    def __init__(self, endpoint: Endpoint, *, limits: Limits, notify: Callable[[Waiting], None]) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._notify = notify
        self._started = time.monotonic()
        self._service: ServiceReport | None = None
        self._service_read_at = float("-inf")
        deadline = self._started + limits.timeout
        gateway = Gateway(address=endpoint.gateway_address, host=endpoint.host, deadline=deadline)
        self._protocol = protocol_of(endpoint, gateway=gateway)

    def run(self) -> Outcome:
        """Try until the model predicts, the timeout is over, or waiting is known to be vain."""
        backoff, at_end = wait_exponential(multiplier=0.25, max=PAUSE_SECONDS), stop_after_delay(self._limits.timeout)
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, CheckFailed) and error.failure.passing),
            # The last attempt is at the very end of the timeout, not one pause before.
            wait=lambda state: min(backoff(state), max(0.0, self._limits.timeout - self._waited)),
            stop=lambda state: at_end(state) or self._loading_failed(),
            before_sleep=self._waiting,
            reraise=True,
        )
        try:
            metadata, prediction = retrying(self._ask)
        except CheckFailed as problem:
            return self._failed(problem)
        check = self._endpoint.check
        return Outcome(
            endpoint=self._endpoint,
            waited_s=self._waited,
            failure=compare(expected=check.predictions, got=prediction.predictions, tolerance=check.tolerance)
            if check and prediction
            else None,
            model_ready=True,
            metadata=metadata,
            prediction=prediction,
        )

    def _ask(self) -> tuple[JsonValue, Prediction | None]:
        self._protocol.ready()
        metadata = self._protocol.metadata()
        if self._endpoint.check is None:
            return metadata, None
        try:
            return metadata, self._protocol.predict(self._endpoint.check.instances)
        except CheckFailed as problem:
            raise CheckFailed(problem.failure, model_ready=not problem.failure.passing) from problem

    def _failed(self, problem: CheckFailed) -> Outcome:
        if not problem.model_ready:
            self._read_service()
        return Outcome(
            endpoint=self._endpoint,
            waited_s=self._waited,
            failure=self._load_failure or problem.failure,
            model_ready=problem.model_ready,
            service=self._service,
        )

    def _loading_failed(self) -> bool:
        """Tell whether KServe has given up on the model: then waiting is vain."""
        if time.monotonic() - self._service_read_at >= PAUSE_SECONDS:
            self._read_service()
        return self._load_failure is not None

    def _read_service(self) -> None:
        if self._load_failure or isinstance(self._service, StatusUnreadable):
            return  # known already, or not worth another try

        from predict.status_reader import read_status  # noqa: PLC0415 - a third of the start-up time, seldom needed

        self._service = read_status(self._endpoint, kubeconfig=self._limits.kubeconfig, context=self._limits.context)
        self._service_read_at = time.monotonic()

    @property
    def _load_failure(self) -> Failure | None:
        return self._service.load_failure if isinstance(self._service, ServiceStatus) else None

    @property
    def _waited(self) -> float:
        return time.monotonic() - self._started

    def _waiting(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CheckFailed):
            self._notify(Waiting(endpoint=self._endpoint, failure=error.failure))
