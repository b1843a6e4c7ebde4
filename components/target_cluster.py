"""The cluster that the stack is deployed to: found, checked, and with a provider for everything that is declared."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.objects import cluster_provider, this_stack
from components.ownership.marks import own_all_objects
from components.ownership.stack_identity import Identity, own_identity
from components.preflight.cluster import ClusterState, find_cluster, preflight
from components.preflight.extra_images import require_extra_images
from components.preflight.kubeconfig import require_kubeconfig
from components.settings.stack import Settings


@dataclass(frozen=True, kw_only=True)
class TargetCluster:
    """The cluster that the stack is deployed to.

    Attributes:
        settings: the stack's settings with the context that leads to the cluster.
        identity: the identity of the stack in the cluster.
        existing: objects of the stack that exist in the cluster already.
        provider: Pulumi's Kubernetes provider, with which the stack's objects are declared.

    """

    settings: Settings
    identity: Identity
    existing: ClusterState
    provider: k8s.Provider


async def target_cluster(settings: Settings) -> TargetCluster:
    """Find and check the cluster that the settings select, then declare the stack's identity and the provider.

    Every object that is declared afterwards gets the stack's mark.

    Raises:
        SettingsError: $KUBECONFIG or the registry does not fit the settings.
        PreflightError: the stack cannot be deployed to the cluster; `find_cluster` and `preflight` list why.
    """
    require_kubeconfig(settings)
    require_extra_images(settings)
    found = find_cluster(settings)
    settings = settings.with_context(found.access.context)
    identity = await own_identity(stack=this_stack(), cluster=found.identity)
    existing = preflight(settings, identity=identity, found=found)
    own_all_objects(identity, connect=found.connect, namespace=found.access.namespace)
    provider = cluster_provider(
        "cluster",
        context=settings.cluster.context,
        uid=found.identity.uid,
        opts=pulumi.ResourceOptions(depends_on=identity.kept_by),
    )
    return TargetCluster(settings=settings, identity=identity, existing=existing, provider=provider)
