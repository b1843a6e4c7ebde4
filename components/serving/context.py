"""What all models and graphs of a stack have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import pulumi

from components.charts.sources import ImageMirror
from components.ownership.stack_identity import Identity
from components.platform.context import InstallContext
from components.rollout.server import Servers
from components.serving.storage_credentials import StorageCredentials, StoreAccess
from components.serving.store_objects import needs_variables
from components.settings.gateway_names import GatewayNames
from components.settings.model import Model
from components.settings.modes import Mode
from components.settings.resource_profiles import Footprint
from components.settings.stack import Cluster, Settings
from endpoints.endpoint import GatewayService
from kube.connection import connect
from releases.types import ServingRuntime

# KServe reports a failure later than Knative does, so the deployment waits this much longer than Knative.
READY_MARGIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class ServingContext:
    """What all models and graphs of a stack have in common.

    Attributes:
        owner: identity of the stack.
        domain: domain of all host names.
        runtimes: serving runtimes of the release.
        footprint: resources of servers whose settings name none.
        images: registry of the images that models need beside the platform's: bandits and servers of more formats.
        gateway_address: URL of the gateway, without a path; None where nothing leads to it from outside the cluster.
        gateway_service: the gateway's Service, for clients without an address.
        gateways: those that routes of graphs and bandits are bound to.
        stores: access to a store, by the store's name and the namespace of its models.
        locations_with_own_container: those of models that have a ClusterStorageContainer of their own.
        termination_waits: resource of each namespace that is deleted after its models, and waits for their pods.
        pull_secrets: names of the Secrets that pods pull images with.
        changing_mode: names of models and graphs that may run in the other mode now; they are deleted before they are
            made anew.

    """

    cluster: Cluster
    owner: str
    domain: str
    runtimes: tuple[ServingRuntime, ...]
    footprint: Footprint
    images: ImageMirror | None
    gateway_address: pulumi.Output[str | None]
    gateway_service: GatewayService | None = None
    gateways: GatewayNames = field(default_factory=GatewayNames)
    stores: Mapping[tuple[str, str], StoreAccess] = field(default_factory=dict)
    locations_with_own_container: frozenset[str] = frozenset()
    termination_waits: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    changing_mode: frozenset[str] = frozenset()
    pull_secrets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        identity: Identity,
        install: InstallContext,
        gateway_address: pulumi.Output[str | None],
        gateway_service: GatewayService | None,
        gateways: GatewayNames,
        credentials: Mapping[tuple[str, str], StorageCredentials],
        termination_waits: Mapping[str, pulumi.Resource],
        changing_mode: frozenset[str],
    ) -> Self:
        """Context of the stack with this identity and these settings."""
        return cls(
            cluster=settings.cluster,
            owner=identity.text,
            domain=settings.ingress.domain,
            runtimes=settings.release.runtimes,
            footprint=install.footprint,
            images=install.images,
            gateway_address=gateway_address,
            gateway_service=gateway_service,
            gateways=gateways,
            stores={store: keys.access for store, keys in credentials.items()},
            locations_with_own_container=frozenset(_with_own_container(settings)),
            termination_waits=termination_waits,
            changing_mode=changing_mode,
            pull_secrets=install.pull_secrets.names,
        )

    def store(self, model: Model, *, namespace: str) -> StoreAccess | None:
        """Access to the model's storage, if the model has one of the stack's."""
        return self.stores.get((model.storage, namespace)) if model.storage else None

    @property
    def gateway(self) -> dict[str, Any]:
        """How requests reach the gateway, for stacks that use the platform."""
        service = self.gateway_service
        others = {"gateways": self.gateways.model_dump()} if self.gateways != GatewayNames() else {}
        return {
            "gateway_address": self.gateway_address,
            "gateway_service": service.model_dump() if service else None,
            **others,
        }

    def gateway_output(self, *, example: pulumi.Output[str] | None) -> dict[str, Any]:
        """The stack output `gateway`: its address or, without one, the command that forwards a port to it."""
        service, context = self.gateway_service, self.cluster.context
        command = service.port_forward(context=context) if service else None
        return {
            "address": self.gateway_address,
            "port_forward": self.gateway_address.apply(lambda address: None if address else command),
            "example": example,
        }

    def host(self, name: str, *, namespace: str) -> str:
        """Host name of a model, a graph or a bandit."""
        return f"{name}.{namespace}.{self.domain}"

    def servers(self, mode: Mode, *, namespace: str, timeout: int) -> Servers:
        """Servers of a model or a graph that is to be ready after `timeout` seconds."""
        return Servers(
            connect=partial(connect, kubeconfig=self.cluster.kubeconfig, context=self.cluster.context),
            mode=mode,
            namespace=namespace,
            timeout=timeout + READY_MARGIN_SECONDS,
        )


def _with_own_container(settings: Settings) -> Iterator[str]:
    for model in settings.models:
        store = settings.storage[model.storage] if model.storage else None
        if model.location and (model.storage_initializer is not None or (store and needs_variables(store))):
            yield model.location
