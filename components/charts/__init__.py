"""How Helm charts are fetched, rendered and installed. Which charts, with which values, belongs to `platform`."""
