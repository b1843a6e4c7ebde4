"""Ratios, the kept results and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.commands import PROJECT
from benchmarks.report import LONGEST_TABLE, markdown, table
from benchmarks.results import (
    Boot,
    Change,
    ColdBuild,
    Deployment,
    Destroy,
    Image,
    Images,
    Life,
    Machine,
    Results,
    Round,
    Step,
    Teardown,
    Wait,
)

MACHINE = Machine(processor="Xeon", cores=2, memory_bytes=24 << 30, kernel="Linux 6.1")


def deployment(*, total_s: float, step: str) -> Deployment:
    return Deployment(steps=(Step(name=step, intervals=((0, 1), (3, total_s))),), total_s=total_s)


def measured(pulumi_s: float, in_sequence_s: float) -> Round:
    return Round(
        boots=(Boot(ready_s=20, total_s=25), Boot(ready_s=22, total_s=27)),
        pulumi=deployment(total_s=pulumi_s, step="Knative"),
        in_sequence=deployment(total_s=in_sequence_s, step="cert-manager"),
    )


def results(*pairs: tuple[float, float]) -> Results:
    return Results(machine=MACHINE, rounds=tuple(measured(*pair) for pair in pairs))


def life() -> Life:
    return Life(
        preview_s=3.21,
        up_again_s=4,
        refresh_s=5,
        destroy_s=60,
        memory={f"program-{number:02}": 100 << 20 for number in range(LONGEST_TABLE + 3)},
        images=Images(images=(Image(name="istio/proxyv2", size=70 << 20),), total_bytes=65 << 20),
        cache={"images": 1200 << 20},
    )


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    assert [found.ratio for found in results((60, 100), (50, 100), (90, 100)).rounds] == [0.6, 0.5, 0.9]
    assert results((60, 100), (50, 100), (90, 100)).ratio == 0.6
    assert results((60, 100), (50, 100)).ratio == pytest.approx(0.55)


def test_the_report_has_every_pair_the_median_and_the_plot() -> None:
    text = markdown(results((60, 100), (50, 100)), plot="benchmarks.svg")
    assert "**0.55**" in text
    assert "| 1 | 60 | 100 | 0.60 |" in text
    assert "| 2 | 50 | 100 | 0.50 |" in text
    assert "](benchmarks.svg)" in text
    assert "| Knative | 0 | 50 | 48 |" in text
    assert "after 21 s" in text
    assert "2 cores (Xeon), 24 GiB of memory, Linux 6.1" in text


def test_the_report_leaves_out_what_was_not_measured() -> None:
    text = markdown(Results(machine=MACHINE), plot="benchmarks.svg")
    assert text.count("#") == 1


def test_long_tables_sum_up_their_end() -> None:
    text = markdown(Results(machine=MACHINE, life=life()), plot="benchmarks.svg")
    assert "| 3 others | 300 |" in text
    assert "| **total** | **1,500** |" in text
    assert "| `pulumi preview`, nothing to do | 3.2 |" in text
    assert "| istio/proxyv2 | 70 |\n| **total** | **65** |" in text


def test_the_first_build_by_part_longest_first() -> None:
    cold = ColdBuild(parts={"pause": 3, "kubernetes": 270}, total_s=2400, cpu_s=3600, peak_bytes=16 << 30)
    text = markdown(Results(machine=MACHINE, cold=cold), plot="benchmarks.svg")
    assert "took 40 min" in text
    assert "60 min of CPU time, and 16 GiB of disk" in text
    assert text.index("| kubernetes | 270 |") < text.index("| pause | 3 |")


def test_changes_under_load_with_their_ratios() -> None:
    usual = Change(name="none", up_s=0, requests=400, failures=0, p50_ms=10, p95_ms=20, v2_share_after=0)
    canary = Change(name="canary, 10 %", up_s=12.4, requests=1600, failures=1, p50_ms=11, p95_ms=30, v2_share_after=0.9)
    text = markdown(Results(machine=MACHINE, changes=(usual, canary)), plot="benchmarks.svg")
    assert "1 of 2,000 requests failed" in text
    assert "without a change: 1.5." in text
    assert "| canary, 10 % | 12 | 1,600 | 1 | 11 | 30 | 90% |" in text


def test_what_goes_away_and_what_is_waited_for() -> None:
    busy = Destroy(waits=(Wait(name="Release istio-base", start_s=21, end_s=29),), total_s=39.6)
    teardown = Teardown(move_s=33, idle=Destroy(waits=(), total_s=37), busy=busy)
    text = markdown(Results(machine=MACHINE, teardown=teardown), plot="benchmarks.svg")
    assert "| `pulumi up`: three models and their graph to another namespace | 33 |" in text
    assert "| `pulumi destroy` | 37 |" in text
    assert "| `pulumi destroy`, models busy | 40 |" in text
    assert "| Release istio-base | 21 | 29 | 8 |" in text


def test_a_table_is_markdown() -> None:
    assert table(("part", "s"), [("a", "1")]) == "| part | s |\n| :-- | --: |\n| a | 1 |"


def test_results_are_kept_for_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.json"
    assert Results.read(file) is None
    before = results((60, 100)).model_copy(
        update={"life": life(), "cold": ColdBuild(parts={"pause": 3}, total_s=1, cpu_s=2, peak_bytes=3)}
    )
    before.write(file)
    assert Results.read(file) == before


def test_the_page_is_what_the_numbers_say() -> None:
    numbers = PROJECT / "docs" / "benchmarks.json"
    kept = Results.read(numbers)
    assert kept
    page = numbers.with_suffix(".md").read_text("utf-8")
    assert page == markdown(kept, plot="benchmarks.svg"), "it is stale: run `python -m benchmarks --rounds 0`"
