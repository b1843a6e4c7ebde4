"""Configuration of what is measured: Prometheus's targets, kube-state-metrics' objects, the gateway's statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kube.views.base import MODEL_LABEL

HERE = Path(__file__).parent
# In the pods of Prometheus and kube-state-metrics.
CONFIG_FOLDER = "/etc/config"
CONFIG_FILE = "prometheus.yml"
ALERTS_FILE = "alerts.yml"
CUSTOM_RESOURCES_FILE = "config.yaml"
# Statistics that the gateway's Envoy keeps only if it is configured to. Commas separate them, so none may contain one.
GATEWAY_STATISTICS = (
    r"cluster\.outbound.*-predictor.*\.upstream_rq_(1xx|2xx|3xx|4xx|5xx|time)",
    r"http\.outbound.*\.downstream_(cx_active|rq_(1xx|2xx|3xx|4xx|5xx|time))",
)
# Kinds of objects and labels that kube-state-metrics exports.
COLLECTORS = ("deployments", "horizontalpodautoscalers", "pods")
LABELS = f"pods=[{MODEL_LABEL}]"


def scrape_configs() -> list[dict[str, Any]]:
    """Return Prometheus's scrape jobs, as in its configuration."""
    return list(yaml.safe_load((HERE / "scrape_configs.yaml").read_text("utf-8")))


def prometheus_configuration(*, interval: int) -> Mapping[str, Any]:
    """Return the content of Prometheus's configuration file; `interval` is in seconds."""
    return {
        "global": {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"},
        "rule_files": [f"{CONFIG_FOLDER}/{ALERTS_FILE}"],
        "scrape_configs": scrape_configs(),
    }


def inference_service_metrics() -> dict[str, Any]:
    """Return kube-state-metrics' configuration for custom resources."""
    return dict(yaml.safe_load((HERE / "custom_resources.yaml").read_text("utf-8")))
