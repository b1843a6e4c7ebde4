"""How `up` follows a model to the requests: hooks for when it was made or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2 as httpx
import pulumi

from components.rollout.companions import CompanionRemoval, CompanionRollout
from components.rollout.deployment import deployment_path
from components.rollout.server import ServerRollouts
from components.rollout.wait import knative_path
from components.settings.model import Model
from components.settings.server import COMPONENT_TYPES, ComponentType
from components.teardown.leftovers import FormerRemoval
from components.teardown.termination_wait import Served


@dataclass(frozen=True, kw_only=True)
class ModelRollout:
    """Follows what KServe makes of a model.

    Attributes:
        connect: gives a client of the cluster.
        predictor: what the annotation DECLARED of the model's server has to be.
        companions: the same of its transformer and its explainer, those that it has.
        share: the share of the requests that the latest revision has to get, in per cent.
        timeout: how many seconds each part may take.

    """

    connect: Callable[[], httpx.Client]
    model: Model
    namespace: str
    predictor: str
    companions: Mapping[ComponentType, str]
    share: int
    timeout: float

    def hooks(self, name: str, *, patience: pulumi.ResourceHookBinding) -> pulumi.ResourceHookBinding:
        """Hooks of the InferenceService of this name in the program, and those for its errors in `patience`."""
        servers = ServerRollouts(
            connect=self.connect, mode=self.model.mode, namespace=self.namespace, timeout=self.timeout
        )
        server = servers.of(
            f"{self.model.name}-predictor", declared=self.predictor, share=self.share, model=self.model.name
        )
        finished = [pulumi.ResourceHook(f"model-{name}-rollout", server.finish)]
        removed = []
        for kind in COMPONENT_TYPES:
            if kind in self.companions:
                followed = self._follower(kind, servers).finish
                finished.append(pulumi.ResourceHook(f"model-{name}-{kind}-rollout", followed))
            else:
                removed.append(pulumi.ResourceHook(f"model-{name}-former-{kind}", self._removal(kind).finish))
        return pulumi.ResourceHookBinding(
            on_error=patience.on_error,
            before_create=[pulumi.ResourceHook(f"model-{name}-former", self._former.finish)],
            after_create=[*finished],
            after_update=[*finished, *removed],
        )

    @property
    def _former(self) -> FormerRemoval:
        return FormerRemoval(
            connect=self.connect,
            place=(self.namespace, self.model.name),
            timeout=self.timeout,
            served=Served(models=(self.model.name,)),
        )

    def _follower(self, kind: ComponentType, servers: ServerRollouts) -> CompanionRollout:
        name = f"{self.model.name}-{kind}"
        return CompanionRollout(
            connect=self.connect,
            place=(self.namespace, name),
            timeout=self.timeout,
            model=self.model.name,
            # A canary is of the model.
            server=servers.of(name, declared=self.companions[kind]),
        )

    def _removal(self, kind: ComponentType) -> CompanionRemoval:
        place = (self.namespace, f"{self.model.name}-{kind}")
        return CompanionRemoval(
            connect=self.connect,
            place=place,
            timeout=self.timeout,
            model=self.model.name,
            paths=self._made_for(place),
        )

    def _made_for(self, place: tuple[str, str]) -> tuple[str, ...]:
        """What KServe makes for a server of this namespace and name."""
        if self.model.mode == "Knative":
            return (knative_path(place),)
        namespace, name = place
        scaler = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"
        route = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}"
        return (deployment_path(place), f"/api/v1/namespaces/{namespace}/services/{name}", scaler, route)
