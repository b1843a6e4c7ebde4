"""The table of features is made of what tests say of themselves."""

from __future__ import annotations

import pytest

import tests.conftest
from tests.feature_table import Claim, page


def test_a_row_a_feature_with_the_strongest_proof_in_each_mode() -> None:
    claims = [
        Claim.of("canary", proof="objects"),
        Claim.of("canary"),
        Claim.of("canary", mode="Standard", proof="refused"),
        Claim.of("batcher", mode="both", proof="objects"),
        Claim.of("scale to zero"),
    ]
    rows = [line.split(" | ") for line in page(claims).splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip("| ").partition(" · ")[0] for cell in row] for row in rows] == [
        ["batcher", "objects asserted", "objects asserted"],
        ["canary", "by value", "refused at preview"],
        ["scale to zero", "by value", "–"],
    ]


@pytest.mark.parametrize("said", [{"mode": "Serverless"}, {"proof": "hope"}])
def test_an_unknown_mode_or_proof_is_an_error(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="feature 'canary'"):
        Claim.of("canary", **said)  # type: ignore[arg-type]


def test_only_a_run_of_all_tests_that_all_pass_writes_the_page(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest("from tests.conftest import *")
    page_file = pytester.path / "features.md"
    monkeypatch.setattr(tests.conftest, "PAGE", page_file)
    pytester.makepyfile(
        test_it="""
        import pathlib, pytest
        @pytest.mark.feature("canary")
        def test_canary(): pass
        @pytest.mark.feature("batcher")
        def test_batcher(): assert pathlib.Path("right").exists()
        """
    )
    pytester.makeini("[pytest]\nmarkers = feature: what it proves\ntestpaths = .")
    assert pytester.runpytest_inprocess("-k", "canary").ret == 0
    assert pytester.runpytest_inprocess().ret == 1
    assert not page_file.exists()
    (pytester.path / "right").touch()
    first = pytester.runpytest_inprocess()
    assert first.ret == 1
    first.stdout.fnmatch_lines(["*commit it*"])
    assert "| batcher |" in page_file.read_text()
    assert pytester.runpytest_inprocess().ret == 0
