"""The cluster's provider, and namespaces that belong to the stack."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from components.objects.owner import ANNOTATION as OWNER
from components.objects.owner import this_stack


def cluster_provider(name: str, *, kubeconfig: Path | None, context: str | None) -> k8s.Provider:
    """Provider of the cluster. A kubeconfig that moves replaces nothing; another context replaces everything."""
    return k8s.Provider(
        name,
        kubeconfig=str(kubeconfig) if kubeconfig else None,
        context=context,
        cluster_identifier=context or pulumi.get_stack(),
        enable_server_side_apply=True,
        # Otherwise a changed value replaces the object, and everything that depends on it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        kube_client_settings=k8s.KubeClientSettingsArgs(qps=200, burst=400),
    )


def own_namespaces(names: Iterable[str], *, opts: pulumi.ResourceOptions) -> list[k8s.core.v1.Namespace]:
    """Declare namespaces that are deleted with the stack."""
    annotations = {OWNER: this_stack()}
    return [
        k8s.core.v1.Namespace(name, metadata=k8s.meta.v1.ObjectMetaArgs(name=name, annotations=annotations), opts=opts)
        for name in sorted(names)
    ]
