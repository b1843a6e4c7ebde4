"""What a check reports while it runs and when it ends."""

from dataclasses import dataclass

from pydantic import JsonValue

from endpoints.endpoint import Endpoint
from endpoints.failures import Failure
from predict.inference_service import ServiceReport
from predict.protocols import Prediction

NOT_ASKED = "not-asked"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A model that is not ready yet, for this reason."""

    endpoint: Endpoint
    failure: Failure


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one check. Without a `failure` the model is ready and gave the declared predictions, if any are.

    A cluster-local model is not asked, which is neither.
    """

    endpoint: Endpoint
    waited_s: float
    failure: Failure | None
    model_ready: bool
    metadata: JsonValue = None
    prediction: Prediction | None = None
    service: ServiceReport | None = None

    @property
    def verdict(self) -> str:
        """Machine-readable: `ok`, `answered` (nothing compared), `not-asked` (cluster-local) or the failure's."""
        if self.endpoint.cluster_local:
            return NOT_ASKED
        if self.failure is not None:
            return self.failure.verdict
        return "ok" if self.endpoint.check else "answered"

    @property
    def exit_code(self) -> int:
        """0 right, 1 ready but wrong, 2 not reachable or not ready."""
        if self.failure is None:
            return 0
        return 1 if self.model_ready else 2
