"""`python -m benchmarks.teardown`: move models, destroy them idle and busy, and add the times to docs/benchmarks.*."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from benchmarks.__main__ import RESULTS, report, run
from benchmarks.commands import PROJECT
from benchmarks.engine_events import deletions
from benchmarks.load import InFlight, Load
from benchmarks.local_cluster import LocalCluster
from benchmarks.machine import this_machine
from benchmarks.program import Stack
from benchmarks.results import Destroy, Results, Teardown
from benchmarks.rollout import target
from predict.endpoints import parse_endpoints

MODELS, CLUSTER = "kserve-multi-model:models", "kserve-multi-model:cluster"
THIRD = {"name": "third-model", "format": "xgboost", "storage_uri": "s3://models/xgboost-v2", "storage": "demo"}
# A batch that is never full holds its requests for this long, in milliseconds: almost as long as they may take.
HOLDING = {"batcher": {"max_batch_size": 1000, "max_latency": 280_000}}
BUSY: tuple[dict[str, Any], ...] = ({"name": "holding"}, {"name": "holding-plain", "mode": "Standard"})
SETTLING_SECONDS = 60
ARRIVING_SECONDS = 5
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)


@app.command()
def teardown(
    name: Annotated[str, typer.Option(help="The local cluster to make, and to remove.")] = "bench",
    rate: Annotated[float, typer.Option(min=1, help="Requests a second to each model that answers.")] = 10,
) -> None:
    """Deploy the demo, move it to another namespace, destroy it idle and busy, and write docs/benchmarks.*."""
    results = Results.read(RESULTS) or Results(machine=this_machine())
    cluster = LocalCluster.with_free_subnet(name)
    try:
        with console.status("starting a local cluster, and deploying to it"):
            cluster.up()
        with Stack.on(cluster.network, environment=cluster.environment()) as stack:
            measured = _measured(stack, rate=rate)
    finally:
        cluster.down()
    results = results.model_copy(update={"teardown": measured})
    results.write(RESULTS)
    report(results)


def _measured(stack: Stack, *, rate: float) -> Teardown:
    demo = _models(stack)
    _say(stack, **{MODELS: [*demo, THIRD]})
    _up(stack)
    time.sleep(SETTLING_SECONDS)
    _say(stack, **{CLUSTER: {"namespace": "elsewhere"}})
    move_s = _up(stack)
    console.print(f"three models and their graph moved to another namespace: {move_s:.0f} s")
    time.sleep(SETTLING_SECONDS)
    idle = _destroyed(stack)
    console.print(f"destroyed: {idle.total_s:.0f} s")
    busy_models = [demo[0] | HOLDING | model for model in BUSY]
    _say(stack, **{CLUSTER: {}, MODELS: [*demo, *busy_models]})
    _up(stack)
    endpoints = parse_endpoints(yaml.safe_load(stack.endpoints()))
    with ExitStack() as asking:
        for model in demo:
            asking.enter_context(Load(target(endpoints[model["name"]]), clients=2, rate=rate))
        for model in busy_models:
            asking.enter_context(InFlight(target(endpoints[model["name"]])))
        time.sleep(ARRIVING_SECONDS)
        busy = _destroyed(stack)
    console.print(f"destroyed while busy: {busy.total_s:.0f} s")
    return Teardown(move_s=move_s, idle=idle, busy=busy)


def _up(stack: Stack) -> float:
    return stack.pulumi("up", "--yes", "--skip-preview").seconds


def _destroyed(stack: Stack) -> Destroy:
    with TemporaryDirectory() as directory:
        log = Path(directory) / "events"
        done = stack.pulumi(
            *("destroy", "--yes", "--skip-preview", "--event-log", str(log)), more={"PULUMI_DEBUG_COMMANDS": "true"}
        )
        with log.open() as events:
            return Destroy(waits=deletions(events), total_s=done.seconds)


def _models(stack: Stack) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = yaml.safe_load(_file(stack).read_text())["config"][MODELS]
    return models


def _say(stack: Stack, **settings: Any) -> None:
    """Set these in the stack's file; an empty one is taken out."""
    document = yaml.safe_load(_file(stack).read_text())
    config: Mapping[str, Any] = {**document["config"], **settings}
    document["config"] = {key: value for key, value in config.items() if value != {}}
    _file(stack).write_text(yaml.safe_dump(document))


def _file(stack: Stack) -> Path:
    return PROJECT / f"Pulumi.{stack.name}.yaml"


if __name__ == "__main__":
    run(app)
