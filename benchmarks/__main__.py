"""`python -m benchmarks`: measure, then write docs/benchmarks.json, .md and .svg."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.cold_build import build_cold
from benchmarks.commands import PROJECT, CommandError, Line
from benchmarks.in_sequence import InSequence
from benchmarks.local_cluster import LocalCluster
from benchmarks.plot import plot
from benchmarks.program import Stack
from benchmarks.report import markdown
from benchmarks.results import Boot, Deployment, Life, Results, Round
from benchmarks.sizes import cache_sizes, images_of, memory_of, this_machine
from cluster.errors import ClusterError
from cluster.locations import cache_dir

RESULTS = PROJECT / "docs" / "benchmarks.json"
IDLE_SECONDS = 60
Name = Annotated[str, typer.Option(help="The local cluster to make and to remove.")]
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)


@app.command()
def bench(
    rounds: Annotated[
        int, typer.Option(min=0, help="Deploy both ways this often; 0 keeps the last rounds' numbers.")
    ] = 2,
    cold: Annotated[bool, typer.Option(help="Build everything from nothing, too: takes most of half an hour.")] = False,
    name: Name = "bench",
) -> None:
    """Compare `pulumi up` with helm and kubectl in sequence, measure the rest, and write docs/benchmarks.*."""
    results = last_results()
    if cold or rounds:
        cluster = LocalCluster.with_free_subnet(name)
        results = results.model_copy(update={"machine": this_machine()})
    if cold:
        results = results.model_copy(update={"cold": build_cold(cluster.network, show=_show)})
        results.write(RESULTS)
    for number in range(1, rounds + 1):
        measured, life = _round(cluster, number=number)
        kept = results.rounds if number > 1 else ()
        results = results.model_copy(update={"rounds": (*kept, measured), "life": life or results.life})
        results.write(RESULTS)  # each round, so that an interrupted run has something to show
    report(results)


def last_results() -> Results:
    """The results of earlier runs."""
    return Results.read(RESULTS) or Results(machine=this_machine())


@contextmanager
def new_stack(name: str) -> Iterator[Stack]:
    """A stack of the demo, not yet deployed, on a local cluster that is removed at the end."""
    cluster = LocalCluster.with_free_subnet(name)
    try:
        _boot(cluster)
        with Stack.on(cluster.network, environment=cluster.environment()) as stack:
            yield stack
    finally:
        cluster.down()


def _show(line: Line) -> None:
    console.print(f"{line.seconds:6.0f} s {line.text}", markup=False)


def _round(cluster: LocalCluster, *, number: int) -> tuple[Round, Life | None]:
    """Deploy both ways; in the first round, also measure what comes after the first `up`."""
    try:
        first = _boot(cluster)
        with Stack.on(cluster.network, environment=cluster.environment()) as stack:
            pulumi = stack.deploy()
            _show_total(f"round {number}: pulumi up", pulumi)
            endpoints = stack.endpoints()
            life = _life(cluster, stack) if number == 1 else None
        cluster.down()
        second = _boot(cluster)
        environment = cluster.environment()
        with Stack.on(cluster.network, environment=environment) as stack:
            by_hand = InSequence(declared=stack.declared(), environment=environment)
        in_sequence = by_hand.deploy(endpoints=endpoints)
        _show_total(f"round {number}: helm and kubectl in sequence", in_sequence)
    finally:
        cluster.down()
    measured = Round(boots=(first, second), pulumi=pulumi, in_sequence=in_sequence)
    console.print(f"round {number}: ratio {measured.ratio:.2f}")
    return measured, life


def _boot(cluster: LocalCluster) -> Boot:
    with console.status("starting a local cluster"):
        boot = cluster.up()
    console.print(f"node ready after {boot.ready_s:.0f} s")
    return boot


def _show_total(what: str, deployment: Deployment) -> None:
    console.print(f"{what}: {deployment.total_s:.0f} s")


def _life(cluster: LocalCluster, stack: Stack) -> Life:
    """Measure what comes after the first `up`; ends with a destroy."""
    with console.status(f"idle for {IDLE_SECONDS} s"):
        time.sleep(IDLE_SECONDS)
    memory = memory_of(cluster.network.name)
    images = images_of(f"http://{cluster.network.node}:5000")
    with console.status("preview, up, refresh, destroy"):
        return Life(
            preview_s=stack.pulumi("preview", "--expect-no-changes").seconds,
            up_again_s=stack.change("up", "--expect-no-changes").seconds,
            refresh_s=stack.change("refresh", "--expect-no-changes").seconds,
            destroy_s=stack.change("destroy").seconds,
            memory=memory,
            images=images,
            cache=cache_sizes(cache_dir() / "entries"),
        )


def report(results: Results) -> None:
    """Keep the results, and write the report and its plot from them."""
    results.write(RESULTS)
    plot_file = RESULTS.with_suffix(".svg")
    if results.rounds:
        plot(results.rounds[-1], file=plot_file)
        console.print(f"ratio {results.ratio:.2f}, by round {', '.join(f'{r.ratio:.2f}' for r in results.rounds)}")
    page = RESULTS.with_suffix(".md")
    page.write_text(markdown(results, plot=plot_file.name))
    console.print(f"written: {page.relative_to(PROJECT)}")


def run(app: typer.Typer) -> None:
    """Run a command line; failures are a message, not a traceback."""
    # Also on SIGTERM, so that the benchmark's cluster is removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except (ClusterError, CommandError) as error:
        console.print(f"error: {error}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    run(app)
