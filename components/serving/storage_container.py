"""The container that downloads a model's files, where its settings or its store give it something of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi
import pulumi_kubernetes as k8s

from components.settings.model import Model
from components.settings.resource_profiles import STORAGE_INITIALIZER, PodResources
from components.settings.server import Resources

# Of KServe's charts; for models that name none, KServe takes any that fits.
PLATFORMS = "default"


@dataclass(frozen=True, kw_only=True)
class StorageContainer:
    """A ClusterStorageContainer for one model, which names it.

    KServe's webhook merges it into the container that it adds to the model's pods.

    Attributes:
        resource_name: name in Pulumi.
        name: name in the cluster; it has the model's namespace in it, because it is in none itself.

    """

    resource_name: str
    name: str
    spec: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        namespace: str,
        default: PodResources | None,
        variables: Sequence[Mapping[str, Any]] = (),
    ) -> Self | None:
        """That of a model; None where the platform's is used, which has the resources `default`, or else KServe's.

        Args:
            model: the model.
            namespace: of the model.
            default: resources of one whose settings name none.
            variables: that the model's store adds, as Kubernetes writes them.

        """
        if model.location is None or (model.storage_initializer is None and not variables):
            return None
        base = default or STORAGE_INITIALIZER
        own = (model.storage_initializer or Resources()).within(base)
        resources = PodResources(requests={**base.requests, **own.requests}, limits={**base.limits, **own.limits})
        container = {
            "name": "storage-initializer",
            "imagePullPolicy": "IfNotPresent",
            "resources": resources.values(),
            **({"env": [*variables]} if variables else {}),
            # As in KServe's chart.
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        return cls(
            resource_name=f"{model.name}-storage",
            name=f"{namespace}.{model.service}",
            spec={
                "container": container,
                # KServe uses any that fits for models that name none, so this one fits its model's files only.
                "supportedUriFormats": [{"regex": f"^{re.escape(model.location)}$"}],
                "workloadType": "initContainer",
            },
        )

    def declare(self, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        """Declare it. The model has to wait for it: KServe refuses pods whose ClusterStorageContainer is missing."""
        return k8s.apiextensions.CustomResource(
            self.resource_name,
            api_version="serving.kserve.io/v1alpha1",
            kind="ClusterStorageContainer",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=self.name),
            spec=dict(self.spec),
            opts=opts,
        )
