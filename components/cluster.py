"""The cluster a stack deploys to."""

from __future__ import annotations

import os
import re

import httpx2 as httpx
import pulumi
import pulumi_kubernetes as k8s
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.core.exceptions import ConfigError

from components.releases import Release
from components.settings import Cluster

TIMEOUT = httpx.Timeout(10)


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


def require_kubernetes(cluster: Cluster, *, release: Release) -> None:
    """Raise ClusterError where the cluster is silent or too old for the release; warn where it is newer."""
    version = _version(cluster)
    tested = release.kubernetes
    stated = f"the cluster runs Kubernetes {version[0]}.{version[1]}; release {release.name!r} is tested on {tested}"
    if version < tested.oldest:
        raise ClusterError(f"{stated}. Use a newer cluster, or an older release")
    if version not in tested:
        pulumi.log.warn(stated)


def _version(cluster: Cluster) -> tuple[int, int]:
    remedy = "check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"
    try:
        file = cluster.kubeconfig or os.environ.get("KUBECONFIG")
        config = (KubeConfig.from_file(file) if file else KubeConfig.from_env()).get(cluster.context)
        if config is None:
            raise ConfigError("there is no kubeconfig")
        with Client(config, ConnectionParams(timeout=TIMEOUT)) as client:
            answer = client.get("/version").raise_for_status().json()
        # Some name their minor versions like "32+".
        return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))
    except (ConfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        raise ClusterError(f"no Kubernetes cluster answers: {problem}. Is it up? Else {remedy}") from problem
