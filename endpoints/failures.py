"""Every way in which a request to an endpoint, or its answer, can fail: one type each. `locales` has the texts."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Base of all failures."""

    @property
    def verdict(self) -> str:
        """The failure's name in machine-readable reports: its class's, as in `no-route`."""
        return re.sub("(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def passing(self) -> bool:
        """Whether it may go away by waiting."""
        return False


class CheckFailed(Exception):  # noqa: N818 - the failure is the error's name
    """A request failed. With `model_ready`, the model had answered before that it is ready."""

    def __init__(self, failure: Failure, *, model_ready: bool = False) -> None:
        super().__init__(failure)
        self.failure = failure
        self.model_ready = model_ready


class PassingFailure(Failure):
    """A failure that is normal while a model or its gateway starts."""

    @property
    def passing(self) -> bool:
        """Always true."""
        return True


@dataclass(frozen=True, kw_only=True)
class ConnectionRefused(PassingFailure):
    """Nothing listens at the gateway address."""


@dataclass(frozen=True, kw_only=True)
class ConnectTimeout(PassingFailure):
    """Packets to the gateway address get no reply, or have no route to it."""


@dataclass(frozen=True, kw_only=True)
class UnknownName(PassingFailure):
    """The gateway address has a host name that does not resolve."""


@dataclass(frozen=True, kw_only=True)
class PortForwardFailed(PassingFailure):
    """No port-forward to the gateway, yet."""

    problem: str


@dataclass(frozen=True, kw_only=True)
class PortForwardRefused(Failure):
    """No port-forward to the gateway, as long as the login, its rights or the Service stay as they are."""

    problem: str


@dataclass(frozen=True, kw_only=True)
class ReadTimeout(PassingFailure):
    """Connected, but no answer came in `seconds`."""

    path: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Disconnected(PassingFailure):
    """The connection broke, or TLS failed."""

    problem: str


@dataclass(frozen=True, kw_only=True)
class NoRoute(PassingFailure):
    """Envoy itself answered 404: no route for the Host header, or gRPC's authority."""

    path: str


@dataclass(frozen=True, kw_only=True)
class NoModel(PassingFailure):
    """A model server answers, but does not have this model ready; `serves` lists the models that it has."""

    detail: str
    serves: str


@dataclass(frozen=True, kw_only=True)
class HttpError(Failure):
    """Any other HTTP status than 2xx; `by_model_server` if the body is a JSON error, as model servers send it."""

    path: str
    status: int
    detail: str
    by_model_server: bool

    @property
    def passing(self) -> bool:
        """True for what a starting gateway or pod answers; a redirect or a refused client stays as it is."""
        return self.status in {404, 408, 429} or self.status >= 500


@dataclass(frozen=True, kw_only=True)
class GrpcError(Failure):
    """Any other gRPC status than OK, by its name."""

    path: str
    status: str
    detail: str

    @property
    def passing(self) -> bool:
        """True for what a starting gateway or pod answers; a refused client stays as it is."""
        return self.status not in {"UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT"}


@dataclass(frozen=True, kw_only=True)
class NotJson(Failure):
    """HTTP 200 with a body that is not JSON."""

    path: str
    content_type: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class PredictionRefused(Failure):
    """The ready model answered the prediction with an HTTP error."""

    status: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class GrpcPredictionRefused(Failure):
    """The ready model answered the prediction with a gRPC status."""

    status: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class GrpcAnswerUnusable(Failure):
    """gRPC status OK, but no usable predictions in the answer."""

    detail: str


@dataclass(frozen=True, kw_only=True)
class ErrorInAnswer(Failure):
    """HTTP 200, but an error or no usable predictions in the answer."""

    detail: str


@dataclass(frozen=True, kw_only=True)
class NoExplanation(Failure):
    """The model predicts, but no explanations come: an HTTP error, or an answer without them."""

    path: str
    status: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class WrongShape(Failure):
    """Another number of predictions, or another width of a row."""

    expected_shape: str
    got_shape: str
    expected: str
    got: str


@dataclass(frozen=True, kw_only=True)
class WrongValue(Failure):
    """The right shape with other values; `difference` is the largest one, at `where`."""

    expected: str
    got: str
    difference: str
    where: str
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class LoadFailed(Failure):
    """KServe could not load the model, by the InferenceService's modelStatus."""

    transition: str
    reason: str
    message: str

    @property
    def passing(self) -> bool:
        """True unless the spec itself is wrong: the kubelet tries a failed download again."""
        return self.transition != "InvalidSpec"


@dataclass(frozen=True, kw_only=True)
class StorageRefused(LoadFailed):
    """KServe could not load the model at `uri` because the storage did not accept the credentials in `setting`."""

    uri: str
    setting: str

    @property
    def passing(self) -> bool:
        """False: the keys stay as they are."""
        return False


def one_line(text: str, *, limit: int = 300) -> str:
    """Text from elsewhere made safe for a terminal, a table cell and XML: printable, one line, `limit` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
