"""KServe's two ways to run a model, and how its servers are scaled in each."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from components.settings.errors import Location, refuse
from components.settings.fields import Section

# Knative: behind Knative Serving. Standard: as a plain Deployment.
Mode = Literal["Knative", "Standard"]
MODES: tuple[Mode, ...] = get_args(Mode)
# Metrics of a HorizontalPodAutoscaler, in per cent of what a server requests. Knative counts requests instead.
USAGE_METRICS = ("cpu", "memory")
# Settings that Knative's autoscaler alone has.
KNATIVE_SCALE = ("window", "target_utilization_percentage", "initial_scale", "scale_to_zero_pod_retention_period")
# KServe allows no higher target, for memory either.
MAX_USAGE_TARGET = 100


class Replicas(Section):
    """How many servers run, at least and at most. With a minimum of 0, idle servers are scaled to zero."""

    min: int = Field(default=1, ge=0, description="servers that always run; 0 allows scaling to zero")
    max: int = Field(default=1, ge=1, description="servers at most")

    @model_validator(mode="after")
    def _min_up_to_max(self) -> Self:
        refuse({"min": f"{self.min} is more than max, {self.max}" if self.min > self.max else None})
        return self


class Scale(Section):
    """When servers are added or removed between `replicas.min` and `replicas.max`."""

    metric: Literal["concurrency", "rps", "cpu", "memory"] | None = Field(
        default=None,
        description="what is measured: in mode Knative `concurrency`, the requests at a time (default), or `rps`, the "
        "requests a second; in mode Standard the use of `cpu` (default) or `memory`",
    )
    target: int | None = Field(
        default=None,
        ge=1,
        description="how much of it each server should have; when left out, 100 requests at a time, 200 a second, or "
        "80 per cent of the cpu that a server requests",
    )
    window: int | None = Field(
        default=None, ge=6, le=3600, description="seconds over which requests are averaged; 60 when left out"
    )
    target_utilization_percentage: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="per cent of the target at which a server is added, in mode Knative; 70 when left out",
    )
    initial_scale: int | None = Field(
        default=None, ge=1, description="servers of a new version at first, in mode Knative; 1 when left out"
    )
    scale_to_zero_pod_retention_period: int | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="seconds for which the last idle server stays before scaling to zero, in mode Knative",
    )


def scaling_problems(mode: Mode, *, replicas: Replicas, scale: Scale) -> dict[str | Location, str | None]:
    """What is wrong with the scaling of a model or graph in its mode: setting → problem."""
    if mode == "Standard":
        to_zero = "min 0 needs mode Knative: in mode Standard nothing scales to zero" if replicas.min == 0 else None
        return {"replicas": to_zero, "scale": _standard_scale_problem(replicas=replicas, scale=scale)}
    by_usage = f"metric {scale.metric} needs mode Standard; in mode Knative it is concurrency or rps"
    return {
        "scale": by_usage if scale.metric in USAGE_METRICS else _knative_scale_problem(replicas=replicas, scale=scale)
    }


def _knative_scale_problem(*, replicas: Replicas, scale: Scale) -> str | None:
    if scale.scale_to_zero_pod_retention_period is not None and replicas.min > 0:
        return (
            f"scale_to_zero_pod_retention_period has no effect: with replicas.min {replicas.min} nothing scales to "
            "zero; drop it, or set replicas.min to 0"
        )
    if scale.initial_scale is not None and scale.initial_scale > replicas.max:
        return f"initial_scale {scale.initial_scale} is more than replicas.max, {replicas.max}; lower it, or raise max"
    return None


def _standard_scale_problem(*, replicas: Replicas, scale: Scale) -> str | None:
    if of_knative := [name for name in KNATIVE_SCALE if getattr(scale, name) is not None]:
        return f"{of_knative[0]} needs mode Knative: in mode Standard the cluster decides it"
    if scale.metric not in {None, *USAGE_METRICS}:
        return f"metric {scale.metric} needs mode Knative; in mode Standard it is cpu or memory"
    if scale.target is not None and scale.target > MAX_USAGE_TARGET:
        return (
            f"target {scale.target} is more than {MAX_USAGE_TARGET}: in mode Standard it is per cent of what a server "
            "requests"
        )
    if scale.metric == "memory" and scale.target is None:
        return "target is missing: metric memory has no default; give a per cent of what a server requests"
    if (scale.metric or scale.target) and replicas.min == replicas.max:
        return f"has no effect: replicas.min and replicas.max are both {replicas.max}; raise max, or drop it"
    return None
