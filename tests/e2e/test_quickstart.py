"""The quickstart's own commands, run by a shell as they stand in the page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.machine import NAME, NODE, Deployment, run
from tests.quickstart import commands

ENVIRONMENT = ".venv/bin/python -m cluster env"


@pytest.mark.journey
@pytest.mark.feature("the quickstart: two models by kubectl, asked by v2", mode="Knative")
def test_the_pages_commands_end_with_two_right_predictions(deployment: Deployment, tmp_path: Path) -> None:
    text = commands("README.md").replace(ENVIRONMENT, f"{sys.executable} -m cluster env --name {NAME}")
    (tmp_path / "commands").write_text("set -euo pipefail\n" + text.replace("198.19.0.2", NODE))
    done = run("bash", str(tmp_path / "commands"), env=deployment.environment, timeout=600)
    assert done.status == 0, done.text
    assert "Sklearn 模型响应: {'predictions': [1, 0]}\n" in done.stdout
    assert "XGBoost 模型响应: {'predictions': [0.8319113254547119, 0.1669796258211136]}\n" in done.stdout
