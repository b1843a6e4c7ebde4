"""What Pulumi declares. Nothing here asks a model, and only `__main__.py`, `tools/` and the tests import it."""
