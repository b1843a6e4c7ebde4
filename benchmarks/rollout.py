"""`python -m benchmarks.rollout`: change a model under load, and add what the clients saw to docs/benchmarks.*."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import JsonValue

from benchmarks.__main__ import Name, console, last_results, new_stack, report, run
from benchmarks.load import Load, Shots, Target, milliseconds
from benchmarks.program import Stack
from benchmarks.results import Change
from endpoints.endpoint import parse_endpoints

MODEL = "xgboost-model"
OLD, NEW = "s3://models/xgboost", "s3://models/xgboost-v2"
QUIET_SECONDS = 10
AFTER_SECONDS = 10
# The model's settings for one `pulumi up` after the other.
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("roll out", {"storage_uri": NEW}),
    ("canary, 10 %", {"storage_uri": OLD, "canary": {"traffic": 10}}),
    ("canary, 50 %", {"storage_uri": OLD, "canary": {"traffic": 50}}),
    ("promote", {"storage_uri": OLD}),
    ("roll back", {"storage_uri": OLD, "canary": {"traffic": 0}}),
)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def rollout(name: Name = "bench", rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 40) -> None:
    """Deploy the demo, change a model under load, and write docs/benchmarks.*."""
    results = last_results()
    with new_stack(name) as stack:
        with console.status("deploying the demo"):
            stack.change("up")
        changes = tuple(_measure(stack, rate=rate))
    report(results.model_copy(update={"changes": changes}))


def _measure(stack: Stack, *, rate: float) -> Iterator[Change]:
    """Make each of the changes under one load; the first row, without a change, is for comparison."""
    with Load(Target.of(parse_endpoints(json.loads(stack.endpoints()))[MODEL]), rate=rate) as load:
        time.sleep(QUIET_SECONDS)
        yield _change("none", load.shots, up_s=0, after=load.shots)
        for name, settings in CHANGES:
            stack.configure(models=[_changed(model, settings) for model in stack.settings()["models"]])
            began = load.now
            up = stack.change("up")
            ended = load.now
            time.sleep(AFTER_SECONDS)
            shots, now = load.shots, load.now
            yield _change(name, shots.between(began, now), up_s=up.seconds, after=shots.between(ended, now))


def _changed(model: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of MODEL with these instead of its version's; any other model as it is."""
    if model["name"] != MODEL:
        return model
    return {key: value for key, value in model.items() if key != "canary"} | settings


def _is_new(predictions: list[JsonValue]) -> bool:
    """Whether the second version answered: its probabilities are those of the other class."""
    first = predictions[0]
    return isinstance(first, float) and first < 0.5


def _change(name: str, shots: Shots, *, up_s: float, after: Shots) -> Change:
    p50, p95 = milliseconds(shots)
    change = Change(
        name=name,
        up_s=up_s,
        requests=len(shots),
        failures=len(shots.failures),
        p50_ms=p50,
        p95_ms=p95,
        v2_share_after=len(after.where(_is_new)) / len(after),
    )
    console.print(f"{name}: {shots.summary}; p50 {p50} ms, p95 {p95} ms", markup=False)
    return change


if __name__ == "__main__":
    run(app)
