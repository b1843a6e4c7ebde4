"""Say what the preflight found: one line a check."""

from __future__ import annotations

import pulumi


def report(check: str, text: str) -> None:
    """Say the result of one check. During an update the line does not stay, because its preview has said it already."""
    pulumi.log.info(f"{check}: {text}", ephemeral=not pulumi.runtime.is_dry_run())
