"""Objects of others that have names of what KServe and Knative make for a model or graph of the stack.

KServe takes such a Service, Deployment or route for its own: it changes it, and deletes it with the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import httpx2 as httpx

from components.objects import STACK_ANNOTATION
from components.ownership.existing_objects import owner_of
from components.preflight.platform_facts import ask
from components.settings.made_names import REVISION, Made, Named
from components.settings.stack import Settings
from kube.read import METADATA_ONLY
from kube.views.base import Object, View
from kube.views.gateways import HTTPRoute, VirtualService
from kube.views.knative import KnativeService
from kube.views.kserve import Served
from kube.views.kubernetes import Deployment, Service

# Kinds as `Named.made` calls them. Knative makes a Service of the same name for each of its own.
KINDS: Mapping[type[Object], str] = {
    Service: "Service",
    Deployment: "Deployment",
    HTTPRoute: "HTTPRoute",
    VirtualService: "VirtualService",
    KnativeService: "Service",
}
# API groups of what KServe and Knative make their objects for.
MAKERS = re.compile(r"(.+\.)?(serving\.kserve\.io|serving\.knative\.dev|internal\.knative\.dev)")


class _Listed(View):
    items: tuple[Object, ...] = ()


def names_in_use(
    client: httpx.Client, settings: Settings, *, running: Mapping[str, Mapping[str, Served]], owner: str
) -> Iterator[str]:
    """Where something of others has the name of what is made for a model or graph that does not run yet.

    Args:
        client: of the cluster.
        settings: of the stack.
        running: models and graphs that run already, by namespace and name.
        owner: identity of the stack.

    Raises:
        UntoldError: the cluster does not tell.

    """
    sections = settings.model_dump(mode="json", include={"models", "graphs"}, exclude_none=True)
    declared = Named.all_of(sections, namespace=settings.cluster.namespace, mode=settings.mode)
    new = [named for named in declared if named.name not in running.get(named.namespace, {})]
    for namespace in sorted({named.namespace for named in new}):
        made: dict[Made, Named] = {}
        for named in new:
            if named.namespace == namespace:
                made |= dict.fromkeys(named.made(), named)
        for kind, called in KINDS.items():
            for found in _of_others(client, kind, namespace=namespace, owner=owner):
                user = made.get((called, found.name)) or made.get((called, REVISION.sub("-*", found.name)))
                if user:
                    title = "Knative Service" if kind is KnativeService else called
                    yield (
                        f"{user.place}: the {title} {found.name!r} in namespace {namespace!r} is there already "
                        f"({owner_of(found)}), and KServe would take it for its own, change it, and delete it with the "
                        f"{user.kind}; use another name or namespace"
                    )


def _of_others(client: httpx.Client, kind: type[Object], *, namespace: str, owner: str) -> Iterator[Object]:
    """Objects that neither the stack nor KServe or Knative made."""
    path = kind.path(namespace=namespace)
    what = f"{kind.plural} in namespace {namespace}"
    listed = ask(client, path, _Listed.model_validate, what=what, headers=METADATA_ONLY)
    for found in listed.items if listed else ():
        metadata = found.metadata
        is_made = any(MAKERS.fullmatch(one.group) for one in metadata.owners)
        if not is_made and not metadata.deleted and metadata.annotations.get(STACK_ANNOTATION) != owner:
            yield found
