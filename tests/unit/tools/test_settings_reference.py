from __future__ import annotations

import re

from tools.settings_reference import TARGET, render


def test_the_page_is_what_the_types_say() -> None:
    assert TARGET.read_text("utf-8") == render(), "it is stale: run `make docs`, or python -m tools.settings_reference"


def test_settings_show_values_bounds_and_defaults() -> None:
    rows = render().splitlines()
    assert '| `service_type` | `"LoadBalancer"`, `"NodePort"`, `"ClusterIP"` | `"LoadBalancer"` |' in "\n".join(rows)
    window = next(row for row in rows if row.startswith("| `window`"))
    assert "| whole number from 6 up to 3600 |" in window
    assert any(row.startswith("| `image` | text | required |") for row in rows)


def test_every_link_has_its_heading() -> None:
    text = render()
    anchors = {
        re.sub(r"[^a-z0-9_-]", "", heading.lower().replace(" ", "-"))
        for heading in re.findall("^##+ (.*)$", text, re.M)
    }
    links = set(re.findall(r"\]\(#([^)]*)\)", text))
    assert len(links) > 5
    assert links <= anchors
