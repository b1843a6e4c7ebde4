"""The doctor's results as texts of a language."""

from __future__ import annotations

from doctor.checks import CheckResult, State
from doctor.findings import Finding
from kube.views.kserve import InferenceService
from locales.language import Language, Message, fill


def explain(finding: Finding, *, language: Language) -> Message:
    """Title, meaning and advice of a finding."""
    return language.causes[finding.cause].filled(finding.facts)


def titled(finding: Finding, *, language: Language) -> str:
    """Title of a finding, after the model's name if it is about a model."""
    title = explain(finding, language=language).title
    return f"{finding.subject}: {title}" if finding.kind == InferenceService.__name__ else title


def evidence_of(finding: Finding, *, language: Language) -> list[str]:
    """One line for each piece of evidence."""
    return [language.text("says", source=item.source, text=item.text) for item in finding.evidence]


def remedy(finding: Finding, *, language: Language) -> list[str]:
    """What to do, and the link to the troubleshooting page."""
    return [f"→ {explain(finding, language=language).advice}", f"  {language.page}#{finding.cause}"]


def headline(check: CheckResult, *, language: Language) -> str:
    """Result of a check in one line."""
    if check.state in {State.FAILED, State.NOTE}:
        serious = [finding for finding in check.findings if not finding.cause.note] or list(check.findings)
        return titled(serious[0], language=language)
    if check.state is State.UNREAD:
        return not_made(check, language=language)
    return fill(language.checks[f"{check.section}/{check.name}"], check.facts)


def not_made(check: CheckResult, *, language: Language) -> str:
    """The kinds of objects that could not be read."""
    return language.text("not-made", what=", ".join(dict.fromkeys(item.what for item in check.unread)))
