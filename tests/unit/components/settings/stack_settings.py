"""Small settings of a stack, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.errors import SettingsError
from components.settings.stack import parse


def sklearn(name: str, **more: Any) -> dict[str, Any]:
    """Settings of a model."""
    return {"name": name, "format": "sklearn", "storage_uri": "s3://models/iris", **more}


def settings(*models: dict[str, Any], graphs: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    """Settings of a stack that are valid as long as the models and graphs are."""
    return {"release": "0.20", "models": [*models], "graphs": [*graphs], **more}


def problems(document: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong with settings; empty where they are accepted."""
    try:
        parse(document)
    except SettingsError as refused:
        return refused.problems
    return ()


def the_problem(document: dict[str, Any]) -> str:
    """The only thing that is wrong with settings."""
    found = problems(document)
    if len(found) != 1:
        pytest.fail(f"not one problem: {found}")
    return found[0]
