"""All checks, in the order in which one thing needs another: cluster, platform, gateway, models."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.causes import gateway, models, platform
from doctor.checks import CheckResult
from doctor.facts import Facts


def diagnose(facts: Facts) -> tuple[CheckResult, ...]:
    """Make every check, except those that cannot succeed because an earlier one failed."""
    return tuple(_all(facts))


def _all(facts: Facts) -> Iterator[CheckResult]:
    yield platform.api(facts)
    if not facts.version:
        return
    yield platform.nodes(facts)
    yield platform.installed(facts)
    if not platform.is_installed(facts):
        return
    yield from platform.parts(facts)
    yield platform.webhooks(facts)
    yield platform.runtimes(facts)
    yield from gateway.way_in(facts)
    yield from models.declared(facts)
    broken = platform.stops_models(facts)
    for model in models.all_of(facts):
        yield models.check(facts, model, broken=broken)
    yield from gateway.answers(facts)
    yield from gateway.names(facts)
