"""Grafana's dashboards, from `dashboards.yaml`: all models, one model, the platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

FILE = Path(__file__).with_name("dashboards.yaml")
DATA_SOURCE = {"type": "prometheus", "uid": "prometheus"}
SCHEMA = 39  # of Grafana 11 and later
COLUMNS = 24
QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}


class _Part(BaseModel):
    """Part of the file, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Query(_Part):
    """PromQL, and the legend of its series with labels as `{{label}}`."""

    expression: str
    legend: str


def _expand_quantiles(queries: Mapping[str, str]) -> list[Query]:
    """Make one query of each legend and expression; one for each of QUANTILES where the expression has `$quantile`."""
    return [
        Query(expression=expression.replace("$quantile", quantile), legend=f"{percentile} {legend}".strip())
        for legend, expression in queries.items()
        for percentile, quantile in (QUANTILES if "$quantile" in expression else {"": ""}).items()
    ]


class Panel(_Part):
    """A graph, or a single number if `number` is set; `width` is in Grafana's columns, of which there are 24."""

    title: str
    queries: Annotated[tuple[Query, ...], BeforeValidator(_expand_quantiles)]
    unit: Literal["short", "reqps", "s", "percentunit", "bytes", "cores", "ops"] = "short"
    number: bool = False
    width: int = 8
    description: str = ""
    knative: bool = False

    @property
    def height(self) -> int:
        """Height in Grafana's rows."""
        return 4 if self.number else 8

    def document(self, *, number: int, place: Mapping[str, int]) -> dict[str, Any]:
        """Return the panel as in Grafana's JSON model."""
        return {
            "id": number,
            "title": self.title,
            "description": self.description,
            "type": "stat" if self.number else "timeseries",
            "datasource": DATA_SOURCE,
            "gridPos": dict(place),
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "targets": [
                {
                    "refId": chr(ord("A") + position),
                    "datasource": DATA_SOURCE,
                    "expr": query.expression,
                    "legendFormat": query.legend,
                    "instant": self.number,
                    "range": not self.number,
                }
                for position, query in enumerate(self.queries)
            ],
        }


class Dashboard(_Part):
    """A page of panels; with `of_model`, the user chooses a namespace and a model."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    of_model: bool = False

    def document(self) -> dict[str, Any]:
        """Return the dashboard as Grafana's JSON model."""
        variables = [_variable("namespace", ""), _variable("model", 'namespace="$namespace"')] if self.of_model else []
        return {
            "uid": f"kserve-multi-model-{self.name}",
            "title": self.title,
            "tags": ["kserve-multi-model"],
            "schemaVersion": SCHEMA,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": variables},
            "panels": _placed(self.panels),
        }


def all_dashboards(*, knative: bool) -> tuple[Dashboard, ...]:
    """Return every dashboard; `knative`: whether Knative is installed, whose metrics are then shown."""
    dashboards = TypeAdapter(tuple[Dashboard, ...]).validate_python(yaml.safe_load(FILE.read_text("utf-8")))
    return tuple(
        dashboard.model_copy(update={"panels": tuple(p for p in dashboard.panels if knative or not p.knative)})
        for dashboard in dashboards
    )


def _variable(name: str, matcher: str) -> dict[str, Any]:
    query = f"label_values(kserve_inferenceservice_condition{{{matcher}}}, {name})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes, because models come and go
        "sort": 1,
    }


def _placed(panels: Iterable[Panel]) -> list[dict[str, Any]]:
    """Place the panels from left to right, in rows that are as high as their highest panel."""
    placed = []
    x = y = row_height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        placed.append(panel.document(number=number, place=place))
        x, row_height = x + panel.width, max(row_height, panel.height)
    return placed
