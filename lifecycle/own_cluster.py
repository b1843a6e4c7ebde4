"""Check that the cluster is the stack's before Pulumi refreshes or destroys: it does that without the program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.ownership.stack_identity import KUBERNETES_PROVIDER, ClusterIdentity
from components.teardown.cluster_guard import require_cluster
from kube.kubeconfig import KubeconfigError, find_access

IDENTITY_TYPE = "pulumi-python:dynamic/kserve-multi-model:StackIdentity"


def require_own_cluster(resources: Iterable[Mapping[str, Any]], *, kubeconfig: Path | None) -> None:
    """Compare the cluster of the kubeconfig with the one in the stack's state, whose resources these are.

    A stack that is not deployed has none, and one that an older version of the project deployed does not tell.

    Raises:
        AnotherClusterError: it is another one, or it does not say.
    """
    found = {resource["type"]: resource for resource in resources}
    if IDENTITY_TYPE not in found or KUBERNETES_PROVIDER not in found:
        return
    identity = found[IDENTITY_TYPE]["outputs"]
    # Pulumi refreshes and destroys with the provider as it is in the state.
    context = found[KUBERNETES_PROVIDER]["inputs"].get("context")
    require_cluster(
        ClusterIdentity(uid=identity["cluster_uid"], name=identity["cluster_name"]),
        context=context,
        kubeconfig=kubeconfig,
    )


def is_context_gone(resources: Iterable[Mapping[str, Any]], *, kubeconfig: Path | None) -> bool:
    """Whether the kubeconfig no longer has the context that the stack's state names, as after a context was renamed."""
    contexts = [found["inputs"].get("context") for found in resources if found["type"] == KUBERNETES_PROVIDER]
    try:
        for context in contexts:
            find_access(kubeconfig=kubeconfig, context=context)
    except KubeconfigError:
        return True
    return False
