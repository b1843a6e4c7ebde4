"""Settings of the monitoring."""

from __future__ import annotations

from pydantic import Field

from components.settings.fields import Quantity, Section


class AlertSettings(Section):
    """When an alert fires."""

    error_rate: float = Field(default=0.05, ge=0.001, le=1, description="share of a model's requests that fail")
    latency: float = Field(
        default=1, ge=0.01, le=600, description="seconds within which 95 of 100 requests to a model are answered"
    )
    after: int = Field(default=300, ge=0, le=86400, description="seconds that a condition must last to be an alert")


class MonitoringSettings(Section):
    """Prometheus, and Grafana where the release has it. `true` stands for all of it with its defaults."""

    interval: int = Field(default=15, ge=5, le=60, description="seconds between two scrapes")
    retention: int = Field(default=15, ge=1, le=3650, description="days that metrics are kept")
    storage: Quantity | None = Field(
        default=None, description="size of a volume for the metrics, as 20Gi; when left out, they are lost with the pod"
    )
    alerts: AlertSettings = AlertSettings()


def section_of_switch(value: object) -> object:
    """Read `true` as the section with its defaults and `false` as None; give any other value back."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value
