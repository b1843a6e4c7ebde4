"""What an InferenceService's status says about a model that does not answer."""

import re
from dataclasses import dataclass

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from predict.failures import Failure, LoadFailed, StorageRefused, one_line

_KEYS_REFUSED = re.compile(r"\b403\b|Forbidden|SignatureDoesNotMatch|InvalidAccessKeyId|AccessDenied")


class Condition(BaseModel):
    """One of the status's conditions; `status` is True, False or Unknown."""

    model_config = ConfigDict(frozen=True)

    type: str
    status: str
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        details = ": ".join(filter(None, (self.reason, self.message)))
        return one_line(f"{self.type}={self.status}" + (f" ({details})" if details else ""))


class ServiceStatus(BaseModel):
    """What KServe's controller says about the model."""

    model_config = ConfigDict(frozen=True)

    transition: str = Field("", validation_alias=AliasPath("modelStatus", "transitionStatus"))
    reason: str = Field("", validation_alias=AliasPath("modelStatus", "lastFailureInfo", "reason"))
    message: str = Field("", validation_alias=AliasPath("modelStatus", "lastFailureInfo", "message"))
    conditions: tuple[Condition, ...] = ()

    @property
    def load_failure(self) -> Failure | None:
        """Why KServe gave up on loading the model, if it did."""
        if self.transition not in {"BlockedByFailedLoad", "InvalidSpec"}:
            return None
        keys_refused = self.transition == "BlockedByFailedLoad" and _KEYS_REFUSED.search(self.message)
        kind = StorageRefused if keys_refused else LoadFailed
        return kind(transition=self.transition, reason=self.reason or "?", message=one_line(self.message) or "?")

    @property
    def not_true(self) -> tuple[Condition, ...]:
        """The conditions that stand in the way (`Stopped` is the one that should be False)."""
        return tuple(item for item in self.conditions if (item.status == "True") == (item.type == "Stopped"))


@dataclass(frozen=True)
class ServiceMissing:
    """The cluster has no such InferenceService."""


@dataclass(frozen=True)
class StatusUnreadable:
    """No kubeconfig, no such context, no permission, no cluster …: `problem` says which."""

    problem: str


ServiceReport = ServiceStatus | ServiceMissing | StatusUnreadable
