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
    answer = client.get(f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return {}
    if not answer.is_success:
        return None
    return {model.name: model for model in RunningModels.model_validate(answer.json()).items}


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
