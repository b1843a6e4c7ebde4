"""KServe's ways to run a model: behind Knative, or as a plain Deployment (Standard); which settings go with which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from components.settings.model import Model
    from components.settings.server import Replicas, Scale

Mode = Literal["Knative", "Standard"]
MODES: tuple[Mode, ...] = get_args(Mode)
# A horizontal pod autoscaler's, in per cent of what a server requests; Knative's are counts of requests.
USAGE_METRICS = ("cpu", "memory")
# KServe checks it so, for memory too.
MOST_USAGE = 100
# KServe selects a Deployment's pods by it.
SELECTOR_LABEL = "app"


def problems_with_mode(model: Model) -> dict[str, str]:
    """What a model says that KServe would leave out in its mode, by setting."""
    problems = scaling_problems(model.mode, replicas=model.replicas, scale=model.scale)
    if model.mode == "Standard":
        problems |= _standard_problems(model)
    return {setting: problem for setting, problem in problems.items() if problem}


def scaling_problems(mode: Mode, *, replicas: Replicas, scale: Scale) -> dict[str, str | None]:
    """What is said of a model's or a graph's scaling that there is not in its mode, by setting."""
    if mode == "Standard":
        asleep = "min 0 needs mode Knative: in mode Standard nothing scales to zero" if replicas.min == 0 else None
        return {"replicas": asleep, "scale": _standard_scale_problem(replicas=replicas, scale=scale)}
    by_usage = f"metric {scale.metric} needs mode Standard; in mode Knative it is concurrency or rps"
    return {"scale": by_usage if scale.metric in USAGE_METRICS else None}


def _standard_problems(model: Model) -> dict[str, str | None]:
    return {
        "concurrency": (
            "needs mode Knative: in mode Standard nothing holds requests back"
            if model.concurrency is not None
            else None
        ),
        "canary": (
            "needs mode Knative: in mode Standard KServe does not share requests between two versions"
            if model.canary
            else None
        ),
        "labels": (
            f"{SELECTOR_LABEL} is KServe's own in mode Standard: it finds the model's pods by it"
            if SELECTOR_LABEL in model.labels
            else None
        ),
    }


def _standard_scale_problem(*, replicas: Replicas, scale: Scale) -> str | None:
    if scale.window is not None:
        return "window needs mode Knative: in mode Standard it is the cluster's to say"
    if scale.metric not in {None, *USAGE_METRICS}:
        return f"metric {scale.metric} needs mode Knative; in mode Standard it is cpu or memory"
    if scale.target is not None and scale.target > MOST_USAGE:
        return f"target {scale.target} is more than {MOST_USAGE}: in mode Standard it is per cent of what is requested"
    if scale.metric == "memory" and scale.target is None:
        return "target is missing: metric memory has none of its own; say how many per cent of what is requested"
    if (scale.metric or scale.target) and replicas.min == replicas.max:
        return f"has no effect: replicas.min and replicas.max are both {replicas.max}; raise max, or drop it"
    return None
