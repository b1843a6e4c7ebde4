"""What the page on formats and protocols shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import stack_files
from components.settings.stack import parse

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / "protocols.md", ROOT / "docs" / "protocols.zh.md"]
EXAMPLE = ROOT / "examples" / "custom-model" / "README.md"
MIRROR = {"charts": "oci://registry.example/charts", "images": "registry.example"}


def examples(page: Path) -> list[Any]:
    """The page's models, those written in part with a name."""
    blocks = re.findall(r"```yaml\n(.*?)\s*```", page.read_text("utf-8"), re.DOTALL)
    parts = [stack_files.parse(block) for block in blocks]
    return [part[0] if isinstance(part, list) else {"name": "flowers", **part} for part in parts]


@pytest.mark.parametrize("page", [*PAGES, EXAMPLE], ids=lambda page: page.name)
def test_every_example_is_valid(page: Path) -> None:
    assert examples(page)
    for example in examples(page):
        storage = {"demo": {"kind": "s3", "anonymous": True}}
        settings = parse({"release": "local", "mirror": MIRROR, "storage": storage, "models": [example]})
        assert settings.models[0].name == example["name"]


def test_both_languages_show_the_same() -> None:
    english, chinese = map(examples, PAGES)
    assert english == chinese
