"""Transformers and explainers: what KServe is told of them, and what it does with them in its own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import httpx2 as httpx
from pydantic import AliasPath, BaseModel, Field

from components.rollout.spec_hash import said
from components.rollout.wait import Condition, Following, Rollout, asked
from components.settings.model import Model
from components.settings.resource_profiles import SERVING_RUNTIME, PodResources
from components.settings.server import PORT, Component, Transformer


def companion_spec(
    companion: Component, *, model: Model, probe: Mapping[str, Any], footprint: PodResources | None
) -> dict[str, Any]:
    """A transformer or an explainer as KServe reads it, without annotations.

    Args:
        companion: what the stack says.
        model: which it stands beside.
        probe: of its container, that means: it answers for the model.
        footprint: of a companion that says nothing itself; None for what KServe gives it.

    """
    resources = companion.resources.within(footprint or SERVING_RUNTIME) if companion.resources else footprint
    port = companion.port if isinstance(companion, Transformer) else PORT
    container = {
        "name": "kserve-container",
        "image": companion.image,
        "command": companion.command,
        "args": _arguments(companion, port=port, protocol=model.protocol),
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "env": [{"name": name, "value": text} for name, text in companion.environment.items()],
        "resources": resources.values() if resources else None,
        "readinessProbe": {**probe, "httpGet": {**probe["httpGet"], "port": port}},
    }
    return said(
        {
            "minReplicas": companion.replicas.min,
            "maxReplicas": companion.replicas.max,
            "containerConcurrency": companion.concurrency,
            "timeout": companion.request_timeout,
            "containers": [{name: value for name, value in container.items() if value}],
        }
    )


def _arguments(companion: Component, *, port: int, protocol: str) -> list[str]:
    """The stack's, and those that KServe leaves out or would take from something else.

    It says nothing of the protocol, always 8080 for the port, and starts a process for each request at a time.
    """
    ours = {
        "--predictor_protocol": protocol if protocol != "v1" else None,
        "--http_port": port if port != PORT else None,
        "--workers": 1 if companion.concurrency else None,
    }
    unsaid = (name for name in ours if not any(argument.startswith(name) for argument in companion.args))
    return [*companion.args, *(f"{name}={ours[name]}" for name in unsaid if ours[name])]


class _Routed(BaseModel):
    """What KServe says of a model as a whole, its route included."""

    conditions: tuple[Condition, ...] = Field((), validation_alias=AliasPath("status", "conditions"))

    @classmethod
    def of(cls, client: httpx.Client, model: tuple[str, str]) -> Self:
        """Read it; the model is given as namespace and name."""
        namespace, name = model
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
        return cls.model_validate(asked(client, path).raise_for_status().json())

    @property
    def missing(self) -> str | None:
        """What is missing until requests go where they should."""
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in self.conditions)
        return None if ready else "KServe has not turned the requests over yet"


@dataclass(frozen=True, kw_only=True)
class CompanionRollout(Following):
    """A companion's way to the requests: KServe turns them over after it is ready.

    Attributes:
        server: the way until it is.

    """

    server: Rollout
    model: str
    by: ClassVar[str] = "KServe"
    failure: ClassVar[str] = "does not serve it"

    def look(self, client: httpx.Client) -> str | None:
        """What is missing until it gets the model's requests."""
        return self.server.look(client) or _Routed.of(client, (self.place[0], self.model)).missing


@dataclass(frozen=True, kw_only=True)
class CompanionRemoval(Following):
    """The end of a companion that is no longer declared: KServe takes it out of the way, and lets it run for ever.

    Attributes:
        paths: what KServe made for it, as the API server has it; the first is there if any is.

    """

    model: str
    paths: tuple[str, ...]
    by: ClassVar[str] = "KServe"
    failure: ClassVar[str] = "is still there"

    def look(self, client: httpx.Client) -> str | None:
        """What is missing until it may go, which it is told to when it gets no more requests."""
        there = asked(client, self.paths[0])
        if there.status_code == httpx.codes.NOT_FOUND:
            return None
        there.raise_for_status()
        unrouted = _Routed.of(client, (self.place[0], self.model)).missing
        if unrouted is None:
            for path in reversed(self.paths):
                gone = client.delete(path)
                if gone.status_code != httpx.codes.NOT_FOUND:
                    gone.raise_for_status()
        return unrouted
