"""What the page on models shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import stack_files
from components.settings.model import Model
from components.settings.stack import parse

PAGES = sorted((Path(__file__).parents[3] / "docs").glob("models*.md"))
MODEL = {"name": "flowers", "format": "xgboost", "storage_uri": "s3://models/flowers"}
# What README shows, or has no example of its own.
ELSEWHERE = {"name", "format", "version", "storage", "protocol", "runtime", "mode", "timeout", "check"} | {
    *("namespace", "container"),
}


def examples(page: Path) -> list[dict[str, Any]]:
    """The page's YAML, each block a part of a model."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    parts = [stack_files.parse(block) for block in blocks]
    return [part for part in parts if isinstance(part, dict)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_valid(page: Path) -> None:
    for example in examples(page):
        settings = parse({"release": "0.20", "models": [MODEL | example]})
        assert example.keys() <= settings.models[0].model_fields_set


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_has_an_example(page: Path) -> None:
    shown = {setting for example in examples(page) for setting in example}
    assert shown == Model.model_fields.keys() - ELSEWHERE


def test_both_languages_show_the_same() -> None:
    english, chinese = map(examples, PAGES)
    assert english == chinese
