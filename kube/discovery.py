"""Which kinds of objects the API server serves, by its aggregated discovery (Kubernetes 1.30 and newer)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2 as httpx
from pydantic import AliasPath, Field

from kube.read import METADATA_ONLY, get
from kube.views.base import Metadata, View

GROUPS = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


@dataclass(frozen=True, kw_only=True)
class ApiKind:
    """A kind whose objects can be listed, at its group's preferred version.

    Attributes:
        group: its API group, as `serving.kserve.io`; empty for Kubernetes' core.
        version: as `v1beta1`.
        plural: as `inferenceservices`.
        kind: as `InferenceService`, by which owners are named; empty where the API server does not say.
        namespaced: whether its objects are in namespaces.
        deletable: whether its objects can be deleted; those that cannot are computed when they are asked for.

    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    deletable: bool

    @property
    def name(self) -> str:
        """`inferenceservices.serving.kserve.io`, as kubectl and CustomResourceDefinitions name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def objects(self, client: httpx.Client, *, namespace: str = "") -> Iterator[Metadata]:
        """Metadata of its objects in a namespace, or in the whole cluster; none where they cannot be listed.

        Raises:
            ForbiddenError: this login may not list them.
            httpx.HTTPError: the API server cannot be reached, or answers with an error.
            ValueError: the answer is not a list of objects.
        """
        api = f"apis/{self.group}" if self.group else "api"
        place = f"/namespaces/{namespace}" if namespace else ""
        answer = get(client, f"/{api}/{self.version}{place}/{self.plural}", headers=METADATA_ONLY)
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED}:
            return
        for item in _Listed.model_validate(answer.raise_for_status().json()).items:
            yield item.metadata


class _Item(View):
    metadata: Metadata


class _Listed(View):
    items: tuple[_Item, ...] = ()


class _Resource(View):
    resource: str
    kind: str = Field("", validation_alias=AliasPath("responseKind", "kind"))
    scope: str = ""
    verbs: tuple[str, ...] = ()


class _Version(View):
    version: str
    resources: tuple[_Resource, ...] = ()


class _Group(_Item):
    versions: tuple[_Version, ...] = ()


class _Groups(View):
    # Required: without aggregated discovery, the answer has no such field, and no kind would be seen.
    items: tuple[_Group, ...]


def kinds(client: httpx.Client) -> Iterator[ApiKind]:
    """Every kind, once. Raises as `ApiKind.objects` does."""
    for path in ("/api", "/apis"):
        answer = get(client, path, headers=GROUPS).raise_for_status()
        for group in _Groups.model_validate(answer.json()).items:
            yield from _kinds(group)


def _kinds(group: _Group) -> Iterator[ApiKind]:
    # The preferred version comes first; older ones may have kinds that it lacks.
    seen: set[str] = set()
    for version in group.versions:
        for found in version.resources:
            if "list" in found.verbs and found.resource not in seen:
                yield ApiKind(
                    group=group.metadata.name,
                    version=version.version,
                    plural=found.resource,
                    kind=found.kind,
                    namespaced=found.scope == "Namespaced",
                    deletable="delete" in found.verbs,
                )
            seen.add(found.resource)
