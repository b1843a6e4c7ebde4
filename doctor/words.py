"""Puts the doctor's results into words."""

from __future__ import annotations

from doctor.checks import CheckResult, State
from doctor.findings import Finding
from kube.views.kserve import InferenceService
from locales.language import Language, Message, fill


def explain(finding: Finding, *, language: Language) -> Message:
    """Put a finding into words."""
    return language.causes[finding.cause].filled(finding.facts)


def titled(finding: Finding, *, language: Language) -> str:
    """Say what was found, and of which model."""
    title = explain(finding, language=language).title
    return f"{finding.subject}: {title}" if finding.kind == InferenceService.__name__ else title


def evidence_of(finding: Finding, *, language: Language) -> list[str]:
    """Say where in the cluster it was seen."""
    return [language.text("says", source=item.source, text=item.text) for item in finding.evidence]


def remedy(finding: Finding, *, language: Language) -> list[str]:
    """Say what to do, and where to read more."""
    return [f"→ {explain(finding, language=language).advice}", f"  {language.page}#{finding.cause}"]


def headline(check: CheckResult, *, language: Language) -> str:
    """Say how a check ended, in one line."""
    if check.state in {State.FAILED, State.NOTE}:
        serious = [finding for finding in check.findings if not finding.cause.note] or list(check.findings)
        return titled(serious[0], language=language)
    if check.state is State.UNREAD:
        return not_made(check, language=language)
    return fill(language.checks[f"{check.section}/{check.name}"], check.facts)


def not_made(check: CheckResult, *, language: Language) -> str:
    """Say what could not be read."""
    return language.text("not-made", what=", ".join(dict.fromkeys(item.what for item in check.unread)))
