from __future__ import annotations

from typing import Any

import pytest

from doctor.checks import CheckResult
from doctor.findings import Finding
from locales.language import CODES, load
from tests.unit.locales.placeholders import placeholders
from tests.unit.predict.conftest import _bare_environment, gateway, kubernetes

__all__ = ["_bare_environment", "gateway", "kubernetes"]


@pytest.fixture(autouse=True)
def _texts_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the doctor finds in these tests comes with a value for every placeholder of its texts."""
    create_finding, create_result = Finding.__init__, CheckResult.__init__

    def finding(self: Finding, **fields: Any) -> None:
        create_finding(self, **fields)
        for code in CODES:
            message = load(code).causes[self.cause]
            assert placeholders(message.title, message.meaning, message.advice) <= set(self.facts), self.cause

    def result(self: CheckResult, **fields: Any) -> None:
        create_result(self, **fields)
        for code in CODES if self.facts or not (self.findings or self.unread) else ():
            text = load(code).checks[f"{self.section}/{self.name}"]
            assert placeholders(text) <= set(self.facts), f"{self.section}/{self.name}"

    monkeypatch.setattr(Finding, "__init__", finding)
    monkeypatch.setattr(CheckResult, "__init__", result)
