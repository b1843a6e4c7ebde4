"""All checks, in the order in which one thing needs another: cluster, platform, gateway, models."""

from __future__ import annotations

from doctor.causes import gateway, models, platform
from doctor.checks import CheckResult
from doctor.facts import Facts


def diagnose(facts: Facts) -> tuple[CheckResult, ...]:
    """Make every check, except those that cannot succeed because an earlier one failed."""
    api = platform.api(facts)
    if not facts.version:
        return (api,)
    base = (api, platform.nodes(facts), platform.installed(facts))
    if not platform.is_installed(facts):
        return base
    broken = platform.stops_models(facts)
    return (
        *base,
        *platform.parts(facts),
        platform.webhooks(facts),
        platform.runtimes(facts),
        *gateway.way_in(facts),
        *models.declared(facts),
        *(models.check(facts, model, broken=broken) for model in models.all_of(facts)),
        *gateway.answers(facts),
        *gateway.names(facts),
    )
