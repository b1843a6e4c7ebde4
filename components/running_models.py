"""How models run in the cluster now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx2 as httpx
import pulumi
from pydantic import AliasPath, BaseModel, Field

from components.model_settings import Model
from components.owner import ANNOTATION


class RunningModel(BaseModel):
    """An InferenceService.

    Attributes:
        owner: the stack it is of; "" where it is none's.
        mode: what KServe runs it in, None until it does.

    """

    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    owner: str = Field("", validation_alias=AliasPath("metadata", "annotations", ANNOTATION))
    mode: str | None = Field(None, validation_alias=AliasPath("status", "deploymentMode"))


class RunningModels(BaseModel):
    """A list of them."""

    items: tuple[RunningModel, ...] = ()


def running_models(client: httpx.Client, namespace: str) -> Mapping[str, RunningModel] | None:
    """Those of a namespace, by name; none without KServe, and None where the cluster does not tell."""
    found = _listed(client, f"namespaces/{namespace}/")
    return None if found is None else {model.name: model for model in found}


def stacks_behind_knative(client: httpx.Client) -> frozenset[str]:
    """The stacks that have models behind Knative, in any namespace that the cluster tells of."""
    return frozenset(model.owner for model in _listed(client) or () if model.mode == "Knative" and model.owner)


def _listed(client: httpx.Client, place: str = "") -> tuple[RunningModel, ...] | None:
    answer = client.get(f"/apis/serving.kserve.io/v1beta1/{place}inferenceservices")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ()
    return RunningModels.model_validate(answer.json()).items if answer.is_success else None


def models_changing_mode(models: Iterable[Model], *, running: Mapping[str, RunningModel] | None) -> frozenset[str]:
    """Names of those that run in another mode than they should, each with a warning; `running` in their namespace.

    KServe changes no model's mode: such a one is deleted first and then made anew. Where the cluster does not tell, all
    of them may be such.
    """
    if running is None:
        return frozenset(model.name for model in models)
    modes = {name: model.mode for name, model in running.items()}
    changing = [model for model in models if modes.get(model.name) not in {None, model.mode}]
    for model in changing:
        pulumi.log.warn(
            f"{model.name} changes from mode {modes[model.name]} to {model.mode}, which KServe cannot do: it is "
            "deleted and made anew, and does not answer in between. To avoid that, add it under another name, let its "
            "clients ask there, and then remove this one"
        )
    return frozenset(model.name for model in changing)
