"""The page on monitoring shows valid settings and names every alert, dashboard and scrape job, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import stack_files
from components.platform.monitoring.alerts import all_alerts
from components.platform.monitoring.dashboards import all_dashboards
from components.platform.monitoring.scraping import scrape_configs
from components.settings.monitoring import AlertSettings, MonitoringSettings
from components.settings.stack import parse

PAGES = sorted((Path(__file__).parents[3] / "docs").glob("monitoring*.md"))


def stated(page: Path) -> list[object]:
    """What each block of YAML says of monitoring."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [stack_files.parse(block)["monitoring"] for block in blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_valid(page: Path) -> None:
    switched, section = stated(page)
    assert parse({"release": "0.20", "monitoring": switched}).monitoring == MonitoringSettings()
    shown = parse({"release": "0.20", "monitoring": section}).monitoring
    assert shown
    assert shown.model_fields_set == MonitoringSettings.model_fields.keys()
    assert shown.alerts.model_fields_set == AlertSettings.model_fields.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_everything_is_named(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [alert.name for alert in all_alerts(AlertSettings())] == re.findall(r"^\| (\w+) \|", text, re.MULTILINE)[-6:]
    assert not [job["job_name"] for job in scrape_configs() if f"`{job['job_name']}`" not in text]
    assert not [dashboard.title for dashboard in all_dashboards(knative=True) if f"| {dashboard.title} |" not in text]


def test_both_languages_show_the_same() -> None:
    english, chinese = map(stated, PAGES)
    assert english == chinese
