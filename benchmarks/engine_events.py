"""Pulumi's engine events, collapsed to the program's components."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from benchmarks.results import Interval, Step, Wait

COMPONENTS = "kserve-multi-model:"
# Components of several instances go by name.
BY_NAME = ("InferenceService", "StorageCredentials")
CHART = "kubernetes:helm.sh/v4:Chart"
# Events tell whole seconds.
RESOLUTION = 1.0
# What takes less is not worth a line.
SHORTEST_WAIT = 3.0


def component_steps(log: Iterable[str]) -> tuple[Step, ...]:
    """When something of each component was under way, in seconds since the first event; ordered by their ends.

    `log` has one event a line, as `pulumi up --event-log` writes them.
    """
    began: float | None = None
    started: dict[str, float] = {}
    intervals: dict[str, list[Interval]] = defaultdict(list)
    for line in log:
        event = json.loads(line)
        began = event["timestamp"] if began is None else began
        now = event["timestamp"] - began
        if announced := event.get("resourcePreEvent"):
            started.setdefault(announced["metadata"]["urn"], now)
        elif done := event.get("resOutputsEvent"):
            urn = done["metadata"]["urn"]
            if name := _component(urn):
                intervals[name].append((started.get(urn, now), now))
    steps = (Step(name=name, intervals=tuple(_merged(found))) for name, found in intervals.items())
    return tuple(sorted(steps, key=lambda step: step.end_s))


def deletions(log: Iterable[str]) -> tuple[Wait, ...]:
    """What a destroy waited for SHORTEST_WAIT seconds and longer, in the order it began to."""
    started: dict[str, float] = {}
    waits = []
    began: float | None = None
    for line in log:
        event = json.loads(line)
        began = event["timestamp"] if began is None else began
        now = event["timestamp"] - began
        if announced := event.get("resourcePreEvent"):
            started.setdefault(announced["metadata"]["urn"], now)
        elif done := event.get("resOutputsEvent"):
            urn = done["metadata"]["urn"]
            start = started.get(urn, now)
            if now - start >= SHORTEST_WAIT:
                waits.append(Wait(name=_short(urn), start_s=start, end_s=now))
    return tuple(sorted(waits, key=lambda wait: (wait.start_s, wait.end_s)))


def _short(urn: str) -> str:
    """A resource's kind and name."""
    _, _, types, name = urn.split("::", 3)
    return f"{types.rpartition(':')[2]} {name}"


def _component(urn: str) -> str | None:
    """The component a resource is part of; None for what takes no time itself, such as components."""
    _, _, types, name = urn.split("::", 3)
    first, _, rest = types.partition("$")
    if not first.startswith(COMPONENTS) or not rest or rest.rpartition("$")[2] == CHART:
        return None
    component = first.rpartition(":")[2]
    return f"{component} {name}" if component in BY_NAME else component


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals that overlap or touch, as one each."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= RESOLUTION:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
