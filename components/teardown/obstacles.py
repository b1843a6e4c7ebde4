"""What is in the way of a destroy, read before it deletes anything: it would harm what others have, or hang."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import httpx2 as httpx

from components.charts.helm_records import ReleaseMark, records_of
from components.objects import STACK_ANNOTATION
from kube.discovery import ApiKind, kinds
from kube.read import ForbiddenError, read_list
from kube.views.base import MODEL_LABEL, Metadata
from kube.views.knative import KnativeService, KnativeServing
from kube.views.kserve import InferenceGraph, InferenceService
from kube.views.kubernetes import CustomResourceDefinition, Deployment, Namespace

RELEASE, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
# Istio's controller makes these for itself, with no owner.
OF_CONTROLLERS = {"gatewayclasses.gateway.networking.k8s.io"}
# Knative's own kinds, which no user writes.
INTERNAL = ".internal.knative.dev"
# Kinds that users may have put into a namespace of the platform, with a field selector. The platform's controllers make
# no such object without an owner. TLS Secrets of a gateway have to be in the gateway's namespace.
OF_USERS = {
    "persistentvolumeclaims": "",
    "deployments.apps": "",
    "statefulsets.apps": "",
    "daemonsets.apps": "",
    "cronjobs.batch": "",
    "secrets": "type=kubernetes.io/tls",
}
# On Secrets that cert-manager makes for a Certificate, which is found by its own kind.
CERTIFICATE = "cert-manager.io/certificate-name"
# Long enough for a controller that is restarting.
WAIT_SECONDS = 60.0
POLL_SECONDS = 2.0
SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class _Controller:
    """A Deployment that removes finalizers; `labels` select it in whatever namespace it is."""

    name: str
    labels: str


KSERVE = _Controller(name="KServe's controller", labels="control-plane=kserve-controller-manager")
KNATIVE = tuple(
    _Controller(
        name=f"Knative's {component}",
        labels=f"app.kubernetes.io/name=knative-serving,app.kubernetes.io/component={component}",
    )
    for component in ("controller", "webhook")
)
OPERATOR = _Controller(name="Knative's operator", labels="app.kubernetes.io/name=knative-operator")


@dataclass(frozen=True, kw_only=True)
class Obstacles:
    """Looks for what is in the way of destroying a stack.

    Attributes:
        mark: tells the objects of the stack, and its Helm releases, from others.
        namespaces: of its models and graphs.
        has_platform: whether the stack has installed parts of the platform.

    """

    mark: ReleaseMark
    namespaces: Collection[str]
    has_platform: bool

    def objects_of_others(self, client: httpx.Client) -> list[str]:
        """Objects of others that Kubernetes would delete with the stack's; one text per kind.

        Those whose CustomResourceDefinition is the stack's, and those in the namespaces of its platform.

        Raises:
            ForbiddenError: this login may not read them.
            httpx.HTTPError: the API server cannot be reached, or answers with an error.
            ValueError: an answer cannot be read.
        """
        if not self.has_platform:
            return []
        every = read_list(Namespace, client, metadata_only=True)
        made = {item.name for item in every if item.metadata.annotations.get(STACK_ANNOTATION) == self.mark.identity}
        is_own_release = cache(lambda name, namespace: self._is_own_release(client, name, namespace, made=made))
        definitions = read_list(CustomResourceDefinition, client, metadata_only=True)
        own = {found.name for found in definitions if self._is_own(found.metadata, is_own_release)} - OF_CONTROLLERS
        # Those of models are looked at when they are deleted.
        namespaces = sorted(made - {*self.namespaces})
        texts = []
        for kind in kinds(client):
            found: Iterable[Metadata] = ()
            if kind.name in own and not kind.group.endswith(INTERNAL):
                found = kind.objects(client)
            elif (fields := OF_USERS.get(kind.name)) is not None:
                found = (item for name in namespaces for item in kind.objects(client, namespace=name, fields=fields))
            left = [item for item in found if not (item.owners or item.deleted or CERTIFICATE in item.annotations)]
            if others := [item for item in left if not self._is_own(item, is_own_release)]:
                texts.append(_text(kind, others))
        return texts

    def stopped_controllers(self, client: httpx.Client, *, wait: float = WAIT_SECONDS) -> list[str]:
        """Controllers that do not run, though finalizers of the stack's objects wait for them, after `wait` seconds.

        Empty where this login may not read them. Raises as `objects_of_others` does otherwise.
        """
        end = time.monotonic() + wait
        try:
            while stopped := [name for name, labels in self._needed(client) if not _runs(client, labels)]:
                if time.monotonic() >= end:
                    return stopped
                time.sleep(POLL_SECONDS)
        except ForbiddenError:
            pass
        return []

    def _needed(self, client: httpx.Client) -> Iterator[tuple[str, str]]:
        """Name and labels of the controllers that the stack's objects need to go."""
        needed: list[_Controller] = []
        served = [
            item
            for namespace in self.namespaces
            for kind in (InferenceService, InferenceGraph)
            for item in read_list(kind, client, namespace=namespace, metadata_only=True)
            if item.metadata.annotations.get(STACK_ANNOTATION) == self.mark.identity
        ]
        if served:
            needed.append(KSERVE)
        behind_knative = (
            item.metadata.labels.get(MODEL_LABEL)
            for namespace in self.namespaces
            for item in read_list(KnativeService, client, namespace=namespace, metadata_only=True)
        )
        if {item.name for item in served} & {*behind_knative}:
            needed += KNATIVE
        # An operator of others has nothing to remove for this stack.
        serving = read_list(KnativeServing, client, metadata_only=True) if self.has_platform else ()
        if any(item.metadata.annotations.get(STACK_ANNOTATION) == self.mark.identity for item in serving):
            needed.append(OPERATOR)
        return ((controller.name, controller.labels) for controller in needed)

    def _is_own(self, item: Metadata, is_own_release: Callable[[str, str], bool]) -> bool:
        release = item.annotations.get(RELEASE)
        return item.annotations.get(STACK_ANNOTATION) == self.mark.identity or (
            release is not None and is_own_release(release, item.annotations.get(RELEASE_NAMESPACE, ""))
        )

    def _is_own_release(self, client: httpx.Client, name: str, namespace: str, *, made: Collection[str]) -> bool:
        """Whether the stack installed a release; `made` are its namespaces.

        The records of a failed installation do not say whose it is: it is the stack's in a namespace of the stack.
        """
        records = records_of(client, name, namespace=namespace)
        has_failed = bool(records) and not any(record.has_succeeded for record in records)
        return any(self.mark.is_on(record) for record in records) or (has_failed and namespace in made)


def _runs(client: httpx.Client, labels: str) -> bool:
    return any(found.available for found in read_list(Deployment, client, labels=labels))


def _text(kind: ApiKind, others: list[Metadata]) -> str:
    """`inferenceservices.serving.kserve.io team-b/iris of stack b, team-b/rose and 3 more`."""
    names = [
        "/".join(filter(None, (item.namespace, item.name)))
        + (f" of stack {stack}" if (stack := item.annotations.get(STACK_ANNOTATION)) else "")
        for item in others
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{kind.name} {', '.join(names[:SHOWN])}{more}"
