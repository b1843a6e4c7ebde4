"""The page of features is made of what tests say of themselves, and of what they have seen of stores."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import tests.conftest
from tests.feature_table import Claim, page
from tests.format_table import FormatClaim, format_section
from tests.store_table import Sighting, StoreEvidence, store_section, without_words


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


def rows_of(section: str) -> list[list[str]]:
    """Rows of a section's table, in English."""
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    return [[re.sub(r" · [^|;:“]*", "", cell).strip() for cell in row] for row in rows]


def test_a_format_has_a_row_for_each_server_and_the_strongest_proof_of_each_protocol() -> None:
    claims = [
        FormatClaim.of("onnx", "sklearn", server="ours", protocols=["v1", "v2"], proof="process"),
        FormatClaim.of("sklearn", server="ours", protocols=["v1"]),
        FormatClaim.of("mlflow", server="image", protocols=["v2"], proof="objects"),
        FormatClaim.of("mlflow", server="pypi", program="MLServer", protocols=["v2", "grpc-v2"]),
    ]
    ours, alone = "this project's", "by value, without a cluster"
    assert rows_of(format_section(claims)) == [
        ["`mlflow`", "the official image of KServe's runtime", "–", "objects asserted", "–", "–"],
        ["`mlflow`", "MLServer, upstream's from PyPI", "–", "by value", "by value", "–"],
        ["`onnx`", ours, alone, alone, "–", "–"],
        ["`sklearn`", ours, "by value", alone, "–", "–"],
    ]


@pytest.mark.parametrize("said", [{"server": "theirs"}, {"protocols": ["v3"]}, {"proof": "hope"}])
def test_an_unknown_server_or_protocol_of_a_format_is_an_error(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="format mlflow: server is one of"):
        FormatClaim.of("mlflow", **{"server": "pypi", "protocols": ["v2"], **said})


def sightings(record: Callable[[StoreEvidence], None]) -> list[Sighting]:
    properties: list[tuple[str, Any]] = []
    record(StoreEvidence(properties))
    return [Sighting(**said) for _, said in properties]


def test_a_credential_has_a_row_for_each_server_in_the_words_of_the_run() -> None:
    of_hub: dict[str, Any] = {"kind": "huggingface", "credential": "token", "server": "a hub", "where": "pod"}
    of_azure: dict[str, Any] = {"kind": "azure", "credential": "SAS token"}

    def record(evidence: StoreEvidence) -> None:
        evidence.saw("wrong", "401 from\n http://127.0.0.1:4711/a|b", **of_hub)
        evidence.saw("right", "[1, 0]", **of_hub)
        evidence.saw("right", "[1, 0]", **of_hub)
        evidence.saw("untrusted", "no " * 99, **of_hub)
        evidence.declared(**of_azure)
        evidence.saw("expired", "too late", **of_azure, server="Azurite", where="kserve-storage")
        evidence.declared(kind="s3", credential="role")

    rows = rows_of(store_section(sightings(record)))
    nothing, long = ["–"] * 5, "untrusted: “" + "no " * 53 + "n …”"
    assert rows == [
        ["`azure`", "SAS token", "Azurite", "`kserve-storage` alone", "–", "–", "–", "“too late”", "–"],
        [
            "`huggingface`",
            "token",
            "a hub",
            "pod on the cluster",
            "“[1, 0]”",
            "“401 from http://server/a\\|b”",
            "–",
            "–",
            long,
        ],
        ["`s3`", "role", "–", "objects asserted", *nothing],
    ]


def test_other_words_are_no_other_page() -> None:
    def section(words: str, case: Any = "wrong") -> str:
        saw: dict[str, Any] = {"kind": "s3", "credential": "keys", "server": "versitygw", "where": "pod"}
        return without_words(store_section(sightings(lambda evidence: evidence.saw(case, words, **saw))))

    assert section("403") == section("403, once more")
    assert section("403") != section("403", "missing")


@pytest.mark.parametrize("said", [{"case": "late"}, {"where": "somewhere"}, {"words": " "}])
def test_an_unknown_case_or_a_sighting_without_words_is_an_error(said: dict[str, Any]) -> None:
    whole = {"case": "wrong", "words": "403", "where": "pod", "kind": "s3", "credential": "keys", "server": "a"} | said
    with pytest.raises(ValueError, match="words are needed"):
        StoreEvidence([]).saw(whole.pop("case"), whole.pop("words"), **whole)


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


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_what_a_run_has_seen_of_stores_and_formats_comes_into_the_page(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    pytester.makeconftest("from tests.conftest import *")
    page_file = pytester.path / "features.md"
    monkeypatch.setattr(tests.conftest, "PAGE", page_file)
    pytester.makepyfile(
        test_store="""
        import pathlib, pytest
        def test_store(store_evidence):
            if pathlib.Path("closed").exists(): pytest.skip("no server")
            said = pathlib.Path("said").read_text()
            store_evidence.saw("wrong", said, kind="s3", credential="keys", server="versitygw", where="pod")
        """,
        test_format="""
        import pytest
        onnx = pytest.mark.format("onnx", server="ours", protocols=["v1"])
        @pytest.mark.parametrize("name", [pytest.param("a", marks=onnx)])
        def test_format(name): pass
        """,
    )
    pytester.makeini("[pytest]\nmarkers = format: which\ntestpaths = .")
    (pytester.path / "said").write_text("403")
    closed = pytester.path / "closed"
    closed.touch()
    skipped = pytester.runpytest_inprocess(*options)
    skipped.stdout.fnmatch_lines(["*is not written, as it needs tests that did not run: test_store.py::test_store*"])
    assert not page_file.exists()
    closed.unlink()
    assert pytester.runpytest_inprocess(*options).ret == 1
    written = page_file.read_text()
    assert "“403”" in written
    assert "| `onnx` |" in written
    (pytester.path / "said").write_text("Forbidden")
    again = pytester.runpytest_inprocess(*options)
    again.stdout.fnmatch_lines(["*other words of stores*"])
    assert again.ret == 0
    assert "“Forbidden”" in page_file.read_text()
