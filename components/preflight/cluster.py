"""The cluster a stack deploys to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx2 as httpx
import pulumi
import pulumi_kubernetes as k8s
from lightkube.core.exceptions import ConfigError

from components.objects.owner import ANNOTATION as OWNER
from components.preflight.running_models import Running, changing_mode, running_in, stacks_behind_knative
from components.settings.stack import Cluster, Settings
from kube.connection import UnknownLogin, connect
from releases.types import Release

# Where a cluster says what its pods use.
METRICS_API = "/apis/metrics.k8s.io/v1beta1"
KSERVE_API = "/apis/serving.kserve.io/v1beta1"
KNATIVE_API = "/apis/serving.knative.dev/v1"


class ClusterError(pulumi.RunError):
    """The cluster does not answer, lacks what the stack needs, or has what the stack would take from another."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a cluster has of a stack's.

    Attributes:
        own_namespaces: those of its models and graphs that it makes, and that go with it.
        foreign_namespaces: those of its models and graphs that others made.
        changing_mode: names of those that run, or may run, in another mode than they should.

    """

    own_namespaces: frozenset[str]
    foreign_namespaces: frozenset[str]
    changing_mode: frozenset[str]


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


def declare_namespaces(
    names: Iterable[str], *, owner: str, opts: pulumi.ResourceOptions
) -> list[k8s.core.v1.Namespace]:
    """Namespaces of a stack's own."""
    return [
        k8s.core.v1.Namespace(
            name, metadata=k8s.meta.v1.ObjectMetaArgs(name=name, annotations={OWNER: owner}), opts=opts
        )
        for name in sorted(names)
    ]


def look_at_cluster(settings: Settings, *, owner: str) -> Found:
    """Look at the cluster before anything is declared.

    Raises ClusterError where the cluster is silent or too old for the release, lacks KServe or Knative for a stack of
    models alone, or has a namespace or a model of another stack's that this one would take. Warns where it is newer
    than the release, measures nothing though models are scaled by that, or cannot be asked.
    """
    cluster, namespaces = settings.cluster, settings.namespaces
    try:
        with connect(kubeconfig=cluster.kubeconfig, context=cluster.context) as client:
            version = _version(client)
            owners = {name: _owner(client, name) for name in sorted(namespaces)}
            running = {name: running_in(client, name) for name in namespaces}
            missing = list(_missing(client, settings, owner=owner))
    except UnknownLogin as problem:
        pulumi.log.warn(f"the cluster's version and namespaces are not checked: {problem}")
        everyone = frozenset(served.name for served in settings.served)
        return Found(own_namespaces=frozenset(), foreign_namespaces=namespaces, changing_mode=everyone)
    except (ConfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        remedy = "check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"
        raise ClusterError(f"no Kubernetes cluster answers: {problem}. Is it up? Else {remedy}") from problem
    _require_version(version, release=settings.release)
    if problems := [*missing, *_of_others(settings, owners=owners, running=running, owner=owner)]:
        raise ClusterError("; ".join(problems))
    own = frozenset(name for name, of in owners.items() if of is None or of == owner)
    changing = (
        changing_mode([served for served in settings.served if settings.namespace_of(served) == name], running=there)
        for name, there in running.items()
    )
    return Found(
        own_namespaces=own, foreign_namespaces=namespaces - own, changing_mode=frozenset[str]().union(*changing)
    )


def _require_version(version: tuple[int, int], *, release: Release) -> None:
    tested = release.kubernetes
    stated = f"the cluster runs Kubernetes {version[0]}.{version[1]}; release {release.name!r} is tested on {tested}"
    if version < tested.oldest:
        raise ClusterError(f"{stated}. Use a newer cluster, or an older release")
    if version not in tested:
        pulumi.log.warn(stated)


def _missing(client: httpx.Client, settings: Settings, *, owner: str) -> Iterable[str]:
    """What models lack, those of this stack or of others on its platform; a warning where they do without."""
    if settings.platform and not client.get(KSERVE_API).is_success:
        yield f"cluster: it has no KServe; is it the one of the platform's stack, {settings.platform}?"
    elif settings.platform and settings.needs_knative and not client.get(KNATIVE_API).is_success:
        yield "mode: the platform has no Knative; use mode Standard, or deploy the platform's stack with mode Knative"
    if not settings.platform and not settings.needs_knative and (on_it := stacks_behind_knative(client) - {owner}):
        stacks = ", ".join(sorted(on_it))
        yield f"mode: without it, Knative goes, and {stacks} has models behind it; keep it with mode: Knative"
    if settings.needs_metrics and not client.get(METRICS_API).is_success:
        pulumi.log.warn(
            f"the cluster has no working metrics API ({METRICS_API}): until it has, models in mode Standard stay at "
            "replicas.min servers. Install metrics-server"
        )


def _of_others(
    settings: Settings,
    *,
    owners: Mapping[str, str | None],
    running: Mapping[str, Mapping[str, Running] | None],
    owner: str,
) -> Iterable[str]:
    """Why this stack and others on the cluster would touch each other."""
    for name, of in owners.items():
        if of not in {None, "", owner}:
            yield (
                f"namespace {name!r} is stack {of}'s, and would go with it; name another in `namespace`, or make it "
                f"before both: kubectl create namespace {name}"
            )
    for served in settings.served:
        namespace = settings.namespace_of(served)
        there = (running.get(namespace) or {}).get(served.name)
        if there and there.owner not in {"", owner}:
            place, stated = settings.place_of(served), f"{served.name!r} in namespace {namespace!r}"
            yield f"{place}.name: {stated} is stack {there.owner}'s; give this one another name or namespace"


def _version(client: httpx.Client) -> tuple[int, int]:
    answer = client.get("/version").raise_for_status().json()
    # Some name their minor versions like "32+".
    return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))


def _owner(client: httpx.Client, namespace: str) -> str | None:
    """Which stack made a namespace; "" where none did, or the cluster does not tell; None where it is not there."""
    answer = client.get(f"/api/v1/namespaces/{namespace}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return str(answer.json().get("metadata", {}).get("annotations", {}).get(OWNER, "")) if answer.is_success else ""
