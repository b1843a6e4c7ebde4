"""How long Pulumi worked on each resource, from the engine's event log.

`log` is what `pulumi up|destroy --event-log` writes, one event a line. Times are in seconds since the first event.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator

from benchmarks.results import Interval, Step, Wait

COMPONENTS = "kserve-multi-model:"
# Component types of which a stack has several; their steps are named after each instance.
BY_NAME = ("InferenceService", "StorageCredentials")
CHART = "kubernetes:helm.sh/v4:Chart"
# The engine stamps events with whole seconds.
RESOLUTION = 1.0
# Shorter waits are left out of the report.
SHORTEST_WAIT = 3.0


def component_steps(log: Iterable[str]) -> tuple[Step, ...]:
    """When some resource of each component was being made, ordered by the components' ends."""
    intervals: dict[str, list[Interval]] = defaultdict(list)
    for urn, start, end in _operations(log):
        if name := _component(urn):
            intervals[name].append((start, end))
    steps = (Step(name=name, intervals=tuple(_merged(found))) for name, found in intervals.items())
    return tuple(sorted(steps, key=lambda step: step.end_s))


def deletions(log: Iterable[str]) -> tuple[Wait, ...]:
    """Deletions that took SHORTEST_WAIT seconds or longer, ordered by their starts."""
    waits = (
        Wait(name=_kind_and_name(urn), start_s=start, end_s=end)
        for urn, start, end in _operations(log)
        if end - start >= SHORTEST_WAIT
    )
    return tuple(sorted(waits, key=lambda wait: (wait.start_s, wait.end_s)))


def _operations(log: Iterable[str]) -> Iterator[tuple[str, float, float]]:
    """Finished operations as (URN, start, end); one that was tried again starts with its first try."""
    first: float | None = None
    started: dict[str, float] = {}
    for line in log:
        event = json.loads(line)
        first = event["timestamp"] if first is None else first
        now = event["timestamp"] - first
        if begun := event.get("resourcePreEvent"):
            started.setdefault(begun["metadata"]["urn"], now)
        elif done := event.get("resOutputsEvent"):
            urn = done["metadata"]["urn"]
            yield urn, started.get(urn, now), now


def _kind_and_name(urn: str) -> str:
    _, _, types, name = urn.split("::", 3)
    return f"{types.rpartition(':')[2]} {name}"


def _component(urn: str) -> str | None:
    """The component a resource belongs to; None for components and charts, which take no time themselves."""
    _, _, types, name = urn.split("::", 3)
    first, _, rest = types.partition("$")
    if not first.startswith(COMPONENTS) or not rest or rest.rpartition("$")[2] == CHART:
        return None
    component = first.rpartition(":")[2]
    return f"{component} {name}" if component in BY_NAME else component


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals, with those that overlap or touch merged."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= RESOLUTION:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
