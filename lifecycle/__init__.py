"""The life of a stack, as `make` runs it: open, deploy, check, destroy. Declares no resource and builds no cluster."""
