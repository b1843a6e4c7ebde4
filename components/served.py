"""Names of a stack's models and graphs in one namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Served:
    """Names of models and graphs, in one namespace."""

    models: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()
