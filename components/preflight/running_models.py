"""Models and graphs that run in the cluster already: their owners and modes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx2 as httpx
import pulumi

from components.objects import STACK_ANNOTATION
from components.preflight.platform_checks import KNATIVE_MODES
from components.preflight.platform_facts import ask
from components.settings.graph import Graph
from components.settings.model import Model
from kube.read import read_list
from kube.views.base import Object, View
from kube.views.knative import KnativeService
from kube.views.kserve import InferenceGraph, InferenceService, Served

KINDS: tuple[type[Served], ...] = (InferenceService, InferenceGraph)


class _Listed(View):
    items: tuple[dict[str, Any], ...]


def stack_of(found: Object) -> str:
    """Full name of the stack that declared an object; empty if none did."""
    return found.metadata.annotations.get(STACK_ANNOTATION, "")


def running_in(client: httpx.Client, namespace: str) -> Mapping[str, Served]:
    """Models and graphs of a namespace by name; empty on a cluster without KServe.

    Raises:
        UntoldError: the cluster does not tell.
    """
    return {running.name: running for kind in KINDS for running in _list(kind, client, namespace=namespace)}


def others_behind_knative(client: httpx.Client, *, owner: str) -> tuple[str, ...]:
    """Who needs Knative besides the stack `owner`, in all namespaces.

    Gives `models of <stack>` for other stacks with models or graphs in mode Knative, and `namespace/name` for models,
    graphs and Services of Knative that no stack made.

    Raises:
        ForbiddenError: this login may not read them.
        httpx.HTTPError: the cluster does not give them.
    """
    served = [running for kind in KINDS for running in read_list(kind, client) if running.mode in KNATIVE_MODES]
    # Those that KServe made have an owner, which counts.
    services = [found for found in read_list(KnativeService, client, metadata_only=True) if not found.metadata.owners]
    users = [(stack_of(found), f"{found.namespace}/{found.name}") for found in [*served, *services]]
    return tuple(sorted({f"models of {stack}" if stack else name for stack, name in users if stack != owner}))


def _list(kind: type[Served], client: httpx.Client, *, namespace: str) -> tuple[Served, ...]:
    what = f"{kind.plural} in namespace {namespace}"
    listed = ask(client, kind.path(namespace=namespace), _Listed.model_validate, what=what)
    return tuple(kind.model_validate(item) for item in listed.items) if listed else ()


def changing_mode(declared: Iterable[Model | Graph], *, running: Mapping[str, Served]) -> frozenset[str]:
    """Names of models and graphs of one namespace that run in another mode than declared. Warns of each.

    KServe cannot change the mode of an object, so Pulumi has to delete it before it creates the new one.
    """
    modes = {name: model.mode for name, model in running.items() if model.mode}
    changing = [served for served in declared if modes.get(served.service, served.mode) != served.mode]
    for served in changing:
        pulumi.log.warn(
            f"{served.name} changes from mode {modes[served.service]} to {served.mode}, which KServe cannot do: it is "
            "deleted and made anew, and does not answer in between. To avoid that, add it under another name, change "
            "its clients to that name, and then remove this one"
        )
    return frozenset(served.name for served in changing)
