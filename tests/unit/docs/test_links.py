"""Every link of a page leads to a file, and to a heading that the file has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("*.md", "docs/*.md", "examples/*/*.md", "cluster/*/README.md")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(folder))
CHINESE = [page for page in PAGES if page.name.endswith(".zh.md")]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file and the anchor of each link that stays in the repository; the anchor may be empty."""
    for path, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text("utf-8")):
        yield (page.parent / path if path else page), anchor


def anchors(page: Path) -> set[str]:
    """Anchors of a page, as GitHub makes them of headings, and those in HTML."""
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for _, heading in headings(page)}
    return made | {*re.findall(r'<a id="([^"]+)"', page.read_text("utf-8"))}


def headings(page: Path) -> list[tuple[str, str]]:
    """The level, as `##`, and the text of each heading."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^(#+) (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [path for path, _ in links(page) if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_is_a_heading(page: Path) -> None:
    named = [(path, anchor) for path, anchor in links(page) if anchor and path.suffix == ".md"]
    assert [f"{path.name}#{anchor}" for path, anchor in named if anchor not in anchors(path)] == []


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_has_the_headings_of_its_english_one(page: Path) -> None:
    assert [level for level, _ in headings(page)] == [level for level, _ in headings(_english(page))]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_leads_to_chinese_ones(page: Path) -> None:
    assert [
        path.name
        for path, _ in links(page)
        if path.suffix == ".md" and path.resolve() != _english(page) and path.with_suffix(".zh.md").exists()
    ] == []


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_no_command_is_translated(page: Path) -> None:
    assert re.findall(r"`pulumi[^\x00-\x7f][^`]*`", page.read_text("utf-8")) == []


def _english(page: Path) -> Path:
    return page.with_name(page.name.replace(".zh.md", ".md"))
