"""The commands in the quickstart's pages."""

from __future__ import annotations

import re
from pathlib import Path

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str) -> str:
    """The commands that a page has for the local cluster, run from the project's root."""
    return "".join(BLOCK.findall((QUICKSTART / page).read_text()))
