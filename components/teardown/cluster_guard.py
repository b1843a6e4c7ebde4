"""A resource that a destroy deletes first; its deletion fails if the destroy would harm others, or would hang.

`pulumi destroy` does not run the program, so no preflight looks at the cluster. A kubeconfig of another cluster can
have a context of the same name, and objects of the same names there are somebody else's. With a platform's
CustomResourceDefinitions, Kubernetes deletes everybody's objects of these kinds. This resource depends on all others,
so nothing is deleted before it. Pulumi loads this module, whose name is in the stack's state. Renaming the module or
its provider breaks the `destroy` of stacks that were deployed before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.ownership.stack_identity import ClusterIdentity, Identity
from components.teardown.termination_wait import DELETE_UNREACHABLE, pull_secrets_input

if TYPE_CHECKING:
    from components.settings.stack import Settings

NAME = "cluster-guard"
SYSTEM_NAMESPACE = "/api/v1/namespaces/kube-system"


class AnotherClusterError(Exception):
    """The cluster is not the stack's, or does not say so."""


class ObstacleError(Exception):
    """A destroy would delete what others have in the cluster, or would hang."""


class ClusterGuardProvider(ResourceProvider):
    """Creates nothing in the cluster; its deletion fails where nothing else may be deleted."""

    # Otherwise a stack without secrets would need a passphrase.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record which cluster the stack is deployed to."""
        return CreateResult(props["uid"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Report a change of what is recorded; that replaces nothing."""
        keys = {key for key in {*olds, *news} if not key.startswith("__")}
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in keys))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Record it."""
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Fail in a refresh's preview where the cluster is another: the refresh would forget what that one lacks.

        Raises:
            AnotherClusterError: as `require_cluster`.
        """
        require_cluster_of(props)
        return ReadResult(id_, props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Return if the destroy may go on.

        Raises:
            AnotherClusterError: as `require_cluster`.
            ObstacleError: something is in the way; the text says what, and what to do.
        """
        if require_cluster_of(props):
            _require_no_obstacles(props)


def require_cluster_of(props: Mapping[str, Any]) -> bool:
    """Ask the cluster for a guard with these properties. Returns and raises what `require_cluster` does."""
    return require_cluster(ClusterIdentity(uid=props["uid"], name=props["name"]), context=props["context"])


def _require_no_obstacles(props: Mapping[str, Any]) -> None:
    # Pulumi loads this module for every command, and few of them delete.
    from components.charts.helm_records import ReleaseMark  # noqa: PLC0415
    from components.teardown.obstacles import Obstacles  # noqa: PLC0415
    from kube.connection import connect  # noqa: PLC0415
    from kube.read import PASSING_ERRORS, ForbiddenError, in_words  # noqa: PLC0415

    mark = ReleaseMark(identity=props["identity"], deployed_before=props["deployed_before"])
    obstacles = Obstacles(
        mark=mark,
        namespaces=props["namespaces"],
        has_platform=props["has_platform"],
        pull_secrets=props.get("pull_secrets", ()),  # guards of before have none
    )
    try:
        with connect(context=props["context"], retries=True) as client:
            others = obstacles.objects_of_others(client)
            stopped = obstacles.stopped_controllers(client)
    except (ForbiddenError, *PASSING_ERRORS) as problem:
        remedy = "Once it does, run it again"
        if isinstance(problem, ForbiddenError):
            remedy = "Use a login that may list objects of every kind, and run it again"
        raise ObstacleError(
            "nothing was deleted: the cluster does not say whether others have objects there that would go with this "
            f"stack: {in_words(problem)}. {remedy}"
        ) from problem
    if others:
        raise ObstacleError(
            "nothing was deleted: Kubernetes deletes these objects of others together with their definitions, or their "
            f"namespaces, which are this stack's: {'; '.join(others)}. Destroy their stacks or delete them first, and "
            "run it again"
        )
    if stopped:
        raise ObstacleError(
            f"nothing was deleted: it would hang, because objects that are deleted wait for {' and '.join(stopped)}, "
            "which does not run. To see why: python -m predict doctor. Once it runs, as after pulumi up, run it again. "
            "If it will never run again, have Pulumi forget this check, and remove the finalizers that it then "
            "names: pulumi state delete <URN of cluster-guard, from pulumi stack --show-urns>"
        )


def require_cluster(deployed: ClusterIdentity, *, context: str | None, kubeconfig: Path | None = None) -> bool:
    """Ask the cluster to which the context leads whether it is the stack's, and return True.

    Returns False if it cannot be reached at all and DELETE_UNREACHABLE is set.

    Args:
        deployed: the cluster that the stack is deployed to.
        context: its name; None: the current one.
        kubeconfig: where the context is; None: in $KUBECONFIG or ~/.kube/config, as for the Kubernetes provider.

    Raises:
        AnotherClusterError: it is another one, or it does not say.
    """
    # Pulumi loads this module for every command, and few of them delete.
    from components.teardown.leftovers import is_unreachable  # noqa: PLC0415
    from kube.connection import connect  # noqa: PLC0415
    from kube.kubeconfig import KubeconfigError  # noqa: PLC0415
    from kube.read import PASSING_ERRORS, ForbiddenError, in_words, read  # noqa: PLC0415
    from kube.views.kubernetes import Namespace  # noqa: PLC0415

    here = f"context {context!r}" if context else "the current context"
    cluster = partial(connect, kubeconfig=kubeconfig, context=context, retries=True)
    if os.environ.get(DELETE_UNREACHABLE) == "true" and is_unreachable(cluster):
        return False
    try:
        with cluster() as client:
            uid = read(Namespace, client, SYSTEM_NAMESPACE).metadata.uid
    except (KubeconfigError, ForbiddenError, *PASSING_ERRORS) as problem:
        renamed = ". If the context has another name now, run pulumi up first, without a refresh: it replaces nothing"
        raise AnotherClusterError(
            f"nothing was changed: the stack is deployed to the cluster {deployed}, and {here} does not say whether it "
            f"leads to the same: {in_words(problem)}{renamed if type(problem) is KubeconfigError else ''}"
        ) from problem
    if uid != deployed.uid:
        raise AnotherClusterError(
            f"nothing was changed: the stack is deployed to the cluster {deployed}, and {here} leads to another one "
            f"(UID {uid}). Set KUBECONFIG to the kubeconfig of the stack's cluster, and run the same command again"
        )
    return True


@dataclass(frozen=True, kw_only=True)
class ClusterGuardArgs:
    """What a destroy compares with the cluster that it reaches.

    Attributes:
        identity: of the stack, with the cluster that it is deployed to.
        context: the one that leads to the cluster; None means the current one.
        namespaces: of the stack's models and graphs.
        has_platform: whether the stack has installed parts of the platform, or the monitoring.
        pull_secrets: names of Secrets that something else puts into the namespaces, for the stack's pods.

    """

    identity: Identity
    context: str | None
    namespaces: Collection[str]
    has_platform: bool
    pull_secrets: Collection[str] = ()

    @classmethod
    def from_settings(cls, settings: Settings, *, identity: Identity) -> ClusterGuardArgs:
        """Read it from the settings of the stack."""
        return cls(
            identity=identity,
            context=settings.cluster.context,
            namespaces=settings.namespaces,
            has_platform=settings.installs_platform or settings.installs_monitoring,
            pull_secrets=settings.image_pull_secrets,
        )


class ClusterGuard(Resource, module="kserve-multi-model", name="ClusterGuard"):
    """Declared last, and depends on all other resources, so that Pulumi deletes it first."""

    def __init__(self, *, args: ClusterGuardArgs, opts: pulumi.ResourceOptions) -> None:
        props = {
            "uid": args.identity.cluster.uid,
            "name": args.identity.cluster.name,
            "context": args.context,
            "identity": args.identity.text,
            "deployed_before": args.identity.deployed_before,
            "namespaces": sorted(args.namespaces),
            "has_platform": args.has_platform,
            **pull_secrets_input(args.pull_secrets),
        }
        super().__init__(ClusterGuardProvider(), NAME, props, opts)
