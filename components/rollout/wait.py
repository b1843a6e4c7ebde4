"""Waits for Knative, where KServe's word is of the revision before.

What KServe says it has observed is a generation of Knative's Service, not of its own InferenceService. Whenever it
changes that Service by itself, as it does to roll a canary back or for a new serving runtime, it is a generation ahead
for good, and Ready of before passes for Ready of what was declared since.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import httpx2 as httpx
import pulumi
from pydantic import AliasPath, BaseModel, Field

from kube.connection import UnknownLogin

# The annotation that changes with everything that is declared of a model's server.
DECLARED = "kserve-multi-model/declared"
PAUSE = 1.0
NOT_ALLOWED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
Found = TypeVar("Found", bound=BaseModel)


class RolloutError(Exception):
    """Knative does not serve what was declared."""


class UnheardError(Exception):
    """Knative's Service may not be looked at: KServe's word has to do."""


class Condition(BaseModel):
    """One of the conditions of Knative's Service; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class Target(BaseModel):
    """A revision's share of the requests, as it was asked for."""

    latest: bool = Field(False, validation_alias="latestRevision")
    revision: str = Field("", validation_alias="revisionName")
    percent: int = 0


class KnativeService(BaseModel):
    """What Knative's Service was told, and what became of it."""

    generation: int = Field(validation_alias=AliasPath("metadata", "generation"))
    declared: str = Field("", validation_alias=AliasPath("spec", "template", "metadata", "annotations", DECLARED))
    traffic: tuple[Target, ...] = Field((), validation_alias=AliasPath("spec", "traffic"))
    observed: int = Field(0, validation_alias=AliasPath("status", "observedGeneration"))
    newest: str = Field("", validation_alias=AliasPath("status", "latestReadyRevisionName"))
    conditions: tuple[Condition, ...] = Field((), validation_alias=AliasPath("status", "conditions"))

    @property
    def is_one_revision(self) -> bool:
        """Whether what the latest revision leaves goes to the same revision by its name."""
        return any(target.revision == self.newest and target.percent and not target.latest for target in self.traffic)

    def missing(self, declared: str, *, share: int) -> str | None:
        """What is missing until this gets its share of the requests; None when nothing is."""
        if self.declared != declared or sum(target.percent for target in self.traffic if target.latest) != share:
            return "KServe has not told Knative yet"
        if self.observed != self.generation:
            return "Knative has not looked yet"
        ready = next((condition for condition in self.conditions if condition.type == "Ready"), None)
        if ready is None or ready.status != "True":
            return ": ".join(filter(None, (ready.reason, ready.message))) if ready else "it is not ready"
        return None


class Versions(BaseModel):
    """What KServe knows of a model's versions; `before` is the one that had all requests before the last that had."""

    before: str = Field(
        "", validation_alias=AliasPath("status", "components", "predictor", "previousRolledoutRevision")
    )


@dataclass(frozen=True, kw_only=True)
class Following(ABC):
    """Waits in a hook for something that the cluster does by itself.

    Attributes:
        connect: gives a client of the cluster.
        place: namespace and name of what KServe makes.
        timeout: how many seconds it may take.

    """

    connect: Callable[[], httpx.Client]
    place: tuple[str, str]
    timeout: float
    by: ClassVar[str]
    failure: ClassVar[str]

    @abstractmethod
    def look(self, client: httpx.Client) -> str | None:
        """What is missing; None when nothing is.

        Raises httpx.HTTPError or ValueError where that is not told, as `found` does.
        """

    async def finish(self, _: pulumi.ResourceHookArgs) -> None:
        """For a hook: return when nothing is missing. Raises RolloutError after `timeout`."""
        name = self.place[1]
        try:
            missing = await asyncio.to_thread(self._wait)
        except (UnknownLogin, UnheardError) as problem:
            pulumi.log.warn(f"whether {self.by} serves {name} as declared is not checked: {problem}")
            return
        if missing:
            raise RolloutError(f"{name} {self.failure} after {self.timeout:.0f} s: {missing}")

    def _wait(self) -> str | None:
        """What is missing in the end."""
        end = time.monotonic() + self.timeout
        with self.connect() as client:
            while (missing := self._missing(client)) and time.monotonic() < end:
                time.sleep(PAUSE)
        return missing

    def _missing(self, client: httpx.Client) -> str | None:
        try:
            return self.look(client)
        except (httpx.HTTPError, ValueError) as problem:
            return f"{type(problem).__name__}: {problem}"


def asked(client: httpx.Client, path: str, **query: str) -> httpx.Response:
    """The API server's answer. Raises UnheardError where it may not be asked for this."""
    answer = client.get(path, params=query)
    if answer.status_code in NOT_ALLOWED:
        raise UnheardError(f"the cluster answers {answer.status_code}")
    return answer


def found(kind: type[Found], client: httpx.Client, path: str, **query: str) -> Found:
    """What the API server has there. Raises UnheardError where it may not be looked at, HTTPError, ValueError."""
    return kind.model_validate(asked(client, path, **query).raise_for_status().json())


@dataclass(frozen=True, kw_only=True)
class Rollout(Following):
    """A server's way to the requests, followed in what KServe makes of it.

    Attributes:
        declared: what its annotation DECLARED has to be.

    """

    declared: str
    failure: ClassVar[str] = "does not serve it"


@dataclass(frozen=True, kw_only=True)
class KnativeRollout(Rollout):
    """Followed in Knative's Service.

    Attributes:
        share: the share of the requests that its latest revision has to get, in per cent.
        model: whose server it is, if it is one's: its last version is what a canary shares the requests with.

    """

    share: int
    model: str | None = None
    by: ClassVar[str] = "Knative"

    def look(self, client: httpx.Client) -> str | None:
        """What Knative's Service lacks."""
        service = found(KnativeService, client, knative_path(self.place))
        if missing := service.missing(self.declared, share=self.share):
            return missing
        # What was promoted is taken back in two steps: in the first, two names of one revision share the requests.
        if self.model and service.is_one_revision and self._has_a_version_before(client):
            return "KServe has not gone back to the version before yet"
        return None

    def _has_a_version_before(self, client: httpx.Client) -> bool:
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{self.place[0]}/inferenceservices/{self.model}"
        return bool(found(Versions, client, path).before)


def knative_path(place: tuple[str, str]) -> str:
    """Where the API server has Knative's Service of this namespace and name."""
    namespace, name = place
    return f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}"
