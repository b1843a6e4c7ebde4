"""Reads from the cluster why an InferenceService or InferenceGraph does not answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import httpx2 as httpx
from pydantic import BaseModel, ConfigDict

from endpoints.endpoint import Endpoint
from endpoints.failures import LoadFailed, StorageRefused, one_line
from endpoints.stores import credentials_setting, own_words, without_secrets
from kube.connection import connect, refusal_of
from kube.kubeconfig import KubeconfigError, LoginFailedError
from kube.read import PASSING_ERRORS, ForbiddenError, read_list
from kube.views.base import MODEL_LABEL, Condition
from kube.views.fetching import NOT_FETCHED, fetched, kept_words
from kube.views.kserve import KEYS_REFUSED, InferenceGraph, InferenceService, not_true
from kube.views.kubernetes import Event, Pod, Secret

SECONDS = 5.0  # short, so that a cluster out of reach does not hold up the check
KEPT_WIDTH = 500  # the error of a pull is at the end of what the kubelet says


class ServiceStatus(BaseModel):
    """Status of an InferenceService or InferenceGraph. A graph loads no model, so it has only conditions.

    Attributes:
        kept: why its files could not be fetched, as an update kept it; empty where that was not read.

    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["status"] = "status"
    transition: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    store: str = ""
    uri: str = ""
    kept: str = ""

    @classmethod
    def of(cls, service: InferenceService | InferenceGraph, *, kept: str = "") -> Self:
        """Status of this object, without what may be secret in the logs that it quotes: reports go into files."""
        conditions = tuple(
            item.model_copy(update={"message": without_secrets(item.message)}) for item in service.conditions
        )
        if isinstance(service, InferenceGraph):
            return cls(conditions=conditions)
        return cls(
            transition=service.transition,
            reason=service.failure_reason,
            message=without_secrets(service.failure_message),
            conditions=conditions,
            store=service.store,
            uri=service.location,
            kept=without_secrets(kept),
        )

    @property
    def load_failure(self) -> LoadFailed | None:
        """Why KServe could not load the model, if it says so or an update kept it."""
        if self.says_why:
            transition, reason, message = self.transition, self.reason or "?", self._words
        elif self.kept:
            transition, reason, message = self.transition or "?", NOT_FETCHED, one_line(self.kept, limit=KEPT_WIDTH)
        elif self.is_blocked:
            transition, reason, message = self.transition, self.reason or "?", "?"
        else:
            return None
        if transition == "InvalidSpec" or not KEYS_REFUSED.search(self.message if self.says_why else self.kept):
            return LoadFailed(transition=transition, reason=reason, message=message)
        return StorageRefused(
            transition=transition,
            reason=reason,
            message=message,
            uri=self.uri or "`storage_uri`",
            setting=credentials_setting(self.store, uri=self.uri),
        )

    @property
    def is_blocked(self) -> bool:
        """Whether KServe says that the model could not be loaded."""
        return self.transition in {"BlockedByFailedLoad", "InvalidSpec"}

    @property
    def says_why(self) -> bool:
        """Whether KServe says why, too. It may not once the pods are gone."""
        return self.is_blocked and bool(self.message.strip())

    @property
    def _words(self) -> str:
        """What KServe says, on one line. Of the log of a download, the last line and what the server answered."""
        lines = [line for line in self.message.splitlines() if line.strip()]
        answered = own_words(self.message)
        words = f"{lines[-1]} ({answered})" if answered and len(lines) > 1 else self.message
        return one_line(words)

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


def read_status(
    endpoint: Endpoint, *, kubeconfig: Path | None, context: str | None, at_the_end: bool = False
) -> ServiceReport:
    """Read the endpoint's object from its cluster.

    Args:
        endpoint: of a model or a graph.
        kubeconfig: the file to read; None for those that kubectl would read.
        context: None for the endpoint's own, or else the current one.
        at_the_end: whether no answer is waited for any longer, so that what an update kept may be the reason.
    """
    kind = InferenceGraph if endpoint.is_a_graph else InferenceService
    path = kind.path(namespace=endpoint.namespace, name=endpoint.service)
    try:
        with connect(kubeconfig=kubeconfig, context=context or endpoint.context, seconds=SECONDS) as client:
            answer = client.get(path)
            if answer.is_success:
                return _status(client, kind.model_validate_json(answer.content), at_the_end=at_the_end)
    except KubeconfigError as problem:
        return StatusUnreadable(one_line(str(problem)), final=not isinstance(problem, LoginFailedError))
    except (httpx.HTTPError, OSError, ValueError) as problem:  # the last one: something else answers
        return _unreadable(problem)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ServiceMissing()
    refused = answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
    return StatusUnreadable(one_line(refusal_of(answer)), final=refused)


def _status(client: httpx.Client, service: InferenceService | InferenceGraph, *, at_the_end: bool) -> ServiceStatus:
    status = ServiceStatus.of(service)
    if isinstance(service, InferenceGraph) or service.ready or status.says_why:
        return status
    return ServiceStatus.of(service, kept=_kept(client, service)) if at_the_end or status.is_blocked else status


def _kept(client: httpx.Client, service: InferenceService) -> str:
    """What an update kept of a download that failed.

    Empty once a pod has the files or the store's Secret was changed, and where it may not be read.
    """
    try:
        events = read_list(Event, client, namespace=service.namespace, fields=f"reason={NOT_FETCHED}")
    except (*PASSING_ERRORS, ForbiddenError):
        return ""
    if not kept_words(events, service) or _has_files(client, service):
        return ""
    return kept_words(events, service, secrets=_secrets(client, service))


def _secrets(client: httpx.Client, service: InferenceService) -> tuple[Secret, ...]:
    """The Secrets of the namespace, without their content; none where this login may not read them."""
    try:
        return read_list(Secret, client, namespace=service.namespace, metadata_only=True)
    except (*PASSING_ERRORS, ForbiddenError):
        return ()


def _has_files(client: httpx.Client, service: InferenceService) -> bool:
    """Whether a pod has the model's files by now; False also where this login may not read it."""
    try:
        pods = read_list(Pod, client, namespace=service.namespace, labels=f"{MODEL_LABEL}={service.name}")
    except (*PASSING_ERRORS, ForbiddenError):
        return False
    return fetched(pods, service)


def _unreadable(problem: Exception) -> StatusUnreadable:
    return StatusUnreadable(one_line(f"{type(problem).__name__}: {problem}"), final=False)
