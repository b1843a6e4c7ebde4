"""The doctor's report, for people (a line a check) and for programs (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from doctor.checks import CheckResult, Name, Section, State
from doctor.findings import Finding
from doctor.words import evidence_of, explain, headline, not_made, remedy, titled
from locales.language import Language
from locales.terminal import NOT_READY

SIGNS = {State.OK: ("✓", "green"), State.NOTE: ("•", "cyan"), State.FAILED: ("✗", "red"), State.UNREAD: ("?", "yellow")}


def exit_code(checks: Sequence[CheckResult]) -> int:
    """0 if every check was made and found nothing wrong, else 2."""
    return NOT_READY if any(check.state in {State.FAILED, State.UNREAD} for check in checks) else 0


def to_json(checks: Sequence[CheckResult], *, language: Language) -> str:
    """The report as one JSON document; the findings of a check begin with the cause of the others."""
    report = {
        "exit_code": exit_code(checks),
        "checks": [
            {
                "section": check.section,
                "name": check.name,
                "state": check.state,
                "text": headline(check, language=language),
                "findings": [_finding(finding, language=language) for finding in check.findings],
                "unread": [str(item) for item in check.unread],
            }
            for check in checks
        ],
    }
    return json.dumps(report, ensure_ascii=False, indent=2)


def _finding(finding: Finding, *, language: Language) -> dict[str, object]:
    message = explain(finding, language=language)
    return {
        "id": finding.cause,
        "note": finding.cause.note,
        "kind": finding.kind,
        "namespace": finding.namespace,
        "name": finding.name,
        "title": message.title,
        "advice": message.advice,
        "facts": dict(finding.facts),
        "evidence": [asdict(item) for item in finding.evidence],
    }


def print_report(checks: Sequence[CheckResult], *, language: Language, console: Console) -> None:
    """Print each check in a line, by section, and below it what is wrong, the evidence for it and the remedy."""
    for section in Section:
        inside = [check for check in checks if check.section is section]
        if inside:
            console.print(Text(language.sections[section], style="bold"))
        for check in inside:
            for text in _lines(check, language=language):
                console.print(text, soft_wrap=True)
    wrong = sum(check.state is State.FAILED for check in checks)
    unread = sum(check.state is State.UNREAD for check in checks)
    models = sum(_is_model(check) for check in checks)
    if wrong:
        console.print(Text(language.text("unhealthy", wrong=wrong, checks=len(checks))))
    if unread:
        console.print(Text(language.text("unchecked", unread=unread, checks=len(checks))))
    if not wrong and not unread:
        console.print(Text(language.text("healthy", models=models, checks=len(checks))))


def _is_model(check: CheckResult) -> bool:
    return check.name is Name.MODEL


def _lines(check: CheckResult, *, language: Language) -> Iterator[Text]:
    sign, colour = SIGNS[check.state]
    if check.state not in {State.FAILED, State.NOTE}:
        yield Text.assemble("  ", (sign, colour), f" {headline(check, language=language)}")
    for number, finding in enumerate(check.findings):
        mark = SIGNS[State.NOTE if finding.cause.note else State.FAILED]
        # A model's first finding is the cause; the others follow from it.
        first = number == 0 or not _is_model(check)
        head = Text.assemble("  ", mark if first else ("↳", mark[1]), f" {titled(finding, language=language)} ")
        yield head.append(f"[{finding.cause}]", style="dim")
        for line in evidence_of(finding, language=language):
            yield Text(f"      {line}", style="dim")
        for line in remedy(finding, language=language):
            yield Text(f"      {line}")
    if check.state in {State.FAILED, State.NOTE} and check.unread:
        yield Text.assemble("  ", SIGNS[State.UNREAD], f" {not_made(check, language=language)}")
    # The refusals to read a kind differ in the namespace only: the first one is enough.
    for missed in {item.what: item for item in reversed(check.unread)}.values():
        yield Text(f"      {missed}", style="dim")
