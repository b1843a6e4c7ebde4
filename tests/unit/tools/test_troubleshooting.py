from __future__ import annotations

import re

import pytest

from doctor.findings import Cause, Finding
from doctor.words import remedy
from endpoints.endpoint import parse_endpoints
from endpoints.failures import NoRoute
from locales.language import CODES, load
from predict.outcome import Outcome
from predict.report import lines_of
from tests.unit.predict.conftest import described
from tools.troubleshooting import ROOT, render


@pytest.mark.parametrize("code", CODES)
def test_the_page_has_the_texts_of_its_language(code: str) -> None:
    language = load(code)
    stale = "it is stale: run `make docs`, or python -m tools.troubleshooting"
    assert (ROOT / language.page).read_text("utf-8") == render(language), stale


@pytest.mark.parametrize("code", CODES)
def test_every_cause_and_every_failure_has_an_anchor_and_a_row_of_four_cells(code: str) -> None:
    language = load(code)
    rows = [line for line in render(language).splitlines() if line.startswith("| <a id=")]
    expected = [*Cause, *(f"check-{failure}" for failure in language.failures)]
    assert [row.split('"')[1] for row in rows] == expected
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
    assert set(language.troubleshooting.groups) <= set(expected)


@pytest.mark.parametrize("code", CODES)
def test_every_anchor_that_is_printed_is_on_the_page(code: str) -> None:
    language = load(code)
    (endpoint,) = parse_endpoints({"iris": described("http://10.0.0.1:80", "iris")}).values()
    outcome = Outcome(endpoint=endpoint, waited_s=1, failure=NoRoute(path="/"), model_ready=False)
    printed = [*lines_of(outcome, language=language)]
    printed += [
        line for cause in Cause for line in remedy(Finding(cause=cause, kind="Pod", name="p"), language=language)
    ]
    links = [line.strip().partition("#") for line in printed if line.strip().startswith("docs/")]
    assert len(links) == len(Cause) + 1
    assert f"check-{outcome.verdict}" in {anchor for _, _, anchor in links}
    for page, _, anchor in links:
        assert f'<a id="{anchor}"></a>' in (ROOT / page).read_text("utf-8")


def test_placeholders_are_shown_as_words() -> None:
    page = render(load("en"))
    assert "there is nothing at *uri*" in page
    assert "jsonpath='{.metadata.annotations}'" in page
    assert re.search(r"\{\w+[:!}]", page) is None
