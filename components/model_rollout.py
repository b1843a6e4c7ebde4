"""How `up` follows a model to the requests: hooks for when it was made or changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx2 as httpx
import pulumi

from components.deployment_rollout import deployment_path
from components.model_settings import Model
from components.rollout import knative_path
from components.server_rollout import ServerRollouts
from components.transformer import TransformerRemoval, TransformerRollout


@dataclass(frozen=True, kw_only=True)
class ModelRollout:
    """Follows what KServe makes of a model.

    Attributes:
        connect: gives a client of the cluster.
        predictor: what the annotation DECLARED of the model's server has to be.
        transformer: the same of its transformer, None without one.
        share: the share of the requests that the latest revision has to get, in per cent.
        timeout: how many seconds each part may take.

    """

    connect: Callable[[], httpx.Client]
    model: Model
    namespace: str
    predictor: str
    transformer: str | None
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
        finished = pulumi.ResourceHook(f"model-{name}-rollout", server.finish)
        place = (self.namespace, f"{self.model.name}-transformer")
        if self.transformer is None:
            removal = TransformerRemoval(
                connect=self.connect,
                place=place,
                timeout=self.timeout,
                model=self.model.name,
                paths=self._made_for(place),
            )
            removed = pulumi.ResourceHook(f"model-{name}-former-transformer", removal.finish)
            return pulumi.ResourceHookBinding(
                on_error=patience.on_error, after_create=[finished], after_update=[finished, removed]
            )
        follower = TransformerRollout(
            connect=self.connect,
            place=place,
            timeout=self.timeout,
            model=self.model.name,
            # A canary is of the model.
            server=servers.of(place[1], declared=self.transformer),
        )
        followed = pulumi.ResourceHook(f"model-{name}-transformer-rollout", follower.finish)
        return pulumi.ResourceHookBinding(
            on_error=patience.on_error, after_create=[finished, followed], after_update=[finished, followed]
        )

    def _made_for(self, place: tuple[str, str]) -> tuple[str, ...]:
        """What KServe makes for a server of this namespace and name."""
        if self.model.mode == "Knative":
            return (knative_path(place),)
        namespace, name = place
        scaler = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"
        return (deployment_path(place), f"/api/v1/namespaces/{namespace}/services/{name}", scaler)
