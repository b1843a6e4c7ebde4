"""Namespaces that no model or graph can be in, because the cluster or the platform has them for itself."""

from __future__ import annotations

from releases.namespaces import MONITORING_NAMESPACE, PLATFORM_NAMESPACES

KUBERNETES_NAMESPACES = ("kube-node-lease", "kube-public", "kube-system")


def namespace_problem(namespace: str, *, monitored: bool) -> str | None:
    """What is wrong with a namespace for models; None where it can have some.

    Args:
        namespace: its name.
        monitored: whether the stack installs the monitoring, too.

    """
    if namespace in KUBERNETES_NAMESPACES:
        return f"{namespace} is a namespace of Kubernetes itself; give the models one of their own"
    if namespace in PLATFORM_NAMESPACES or (monitored and namespace == MONITORING_NAMESPACE):
        return f"{namespace} is a namespace of the platform; give the models one of their own"
    return None
