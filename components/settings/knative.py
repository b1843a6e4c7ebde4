"""Settings of Knative for every model on a platform, and what of them a model needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from components.settings.errors import Location
from components.settings.fields import HOST_PORT, Matching, Section
from components.settings.model import Model
from components.settings.server import COMPONENT_TYPES, Component

# Fields of pods that Knative refuses unless its ConfigMap config-features enables them, by Knative's names for them.
PodFeature = Literal[
    "podspec-affinity",
    "podspec-topologyspreadconstraints",
    "podspec-priorityclassname",
    "podspec-persistent-volume-claim",
    "podspec-persistent-volume-write",
]


class KnativeSettings(Section):
    """Settings of Knative for every model on the platform."""

    pod_features: tuple[PodFeature, ...] = Field(
        default=(),
        description="fields of pods that Knative lets models of other stacks have; those that models of this stack "
        "have are enabled without it",
    )
    registries_skipping_tag_resolving: tuple[
        Annotated[str, Matching(pattern=HOST_PORT, what="registry: write its host, with a port if it has one")], ...
    ] = Field(
        default=(),
        description="more registries whose image tags Knative leaves as they are, because it cannot reach them; "
        "otherwise it resolves a tag to a digest once a version",
    )


def features_of(model: Model) -> Mapping[Location, tuple[PodFeature, ...]]:
    """Features that Knative must enable for a model, by the path of the setting that needs them."""
    if model.mode != "Knative":
        return {}
    parts: dict[Location, Model | Component] = {(): model}
    parts |= {(kind,): part for kind in COMPONENT_TYPES if (part := model.component(kind))}
    return {(*place, setting): needed for place, part in parts.items() for setting, needed in _needed(part)}


def _needed(part: Model | Component) -> Iterator[tuple[str, tuple[PodFeature, ...]]]:
    if part.affinity:
        yield "affinity", ("podspec-affinity",)
    if part.topology_spread:
        yield "topology_spread", ("podspec-topologyspreadconstraints",)
    if part.priority_class:
        yield "priority_class", ("podspec-priorityclassname",)
    claims = [volume for volume in part.volumes if volume.persistent_volume_claim]
    if claims:
        written: tuple[PodFeature, ...] = ("podspec-persistent-volume-write",)
        is_written = any(not volume.read_only for volume in claims)
        yield "volumes", ("podspec-persistent-volume-claim", *(written if is_written else ()))
