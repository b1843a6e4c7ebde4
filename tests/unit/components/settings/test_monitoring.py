"""Settings of the monitoring."""

from __future__ import annotations

import pytest

from components.settings.errors import SettingsError
from components.settings.monitoring import MonitoringSettings
from components.settings.stack import parse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, MonitoringSettings()),
        (False, None),
        ({}, MonitoringSettings()),
        ({"interval": 30}, MonitoringSettings(interval=30)),
    ],
)
def test_monitoring_is_true_false_or_a_section(value: object, expected: MonitoringSettings | None) -> None:
    assert parse({"release": "0.20", "monitoring": value}).monitoring == expected
    assert parse({"release": "0.20"}).monitoring is None


@pytest.mark.feature("monitoring", mode="both", proof="refused")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("yes please", "monitoring: must be a mapping: `key: value` lines"),
        ({"intervall": 5}, "monitoring.intervall: unknown setting; did you mean 'interval'?"),
        ({"interval": 1}, "monitoring.interval: must be greater than or equal to 5"),
        ({"storage": "20 GB"}, "monitoring.storage: '20 GB' is not a Kubernetes quantity"),
        ({"alerts": {"error_rate": 5}}, "monitoring.alerts.error_rate: must be less than or equal to 1"),
    ],
)
def test_invalid_monitoring_is_refused_with_path_and_remedy(value: object, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse({"release": "0.20", "monitoring": value})
    assert [line for line in refused.value.problems if line.startswith(problem)], refused.value.problems
