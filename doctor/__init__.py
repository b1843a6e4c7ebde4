"""Why something is not ready: `python -m predict doctor`, `status`, `logs`. Comparing answers belongs in `predict`."""
