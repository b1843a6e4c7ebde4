"""Versions that work together: the only place with versions of what is deployed."""
