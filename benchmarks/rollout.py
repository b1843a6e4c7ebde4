"""`python -m benchmarks.rollout`: change a model under load, and add what the clients saw to docs/benchmarks.*."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import JsonValue
from rich.console import Console

import stack_files
from benchmarks.__main__ import RESULTS, report, run
from benchmarks.commands import PROJECT, CommandError
from benchmarks.load import Load, Shots, Target, milliseconds
from benchmarks.local_cluster import LocalCluster
from benchmarks.machine import this_machine
from benchmarks.program import Stack
from benchmarks.results import Change, Results
from predict.endpoints import Check, Endpoint, parse_endpoints

MODEL = "xgboost-model"
OLD, NEW = "s3://models/xgboost", "s3://models/xgboost-v2"
QUIET_SECONDS = 10
AFTER_SECONDS = 10
# What is said of the model, one `pulumi up` after the other.
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("roll out", {"storage_uri": NEW}),
    ("canary, 10 %", {"storage_uri": OLD, "canary": {"traffic": 10}}),
    ("canary, 50 %", {"storage_uri": OLD, "canary": {"traffic": 50}}),
    ("promote", {"storage_uri": OLD}),
    ("roll back", {"storage_uri": OLD, "canary": {"traffic": 0}}),
)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)


@app.command()
def rollout(
    name: Annotated[str, typer.Option(help="The local cluster to make, and to remove.")] = "bench",
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 40,
) -> None:
    """Deploy the demo, change a model under load, and write docs/benchmarks.*."""
    results = Results.read(RESULTS) or Results(machine=this_machine())
    cluster = LocalCluster.with_free_subnet(name)
    try:
        with console.status("starting a local cluster, and deploying to it"):
            cluster.up()
        with Stack.on(cluster.network, environment=cluster.environment()) as stack:
            stack.pulumi("up", "--yes", "--skip-preview")
            changes = tuple(measured(stack, rate=rate))
    finally:
        cluster.down()
    results = results.model_copy(update={"changes": changes})
    results.write(RESULTS)
    report(results)


def measured(stack: Stack, *, rate: float) -> Iterator[Change]:
    """Each of the changes under one load; the first is none, for comparison."""
    with Load(target(parse_endpoints(json.loads(stack.endpoints()))[MODEL]), rate=rate) as load:
        load.wait(QUIET_SECONDS)
        yield _change("none", load.shots, up_s=0, after=load.shots)
        for name, said in CHANGES:
            _say(stack, said)
            began = load.now
            up = stack.pulumi("up", "--yes", "--skip-preview")
            ended = load.now
            load.wait(AFTER_SECONDS)
            shots, now = load.shots, load.now
            yield _change(name, shots.between(began, now), up_s=up.seconds, after=shots.between(ended, now))


def target(endpoint: Endpoint) -> Target:
    """A model, asked for the rows of its check. Raises CommandError where it has none."""
    if not isinstance(endpoint.check, Check):
        raise CommandError(f"{endpoint.name} has no check, whose rows could be asked")
    return Target(
        gateway=endpoint.gateway_address,
        host=endpoint.host,
        path=endpoint.predict_path,
        instances=endpoint.check.instances,
    )


def _say(stack: Stack, said: dict[str, Any]) -> None:
    """Set what is said of the model in the stack's file, instead of what was said of its version."""
    file = PROJECT / f"Pulumi.{stack.name}.yaml"
    document = stack_files.read(file)
    for model in document["config"]["kserve-multi-model:models"]:
        if model["name"] == MODEL:
            model.pop("canary", None)
            model.update(said)
    stack_files.write(file, document)


def _is_new(predictions: list[JsonValue]) -> bool:
    """The second version says how sure it is of the other class."""
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
    console.print(f"{name}: {shots.told}; p50 {p50} ms, p95 {p95} ms", markup=False)
    return change


if __name__ == "__main__":
    run(app)
