"""How a server that KServe makes is followed to the requests, by the mode it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx2 as httpx

from components.rollout.deployment import SERVER, DeploymentRollout
from components.rollout.wait import KnativeRollout, Rollout
from components.settings.model import SELECTOR_LABEL
from components.settings.modes import Mode


@dataclass(frozen=True, kw_only=True)
class ServerRollouts:
    """Follows the servers of a model or a graph.

    Attributes:
        connect: gives a client of the cluster.
        timeout: how many seconds each server may take.

    """

    connect: Callable[[], httpx.Client]
    mode: Mode
    namespace: str
    timeout: float

    def of(
        self, name: str, *, declared: str, share: int = 100, model: str | None = None, container: str = SERVER
    ) -> Rollout:
        """The rollout of the server of this name.

        Args:
            name: what KServe calls it.
            declared: what its annotation DECLARED has to be.
            share: the share of the requests that the latest revision has to get, in per cent.
            model: whose server it is, if it is one's.
            container: the one that serves.

        """
        place = (self.namespace, name)
        if self.mode == "Standard":
            return DeploymentRollout(
                connect=self.connect,
                place=place,
                declared=declared,
                timeout=self.timeout,
                selector=f"{SELECTOR_LABEL}=isvc.{name}",
                server=container,
            )
        return KnativeRollout(
            connect=self.connect, place=place, declared=declared, timeout=self.timeout, share=share, model=model
        )
