"""The end of pods, which a `destroy` waits for and shortens.

A server that is to end goes on until its requests are answered, which may take 300 s, and one behind Knative for 30 s
even without any: somebody may still know its address. That is right while a model is updated or scaled, but whoever
deletes it does not want to wait for it. Nothing that is declared says so: Kubernetes shortens the time of a pod that is
ending only when it is deleted once more. As `pulumi destroy` does not run the program, there are no hooks for that.
A dynamic provider is there: it is this module, which the stack's state knows by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.served import Served

if TYPE_CHECKING:
    from components.settings import Settings

SERVED = ("models", "graphs")
CONNECTION = ("kubeconfig", "context")


class PodsEndProvider(ResourceProvider):
    """Makes nothing; deleted is what it stands for when there are no such pods any more."""

    # Else a stack without secrets would need a passphrase.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Remember it."""
        return CreateResult(props["namespace"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Replace it when some are left out, so that the end of these is waited for."""
        stated = ("namespace", "own", *SERVED, *CONNECTION)
        changed = [name for name in stated if olds.get(name) != news.get(name)]
        fewer = [name for name in SERVED if {*(olds.get(name) or ())} - {*(news.get(name) or ())}]
        return DiffResult(
            changes=bool(changed), replaces=[name for name in changed if name == "namespace" or name in fewer]
        )

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Remember the new."""
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Wait until there are none."""
        # Every command starts this module, and only few delete.
        from components.connection import connect  # noqa: PLC0415
        from components.leftovers import Leftovers, end  # noqa: PLC0415

        names = {kind: tuple(props[kind]) for kind in SERVED if props.get(kind) is not None}
        kubeconfig = props.get("kubeconfig")
        end(
            Leftovers(namespace=props["namespace"], served=Served(**names) if names else None, own=props["own"]),
            connect=partial(connect, kubeconfig=Path(kubeconfig) if kubeconfig else None, context=props.get("context")),
        )


@dataclass(frozen=True, kw_only=True)
class PodsEndArgs:
    """Whose pods.

    Attributes:
        served: the models and graphs of this stack in the namespace; None for all pods there that Deployments make.
        own: whether the namespace goes with them.
        kubeconfig: as in the settings; so is `context`.

    """

    namespace: str
    served: Served | None
    own: bool
    kubeconfig: Path | None
    context: str | None

    @property
    def properties(self) -> Mapping[str, Any]:
        """As the stack's state has them."""
        served = {kind: sorted(getattr(self.served, kind)) for kind in SERVED} if self.served else {}
        kubeconfig = str(self.kubeconfig) if self.kubeconfig else None
        connection = {"kubeconfig": kubeconfig, "context": self.context}
        return {"namespace": self.namespace, "own": self.own, **connection, **served}


class PodsEnd(Resource, module="kserve-multi-model", name="PodsEnd"):
    """What a namespace's models depend on: it is deleted after them, and when nothing of them is left."""

    def __init__(self, name: str, *, args: PodsEndArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PodsEndProvider(), name, dict(args.properties), opts)


def pods_ends(settings: Settings, *, own: Collection[str], opts: pulumi.ResourceOptions) -> dict[str, PodsEnd]:
    """One in each namespace that the stack has models or graphs in; those in `own` go with the stack."""
    return {
        namespace: PodsEnd(
            namespace,
            args=PodsEndArgs(
                namespace=namespace,
                served=settings.served_in(namespace),
                own=namespace in own,
                kubeconfig=settings.cluster.kubeconfig,
                context=settings.cluster.context,
            ),
            opts=opts,
        )
        for namespace in sorted(settings.namespaces)
    }
