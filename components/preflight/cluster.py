"""Read the cluster before anything is declared, and refuse what could not work there or would harm another stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx2 as httpx
import pulumi

from components.ownership.stack_identity import ClusterIdentity, Identity
from components.platform.existing import ExistingParts
from components.preflight.access_review import rights_problem
from components.preflight.azure_blobs import warn_of_alike_blobs
from components.preflight.cluster_domain import domain_problem
from components.preflight.colliding_names import colliding_names
from components.preflight.existing_platform import find_existing
from components.preflight.kubernetes_version import version_problem
from components.preflight.names_in_use import names_in_use
from components.preflight.platform_facts import ask
from components.preflight.removed_parts import removal_problems
from components.preflight.report import report
from components.preflight.rights import SYSTEM_NAMESPACE
from components.preflight.running_models import changing_mode, running_in, stack_of
from components.preflight.s3_folders import report_s3_folders
from components.settings.stack import Settings
from kube.connection import client_of, refusal_of
from kube.kubeconfig import Access, KubeconfigError, UnsupportedLoginError, find_access
from kube.read import ForbiddenError
from kube.views.base import View
from kube.views.kserve import Served
from kube.views.kubernetes import Namespace

METRICS_API = "/apis/metrics.k8s.io/v1beta1"
KSERVE_API = "/apis/serving.kserve.io/v1beta1"
KNATIVE_API = "/apis/serving.knative.dev/v1"
REMEDY = "If it is running, check cluster.kubeconfig and cluster.context in the stack's settings, or $KUBECONFIG"


class PreflightError(pulumi.RunError):
    """The cluster does not answer, lacks what the stack needs, or has objects of another stack in the way."""


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """Objects of this stack that already exist in the cluster.

    Attributes:
        own_namespaces: namespaces of its models and graphs that this stack creates and deletes.
        foreign_namespaces: the other namespaces of its models and graphs.
        changing_mode: names of models and graphs that run, or may run, in another mode than declared.
        platform_parts: parts of the platform that others installed, and the namespaces that stay with them.

    """

    own_namespaces: frozenset[str]
    foreign_namespaces: frozenset[str]
    changing_mode: frozenset[str]
    platform_parts: ExistingParts = field(default_factory=ExistingParts)


@dataclass(frozen=True, kw_only=True)
class FoundCluster:
    """The cluster that the settings select.

    Attributes:
        access: the context that leads to it, and the login.

    """

    identity: ClusterIdentity
    access: Access

    def connect(self) -> httpx.Client:
        """Open a client of it. Raises as `kube.connection.connect` does."""
        return client_of(self.access)


def find_cluster(settings: Settings) -> FoundCluster:
    """Find the cluster that the settings select. Warns if it is newer than the release.

    Raises:
        PreflightError: it does not answer or does not say which cluster it is, it is too old for the release, the
            settings have its own domain, or the login lacks rights.
    """
    cluster = settings.cluster
    with _answering():
        access = find_access(kubeconfig=cluster.kubeconfig, context=cluster.context)
        with client_of(access, retries=True) as client:
            checks = (version_problem, domain_problem, rights_problem)
            problems = [check(client, settings) for check in checks]
            if found_problems := [problem for problem in problems if problem]:
                raise PreflightError("; ".join(found_problems))
            found = _read_namespace(client, SYSTEM_NAMESPACE)
            server = str(client.base_url)
    if found is None or not found.metadata.uid:
        raise PreflightError(f"no Kubernetes cluster answers: it has no namespace {SYSTEM_NAMESPACE}. {REMEDY}")
    name = f"of context {access.context!r}" if access.context else f"at {server}"
    identity = ClusterIdentity(uid=found.metadata.uid, name=name)
    report("cluster", str(identity))
    return FoundCluster(identity=identity, access=access)


def preflight(settings: Settings, *, identity: Identity, found: FoundCluster) -> ClusterState:
    """Read the state of the cluster, and check that the stack with this identity can deploy to it.

    Warns if the cluster has no metrics for models that are scaled by them.

    Raises:
        PreflightError: the cluster does not answer or does not tell what is there, is not the stack's, lacks KServe or
            Knative for a stack that uses another stack's platform, has a namespace or a model of another stack where
            this one declares its own, or others have something in what the settings would remove, or with a name that
            KServe needs.
        ExistingPlatformError: it has parts of the platform that are in the way, or that the stack cannot use.
        UntoldError: it does not tell which parts it has, or which models and graphs.
    """
    if identity.cluster.uid != found.identity.uid:
        raise PreflightError(_wrong_cluster(here=found.identity, deployed=identity.cluster))
    owner = identity.text
    with _answering(), client_of(found.access, retries=True) as client:
        owners = {name: _owner(client, name) for name in sorted(settings.namespaces)}
        running = {name: running_in(client, name) for name in settings.namespaces}
        there = min((name for name, stack in owners.items() if stack is not None), default="default")
        existing = find_existing(client, settings, identity=identity, namespace=there)
        missing = list(_missing(client, settings))
        removed = list(removal_problems(client, settings, identity=identity, existing=existing))
        in_use = list(names_in_use(client, settings, running=running, owner=owner))
    if problems := [*missing, *removed, *in_use, *_conflicts(settings, owners=owners, running=running, owner=owner)]:
        raise PreflightError("; ".join(problems))
    # A namespace that lost its mark is still the stack's; as a stranger's it would be deleted, with all that is in it.
    own = frozenset(name for name, stack in owners.items() if stack in {None, owner} or identity.has_namespace(name))
    changing = (
        changing_mode([served for served in settings.served if settings.namespace_of(served) == name], running=models)
        for name, models in running.items()
    )
    foreign = settings.namespaces - own
    whose = {"this stack's, and deleted with it": own, "not this stack's, and stays": foreign}
    if settings.namespaces:
        report("namespaces", "; ".join(f"{', '.join(sorted(names))}: {text}" for text, names in whose.items() if names))
    report_s3_folders(settings, running=running)
    warn_of_alike_blobs(settings)
    return ClusterState(
        own_namespaces=own,
        foreign_namespaces=foreign,
        changing_mode=frozenset[str]().union(*changing),
        platform_parts=replace(existing, namespaces=existing.namespaces | foreign),
    )


@contextmanager
def _answering() -> Iterator[None]:
    """Raise PreflightError where the cluster does not answer, or does not tell what is asked of it."""
    try:
        yield
    except (UnsupportedLoginError, ForbiddenError) as problem:
        raise PreflightError(f"the cluster cannot be asked what is there: {problem}") from problem
    except (KubeconfigError, httpx.HTTPError, OSError, ValueError, KeyError) as problem:
        raise PreflightError(f"no Kubernetes cluster answers: {problem}. {REMEDY}") from problem


def _wrong_cluster(*, here: ClusterIdentity, deployed: ClusterIdentity) -> str:
    return (
        f"cluster.context: this is the cluster {here}, but the stack is deployed to the cluster {deployed}. Choose "
        "that one. To move the stack, destroy it there first: pulumi destroy. If that cluster is gone for good, forget "
        "what was deployed there: pulumi stack rm --force --preserve-config"
    )


def _missing(client: httpx.Client, settings: Settings) -> Iterable[str]:
    """Problems if models, of this stack or on its platform, would lack KServe or Knative. Warns of missing metrics."""
    if settings.platform_stack and not _serves(client, KSERVE_API, what="KServe"):
        yield f"cluster: it has no KServe; is it the cluster of the platform's stack, {settings.platform_stack}?"
    elif settings.platform_stack and settings.needs_knative and not _serves(client, KNATIVE_API, what="Knative"):
        yield "mode: the platform has no Knative; use mode Standard, or deploy the platform's stack with mode Knative"
    if settings.needs_metrics and not client.get(METRICS_API).is_success:
        pulumi.log.warn(
            f"the cluster has no working metrics API ({METRICS_API}): until it has one, models in mode Standard are "
            "not scaled beyond replicas.min. Install metrics-server"
        )


def _serves(client: httpx.Client, api: str, *, what: str) -> bool:
    return ask(client, api, View.model_validate, what=what) is not None


def _conflicts(
    settings: Settings,
    *,
    owners: Mapping[str, str | None],
    running: Mapping[str, Mapping[str, Served]],
    owner: str,
) -> Iterable[str]:
    """Namespaces, models and graphs of other stacks that this stack declares, too, and names that collide."""
    for namespace, stack in owners.items():
        if stack not in {None, "", owner}:
            yield (
                f"namespace {namespace!r} belongs to stack {stack} and is deleted with it; use another `namespace`, or "
                f"create it before both stacks: kubectl create namespace {namespace}"
            )
    for served in settings.served:
        namespace = settings.namespace_of(served)
        found = running[namespace].get(served.service)
        if found and stack_of(found) not in {"", owner}:
            place = settings.place_of(served)
            yield (
                f"{place}.name: {served.service!r} in namespace {namespace!r} belongs to stack {stack_of(found)}; use "
                "another name or namespace"
            )
    yield from colliding_names(settings, running, owner=owner)


def _owner(client: httpx.Client, namespace: str) -> str | None:
    """Stack that created a namespace; "" if none did; None if it does not exist."""
    found = _read_namespace(client, namespace)
    return None if found is None else stack_of(found)


def _read_namespace(client: httpx.Client, name: str) -> Namespace | None:
    """Namespace of this name, or None if there is none.

    Raises:
        PreflightError: the cluster does not tell. Whose a namespace is decides whether it is deleted.
    """
    answer = client.get(Namespace.path(name=name))
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if not answer.is_success:
        raise PreflightError(
            f"the cluster does not tell whether namespace {name!r} is there, and whose it is: {refusal_of(answer)} "
            f"(status {answer.status_code}). Try again, or use a login that may get namespaces"
        )
    return Namespace.model_validate(answer.json())
