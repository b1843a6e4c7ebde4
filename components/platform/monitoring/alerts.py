"""Prometheus's alerting rules for the models and the platform, from `alerts.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from components.settings.monitoring import AlertSettings

FILE = Path(__file__).with_name("alerts.yaml")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alerting rule; `alerts.yaml` describes its attributes."""

    name: str
    query: str
    condition: str
    summary: str
    severity: Literal["critical", "warning"]

    @property
    def expression(self) -> str:
        """PromQL with one series for each model or target that meets the condition."""
        return f"({self.query}) {self.condition}"


def all_alerts(settings: AlertSettings) -> tuple[Alert, ...]:
    """Return every alert, with the bounds of the settings."""
    text = FILE.read_text("utf-8")
    for bound in ("error_rate", "latency"):
        text = text.replace(f"${bound}", f"{getattr(settings, bound):g}")
    return tuple(Alert(**alert) for alert in yaml.safe_load(text))


def alert_rules(settings: AlertSettings) -> Mapping[str, Any]:
    """Return the content of Prometheus's file of rules."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": f"{settings.after}s",
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary},
        }
        for alert in all_alerts(settings)
    ]
    return {"groups": [{"name": "kserve-multi-model", "rules": rules}]}
