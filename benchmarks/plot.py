"""Draws both ways to deploy on one time axis."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Deployment, Round

INCHES_A_STEP = 0.28
WIDTH = 9.0
MARGIN = 1.6
BAR = 0.7
SHORTEST = 0.5  # seconds: a bar one can see


def plot(measured: Round, *, file: Path) -> None:
    """Draw one round as SVG; the same round gives the same file."""
    mpl.rcParams["svg.hashsalt"] = file.name
    mpl.rcParams["svg.fonttype"] = "none"
    panels = (
        ("helm and kubectl in sequence", measured.in_sequence, "tab:gray"),
        ("pulumi up", measured.pulumi, "tab:blue"),
    )
    heights = [len(deployment.steps) for _, deployment, _ in panels]
    figure = Figure(figsize=(WIDTH, sum(heights) * INCHES_A_STEP + MARGIN), layout="constrained")
    axes = figure.subplots(nrows=len(panels), sharex=True, height_ratios=heights)
    for axis, (title, deployment, color) in zip(axes, panels, strict=True):
        _draw(axis, deployment, title=title, color=color)
    axes[-1].set_xlabel("seconds from an empty cluster")
    figure.savefig(file, format="svg", metadata={"Date": None})


def _draw(axis: Axes, deployment: Deployment, *, title: str, color: str) -> None:
    for row, step in enumerate(deployment.steps):
        bars = [(start, max(end - start, SHORTEST)) for start, end in step.intervals]
        axis.broken_barh(bars, (row - BAR / 2, BAR), color=color)
    axis.axvline(deployment.total_s, color=color, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(deployment.steps)), [step.name for step in deployment.steps])
    axis.invert_yaxis()
    axis.set_title(f"{title}: {deployment.total_s:.0f} s", loc="left")
    axis.set_xlim(left=0)
    axis.grid(axis="x", alpha=0.3)
