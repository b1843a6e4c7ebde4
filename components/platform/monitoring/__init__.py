"""Metrics of models: Prometheus, what it scrapes, alerts and dashboards."""
