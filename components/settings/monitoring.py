"""What a stack says of its monitoring."""

from __future__ import annotations

from pydantic import Field

from components.settings.fields import Quantity, Section


class Alerts(Section):
    """When an alert fires."""

    error_rate: float = Field(default=0.05, ge=0.001, le=1, description="share of a model's requests that fail")
    latency: float = Field(
        default=1, ge=0.01, le=600, description="seconds within which 95 of 100 requests to a model are answered"
    )
    after: int = Field(default=300, ge=0, le=86400, description="seconds that something must last to be an alert")


class Monitoring(Section):
    """Prometheus, and Grafana where the release has it; `true` for all of it as it is by default."""

    interval: int = Field(default=15, ge=5, le=60, description="seconds between two looks at everything")
    retention: int = Field(default=15, ge=1, le=3650, description="days that what was seen is kept")
    storage: Quantity | None = Field(
        default=None, description="size of a volume to keep it in, as 20Gi; it is lost with the pod when left out"
    )
    alerts: Alerts = Alerts()


def switched(stated: object) -> object:
    """The setting as a section where it is written as `true` or `false`."""
    return {True: {}, False: None}[stated] if isinstance(stated, bool) else stated
