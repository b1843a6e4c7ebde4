"""`make test` leaves out what is no journey, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.conftest

MAKEFILE = Path(__file__).parent.parent.parent / "Makefile"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest("from tests.conftest import *")
    monkeypatch.setattr(tests.conftest, "PAGE", pytester.path / "features.md")
    pytester.makepyfile(
        test_unit="""
        import pytest
        @pytest.mark.feature("batcher", mode="Standard", proof="objects")
        def test_unit(): pass
        """,
        test_life="""
        import pytest
        pytestmark = pytest.mark.e2e
        @pytest.mark.journey
        @pytest.mark.feature("canary")
        def test_canary(): pass
        @pytest.mark.feature("canary")
        def test_another_canary(): pass
        @pytest.mark.feature("batcher", mode="both")
        def test_batcher(): pass
        """,
        test_alerts="""
        import pytest
        @pytest.mark.e2e
        @pytest.mark.feature("alerts")
        @pytest.mark.parametrize("name", ["slow", "broken"])
        def test_alert(name): pass
        """,
    )
    pytester.makeini("[pytest]\nmarkers =\n feature: what\n e2e: where\n journey: which\ntestpaths = .")
    return pytester


def level() -> str:
    """What `make test` selects."""
    (expression,) = (
        line.split('"')[1] for line in MAKEFILE.read_text().splitlines() if line.startswith("\t$(PYTHON) -m pytest -m")
    )
    return expression


def test_what_is_no_journey_is_left_to_test_all_by_name(project: pytest.Pytester) -> None:
    ran = project.runpytest_inprocess("-m", level())
    ran.assert_outcomes(passed=1, deselected=5)
    ran.stdout.fnmatch_lines(
        [
            "*make test-all*: 4 end-to-end tests",
            "  alerts 2, life 2",
            "features that only those prove:",
            "  alerts; batcher (Knative)",
        ]
    )


def test_nothing_is_left_where_everything_runs_and_only_that_writes_the_table(project: pytest.Pytester) -> None:
    written = project.path / "features.md"
    for part in (
        ("-m", level()),
        ("--deselect", "test_life.py::test_batcher"),
        ("--ignore", "test_alerts.py"),
        ("--ignore-glob", "*alerts*"),
        ("-o", "python_files=test_l*.py test_u*.py"),
    ):
        project.runpytest_inprocess(*part)
        assert not written.exists(), part
    project.runpytest_inprocess().stdout.no_fnmatch_line("*test-all*")
    assert "| alerts | by value" in written.read_text()


def test_the_fast_tests_alone_do_not_speak_of_the_others(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("-m", "not e2e").stdout.no_fnmatch_line("*test-all*")


@pytest.mark.parametrize("option", ["--lf", "--stepwise"])
def test_a_run_of_what_failed_before_does_not_write_the_table(project: pytest.Pytester, option: str) -> None:
    project.makepyfile(
        test_zz="""
        import pathlib, pytest
        @pytest.mark.feature("canary")
        def test_zz(): assert pathlib.Path("right").exists()
        """
    )
    project.runpytest_inprocess(*(["--stepwise"] if option == "--stepwise" else []))
    (project.path / "right").touch()
    project.runpytest_inprocess(option)
    assert not (project.path / "features.md").exists()
