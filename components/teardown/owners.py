"""Find owners of objects that are of kinds which nobody looks at: what they own would be taken for somebody's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx2 as httpx

from kube.discovery import ApiKind
from kube.parallel import in_parallel
from kube.views.base import Metadata

# A kind, and the namespace in which its objects are listed; an empty one means all.
Place = tuple[ApiKind, str]
Found = tuple[Place, Metadata]


def listed(client: httpx.Client, places: Sequence[Place]) -> list[Found]:
    """The objects of these places. Raises as `ApiKind.objects` does."""
    found = in_parallel(lambda place: [*place[0].objects(client, namespace=place[1])], places)
    return [(place, item) for place, items in zip(places, found, strict=True) for item in items]


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Tells owners that count themselves, where they are looked at, from those that nobody looks at.

    Attributes:
        kinds: those of the cluster, by their group and kind.
        everywhere: names of kinds whose objects are looked at in all namespaces.
        inside: names of kinds whose objects are looked at in the `namespaces`.

    """

    kinds: Mapping[tuple[str, str], ApiKind]
    everywhere: Collection[str]
    inside: Collection[str]
    namespaces: Collection[str]

    def unseen(self, item: Metadata) -> list[tuple[ApiKind, str]]:
        """Kind and name of each owner, if nobody looks at any of them.

        An owner of a kind that the cluster does not have any more is gone, and what it owned follows.
        """
        owners = [(kind, owner.name) for owner in item.owners if (kind := self.kinds.get(owner.key)) is not None]
        return [] if any(self._is_seen(kind, item) for kind, _ in owners) else owners

    def _is_seen(self, kind: ApiKind, item: Metadata) -> bool:
        return kind.name in self.everywhere or (kind.name in self.inside and item.namespace in self.namespaces)

    def above(self, client: httpx.Client, found: Iterable[Found]) -> Iterator[Found]:
        """The unseen owners of what was found in single namespaces, and theirs, as far as they are in the same ones.

        One in no namespace stays when the namespace goes.
        """
        items = [item for (_, namespace), item in found if namespace]
        known: set[tuple[str, str, str]] = set()
        while wanted := {
            (kind, item.namespace, name) for item in items for kind, name in self.unseen(item) if kind.namespaced
        }:
            places = sorted({(kind, namespace) for kind, namespace, _ in wanted}, key=lambda one: (one[0].name, one[1]))
            new = [
                ((kind, namespace), item)
                for (kind, namespace), item in listed(client, places)
                if (kind, namespace, item.name) in wanted and (kind.name, namespace, item.name) not in known
            ]
            yield from new
            known |= {(kind.name, namespace, item.name) for (kind, namespace), item in new}
            items = [item for _, item in new]
