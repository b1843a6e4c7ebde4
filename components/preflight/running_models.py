"""How models and graphs run in the cluster now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import httpx2 as httpx
import pulumi
from pydantic import AliasPath, BaseModel, Field

from components.objects.owner import ANNOTATION
from components.serving.mode_fields import MODE_ANNOTATION
from components.settings.graph import Graph
from components.settings.model import Model

MODELS = ("v1beta1", "inferenceservices")
GRAPHS = ("v1alpha1", "inferencegraphs")


class Running(BaseModel):
    """An InferenceService.

    Attributes:
        owner: the stack it is of; "" where it is none's.
        mode: what KServe runs it in, None until it does.

    """

    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    owner: str = Field("", validation_alias=AliasPath("metadata", "annotations", ANNOTATION))
    mode: str | None = Field(None, validation_alias=AliasPath("status", "deploymentMode"))


class RunningGraph(Running):
    """An InferenceGraph, whose status does not say its mode."""

    mode: str | None = Field("Knative", validation_alias=AliasPath("metadata", "annotations", MODE_ANNOTATION))


class _Models(BaseModel):
    items: tuple[Running, ...] = ()


class _Graphs(BaseModel):
    items: tuple[RunningGraph, ...] = ()


Listed = TypeVar("Listed", _Models, _Graphs)


def running_in(client: httpx.Client, namespace: str) -> Mapping[str, Running] | None:
    """Those of a namespace, by name; none without KServe, and None where the cluster does not tell."""
    models = _asked(client, MODELS, kind=_Models, place=f"namespaces/{namespace}/")
    graphs = _asked(client, GRAPHS, kind=_Graphs, place=f"namespaces/{namespace}/")
    if models is None or graphs is None:
        return None
    return {served.name: served for served in (*models.items, *graphs.items)}


def stacks_behind_knative(client: httpx.Client) -> frozenset[str]:
    """The stacks that have models or graphs behind Knative, in any namespace that the cluster tells of."""
    models, graphs = _asked(client, MODELS, kind=_Models), _asked(client, GRAPHS, kind=_Graphs)
    everything = (*(models.items if models else ()), *(graphs.items if graphs else ()))
    return frozenset(served.owner for served in everything if served.mode == "Knative" and served.owner)


def _asked(client: httpx.Client, resource: tuple[str, str], *, kind: type[Listed], place: str = "") -> Listed | None:
    version, plural = resource
    answer = client.get(f"/apis/serving.kserve.io/{version}/{place}{plural}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return kind()
    return kind.model_validate(answer.json()) if answer.is_success else None


def changing_mode(served: Iterable[Model | Graph], *, running: Mapping[str, Running] | None) -> frozenset[str]:
    """Names of those that run in another mode than they should, each with a warning; `running` in their namespace.

    KServe changes nobody's mode: such a one is deleted first and then made anew. Where the cluster does not tell, all
    of them may be such.
    """
    if running is None:
        return frozenset(one.name for one in served)
    modes = {name: one.mode for name, one in running.items()}
    changing = [one for one in served if modes.get(one.name) not in {None, one.mode}]
    for one in changing:
        pulumi.log.warn(
            f"{one.name} changes from mode {modes[one.name]} to {one.mode}, which KServe cannot do: it is "
            "deleted and made anew, and does not answer in between. To avoid that, add it under another name, let its "
            "clients ask there, and then remove this one"
        )
    return frozenset(one.name for one in changing)
