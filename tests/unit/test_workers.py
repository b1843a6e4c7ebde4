"""Tests that several workers of pytest-xdist run are told of as those of one process are."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.conftest
from tests.workers import APART, TOGETHER, group_of, made_once

ROOT = Path(__file__).parents[2]
TEST = """
import pytest
@pytest.mark.feature("{feature}")
def test_it(): pass
@pytest.mark.{level}
@pytest.mark.feature("{feature} again")
def test_more(): pass
"""


def test_what_each_worker_has_proven_is_in_the_table_and_what_none_has_run_is_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = pytester.path / "features.md"
    monkeypatch.setattr(tests.conftest, "PAGE", written)
    pytester.makeconftest("from tests.conftest import *")
    pytester.makeini("[pytest]\nmarkers =\n feature: what\n e2e: where\n journey: which\ntestpaths = .")
    pytester.makepyfile(
        test_one=TEST.format(feature="canary", level="journey"), test_two=TEST.format(feature="batcher", level="e2e")
    )
    part = pytester.runpytest_inprocess("-n", "2", "-m", "not e2e or journey")
    part.assert_outcomes(passed=3)
    part.stdout.fnmatch_lines(["*test-all*: 1 end-to-end tests", "  two 1"])
    assert not written.exists()
    everything = pytester.runpytest_inprocess("-n", "2")
    everything.stdout.fnmatch_lines(["*commit it*"])
    assert everything.ret == 1
    features = [line.split(" | ")[0] for line in written.read_text().splitlines()]
    assert {"| canary", "| canary again", "| batcher", "| batcher again"} <= set(features)


def test_what_belongs_together_stays_together() -> None:
    groups = {
        test: group_of(test)
        for test in (
            "tests/e2e/test_1.py::test_a",
            "tests/e2e/test_2.py::test_b[x::y]",
            "tests/unit/docs/test_a.py::test_c",
            "tests/unit/docs/test_a.py::test_d",
            f"{APART[0]}::test_e",
            f"{APART[0]}::test_f",
        )
    }
    first, second, *same, one, other = groups.values()
    assert first == second
    assert same == ["tests/unit/docs/test_a.py"] * 2
    assert one != other


@pytest.mark.parametrize("named", [*TOGETHER, *APART])
def test_what_is_named_is_there(named: str) -> None:
    assert list(ROOT.glob(f"{named}*"))


def test_the_first_worker_makes_it_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "model").write_text("trained")

    class Factory:
        """What a worker has: its own folder in that of the run."""

        def __init__(self, worker: str) -> None:
            self.folder = tmp_path / worker
            self.folder.mkdir(exist_ok=True)

        def getbasetemp(self) -> Path:
            return self.folder

    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    folders = {made_once("models", make, factory=Factory(worker)) for worker in ("gw0", "gw1", "gw0")}
    assert len(made) == 1
    (folder,) = folders
    assert (folder / "model").read_text() == "trained"
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert made_once("models", make, factory=Factory("alone")) == tmp_path / "alone" / "models"
    assert len(made) == 2
