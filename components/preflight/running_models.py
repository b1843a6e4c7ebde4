"""Models and graphs that run in the cluster already: their owners and modes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import httpx2 as httpx
import pulumi
from pydantic import AliasPath, BaseModel, Field

from components.objects import STACK_ANNOTATION
from components.serving.modes import MODE_ANNOTATION
from components.settings.graph import Graph
from components.settings.model import Model


class RunningModel(BaseModel):
    """InferenceService in the cluster.

    Attributes:
        owner: stack that declared it, or "".
        mode: mode that KServe runs it in; None before it does.

    """

    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    owner: str = Field("", validation_alias=AliasPath("metadata", "annotations", STACK_ANNOTATION))
    mode: str | None = Field(None, validation_alias=AliasPath("status", "deploymentMode"))


class RunningGraph(RunningModel):
    """InferenceGraph in the cluster. Its status does not have its mode, so the mode is the declared one."""

    mode: str | None = Field("Knative", validation_alias=AliasPath("metadata", "annotations", MODE_ANNOTATION))


class _Models(BaseModel):
    items: tuple[RunningModel, ...] = ()


class _Graphs(BaseModel):
    items: tuple[RunningGraph, ...] = ()


Listed = TypeVar("Listed", _Models, _Graphs)


def running_in(client: httpx.Client, namespace: str) -> Mapping[str, RunningModel] | None:
    """Models and graphs of a namespace by name, or None if the cluster does not tell. None exist without KServe."""
    models = _list(client, f"v1beta1/namespaces/{namespace}/inferenceservices", kind=_Models)
    graphs = _list(client, f"v1alpha1/namespaces/{namespace}/inferencegraphs", kind=_Graphs)
    if models is None or graphs is None:
        return None
    return {running.name: running for running in (*models.items, *graphs.items)}


def stacks_behind_knative(client: httpx.Client) -> frozenset[str]:
    """Stacks with models or graphs in mode Knative, in all namespaces that this login may read."""
    models = _list(client, "v1beta1/inferenceservices", kind=_Models) or _Models()
    graphs = _list(client, "v1alpha1/inferencegraphs", kind=_Graphs) or _Graphs()
    everything = (*models.items, *graphs.items)
    return frozenset(running.owner for running in everything if running.mode == "Knative" and running.owner)


def _list(client: httpx.Client, path: str, *, kind: type[Listed]) -> Listed | None:
    answer = client.get(f"/apis/serving.kserve.io/{path}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return kind()
    return kind.model_validate(answer.json()) if answer.is_success else None


def changing_mode(declared: Iterable[Model | Graph], *, running: Mapping[str, RunningModel] | None) -> frozenset[str]:
    """Names of models and graphs of one namespace that run in another mode than declared. Warns of each.

    KServe cannot change the mode of an object, so Pulumi has to delete it before it makes the new one. If the cluster
    does not tell what runs (None), any of them may have to be.
    """
    if running is None:
        return frozenset(served.name for served in declared)
    modes = {name: model.mode for name, model in running.items()}
    changing = [served for served in declared if modes.get(served.name) not in {None, served.mode}]
    for served in changing:
        pulumi.log.warn(
            f"{served.name} changes from mode {modes[served.name]} to {served.mode}, which KServe cannot do: it is "
            "deleted and made anew, and does not answer in between. To avoid that, add it under another name, change "
            "its clients to that name, and then remove this one"
        )
    return frozenset(served.name for served in changing)
