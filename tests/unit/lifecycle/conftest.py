"""The project of each test."""

from tests.lifecycle_project import project

__all__ = ["project"]
