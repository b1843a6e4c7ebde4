"""The table of models that `status` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from doctor.causes import models, platform
from doctor.checks import State
from doctor.facts import Facts
from doctor.model import ModelView
from doctor.words import explain
from kube.views.kserve import InferenceService
from kube.views.kubernetes import Deployment
from locales.language import Language

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model, with the fields of the JSON document.

    Attributes:
        traffic: each version's share of the requests.
        pods: ready ones and wanted ones, as `1/2`.
        id: name of the cause why it is not ready; empty if there is none.
        cause: its title in the language of the terminal.

    """

    namespace: str
    name: str
    ready: bool
    traffic: str
    pods: str
    url: str
    age_seconds: int | None
    id: str
    cause: str


def rows_of(facts: Facts, *, language: Language) -> tuple[Row, ...]:
    """One row for each model."""
    return tuple(_row(facts, model, language=language) for model in models.all_of(facts))


def to_json(rows: Sequence[Row], facts: Facts) -> str:
    """The rows, and the lists that could not be read, as one JSON document."""
    unread = [str(item) for item in facts.missed(InferenceService)]
    return json.dumps({"models": [asdict(row) for row in rows], "unread": unread}, ensure_ascii=False, indent=2)


def show(rows: Sequence[Row], facts: Facts, *, language: Language, console: Console) -> None:
    """Print the table, or why there is none."""
    if not facts.version:
        for finding in platform.api(facts).findings:
            console.print(Text(f"{explain(finding, language=language).title}: {facts.unreachable}"), soft_wrap=True)
        return
    missed = facts.missed(InferenceService)
    for item in missed:
        console.print(Text(language.text("not-made", what=item.what)), soft_wrap=True)
        console.print(Text(f"  {item}"), soft_wrap=True)
    if not rows and not missed:
        console.print(Text(language.text("no-inference-services")), soft_wrap=True)
    if not rows:
        return
    shown = Table(*language.tables["status"], box=None, pad_edge=False)
    for row in rows:
        cells = (
            row.namespace,
            row.name,
            language.text("yes" if row.ready else "no"),
            row.traffic,
            row.pods,
            row.url,
            _age(row.age_seconds),
            row.cause,
        )
        shown.add_row(*(Text(cell, overflow="fold") for cell in cells), style=None if row.ready else "red")
    console.print(shown)


def _row(facts: Facts, model: InferenceService, *, language: Language) -> Row:
    check = models.check(facts, model, broken=platform.stops_models(facts))
    view = ModelView(facts=facts, model=model)
    findings = list(check.findings)
    created = model.metadata.created
    return Row(
        namespace=model.namespace,
        name=model.name,
        ready=model.ready and check.state in {State.OK, State.NOTE},
        traffic=_traffic(model),
        pods=_pods(view),
        url=model.url,
        age_seconds=int((facts.now - created).total_seconds()) if created else None,
        id=findings[0].cause if findings else "",
        cause=explain(findings[0], language=language).title if findings else "",
    )


def _traffic(model: InferenceService) -> str:
    """Describe each version's share of the requests; without Knative there is only one version."""
    shares: dict[str, int] = {}
    for target in model.traffic:
        shares[target.revision] = shares.get(target.revision, 0) + target.percent
    short = model.name + "-predictor-"
    return ", ".join(f"{name.removeprefix(short)} {share} %" for name, share in shares.items() if share) or "-"


def _pods(view: ModelView) -> str:
    """Describe how many of the pods that should run are ready."""
    wanted = sum(item.wanted for item in view.facts.of(Deployment, view.namespace) if item.model == view.model.name)
    return f"{sum(pod.ready for pod in view.pods)}/{wanted}"


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "?"
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{seconds // unit}{letter}"
    return f"{seconds}s"
