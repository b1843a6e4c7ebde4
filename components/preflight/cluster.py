"""Read the cluster before anything is declared, and refuse what could not work there or would harm another stack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx2 as httpx
import pulumi

from components.preflight.running_models import changing_mode, running_in, stack_of, stacks_behind_knative
from components.settings.stack import Settings
from kube.connection import connect
from kube.kubeconfig import KubeconfigError, UnsupportedLoginError
from kube.views.kserve import Served
from kube.views.kubernetes import Namespace
from releases.types import Release

METRICS_API = "/apis/metrics.k8s.io/v1beta1"
KSERVE_API = "/apis/serving.kserve.io/v1beta1"
KNATIVE_API = "/apis/serving.knative.dev/v1"


class ClusterError(pulumi.RunError):
    """The cluster does not answer, lacks what the stack needs, or has objects of another stack in the way."""


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """Objects of this stack that already exist in the cluster.

    Attributes:
        own_namespaces: namespaces of its models and graphs that this stack creates and deletes.
        foreign_namespaces: the other namespaces of its models and graphs.
        changing_mode: names of models and graphs that run, or may run, in another mode than declared.

    """

    own_namespaces: frozenset[str]
    foreign_namespaces: frozenset[str]
    changing_mode: frozenset[str]


def preflight(settings: Settings, *, owner: str) -> ClusterState:
    """Read the state of the cluster that the settings select, and check that the stack `owner` can deploy to it.

    Warns if the cluster is newer than the release, has no metrics for models that are scaled by them, or can be reached
    in a way that only the Kubernetes provider knows.

    Raises:
        ClusterError: the cluster does not answer, is too old for the release, lacks KServe or Knative for a stack that
            uses another stack's platform, or has a namespace or a model of another stack where this one declares its
            own.
    """
    cluster = settings.cluster
    try:
        with connect(kubeconfig=cluster.kubeconfig, context=cluster.context) as client:
            version = _version(client)
            owners = {name: _owner(client, name) for name in sorted(settings.namespaces)}
            running = {name: running_in(client, name) for name in settings.namespaces}
            missing = list(_missing(client, settings, owner=owner))
    except UnsupportedLoginError as problem:
        pulumi.log.warn(f"the cluster's version and namespaces are not checked: {problem}")
        return ClusterState(
            own_namespaces=frozenset(),
            foreign_namespaces=settings.namespaces,
            changing_mode=frozenset(served.name for served in settings.served),
        )
    except (KubeconfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        remedy = "check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"
        raise ClusterError(f"no Kubernetes cluster answers: {problem}. If it is running, {remedy}") from problem
    _require_version(version, release=settings.release)
    if problems := [*missing, *_conflicts(settings, owners=owners, running=running, owner=owner)]:
        raise ClusterError("; ".join(problems))
    own = frozenset(name for name, stack in owners.items() if stack in {None, owner})
    changing = (
        changing_mode([served for served in settings.served if settings.namespace_of(served) == name], running=models)
        for name, models in running.items()
    )
    return ClusterState(
        own_namespaces=own,
        foreign_namespaces=settings.namespaces - own,
        changing_mode=frozenset[str]().union(*changing),
    )


def _require_version(version: tuple[int, int], *, release: Release) -> None:
    tested = release.kubernetes
    problem = f"the cluster runs Kubernetes {version[0]}.{version[1]}; release {release.name!r} is tested on {tested}"
    if version < tested.oldest:
        raise ClusterError(f"{problem}. Use a newer cluster, or an older release")
    if version not in tested:
        pulumi.log.warn(problem)


def _missing(client: httpx.Client, settings: Settings, *, owner: str) -> Iterable[str]:
    """What models of this stack, or of others on its platform, would lack. Warns if they can do without it."""
    if settings.platform and not client.get(KSERVE_API).is_success:
        yield f"cluster: it has no KServe; is it the cluster of the platform's stack, {settings.platform}?"
    elif settings.platform and settings.needs_knative and not client.get(KNATIVE_API).is_success:
        yield "mode: the platform has no Knative; use mode Standard, or deploy the platform's stack with mode Knative"
    if not settings.platform and not settings.needs_knative and (users := stacks_behind_knative(client) - {owner}):
        stacks = ", ".join(sorted(users))
        yield f"mode: this would remove Knative, but models of {stacks} need it; to keep it, set mode: Knative"
    if settings.needs_metrics and not client.get(METRICS_API).is_success:
        pulumi.log.warn(
            f"the cluster has no working metrics API ({METRICS_API}): until it has one, models in mode Standard are "
            "not scaled beyond replicas.min. Install metrics-server"
        )


def _conflicts(
    settings: Settings,
    *,
    owners: Mapping[str, str | None],
    running: Mapping[str, Mapping[str, Served] | None],
    owner: str,
) -> Iterable[str]:
    """Namespaces, models and graphs of other stacks that this stack declares, too."""
    for namespace, stack in owners.items():
        if stack not in {None, "", owner}:
            yield (
                f"namespace {namespace!r} belongs to stack {stack} and is deleted with it; use another `namespace`, or "
                f"create it before both stacks: kubectl create namespace {namespace}"
            )
    for served in settings.served:
        namespace = settings.namespace_of(served)
        found = (running.get(namespace) or {}).get(served.name)
        if found and stack_of(found) not in {"", owner}:
            place = settings.place_of(served)
            yield (
                f"{place}.name: {served.name!r} in namespace {namespace!r} belongs to stack {stack_of(found)}; use "
                "another name or namespace"
            )


def _version(client: httpx.Client) -> tuple[int, int]:
    answer = client.get("/version").raise_for_status().json()
    # Some clusters append to their minor version, as in "32+".
    return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))


def _owner(client: httpx.Client, namespace: str) -> str | None:
    """Stack that created a namespace; "" if none did or this login may not read it; None if it does not exist."""
    answer = client.get(Namespace.path(name=namespace))
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return stack_of(Namespace.model_validate(answer.json())) if answer.is_success else ""
