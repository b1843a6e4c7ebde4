"""The cluster a stack deploys to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pulumi
import pulumi_kubernetes as k8s
from lightkube.core.exceptions import ConfigError

from components.connection import UnknownLogin, connect
from components.releases import Release
from components.settings import Cluster, Settings

# Says which stack made an object, where several deploy to one cluster.
OWNER = "kserve-multi-model/stack"


class ClusterError(pulumi.RunError):
    """The cluster does not answer, is too old for the release, or has what this stack would take from another."""


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """The namespaces of a stack's models.

    Attributes:
        own: those that it makes, and that go with it.
        foreign: those that others made.

    """

    own: frozenset[str]
    foreign: frozenset[str]

    def declare(self, *, owner: str, opts: pulumi.ResourceOptions) -> list[k8s.core.v1.Namespace]:
        """Make those of its own."""
        return [
            k8s.core.v1.Namespace(
                name, metadata=k8s.meta.v1.ObjectMetaArgs(name=name, annotations={OWNER: owner}), opts=opts
            )
            for name in sorted(self.own)
        ]


def this_stack() -> str:
    """The running stack's full name."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


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


def look_at_cluster(settings: Settings, *, owner: str) -> Namespaces:
    """Look at the cluster before anything is declared; gives the namespaces of the models.

    Raises ClusterError where the cluster is silent or too old for the release, has no KServe for a stack of models
    alone, or has a namespace or a model of another stack's that this one would take. Warns where it is newer than the
    release, and where it cannot be asked.
    """
    cluster = settings.cluster
    try:
        with connect(kubeconfig=cluster.kubeconfig, context=cluster.context) as client:
            version = _version(client)
            found = {name: _namespace(client, name) for name in sorted(settings.namespaces)}
            served = {name: _owners(client, name) for name, there in found.items() if there is not None}
            has_kserve = client.get("/apis/serving.kserve.io/v1beta1").is_success
    except UnknownLogin as problem:
        pulumi.log.warn(f"the cluster's version and namespaces are not checked: {problem}")
        return Namespaces(own=frozenset(), foreign=settings.namespaces)
    except (ConfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        remedy = "check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"
        raise ClusterError(f"no Kubernetes cluster answers: {problem}. Is it up? Else {remedy}") from problem
    _require_version(version, release=settings.release)
    if settings.platform and not has_kserve:
        raise ClusterError(f"cluster: it has no KServe; is it the one of the platform's stack, {settings.platform}?")
    _refuse(_of_others(settings, found=found, served=served, owner=owner))
    own = frozenset(name for name, of in found.items() if of is None or of == owner)
    return Namespaces(own=own, foreign=settings.namespaces - own)


def _require_version(version: tuple[int, int], *, release: Release) -> None:
    tested = release.kubernetes
    stated = f"the cluster runs Kubernetes {version[0]}.{version[1]}; release {release.name!r} is tested on {tested}"
    if version < tested.oldest:
        raise ClusterError(f"{stated}. Use a newer cluster, or an older release")
    if version not in tested:
        pulumi.log.warn(stated)


def _of_others(
    settings: Settings, *, found: dict[str, str | None], served: dict[str, dict[str, str]], owner: str
) -> Iterable[str]:
    """Why this stack and others on the cluster would touch each other."""
    for name, of in found.items():
        if of not in {None, "", owner}:
            yield (
                f"namespace {name!r} is stack {of}'s, and would go with it; name another in `namespace`, or make it "
                f"before both: kubectl create namespace {name}"
            )
    for index, model in enumerate(settings.models):
        of = served.get(settings.namespace_of(model), {}).get(model.name)
        if of not in {None, "", owner}:
            yield (
                f"models[{index}].name: {model.name!r} in namespace {settings.namespace_of(model)!r} is stack {of}'s; "
                "give this one another name or `namespace`"
            )


def _refuse(problems: Iterable[str]) -> None:
    if listed := list(problems):
        raise ClusterError("; ".join(listed))


def _version(client: httpx.Client) -> tuple[int, int]:
    answer = client.get("/version").raise_for_status().json()
    # Some name their minor versions like "32+".
    return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))


def _namespace(client: httpx.Client, name: str) -> str | None:
    """Which stack made a namespace; "" where none did, or nobody may know, and None where it is not there."""
    answer = client.get(f"/api/v1/namespaces/{name}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return _owner(answer.json()) if answer.is_success else ""


def _owners(client: httpx.Client, namespace: str) -> dict[str, str]:
    """Which stack made each of a namespace's InferenceServices; empty where there can be none, or nobody may know."""
    answer = client.get(f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices")
    items: Sequence[dict[str, Any]] = answer.json()["items"] if answer.is_success else []
    return {item["metadata"]["name"]: _owner(item) for item in items}


def _owner(item: dict[str, Any]) -> str:
    return str(item.get("metadata", {}).get("annotations", {}).get(OWNER, ""))
