"""Writes docs/benchmarks.md from the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.results import Boot, Change, ColdBuild, Deployment, Destroy, Life, Machine, Results, Round, Teardown

GIB = 1 << 30
MIB = 1 << 20
LONGEST_TABLE = 12


def markdown(results: Results, *, plot: str) -> str:
    """The report; `plot` is the plot's path as the report's links need it."""
    parts = [_head(results.machine)]
    if results.rounds:
        parts += [_comparison(results, plot=plot), _boots(results.rounds)]
    if results.life:
        parts.append(_life(results.life))
    if results.changes:
        parts.append(_changes(results.changes))
    if results.teardown:
        parts.append(_teardown(results.teardown))
    if results.cold:
        parts.append(_cold(results.cold))
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = [":--", *(["--:"] * (len(columns) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _head(machine: Machine) -> str:
    memory = f"{machine.memory_bytes / GIB:.0f} GiB"
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench`, on {machine.cores} cores ({machine.processor}), {memory} of memory, "
        f"{machine.kernel}. All the numbers are in [benchmarks.json](benchmarks.json)."
    )


def _comparison(results: Results, *, plot: str) -> str:
    rows = [
        (
            str(number),
            _seconds(measured.pulumi.total_s),
            _seconds(measured.in_sequence.total_s),
            f"{measured.ratio:.2f}",
        )
        for number, measured in enumerate(results.rounds, start=1)
    ]
    last = results.rounds[-1]
    return "\n\n".join(
        (
            "## From an empty cluster to two verified predictions",
            f"`pulumi up` takes **{results.ratio:.2f}** of the time of helm and kubectl in sequence "
            f"(median; rounds: {len(results.rounds)}).",
            table(("round", "`pulumi up`, s", "in sequence, s", "ratio"), rows),
            "A round deploys both ways, one after the other, each on a local cluster just started. In sequence means "
            "the charts with the same values and the same objects, taken from what the program declares, installed "
            "with `helm upgrade --install --wait`, `kubectl apply` and `kubectl wait` in the order of the projects' "
            "guides. Both end when `python -m predict` has the right values from both models.",
            f"![both ways on one time axis]({plot})",
            f"`pulumi up` by component (round {len(results.rounds)}):",
            _components(last.pulumi),
            "In sequence:",
            table(("step", "s"), [(step.name, _seconds(step.busy_s)) for step in last.in_sequence.steps]),
        )
    )


def _components(deployment: Deployment) -> str:
    rows = [
        (step.name, _seconds(step.start_s), _seconds(step.end_s), _seconds(step.busy_s)) for step in deployment.steps
    ]
    return table(("component", "from, s", "done, s", "under way, s"), rows)


def _boots(rounds: Sequence[Round]) -> str:
    boots: list[Boot] = [boot for measured in rounds for boot in measured.boots]
    ready, total = median(boot.ready_s for boot in boots), median(boot.total_s for boot in boots)
    return (
        "## The node's start\n\n"
        f"With everything built, `python -m cluster up` has the node Ready and DNS answering after {ready:.0f} s, and "
        f"Pulumi and the demo's models in place after {total:.0f} s (median of {len(boots)})."
    )


def _life(life: Life) -> str:
    times = (
        ("`pulumi preview`, nothing to do", life.preview_s),
        ("`pulumi up`, nothing to do", life.up_again_s),
        ("`pulumi refresh`", life.refresh_s),
        ("`pulumi destroy`", life.destroy_s),
    )
    images = {image.name: image.size for image in life.images.images}
    return "\n\n".join(
        (
            "## A deployment's life",
            table(("command", "s"), [(command, f"{seconds:.1f}") for command, seconds in times]),
            "## Memory",
            "The whole node, both models included, after a minute without requests (PSS).",
            _sizes("program", life.memory, total=sum(life.memory.values())),
            "## Images",
            "Compressed, as the registry has them; the total counts shared layers once.",
            _sizes("image", images, total=life.images.total_bytes),
            "## The cache on disk",
            _sizes("entries", life.cache, total=sum(life.cache.values())),
        )
    )


def _changes(changes: Sequence[Change]) -> str:
    rows = [
        (
            change.name,
            _seconds(change.up_s),
            f"{change.requests:,}",
            str(change.failures),
            str(change.p50_ms),
            str(change.p95_ms),
            f"{change.v2_share_after:.0%}",
        )
        for change in changes
    ]
    usual = changes[0].p95_ms
    ratios = ", ".join(f"{change.p95_ms / usual:.1f}" for change in changes[1:])
    return "\n\n".join(
        (
            "## Changes under load",
            f"Written by `python -m benchmarks.rollout`: {sum(c.failures for c in changes)} of "
            f"{sum(c.requests for c in changes):,} requests failed while `pulumi up` changed a model. The 95th "
            f"percentile of the latency, in terms of the one without a change: {ratios}.",
            table(("change", "`pulumi up`, s", "requests", "failed", "p50, ms", "p95, ms", "v2 afterwards"), rows),
        )
    )


def _teardown(teardown: Teardown) -> str:
    rows = (
        ("`pulumi up`: three models and their graph to another namespace", teardown.move_s),
        ("`pulumi destroy`", teardown.idle.total_s),
        ("`pulumi destroy`, models busy", teardown.busy.total_s),
    )
    return "\n\n".join(
        (
            "## What goes away",
            "Written by `python -m benchmarks.teardown`. Busy are two models that are asked all the time, and two with "
            "requests that they would answer after 280 s.",
            table(("command", "s"), [(command, _seconds(seconds)) for command, seconds in rows]),
            "What `pulumi destroy` waits for longest, the models idle:",
            _waits(teardown.idle),
            "The same, the models busy:",
            _waits(teardown.busy),
        )
    )


def _waits(destroy: Destroy) -> str:
    rows = [
        (wait.name, _seconds(wait.start_s), _seconds(wait.end_s), _seconds(wait.end_s - wait.start_s))
        for wait in destroy.waits
    ]
    return table(("resource", "from, s", "until, s", "s"), rows)


def _cold(cold: ColdBuild) -> str:
    rows = [(name, _seconds(seconds)) for name, seconds in _largest(cold.parts)]
    return "\n\n".join(
        (
            "## The first build",
            f"`python -m cluster up` with an empty cache took {cold.total_s / 60:.0f} min, downloads and the node's "
            f"start included, {cold.cpu_s / 60:.0f} min of CPU time, and {cold.peak_bytes / GIB:.0f} GiB of disk at "
            "the most. Compiling, linking and packing run side by side, so the parts are more than the whole.",
            table(("part", "s"), rows),
        )
    )


def _sizes(what: str, sizes: Mapping[str, int], *, total: int) -> str:
    rows = [(name, f"{size / MIB:,.0f}") for name, size in _largest(sizes)]
    return table((what, "MiB"), [*rows, ("**total**", f"**{total / MIB:,.0f}**")])


def _largest(amounts: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Amounts, largest first; those beyond LONGEST_TABLE are summed in the last row."""
    ordered = sorted(amounts.items(), key=lambda item: -item[1])
    yield from ordered[:LONGEST_TABLE]
    if others := ordered[LONGEST_TABLE:]:
        yield f"{len(others)} others", sum(amount for _, amount in others)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}"
