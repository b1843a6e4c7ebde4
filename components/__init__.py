"""What Pulumi declares. Nothing here asks a model, and nobody but `__main__.py` and the tests imports it."""
