"""Find what others have in the namespaces of a platform, or of the kinds that its definitions bring."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import httpx2 as httpx

from components.charts.helm_records import ReleaseMark, records_of
from components.objects import STACK_ANNOTATION
from components.teardown.made_by_controllers import makes_itself
from kube.discovery import ApiKind, kinds
from kube.parallel import in_parallel
from kube.read import read_list
from kube.views.base import Metadata
from kube.views.kubernetes import CustomResourceDefinition, Namespace, Pod

RELEASE, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
# Labels of the Secrets in which Helm records what it did with a release.
RECORD = ("owner", "helm")
RECORD_RELEASE = "name"
# Knative's own kinds, which no user writes.
INTERNAL = ".internal.knative.dev"
SECRETS = "secrets"
# Kinds that people put into a namespace. What controllers derive from them has an owner. Kinds that only serve these,
# such as ServiceAccounts, Roles and NetworkPolicies, are made by many policy engines, too, and are not looked at.
OF_PEOPLE = {
    "configmaps",
    SECRETS,
    "services",
    "persistentvolumeclaims",
    "pods",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "ingresses.networking.k8s.io",
    # Of Prometheus's operator and of cert-manager, whose definitions may be somebody else's.
    "servicemonitors.monitoring.coreos.com",
    "podmonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "certificates.cert-manager.io",
    "issuers.cert-manager.io",
}
SHOWN = 5

# Name and namespace of a Helm release.
ReleaseName = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Definitions:
    """CustomResourceDefinitions of a stack.

    Attributes:
        releases: those that these Helm releases of the stack brought.
        groups: those of these API groups that have the stack's mark.

    """

    releases: Collection[ReleaseName] = ()
    groups: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class OthersInPlatform:
    """Tells what others have from what the stack has, and from what controllers made.

    Attributes:
        mark: tells the objects of the stack, and its Helm releases, from others.
        releases: Helm releases that are known to be the stack's; Helm's records of them may be gone already.
        pull_secrets: names of Secrets that the stack's pods pull images with, and that are put there for them.

    """

    mark: ReleaseMark
    releases: Collection[ReleaseName] = ()
    pull_secrets: Collection[str] = ()

    def everywhere(self, client: httpx.Client, *, besides: Collection[str]) -> list[str]:
        """What Kubernetes would delete with all of the stack's namespaces and definitions; one text per kind.

        Args:
            client: of the cluster.
            besides: namespaces of the stack that are not looked into.

        Raises:
            ForbiddenError: this login may not read it.
            httpx.HTTPError: the API server cannot be reached, or answers with an error.
            ValueError: an answer cannot be read.

        """
        made = self._made(client)
        return self._find(client, made, namespaces=made - {*besides}, is_chosen=None)

    def inside(self, client: httpx.Client, *, namespaces: Collection[str], definitions: Definitions) -> list[str]:
        """What Kubernetes would delete with these namespaces and definitions of the stack; one text per kind.

        A namespace without the stack's mark is looked into, too. Raises as `everywhere` does.
        """
        made = self._made(client)

        def is_chosen(definition: Metadata) -> bool:
            group = definition.name.partition(".")[2]
            return _release_of(definition) in definitions.releases or group in definitions.groups

        return self._find(client, made, namespaces={*namespaces}, is_chosen=is_chosen)

    def _made(self, client: httpx.Client) -> frozenset[str]:
        """Namespaces with the stack's mark."""
        every = read_list(Namespace, client, metadata_only=True)
        return frozenset(item.name for item in every if self._has_mark(item.metadata))

    def _find(
        self,
        client: httpx.Client,
        made: frozenset[str],
        *,
        namespaces: Collection[str],
        is_chosen: Callable[[Metadata], bool] | None,
    ) -> list[str]:
        listed = (item.metadata for item in read_list(CustomResourceDefinition, client, metadata_only=True))
        chosen = [item for item in listed if is_chosen is None or is_chosen(item)]
        is_own = self._whose(client, chosen, made=made)
        own = {item.name for item in chosen if is_own(item)}
        places = [place for kind in kinds(client) for place in _places(kind, own, namespaces=sorted(namespaces))]
        found = in_parallel(lambda place: [*place[0].objects(client, namespace=place[1])], places)
        left: dict[ApiKind, list[Metadata]] = {}
        for (kind, _), items in zip(places, found, strict=True):
            left.setdefault(kind, []).extend(item for item in items if not self._goes(kind, item))
        is_own = self._whose(client, (item for items in left.values() for item in items), made=made)
        others = {kind: [item for item in items if not is_own(item)] for kind, items in left.items()}
        for kind, items in others.items():
            if kind.name == SECRETS and items:
                others[kind] = _without_pull_secrets(client, items)
        return [_text(kind, items) for kind, items in others.items() if items]

    def _whose(
        self, client: httpx.Client, items: Iterable[Metadata], *, made: Collection[str]
    ) -> Callable[[Metadata], bool]:
        """A function that tells of these items whether they are the stack's: by its mark, or by a release of Helm's."""
        named = {release for item in items if not self._has_mark(item) and (release := _release_of(item))}
        asked = sorted(named - {*self.releases})
        answers = in_parallel(lambda release: self._is_own(client, release, made=made), asked)
        own = {*self.releases} | {release for release, is_own in zip(asked, answers, strict=True) if is_own}
        return lambda item: self._has_mark(item) or _release_of(item) in own

    def _goes(self, kind: ApiKind, item: Metadata) -> bool:
        """Whether it goes by itself, or with its owner, which counts, or is there for the stack."""
        is_pull_secret = kind.name == SECRETS and item.name in self.pull_secrets
        return bool(item.owners) or item.deleted is not None or is_pull_secret or makes_itself(kind.name, item)

    def _has_mark(self, item: Metadata) -> bool:
        return item.annotations.get(STACK_ANNOTATION) == self.mark.identity

    def _is_own(self, client: httpx.Client, release: ReleaseName, *, made: Collection[str]) -> bool:
        """Whether the stack installed a release; `made` are its namespaces.

        The records of a failed installation do not say whose it is: it is the stack's in a namespace of the stack.
        """
        name, namespace = release
        records = records_of(client, name, namespace=namespace)
        has_failed = bool(records) and not any(record.has_succeeded for record in records)
        return any(self.mark.is_on(record) for record in records) or (has_failed and namespace in made)


def _without_pull_secrets(client: httpx.Client, secrets: Iterable[Metadata]) -> list[Metadata]:
    """Secrets but those that pods beside them pull images with: they are there for these pods.

    A guard from before does not know the setting `image_pull_secrets`, and a cloud may give a ServiceAccount some.
    """
    places = sorted({item.namespace for item in secrets})
    found = in_parallel(lambda namespace: read_list(Pod, client, namespace=namespace), places)
    used = {(pod.namespace, one.get("name")) for pods in found for pod in pods for one in pod.pull_secrets}
    return [item for item in secrets if (item.namespace, item.name) not in used]


def _places(kind: ApiKind, own: Collection[str], *, namespaces: Iterable[str]) -> Iterator[tuple[ApiKind, str]]:
    """Where to list objects of a kind: everywhere where its definition is the stack's, else in the stack's namespaces.

    An empty name means all namespaces.
    """
    if kind.name in own and not kind.group.endswith(INTERNAL):
        yield kind, ""
    elif kind.name in OF_PEOPLE:
        yield from ((kind, namespace) for namespace in namespaces)


def _release_of(item: Metadata) -> ReleaseName | None:
    """The Helm release that brought an object, or of which a Secret is a record."""
    if release := item.annotations.get(RELEASE):
        return release, item.annotations.get(RELEASE_NAMESPACE, "")
    if item.labels.get(RECORD[0]) == RECORD[1] and (release := item.labels.get(RECORD_RELEASE)):
        return release, item.namespace
    return None


def _text(kind: ApiKind, others: list[Metadata]) -> str:
    """`inferenceservices.serving.kserve.io team-b/iris of stack b, team-b/rose and 3 more`."""
    names = [
        "/".join(filter(None, (item.namespace, item.name)))
        + (f" of stack {stack}" if (stack := item.annotations.get(STACK_ANNOTATION)) else "")
        for item in others
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{kind.name} {', '.join(names[:SHOWN])}{more}"


def release_names(texts: Iterable[str]) -> tuple[ReleaseName, ...]:
    """Helm releases that are written as `namespace/name`."""
    found = (text.partition("/") for text in texts)
    return tuple((name, namespace) for namespace, _, name in found)
