"""Fixtures of another room, for these tests, too."""

from tests.unit.kube.conftest import authority

__all__ = ["authority"]
