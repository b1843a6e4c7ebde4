"""The cluster a stack deploys to."""

from __future__ import annotations

import re

import httpx2 as httpx
import pulumi
import pulumi_kubernetes as k8s
from lightkube.core.exceptions import ConfigError

from components.connection import UnknownLogin, connect
from components.releases import Release
from components.settings import Cluster


class ClusterError(pulumi.RunError):
    """The cluster does not answer, or is too old for the release."""


def cluster_provider(name: str, cluster: Cluster) -> k8s.Provider:
    """The provider of this cluster; moving a stack's kubeconfig replaces nothing, another context replaces all."""
    return k8s.Provider(
        name,
        kubeconfig=str(cluster.kubeconfig) if cluster.kubeconfig else None,
        context=cluster.context,
        cluster_identifier=cluster.context or pulumi.get_stack(),
        enable_server_side_apply=True,
        # Else a changed value replaces the object, and everything that depends on it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        kube_client_settings=k8s.KubeClientSettingsArgs(qps=200, burst=400),
    )


def require_cluster(cluster: Cluster, *, release: Release) -> None:
    """Raise ClusterError where the cluster is silent, too old for the release, or without the models' namespace.

    Warns where it is newer than the release, and where it cannot be asked.
    """
    try:
        with connect(kubeconfig=cluster.kubeconfig, context=cluster.context) as client:
            version = _version(client)
            namespace = client.get(f"/api/v1/namespaces/{cluster.namespace}").status_code
    except UnknownLogin as problem:
        pulumi.log.warn(f"the cluster's version and namespaces are not checked: {problem}")
        return
    except (ConfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        remedy = "check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"
        raise ClusterError(f"no Kubernetes cluster answers: {problem}. Is it up? Else {remedy}") from problem
    tested = release.kubernetes
    stated = f"the cluster runs Kubernetes {version[0]}.{version[1]}; release {release.name!r} is tested on {tested}"
    if version < tested.oldest:
        raise ClusterError(f"{stated}. Use a newer cluster, or an older release")
    if version not in tested:
        pulumi.log.warn(stated)
    if namespace == httpx.codes.NOT_FOUND:
        remedy = f"kubectl create namespace {cluster.namespace}"
        raise ClusterError(f"cluster.namespace: {cluster.namespace!r} is not in the cluster; make it: {remedy}")


def _version(client: httpx.Client) -> tuple[int, int]:
    answer = client.get("/version").raise_for_status().json()
    # Some name their minor versions like "32+".
    return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))
