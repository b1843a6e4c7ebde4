"""Which kinds of objects the API server serves, by its aggregated discovery (Kubernetes 1.30 and newer)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2 as httpx

from kube.read import METADATA_ONLY, get
from kube.views.base import Metadata, View

GROUPS = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


@dataclass(frozen=True, kw_only=True)
class ApiKind:
    """A kind whose objects can be listed, at its group's preferred version.

    Attributes:
        group: its API group, as `serving.kserve.io`.
        version: as `v1beta1`.
        plural: as `inferenceservices`.
    """

    group: str
    version: str
    plural: str

    @property
    def name(self) -> str:
        """`inferenceservices.serving.kserve.io`, as kubectl and CustomResourceDefinitions name it."""
        return f"{self.plural}.{self.group}"

    def objects(self, client: httpx.Client) -> Iterator[Metadata]:
        """Metadata of all its objects in the cluster.

        Raises:
            ForbiddenError: this login may not list them.
            httpx.HTTPError: the API server cannot be reached, or answers with an error.
            ValueError: the answer is not a list of objects.
        """
        answer = get(client, f"/apis/{self.group}/{self.version}/{self.plural}", headers=METADATA_ONLY)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return
        for item in _Listed.model_validate(answer.raise_for_status().json()).items:
            yield item.metadata


class _Item(View):
    metadata: Metadata


class _Listed(View):
    items: tuple[_Item, ...] = ()


class _Resource(View):
    resource: str
    verbs: tuple[str, ...] = ()


class _Version(View):
    version: str
    resources: tuple[_Resource, ...] = ()


class _Group(_Item):
    versions: tuple[_Version, ...] = ()


class _Groups(View):
    items: tuple[_Group, ...]


def kinds(client: httpx.Client) -> Iterator[ApiKind]:
    """Kinds of all API groups but Kubernetes' core, each once. Raises as `ApiKind.objects` does."""
    answer = get(client, "/apis", headers=GROUPS).raise_for_status()
    for group in _Groups.model_validate(answer.json()).items:
        # The preferred version comes first; older ones may have kinds that it lacks.
        found: dict[str, ApiKind] = {}
        for version in group.versions:
            for resource in version.resources:
                if "list" in resource.verbs:
                    kind = ApiKind(group=group.metadata.name, version=version.version, plural=resource.resource)
                    found.setdefault(resource.resource, kind)
        yield from found.values()
