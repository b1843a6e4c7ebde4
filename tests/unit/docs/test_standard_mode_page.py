"""What the page on mode Standard shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import stack_files
from components.settings.modes import USAGE_METRICS
from components.settings.stack import parse
from tests.unit.components.recording import PROJECT

PAGES = sorted((Path(__file__).parents[3] / "docs").glob("standard-mode*.md"))


def example(page: Path) -> dict[str, Any]:
    """The page's stack, without what is the same for every stack."""
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    stated: dict[str, Any] = stack_files.parse(block)["config"]
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in stated.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_example_is_valid(page: Path) -> None:
    stated = example(page)
    storage = {"demo": {"kind": "s3", "anonymous": True}}
    settings = parse({"release": "0.20", "storage": storage, **stated})
    assert [model.mode for model in settings.models] == ["Standard", "Knative"]
    assert settings.models[0].scale.metric in USAGE_METRICS
    assert settings.needs_knative


def test_both_languages_show_the_same() -> None:
    english, chinese = map(example, PAGES)
    assert english == chinese
