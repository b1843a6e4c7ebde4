"""`python -m benchmarks.teardown`: move models, destroy them idle and busy, and add the times to docs/benchmarks.*."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from benchmarks.__main__ import Name, console, last_results, new_stack, report, run
from benchmarks.engine_events import deletions
from benchmarks.load import Load, Target, send_and_hold
from benchmarks.program import Stack
from benchmarks.results import Destroy, Teardown
from endpoints.endpoint import parse_endpoints

THIRD = {"name": "third-model", "format": "xgboost", "storage_uri": "s3://models/xgboost-v2", "storage": "demo"}
# A batch that is never full holds its requests for this long, in milliseconds: almost as long as they may take.
HOLDING = {"batcher": {"max_batch_size": 1000, "max_latency": 280_000}}
BUSY: tuple[dict[str, Any], ...] = ({"name": "holding"}, {"name": "holding-plain", "mode": "Standard"})
SETTLING_SECONDS = 60
ARRIVING_SECONDS = 5
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def teardown(
    name: Name = "bench",
    rate: Annotated[float, typer.Option(min=1, help="Requests a second to each model that answers.")] = 10,
) -> None:
    """Deploy the demo, move it to another namespace, destroy it idle and busy, and write docs/benchmarks.*."""
    results = last_results()
    with new_stack(name) as stack:
        measured = _measure(stack, rate=rate)
    report(results.model_copy(update={"teardown": measured}))


def _measure(stack: Stack, *, rate: float) -> Teardown:
    demo = stack.settings()["models"]
    stack.configure(models=[*demo, THIRD])
    stack.change("up")
    time.sleep(SETTLING_SECONDS)
    stack.configure(cluster={"namespace": "elsewhere"})
    move_s = stack.change("up").seconds
    console.print(f"three models and their graph moved to another namespace: {move_s:.0f} s")
    time.sleep(SETTLING_SECONDS)
    idle = _destroy(stack)
    console.print(f"destroyed: {idle.total_s:.0f} s")
    busy_models = [demo[0] | HOLDING | model for model in BUSY]
    stack.configure(cluster={}, models=[*demo, *busy_models])
    stack.change("up")
    endpoints = parse_endpoints(json.loads(stack.endpoints()))
    with ExitStack() as loads:
        for model in demo:
            loads.enter_context(Load(Target.of(endpoints[model["name"]]), clients=2, rate=rate))
        for model in busy_models:
            send_and_hold(Target.of(endpoints[model["name"]]))
        time.sleep(ARRIVING_SECONDS)
        busy = _destroy(stack)
    console.print(f"destroyed while busy: {busy.total_s:.0f} s")
    return Teardown(move_s=move_s, idle=idle, busy=busy)


def _destroy(stack: Stack) -> Destroy:
    done, events = stack.change_with_events("destroy")
    return Destroy(waits=deletions(events), total_s=done.seconds)


if __name__ == "__main__":
    run(app)
