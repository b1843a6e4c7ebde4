"""Checks endpoints, all at the same time: waits until a model is ready, predicts, compares."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from pydantic import JsonValue
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from endpoints.endpoint import Check, Endpoint, GraphCheck
from endpoints.failures import CheckFailed, GrpcError, HttpError, LoadFailed, ReadTimeout, WrongShape, WrongValue
from endpoints.gateway import GatewayClient
from predict.comparison import compare, within
from predict.forwards import Forwards
from predict.inference_service import ServiceReport, ServiceStatus, StatusUnreadable, read_status
from predict.outcome import Outcome, Waiting
from predict.protocols import InferenceProtocol, Prediction, protocol_of

PAUSE_SECONDS = 3.0  # longest pause between two attempts, shortest between two readings of the InferenceService
# KServe reports the first download that failed, while the kubelet tries again after 10 s, then 20 s, then 40 s.
LOAD_FAILURE_SECONDS = 30.0
GRACE_SECONDS = 15.0  # beyond the timeout, for the last attempt and for reading the InferenceService


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait for a model (`timeout`, seconds), and the cluster to ask why it is not ready."""

    timeout: float
    kubeconfig: Path | None = None
    context: str | None = None


class EndpointCheck:
    """One run of one endpoint's check; `notify` is called after every attempt that failed but may still succeed."""

    def __init__(
        self, endpoint: Endpoint, *, limits: Limits, notify: Callable[[Waiting], None], forwards: Forwards | None = None
    ) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._notify = notify
        self._started = time.monotonic()
        self._service: ServiceReport | None = None
        self._service_read_at = float("-inf")
        self._load_failed_at = float("inf")  # since then each reading of the InferenceService had a load failure
        self._forwards = forwards or Forwards(kubeconfig=limits.kubeconfig, context=limits.context)
        self._gateway: GatewayClient | None = None
        self._protocol: InferenceProtocol | None = None

    def run(self) -> Outcome:
        """Ask again until the model predicts, the timeout is over, or waiting is known not to help."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, CheckFailed) and error.failure.passing),
            wait=wait_exponential(multiplier=0.25, max=PAUSE_SECONDS),
            stop=lambda _: self._waited >= self._limits.timeout or self._loading_failed(),
            # The last attempt is at the very end of the timeout, not one pause before.
            sleep=lambda seconds: time.sleep(max(0.0, min(seconds, self._limits.timeout - self._waited))),
            before_sleep=self._waiting,
            reraise=True,
        )
        try:
            metadata, prediction = retrying(self._attempt)
        except CheckFailed as problem:
            return self._failed(problem)
        check = self._endpoint.check
        return Outcome(
            endpoint=self._endpoint,
            waited_s=self._waited,
            failure=self._compared(check, prediction) if check and prediction else None,
            model_ready=True,
            metadata=metadata,
            prediction=prediction,
        )

    def overdue(self) -> Outcome:
        """Outcome of a run that does not end by itself, since an answer may come byte by byte for ever."""
        failure = ReadTimeout(path=self._gateway.asked if self._gateway else "/", seconds=self._waited)
        return Outcome(endpoint=self._endpoint, waited_s=self._waited, failure=failure, model_ready=False)

    def _attempt(self) -> tuple[JsonValue, Prediction | None]:
        with self._forwards.explaining(self._endpoint):
            self._protocol = self._protocol or self._connected()
            return self._ask(self._protocol)

    def _connected(self) -> InferenceProtocol:
        """Client of the model, at its gateway's address or through a port-forward."""
        self._gateway = GatewayClient(
            address=self._forwards.address_of(self._endpoint),
            host=self._endpoint.host,
            deadline=self._started + self._limits.timeout,
            forwarded=self._endpoint.forwarded is not None,
        )
        return protocol_of(self._endpoint, gateway=self._gateway)

    def _ask(self, protocol: InferenceProtocol) -> tuple[JsonValue, Prediction | None]:
        protocol.ready()
        metadata = protocol.metadata()
        if self._endpoint.check is None:
            return metadata, None
        try:
            return metadata, protocol.predict(self._endpoint.check.sent)
        except CheckFailed as problem:
            # A refusal by the gateway, or a broken connection, is not an answer of the model that was ready before.
            not_answered = problem.failure.passing or isinstance(problem.failure, HttpError | GrpcError)
            raise CheckFailed(problem.failure, model_ready=not not_answered) from problem

    def _compared(self, check: Check | GraphCheck, prediction: Prediction) -> WrongShape | WrongValue | None:
        expected, got, tolerance = check.expected, prediction.predictions, check.tolerance
        if isinstance(check, GraphCheck):
            return compare(expected=expected, got=within(expected, got), tolerance=tolerance, what="response")
        wrong = compare(expected=expected, got=got, tolerance=tolerance)
        if wrong is not None or check.explanations is None:
            return wrong
        explanations = prediction.explanations
        return compare(expected=check.explanations, got=explanations, tolerance=tolerance, what="explanations")

    def _failed(self, problem: CheckFailed) -> Outcome:
        if problem.model_ready:  # the state of the InferenceService before that explains nothing
            return Outcome(endpoint=self._endpoint, waited_s=self._waited, failure=problem.failure, model_ready=True)
        if not self._given_up:
            self._read_service(at_the_end=True)
        return Outcome(
            endpoint=self._endpoint,
            waited_s=self._waited,
            failure=self._load_failure or problem.failure,
            model_ready=False,
            service=self._service,
        )

    def _loading_failed(self) -> bool:
        """Whether waiting will not help, by the InferenceService, which is read again after PAUSE_SECONDS."""
        if time.monotonic() - self._service_read_at >= PAUSE_SECONDS:
            self._read_service()
        return self._given_up

    def _read_service(self, *, at_the_end: bool = False) -> None:
        if isinstance(self._service, StatusUnreadable) and self._service.final:
            return
        self._service = read_status(
            self._endpoint, kubeconfig=self._limits.kubeconfig, context=self._limits.context, at_the_end=at_the_end
        )
        self._service_read_at = time.monotonic()
        self._load_failed_at = min(self._load_failed_at, self._service_read_at) if self._load_failure else float("inf")

    @property
    def _given_up(self) -> bool:
        """Whether the InferenceService has a load failure that retries do not cure, or that has lasted."""
        failure = self._load_failure
        lasted = self._service_read_at - self._load_failed_at
        return failure is not None and (not failure.passing or lasted >= LOAD_FAILURE_SECONDS)

    @property
    def _load_failure(self) -> LoadFailed | None:
        return self._service.load_failure if isinstance(self._service, ServiceStatus) else None

    @property
    def _waited(self) -> float:
        return time.monotonic() - self._started

    def _waiting(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CheckFailed):
            self._notify(Waiting(endpoint=self._endpoint, failure=error.failure))


def check_all(
    endpoints: Sequence[Endpoint], *, limits: Limits, grace: float = GRACE_SECONDS
) -> Iterator[Waiting | Outcome]:
    """Check all endpoints but cluster-local ones; yield each change of state when it happens.

    There is one Outcome for each endpoint, `grace` seconds after the timeout at the latest.
    """
    with Forwards(kubeconfig=limits.kubeconfig, context=limits.context) as forwards:
        yield from _check_all(endpoints, limits=limits, grace=grace, forwards=forwards)


def _check_all(
    endpoints: Sequence[Endpoint], *, limits: Limits, grace: float, forwards: Forwards
) -> Iterator[Waiting | Outcome]:
    events: SimpleQueue[Waiting | Outcome | BaseException] = SimpleQueue()

    def work(check: EndpointCheck) -> None:
        try:
            events.put(check.run())
        except BaseException as problem:  # an error in a thread belongs to whoever waits for its result
            events.put(problem)

    deadline = time.monotonic() + limits.timeout + grace
    # The gateway has no route to a cluster-local model.
    inside = [endpoint for endpoint in endpoints if endpoint.cluster_local]
    yield from (Outcome(endpoint=endpoint, waited_s=0, failure=None, model_ready=False) for endpoint in inside)
    asked = [endpoint for endpoint in endpoints if not endpoint.cluster_local]
    running = {
        endpoint.name: EndpointCheck(endpoint, limits=limits, notify=events.put, forwards=forwards)
        for endpoint in asked
    }
    for check in running.values():
        # Daemon threads rather than an executor: an ending program need not wait for requests under way.
        threading.Thread(target=work, args=(check,), daemon=True).start()
    while running:
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            yield from (check.overdue() for check in running.values())
            return
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Outcome):
            del running[event.endpoint.name]
        yield event
