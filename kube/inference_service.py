"""What an InferenceService's status says about a model that does not answer."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from endpoints.failures import LoadFailed, StorageRefused, one_line

# The status only as clients write it, since a path may contain the number; S3's codes; boto's words for no keys.
KEYS_REFUSED = re.compile(
    r"\(403\)|\[403\]|\b403 Client Error|\bForbidden\b|SignatureDoesNotMatch|InvalidAccessKeyId|AccessDenied"
    r"|InvalidToken|ExpiredToken|NoCredentialsError|Unable to locate credentials"
)


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

    kind: Literal["status"] = "status"
    transition: str = Field("", validation_alias=AliasPath("modelStatus", "transitionStatus"))
    reason: str = Field("", validation_alias=AliasPath("modelStatus", "lastFailureInfo", "reason"))
    message: str = Field("", validation_alias=AliasPath("modelStatus", "lastFailureInfo", "message"))
    conditions: tuple[Condition, ...] = ()

    @property
    def load_failure(self) -> LoadFailed | None:
        """Why KServe could not load the model, if it says so."""
        if self.transition not in {"BlockedByFailedLoad", "InvalidSpec"}:
            return None
        keys_refused = self.transition == "BlockedByFailedLoad" and KEYS_REFUSED.search(self.message)
        kind = StorageRefused if keys_refused else LoadFailed
        return kind(transition=self.transition, reason=self.reason or "?", message=one_line(self.message) or "?")

    @property
    def not_true(self) -> tuple[Condition, ...]:
        """The conditions that stand in the way (`Stopped` is the one that should be False)."""
        return tuple(item for item in self.conditions if (item.status == "True") == (item.type == "Stopped"))


@dataclass(frozen=True)
class ServiceMissing:
    """The cluster has no such InferenceService."""

    kind: Literal["missing"] = "missing"


@dataclass(frozen=True)
class StatusUnreadable:
    """No kubeconfig, no such context, no permission, no cluster …: `problem` says which.

    `final` says that another look would find the same.
    """

    problem: str
    final: bool
    kind: Literal["unreadable"] = "unreadable"


ServiceReport = ServiceStatus | ServiceMissing | StatusUnreadable
