"""Reads from the cluster why an InferenceService or InferenceGraph does not answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import httpx2 as httpx
from pydantic import BaseModel, ConfigDict

from endpoints.endpoint import Endpoint
from endpoints.failures import LoadFailed, StorageRefused, one_line
from endpoints.stores import credentials_setting, own_words
from kube.connection import connect, refusal_of
from kube.kubeconfig import KubeconfigError, LoginFailedError
from kube.views.base import Condition
from kube.views.kserve import KEYS_REFUSED, InferenceGraph, InferenceService, not_true

SECONDS = 5.0  # short, so that a cluster out of reach does not hold up the check


class ServiceStatus(BaseModel):
    """Status of an InferenceService or InferenceGraph. A graph loads no model, so it has only conditions."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["status"] = "status"
    transition: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    store: str = ""
    uri: str = ""

    @classmethod
    def of(cls, service: InferenceService | InferenceGraph) -> Self:
        """Status of this object."""
        if isinstance(service, InferenceGraph):
            return cls(conditions=service.conditions)
        return cls(
            transition=service.transition,
            reason=service.failure_reason,
            message=service.failure_message,
            conditions=service.conditions,
            store=service.store,
            uri=service.location,
        )

    @property
    def load_failure(self) -> LoadFailed | None:
        """Why KServe could not load the model, if it says so."""
        if self.transition not in {"BlockedByFailedLoad", "InvalidSpec"}:
            return None
        transition, reason, message = self.transition, self.reason or "?", self._words or "?"
        if transition != "BlockedByFailedLoad" or not KEYS_REFUSED.search(self.message):
            return LoadFailed(transition=transition, reason=reason, message=message)
        return StorageRefused(
            transition=transition,
            reason=reason,
            message=message,
            uri=self.uri or "`storage_uri`",
            setting=credentials_setting(self.store, uri=self.uri),
        )

    @property
    def _words(self) -> str:
        """What KServe says, on one line. Of the log of a download, the last line and what the server answered."""
        lines = [line for line in self.message.splitlines() if line.strip()]
        answered = own_words(self.message)
        return one_line(f"{lines[-1]} ({answered})" if answered and len(lines) > 1 else self.message)

    @property
    def not_true(self) -> tuple[Condition, ...]:
        """The conditions that stand in the way of Ready."""
        return not_true(self.conditions)


@dataclass(frozen=True)
class ServiceMissing:
    """The cluster has no such object."""

    kind: Literal["missing"] = "missing"


@dataclass(frozen=True)
class StatusUnreadable:
    """The status could not be read: no kubeconfig, no such context, no permission, or no answer.

    Attributes:
        problem: the error.
        final: whether reading it again would fail in the same way.
    """

    problem: str
    final: bool
    kind: Literal["unreadable"] = "unreadable"


ServiceReport = ServiceStatus | ServiceMissing | StatusUnreadable


def read_status(endpoint: Endpoint, *, kubeconfig: Path | None, context: str | None) -> ServiceReport:
    """Read the endpoint's object from its cluster.

    Args:
        endpoint: of a model or a graph.
        kubeconfig: the file to read; None for those that kubectl would read.
        context: None for the endpoint's own, or else the current one.
    """
    kind = InferenceGraph if endpoint.is_a_graph else InferenceService
    path = kind.path(namespace=endpoint.namespace, name=endpoint.service)
    try:
        with connect(kubeconfig=kubeconfig, context=context or endpoint.context, seconds=SECONDS) as client:
            answer = client.get(path)
    except KubeconfigError as problem:
        return StatusUnreadable(one_line(str(problem)), final=not isinstance(problem, LoginFailedError))
    except (httpx.HTTPError, OSError) as problem:
        return _unreadable(problem)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ServiceMissing()
    if not answer.is_success:
        refused = answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
        return StatusUnreadable(one_line(refusal_of(answer)), final=refused)
    try:
        return ServiceStatus.of(kind.model_validate_json(answer.content))
    except ValueError as problem:  # something else answers
        return _unreadable(problem)


def _unreadable(problem: Exception) -> StatusUnreadable:
    return StatusUnreadable(one_line(f"{type(problem).__name__}: {problem}"), final=False)
