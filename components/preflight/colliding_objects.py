"""Objects of others with a name under which KServe or Knative would make one.

KServe 0.20 takes such an object and changes it: somebody's own Service `flowers` would become the model's, and lead
elsewhere. Pulumi does not make these objects, so the look at what exists already, before each creation, misses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import httpx2 as httpx

from components.objects import STACK_ANNOTATION
from components.ownership.existing_objects import owner_of
from components.preflight.colliding_names import STANDARD_MODES, names_of
from components.preflight.platform_facts import ask
from components.settings.made_names import REVISION, Named
from components.settings.stack import Settings
from components.teardown.makers import KNATIVE_LABEL
from kube.parallel import in_parallel
from kube.read import METADATA_ONLY
from kube.views.base import Object, View
from kube.views.gateways import HTTPRoute, VirtualService
from kube.views.knative import KnativeService
from kube.views.kserve import Served
from kube.views.kubernetes import Deployment, Service

# As `Named.made` calls them.
KINDS: Mapping[str, type[Object]] = {
    "Service": Service,
    "Deployment": Deployment,
    "HTTPRoute": HTTPRoute,
    "VirtualService": VirtualService,
}
LOOKED_AT: tuple[type[Object], ...] = (KnativeService, *KINDS.values())
KSERVE, KNATIVE = "serving.kserve.io", ".knative.dev"


class _Listed(View):
    items: tuple[Object, ...] = ()


def colliding_objects(
    client: httpx.Client, settings: Settings, running: Mapping[str, Mapping[str, Served]], *, owner: str
) -> Iterator[str]:
    """Where KServe would take an object of others for one of a model or graph that does not run yet.

    `running` has the models and graphs of each namespace by name; `owner` is the stack's identity.

    Raises:
        UntoldError: the cluster does not tell.
    """
    new = [named for named in names_of(settings) if not _runs(named, running[named.namespace])]
    namespaces = sorted({named.namespace for named in new})
    places = [(kind, namespace) for namespace in namespaces for kind in LOOKED_AT]
    listed = dict(zip(places, in_parallel(lambda place: _list(client, *place), places), strict=True))
    for named in new:
        services = listed[KnativeService, named.namespace]
        strange = {one.name for one in services if not _is_made(one, owner=owner, strange=set())}
        for kind, name in dict.fromkeys(named.made()):
            found = listed[KINDS[kind], named.namespace] if kind in KINDS else ()
            for one in found:
                is_needed = name in {one.name, REVISION.sub("-*", one.name)}
                if is_needed and not _is_made(one, owner=owner, strange=strange):
                    yield (
                        f"{named.place}: {named.name!r} needs the {kind} {named.namespace}/{one.name} for itself, "
                        f"which is there already ({owner_of(one)}): KServe would change it, or Knative stop at it; use "
                        "another name or namespace, or delete it if nobody needs it"
                    )


def _runs(named: Named, running: Mapping[str, Served]) -> bool:
    """Whether it is there already, in the same mode: what it needs has been made."""
    found = running.get(named.name)
    return found is not None and (found.mode in STANDARD_MODES) == named.is_standard


def _is_made(one: Object, *, owner: str, strange: Set[str]) -> bool:
    """Whether the stack, KServe or Knative made an object, or it is about to go.

    What Knative made for a Service of its own kind, of those named in `strange`, is somebody's.
    """
    metadata = one.metadata
    groups = {reference.group for reference in metadata.owners}
    of_knative = any(group.endswith(KNATIVE) for group in groups)
    return (
        metadata.deleted is not None
        or metadata.annotations.get(STACK_ANNOTATION) == owner
        or KSERVE in groups
        or (of_knative and metadata.labels.get(KNATIVE_LABEL) not in strange)
    )


def _list(client: httpx.Client, kind: type[Object], namespace: str) -> tuple[Object, ...]:
    path, what = kind.path(namespace=namespace), f"{kind.plural} in namespace {namespace}"
    listed = ask(client, path, _Listed.model_validate, what=what, headers=METADATA_ONLY)
    return listed.items if listed else ()
