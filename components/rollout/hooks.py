"""Hooks of a model's or a graph's object: before it is made, after it is made, and after it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import httpx2 as httpx
import pulumi

from components.objects import retry_on_webhook_error
from components.rollout.download import Download
from components.rollout.revival import Revival
from components.rollout.server import ServerRollout, Servers
from components.rollout.wait import Wait
from components.settings.server import COMPONENT_TYPES
from components.teardown.leftovers import OBJECTS, Leftovers
from kube.read import get, read
from kube.views.kserve import InferenceService


def model_hooks(
    model: str,
    *,
    key: str,
    servers: Servers,
    spec_hashes: Mapping[str, str],
    share: int,
    secrets: tuple[str, ...] | None = None,
) -> pulumi.ResourceHookBinding:
    """Hooks of the InferenceService of this name.

    Args:
        model: name of the InferenceService.
        key: name of the model in the stack, which no other one has.
        servers: those that KServe makes for it.
        spec_hashes: hash of each component that is declared: predictor, and transformer or explainer if it has one.
        share: part of the requests that the latest revision of the predictor has to get, in per cent.
        secrets: of the store that its files come from; None for a model without files.

    """
    predictor = servers.rollout(f"{model}-predictor", spec_hash=spec_hashes["predictor"], share=share, model=model)
    rollouts = [pulumi.ResourceHook(f"model-{key}-rollout", predictor.run)]
    removals = []
    for component in COMPONENT_TYPES:
        name = f"{model}-{component}"
        if component in spec_hashes:
            server = servers.rollout(name, spec_hash=spec_hashes[component])
            rollout = ComponentRollout(scope=servers, name=name, model=model, server=server)
            rollouts.append(pulumi.ResourceHook(f"model-{key}-{component}-rollout", rollout.run))
        else:
            removal = ComponentRemoval(scope=servers, name=name, model=model, paths=servers.paths(name))
            removals.append(pulumi.ResourceHook(f"model-{key}-former-{component}", removal.run))
    leftovers = Leftovers(namespace=servers.namespace, models=(model,), kinds=OBJECTS)
    predecessor = PredecessorRemoval(scope=servers, name=model, leftovers=leftovers)
    started, stopped = _download_hooks(model, key=key, servers=servers, spec_hashes=spec_hashes, secrets=secrets)
    revived = []
    if servers.mode == "Knative":
        revival = Revival(scope=servers, name=predictor.name, spec_hash=spec_hashes["predictor"])
        revived = [pulumi.ResourceHook(f"model-{key}-revival", revival.run)]
    return pulumi.ResourceHookBinding(
        on_error=retry_on_webhook_error(f"model-{key}-webhooks").on_error,
        before_create=[pulumi.ResourceHook(f"model-{key}-former", predecessor.run), *started],
        before_update=[*revived, *started],
        after_create=[*rollouts, *stopped],
        after_update=[*rollouts, *removals, *stopped],
    )


def _download_hooks(
    model: str, *, key: str, servers: Servers, spec_hashes: Mapping[str, str], secrets: tuple[str, ...] | None
) -> tuple[list[pulumi.ResourceHook], list[pulumi.ResourceHook]]:
    """The hooks that begin and end to watch how a model's files are fetched; none for a model without files."""
    if secrets is None:
        return [], []
    download = Download(scope=servers, model=model, spec_hashes=frozenset(spec_hashes.values()), secrets=secrets)
    return (
        [pulumi.ResourceHook(f"model-{key}-download", download.start)],
        [pulumi.ResourceHook(f"model-{key}-downloaded", download.stop)],
    )


def graph_hooks(graph: str, *, servers: Servers, spec_hash: str) -> pulumi.ResourceHookBinding:
    """Hooks of the InferenceGraph of this name."""
    # KServe gives the container of its router the graph's name.
    router = servers.rollout(graph, spec_hash=spec_hash, container=graph)
    rollout = pulumi.ResourceHook(f"graph-{graph}-rollout", router.run)
    leftovers = Leftovers(namespace=servers.namespace, graphs=(graph,), kinds=OBJECTS)
    predecessor = PredecessorRemoval(scope=servers, name=graph, leftovers=leftovers)
    return pulumi.ResourceHookBinding(
        on_error=retry_on_webhook_error(f"graph-{graph}-webhooks").on_error,
        before_create=[pulumi.ResourceHook(f"graph-{graph}-former", predecessor.run)],
        after_create=[rollout],
        after_update=[rollout],
    )


@dataclass(frozen=True, kw_only=True)
class PredecessorRemoval(Wait):
    """Wait until nothing is left of a deleted model or graph of the same name.

    Otherwise KServe would take over a leftover object for the new one, and Kubernetes would then delete it.
    """

    leftovers: Leftovers
    failure: ClassVar[str] = "cannot be made: parts of the deleted one of the same name still exist"

    def pending(self, client: httpx.Client) -> str | None:
        """Names of the objects that are left, or None."""
        return ", ".join(map(str, self.leftovers.look(client))) or None


@dataclass(frozen=True, kw_only=True)
class ComponentWait(Wait):
    """Wait for a transformer or an explainer.

    Attributes:
        model: InferenceService that it belongs to.

    """

    model: str

    def route_pending(self, client: httpx.Client) -> str | None:
        """Reason why requests may still take the old route, or None."""
        model = read(InferenceService, client, InferenceService.path(namespace=self.scope.namespace, name=self.model))
        return None if model.ready else "KServe has not changed the model's route yet"


@dataclass(frozen=True, kw_only=True)
class ComponentRollout(ComponentWait):
    """Wait until a component gets the model's requests. KServe changes the route only when its server is ready."""

    server: ServerRollout
    failure: ClassVar[str] = ServerRollout.failure

    def pending(self, client: httpx.Client) -> str | None:
        """Reason why it does not get the model's requests yet."""
        return self.server.pending(client) or self.route_pending(client)


@dataclass(frozen=True, kw_only=True)
class ComponentRemoval(ComponentWait):
    """Remove a component that is no longer declared: KServe changes the route, but leaves its server running for ever.

    Attributes:
        paths: API paths of the objects that KServe made for it. The first one is deleted last, so none is left once it
            is gone.

    """

    paths: tuple[str, ...]
    failure: ClassVar[str] = "is still there"

    def pending(self, client: httpx.Client) -> str | None:
        """Reason the old component is still needed, or None once it gets no more requests and is deleted."""
        first = get(client, self.paths[0])
        if first.status_code == httpx.codes.NOT_FOUND:
            return None
        first.raise_for_status()
        reason = self.route_pending(client)
        if reason is None:
            for path in reversed(self.paths):
                deletion = client.delete(path)
                if deletion.status_code != httpx.codes.NOT_FOUND:
                    deletion.raise_for_status()
        return reason
