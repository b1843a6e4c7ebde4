"""Say what the preflight found: one line a check."""

from __future__ import annotations

import pulumi


def report(check: str, text: str) -> None:
    """Print the result of one check. In an update the line vanishes again, because the preview has printed it."""
    pulumi.log.info(f"{check}: {text}", ephemeral=not pulumi.runtime.is_dry_run())
