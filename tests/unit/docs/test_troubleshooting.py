from __future__ import annotations

import pytest

from doctor.findings import Cause
from predict.messages import Lang
from tools.troubleshooting import TARGETS, render


@pytest.mark.parametrize("lang", list(Lang))
def test_the_pages_are_what_the_doctor_says(lang: Lang) -> None:
    stale = "it is stale: run `make docs`, or python -m tools.troubleshooting"
    assert TARGETS[lang].read_text("utf-8") == render(lang), stale


@pytest.mark.parametrize("lang", list(Lang))
def test_every_cause_has_a_row_of_four_cells(lang: Lang) -> None:
    rows = [line for line in render(lang).splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(Cause)
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}


def test_facts_are_shown_as_words() -> None:
    page = render(Lang.EN)
    assert "there is nothing at *uri*" in page
    assert "jsonpath='{.metadata.annotations}'" in page
    assert "{uri}" not in page
