"""Which stack an object is of, where several deploy to one cluster."""

from __future__ import annotations

import pulumi

ANNOTATION = "kserve-multi-model/stack"


def this_stack() -> str:
    """The running stack's full name."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
