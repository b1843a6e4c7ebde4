"""A resource that a destroy deletes first, and that refuses to be deleted in another cluster than the stack's.

`pulumi destroy` does not run the program, so no preflight looks at the cluster. A kubeconfig of another cluster can
have a context of the same name, and objects of the same names there are somebody else's. This resource depends on all
others, so nothing is deleted before it. Pulumi loads this module, whose name is in the stack's state. Renaming the
module or its provider breaks the `destroy` of stacks that were deployed before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.ownership.stack_identity import ClusterIdentity
from components.teardown.termination_wait import DELETE_UNREACHABLE

NAME = "cluster-guard"
SYSTEM_NAMESPACE = "/api/v1/namespaces/kube-system"


class AnotherClusterError(Exception):
    """The cluster is not the stack's, or does not say so."""


class ClusterGuardProvider(ResourceProvider):
    """Creates nothing in the cluster; its deletion fails in another cluster than the stack's."""

    # Otherwise a stack without secrets would need a passphrase.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record which cluster the stack is deployed to."""
        return CreateResult(props["uid"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Report a change where another context leads to the cluster now; that replaces nothing."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in ("uid", "name", "context")))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Record the new context."""
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Fail as `delete` does, in a refresh's preview: the refresh itself would forget what the other cluster lacks.

        Raises:
            AnotherClusterError: as `delete`.
        """
        self.delete(id_, props)
        return ReadResult(id_, props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Return if the context leads to the stack's cluster; raises as `require_cluster` does."""
        require_cluster(ClusterIdentity(uid=props["uid"], name=props["name"]), context=props["context"])


def require_cluster(deployed: ClusterIdentity, *, context: str | None, kubeconfig: Path | None = None) -> None:
    """Ask the cluster to which the context leads whether it is the stack's.

    Returns, too, if it cannot be reached at all and DELETE_UNREACHABLE is set.

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
    from kube.read import PASSING_ERRORS, ForbiddenError, read  # noqa: PLC0415
    from kube.views.kubernetes import Namespace  # noqa: PLC0415

    here = f"context {context!r}" if context else "the current context"
    cluster = partial(connect, kubeconfig=kubeconfig, context=context)
    if os.environ.get(DELETE_UNREACHABLE) == "true" and is_unreachable(cluster):
        return
    try:
        with cluster() as client:
            uid = read(Namespace, client, SYSTEM_NAMESPACE).metadata.uid
    except (KubeconfigError, ForbiddenError, *PASSING_ERRORS) as problem:
        raise AnotherClusterError(
            f"nothing was changed: the stack is deployed to the cluster {deployed}, and {here} does not say whether it "
            f"leads to the same: {problem}"
        ) from problem
    if uid != deployed.uid:
        raise AnotherClusterError(
            f"nothing was changed: the stack is deployed to the cluster {deployed}, and {here} leads to another one "
            f"(UID {uid}). Set KUBECONFIG to the kubeconfig of the stack's cluster, and run the same command again"
        )


@dataclass(frozen=True, kw_only=True)
class ClusterGuardArgs:
    """The cluster that the stack is deployed to, and the context that leads to it; None means the current one."""

    cluster: ClusterIdentity
    context: str | None


class ClusterGuard(Resource, module="kserve-multi-model", name="ClusterGuard"):
    """Declared last, and depends on all other resources, so that Pulumi deletes it first."""

    def __init__(self, *, args: ClusterGuardArgs, opts: pulumi.ResourceOptions) -> None:
        props = {"uid": args.cluster.uid, "name": args.cluster.name, "context": args.context}
        super().__init__(ClusterGuardProvider(), NAME, props, opts)
