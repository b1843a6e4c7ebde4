"""The versions of an existing platform in docs/clusters.md are those that the releases have."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.settings.platform_parts import PARTS, TITLES
from releases import RELEASES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["clusters.md", "clusters.zh.md"])
def test_each_part_is_there_with_its_versions(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for release in RELEASES.values():
        assert release.existing.keys() == {*PARTS}
        for part in PARTS:
            known = release.existing[part]
            run = ".".join(map(str, known.run))
            assert f"| {TITLES[part]} | {known} | {run} |" in text
            assert known.oldest <= known.run <= known.newest
