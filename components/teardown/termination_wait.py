"""A resource whose deletion waits until the pods of deleted models are gone, and shortens that wait.

A terminating model server first answers the requests it has, which may take 300 s. Behind Knative it also stays up for
another 30 s without any requests, because clients may still use its address. Both are right while a model is updated
or scaled, but `destroy` need not wait so long. No field of a model can say that, and hooks cannot either, because
`pulumi destroy` does not run the program. A dynamic provider can: Pulumi loads this module, whose name is in the
stack's state. Renaming the module or its provider breaks the `destroy` of stacks that were deployed before.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

if TYPE_CHECKING:
    from components.settings.stack import Settings

NAMES = ("models", "graphs")
# A variable of the Kubernetes provider: forget the objects of a cluster that cannot be reached.
DELETE_UNREACHABLE = "PULUMI_K8S_DELETE_UNREACHABLE"
CONNECTION = ("kubeconfig", "context")


class TerminationWaitProvider(ResourceProvider):
    """Creates nothing in the cluster; its deletion returns when the pods are gone."""

    # Otherwise a stack without secrets would need a passphrase.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record which pods the deletion waits for."""
        return CreateResult(props["namespace"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Ask for a replacement when models are removed: deleting the old resource waits for their pods.

        Another context is another way to the same cluster; the preflight refuses another cluster.
        """
        inputs = ("namespace", "own", *NAMES, *CONNECTION, "pull_secrets")
        changed = [name for name in inputs if olds.get(name) != news.get(name)]
        fewer = [name for name in NAMES if {*(olds.get(name) or ())} - {*(news.get(name) or ())}]
        return DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name == "namespace" or name in fewer],
        )

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Record models that were added, or a new way to the cluster."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Wait until the pods are gone; then keep a namespace of the stack that holds something of others.

        Returns at once if the cluster cannot be reached and the user set DELETE_UNREACHABLE.

        Raises:
            TimeoutError: something is still there after 660 s; the text names it, and the next command.
            UnreadableError: this login may not read what is there; the text has what to do.
            OthersObjectsError: the namespace is about to be deleted, but holds something of others.
        """
        # Pulumi loads this module for every command, and few of them delete.
        from components.teardown.leftovers import Leftovers, is_unreachable, wait_until_gone  # noqa: PLC0415
        from components.teardown.others_objects import require_nothing_of_others  # noqa: PLC0415
        from kube.connection import connect  # noqa: PLC0415

        kubeconfig = props.get("kubeconfig")
        options = [f"--{name}={value}" for name in CONNECTION if (value := props.get(name))]
        cluster = partial(connect, kubeconfig=Path(kubeconfig) if kubeconfig else None, context=props.get("context"))
        if os.environ.get(DELETE_UNREACHABLE) == "true" and is_unreachable(cluster):
            return
        kubectl = shlex.join(["kubectl", *options])
        wait_until_gone(
            Leftovers(
                namespace=props["namespace"], models=props.get("models"), graphs=props.get("graphs"), own=props["own"]
            ),
            connect=cluster,
            kubectl=kubectl,
        )
        if props["own"] and props.get("models") is not None:
            require_nothing_of_others(
                props["namespace"],
                connect=partial(cluster, retries=True),
                kubectl=kubectl,
                pull_secrets=props.get("pull_secrets") or (),
            )


def pull_secrets_input(names: Collection[str]) -> Mapping[str, list[str]]:
    """The input `pull_secrets` of a resource; none where there are no names, so that deployed stacks see no change."""
    return {"pull_secrets": sorted(names)} if names else {}


@dataclass(frozen=True, kw_only=True)
class TerminationWaitArgs:
    """Which pods to wait for.

    Attributes:
        models: the stack's models in the namespace. None for `models` and `graphs` means every pod that Knative's
            operator made there.
        graphs: the stack's graphs in the namespace.
        own: whether the stack deletes the namespace, too.
        pull_secrets: names of Secrets that something else puts there, for the stack's pods.
        kubeconfig: path from the settings; None means kubectl's default. `context` is kubectl's, too.

    """

    namespace: str
    own: bool
    kubeconfig: Path | None
    context: str | None
    models: Collection[str] | None = None
    graphs: Collection[str] | None = None
    pull_secrets: Collection[str] = ()

    @property
    def properties(self) -> Mapping[str, Any]:
        """Inputs as they are written to the stack's state: no code, no secret."""
        names = {key: sorted(found) for key in NAMES if (found := getattr(self, key)) is not None}
        kubeconfig = str(self.kubeconfig) if self.kubeconfig else None
        connection = {"kubeconfig": kubeconfig, "context": self.context}
        secrets = pull_secrets_input(self.pull_secrets)
        return {"namespace": self.namespace, "own": self.own, **connection, **names, **secrets}


class TerminationWait(Resource, module="kserve-multi-model", name="TerminationWait"):
    """The models of a namespace depend on it, so Pulumi deletes it after them; the platform outlives it."""

    def __init__(self, name: str, *, args: TerminationWaitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TerminationWaitProvider(), name, dict(args.properties), opts)


def termination_waits(
    settings: Settings, *, own: Mapping[str, pulumi.Resource], opts: pulumi.ResourceOptions
) -> dict[str, TerminationWait]:
    """One wait for each namespace with models or graphs of the stack, by name; the stack declares those in `own`."""
    # Pulumi loads this module for every command, and few of them declare.
    from components.objects import inside  # noqa: PLC0415

    return {
        namespace: TerminationWait(
            namespace,
            args=TerminationWaitArgs(
                namespace=namespace,
                models=[model.service for model in settings.models if settings.namespace_of(model) == namespace],
                graphs=[graph.name for graph in settings.graphs if settings.namespace_of(graph) == namespace],
                own=namespace in own,
                kubeconfig=settings.cluster.kubeconfig,
                context=settings.cluster.context,
                pull_secrets=settings.image_pull_secrets,
            ),
            opts=inside(namespace, own, opts),
        )
        for namespace in sorted(settings.namespaces)
    }
