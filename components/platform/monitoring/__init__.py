"""Prometheus, what it scrapes, its alerts, and the dashboards. The settings of monitoring belong to `settings`."""
