"""The names in braces of texts."""

from __future__ import annotations

import string


def placeholders(*texts: str) -> set[str]:
    return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}
