"""A resource whose deletion fails while a namespace, or definitions, of the stack hold something of others.

Kubernetes deletes a namespace with all that is in it, and a CustomResourceDefinition with everybody's objects of its
kind. A guard depends on what it guards. So it is there as early, and Pulumi deletes it before: in a destroy, also after
an `up` that failed half-way, and in an `up` that removes a part of the platform. Pulumi loads this module, whose name
is in the stack's state. Renaming the module or its provider breaks stacks that were deployed before.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import Resource

from components.teardown.cluster_guard import (
    ClusterGuardProvider,
    ObstacleError,
    require_cluster_of,
)
from components.teardown.termination_wait import pull_secrets_input

if TYPE_CHECKING:
    import httpx2 as httpx
    import pulumi_kubernetes as k8s

    from components.ownership.stack_identity import Identity

# What this stack deletes at the same time, and what the garbage collector deletes afterwards, is gone by then.
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 1.0


class PartGuardProvider(ClusterGuardProvider):
    """Creates nothing in the cluster; its deletion fails where others would lose something by the next ones."""

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Return if what is guarded may be deleted.

        Raises:
            AnotherClusterError: as `require_cluster`.
            ObstacleError: it holds something of others, or the cluster does not tell; the text says what to do.
            OthersObjectsError: a namespace of models does.
        """
        # Pulumi loads this module for every command, and few of them delete.
        from components.teardown.others_objects import require_nothing_of_others  # noqa: PLC0415
        from kube.connection import connect  # noqa: PLC0415

        context = reachable_context(props["context"])
        if not require_cluster_of({**props, "context": context}):
            return
        cluster = partial(connect, context=context, retries=True)
        if not props["of_models"]:
            require_nothing_inside(props, connect=cluster)
            return
        kubectl = shlex.join(["kubectl", *([f"--context={context}"] if context else [])])
        for namespace in props["namespaces"]:
            require_nothing_of_others(
                namespace, connect=cluster, kubectl=kubectl, pull_secrets=props.get("pull_secrets", ())
            )


def reachable_context(context: str | None) -> str | None:
    """Return the context, or None for the current one where the kubeconfig has no such context.

    An `up` that removes a part does not renew what its guard keeps. The cluster's UID tells whether it is the same one.
    """
    from kube.kubeconfig import KubeconfigError, find_access  # noqa: PLC0415

    try:
        find_access(kubeconfig=None, context=context)
    except KubeconfigError:
        return None
    return context


def require_nothing_inside(
    props: Mapping[str, Any], *, connect: Callable[[], httpx.Client], timeout: float = TIMEOUT_SECONDS
) -> None:
    """Return if others have nothing in the guarded namespaces, and nothing of the guarded kinds.

    Args:
        props: of the guard.
        connect: gives a connection to the cluster.
        timeout: seconds to wait for objects that go by themselves.

    Raises:
        ObstacleError: they have something, or the cluster does not tell; the text says what to do.

    """
    from components.charts.helm_records import ReleaseMark  # noqa: PLC0415
    from components.teardown.others_in_platform import Definitions, OthersInPlatform, release_names  # noqa: PLC0415
    from kube.kubeconfig import KubeconfigError  # noqa: PLC0415
    from kube.read import PASSING_ERRORS, ForbiddenError, in_words  # noqa: PLC0415

    releases = release_names(props["releases"])
    mark = ReleaseMark(identity=props["identity"], deployed_before=props["deployed_before"])
    looking = OthersInPlatform(mark=mark, releases=releases, pull_secrets=props.get("pull_secrets", ()))
    definitions = Definitions(releases=releases, groups=props["groups"])
    end = time.monotonic() + timeout
    try:
        with connect() as client:
            look = partial(looking.inside, client, namespaces=props["namespaces"], definitions=definitions)
            while (others := look()) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
    except (ForbiddenError, KubeconfigError, *PASSING_ERRORS) as problem:
        raise ObstacleError(
            f"{props['what']} stays, because the cluster does not say whether others have something there: "
            f"{in_words(problem)}. Once it does, run the same command again"
        ) from problem
    if others:
        raise ObstacleError(
            f"{props['what']} stays, because Kubernetes would delete with it what this stack did not make: "
            f"{'; '.join(others)}. Delete these, or move them elsewhere, and run the same command again. To leave all "
            "of it as it is, have Pulumi forget what is guarded, with what depends on it (pulumi stack --show-urns "
            "lists the URNs): pulumi state delete --target-dependents <URN>"
        )


class PartGuard(Resource, module="kserve-multi-model", name="PartGuard"):
    """Depends on what it guards, so that Pulumi deletes it before."""

    def __init__(self, name: str, *, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(PartGuardProvider(), name, dict(props), opts)


@dataclass(frozen=True, kw_only=True)
class PartGuards:
    """Declares the guards of a stack.

    Attributes:
        identity: of the stack, with the cluster that it is deployed to.
        context: the one that leads to the cluster; None means the current one.
        pull_secrets: names of Secrets that something else puts into the namespaces, for the stack's pods.
        parent: of the guards. It is not a part of the platform, because what waits for a part waits for no guard.

    """

    identity: Identity
    context: str | None
    pull_secrets: Collection[str] = ()
    parent: pulumi.Resource | None = None

    def namespace(self, namespace: k8s.core.v1.Namespace, *, of_models: bool = False) -> PartGuard:
        """Guard a namespace: as one of the platform, or as one `of_models`, in which objects of every kind count."""
        name = namespace.pulumi_resource_name
        what = f"namespace {name}"
        return self._guard(f"namespace/{name}", what=what, namespaces=(name,), of_models=of_models, after=namespace)

    def definitions(
        self, chart: pulumi.Resource, name: str, *, releases: Collection[str] = (), groups: Collection[str] = ()
    ) -> PartGuard:
        """Guard the CustomResourceDefinitions of a chart.

        Args:
            chart: what brings the definitions.
            name: of the chart's resource.
            releases: the chart's Helm release, as `namespace/name`; none where Pulumi deploys it object by object.
            groups: API groups of its definitions, where it is no release.

        """
        what = f"the CustomResourceDefinitions of {name}"
        return self._guard(f"definitions/{name}", what=what, releases=releases, groups=groups, after=chart)

    def part(
        self,
        part: pulumi.Resource,
        name: str,
        *,
        what: str,
        namespaces: Collection[str],
        releases: Collection[str] = (),
    ) -> PartGuard:
        """Guard a part of the platform that a change of the settings removes: nothing of it is deleted before."""
        return self._guard(f"part/{name}", what=what, namespaces=namespaces, releases=releases, after=part)

    def _guard(
        self,
        name: str,
        *,
        what: str,
        after: pulumi.Resource,
        namespaces: Collection[str] = (),
        releases: Collection[str] = (),
        groups: Collection[str] = (),
        of_models: bool = False,
    ) -> PartGuard:
        props = {
            "uid": self.identity.cluster.uid,
            "name": self.identity.cluster.name,
            "context": self.context,
            "identity": self.identity.text,
            "deployed_before": self.identity.deployed_before,
            "what": what,
            "namespaces": sorted(namespaces),
            "releases": sorted(releases),
            "groups": sorted(groups),
            "of_models": of_models,
            **pull_secrets_input(self.pull_secrets),
        }
        return PartGuard(name, props=props, opts=pulumi.ResourceOptions(parent=self.parent, depends_on=[after]))
