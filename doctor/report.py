"""The diagnosis, for people (a line a check) and for programs (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.text import Text

from doctor.checks import Check, Section, State
from doctor.findings import Finding
from doctor.kinds import InferenceService
from doctor.words import DoctorLanguage

SIGNS = {State.OK: ("✓", "green"), State.NOTE: ("•", "cyan"), State.FAILED: ("✗", "red"), State.UNREAD: ("?", "yellow")}
NOT_READY = 2


class EvidenceReport(BaseModel):
    """What something in the cluster says."""

    model_config = ConfigDict(frozen=True)

    source: str
    text: str


class FindingReport(BaseModel):
    """One finding in the JSON report."""

    model_config = ConfigDict(frozen=True)

    id: str
    note: bool
    kind: str
    namespace: str
    name: str
    title: str
    advice: str
    facts: dict[str, str]
    evidence: list[EvidenceReport]


class CheckReport(BaseModel):
    """One check in the JSON report; its findings with the cause first."""

    model_config = ConfigDict(frozen=True)

    section: str
    name: str
    state: str
    text: str
    findings: list[FindingReport]
    unread: list[str]


class Report(BaseModel):
    """The JSON report."""

    model_config = ConfigDict(frozen=True)

    exit_code: int
    checks: list[CheckReport]


def exit_code(checks: Sequence[Check]) -> int:
    """0 if every check was made and found nothing wrong, else 2."""
    return NOT_READY if any(check.state in {State.FAILED, State.UNREAD} for check in checks) else 0


def to_json(checks: Sequence[Check], *, language: DoctorLanguage) -> str:
    """Give the report as one JSON document."""
    report = Report(
        exit_code=exit_code(checks),
        checks=[
            CheckReport(
                section=check.section,
                name=check.name,
                state=check.state,
                text=headline(check, language=language),
                findings=[_finding(finding, language=language) for finding in check.findings],
                unread=[str(item) for item in check.unread],
            )
            for check in checks
        ],
    )
    return json.dumps(report.model_dump(), ensure_ascii=False, indent=2)


def print_report(checks: Sequence[Check], *, language: DoctorLanguage, console: Console) -> None:
    """Print a line a check by section, and below what is wrong what says so and what to do."""
    for section in Section:
        inside = [check for check in checks if check.section is section]
        if inside:
            console.print(Text(language.sections[section], style="bold"))
        for check in inside:
            for text in _lines(check, language=language):
                console.print(text, soft_wrap=True)
    wrong = sum(check.state is State.FAILED for check in checks)
    unread = sum(check.state is State.UNREAD for check in checks)
    models = sum(finding.section is Section.MODELS for finding in checks if _is_model(finding))
    if wrong:
        console.print(Text(language.unhealthy.format(wrong=wrong, checks=len(checks))))
    if unread:
        console.print(Text(language.unchecked.format(unread=unread, checks=len(checks))))
    if not wrong and not unread:
        console.print(Text(language.healthy.format(models=models, checks=len(checks))))


def headline(check: Check, *, language: DoctorLanguage) -> str:
    """Say how a check ended, in one line."""
    if check.state in {State.FAILED, State.NOTE}:
        serious = [finding for finding in check.findings if not finding.cause.note] or list(check.findings)
        return titled(serious[0], language=language)
    return language.check(check)


def titled(finding: Finding, *, language: DoctorLanguage) -> str:
    """Say what was found, and of which model."""
    title = language.title(finding)
    return f"{finding.subject}: {title}" if finding.kind == InferenceService.__name__ else title


def _is_model(check: Check) -> bool:
    return check.name == "model"


def _lines(check: Check, *, language: DoctorLanguage) -> Iterator[Text]:
    sign, colour = SIGNS[check.state]
    if check.state not in {State.FAILED, State.NOTE}:
        yield Text.assemble("  ", (sign, colour), f" {language.check(check)}")
    for number, finding in enumerate(check.findings):
        mark = SIGNS[State.NOTE if finding.cause.note else State.FAILED]
        # What follows from a model's first finding is below it.
        first = number == 0 or not _is_model(check)
        head = Text.assemble("  ", mark if first else ("↳", mark[1]), f" {titled(finding, language=language)} ")
        yield head.append(f"[{finding.cause}]", style="dim")
        for item in finding.evidence:
            yield Text(f"      {language.says.format(source=item.source, text=item.text)}", style="dim")
        yield Text(f"      → {language.advice(finding)}")
    if check.state in {State.FAILED, State.NOTE} and check.unread:
        yield Text.assemble("  ", SIGNS[State.UNREAD], f" {language.not_made.format(what=_what(check))}")
    # A kind's refusals differ by the namespace only.
    for missed in {item.what: item for item in reversed(check.unread)}.values():
        yield Text(f"      {language.not_made_reason.format(reason=missed)}", style="dim")


def _what(check: Check) -> str:
    return ", ".join(dict.fromkeys(item.what for item in check.unread))


def _finding(finding: Finding, *, language: DoctorLanguage) -> FindingReport:
    return FindingReport(
        id=finding.cause,
        note=finding.cause.note,
        kind=finding.kind,
        namespace=finding.namespace,
        name=finding.name,
        title=language.title(finding),
        advice=language.advice(finding),
        facts=dict(finding.facts),
        evidence=[EvidenceReport(source=item.source, text=item.text) for item in finding.evidence],
    )
