"""The report of a run, for people (lines and a table) and for programs (JSON, JUnit XML)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from endpoints.failures import one_line
from locales.language import Language
from predict.outcome import NOT_ASKED, Outcome
from predict.words import display_name, explain, explain_service, verdict

CELL_WIDTH = 60  # predictions are cut to this in the table; the lines and the JSON report have them whole


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """2 if a model is not reachable or not ready, else 1 if one gives a wrong answer, else 0."""
    return max((outcome.exit_code for outcome in outcomes), default=0)


def to_json(outcomes: Sequence[Outcome], *, language: Language) -> str:
    """The report as one JSON document; a lone surrogate of an answer is in it as such."""
    report = {"exit_code": exit_code(outcomes), "models": [_model(outcome, language=language) for outcome in outcomes]}
    # By json, since pydantic's own writer refuses lone surrogates. NaN and infinities, no JSON, become strings.
    written = json.dumps(TypeAdapter(Any).dump_python(report))
    return json.dumps(json.loads(written, parse_constant=str), ensure_ascii=False, indent=2)


def _model(outcome: Outcome, *, language: Language) -> dict[str, object]:
    endpoint, prediction = outcome.endpoint, outcome.prediction
    message = explain(outcome.failure, endpoint, language=language) if outcome.failure else None
    return {
        "endpoint": endpoint,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "compared": bool(endpoint.check and prediction),
        "got": prediction.predictions if prediction else None,
        "explanations": prediction.explanations if prediction else None,
        "latency_ms": prediction.latency_ms if prediction else None,
        "waited_s": outcome.waited_s,
        "cause": message.meaning if message else None,
        "status": explain_service(outcome.service, endpoint, language=language),
        "advice": message.advice if message else None,
        "inference_service": outcome.service,
        "metadata": outcome.metadata,
    }


def print_report(outcomes: Sequence[Outcome], *, language: Language, console: Console) -> None:
    """Print a line for each model, below it what explains a failure and what to do, and a table of all."""
    table = Table(*language.tables["check"])
    for outcome in outcomes:
        for line in lines_of(outcome, language=language):
            console.print(Text(line), soft_wrap=True)
        endpoint, prediction = outcome.endpoint, outcome.prediction
        row = (
            endpoint.name,
            endpoint.url,
            endpoint.protocol,
            one_line(repr(endpoint.check.expected), limit=CELL_WIDTH) if endpoint.check else "–",
            one_line(repr(prediction.predictions), limit=CELL_WIDTH) if prediction else "–",
            f"{prediction.latency_ms:.1f}" if prediction else "–",
            verdict(outcome, language=language),
        )
        table.add_row(*(Text(cell, overflow="fold") for cell in row), style="red" if outcome.failure else None)
    right = sum(outcome.verdict == "ok" for outcome in outcomes)
    console.print(table)
    console.print(Text(language.text("summary", right=right, all=len(outcomes))), soft_wrap=True)


def write_junit(outcomes: Sequence[Outcome], *, path: Path, language: Language) -> None:
    """Write JUnit XML: a wrong answer is a failure, a model that is not ready an error, one not compared is skipped."""
    suite = Xml.Element("testsuite", name="predict", tests=str(len(outcomes)))
    for outcome in outcomes:
        endpoint = outcome.endpoint
        case = Xml.SubElement(suite, "testcase", classname=f"predict.{endpoint.namespace}", name=endpoint.name)
        case.set("time", f"{outcome.waited_s:.3f}")
        text = "\n".join(lines_of(outcome, language=language))
        if outcome.failure is not None:
            kind = "failure" if outcome.model_ready else "error"
            cause = explain(outcome.failure, endpoint, language=language).meaning
            Xml.SubElement(case, kind, type=outcome.verdict, message=cause).text = text
        elif outcome.verdict in {"answered", NOT_ASKED}:
            Xml.SubElement(case, "skipped", message=text)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{max((outcome.waited_s for outcome in outcomes), default=0):.3f}")
    Xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def lines_of(outcome: Outcome, *, language: Language) -> list[str]:
    """Describe an outcome: the answer, or the cause, what the InferenceService adds, what to do, where to read more."""
    endpoint = outcome.endpoint
    names = {"name": endpoint.name, "display": display_name(endpoint.name)}
    if outcome.failure is not None:
        message = explain(outcome.failure, endpoint, language=language)
        first = language.text("failed", cause=message.meaning, waited=outcome.waited_s, **names)
        service = explain_service(outcome.service, endpoint, language=language)
        more = (service, f"→ {message.advice}", f"  {language.page}#check-{outcome.verdict}")
        return [first, *(f"  {line}" for line in more if line)]
    if outcome.verdict == NOT_ASKED:
        return [language.text("not-asked", url=endpoint.url, **names)]
    if outcome.prediction is None:
        return [language.text("not-compared", **names)]
    prediction = outcome.prediction
    body = prediction.predictions
    if not endpoint.is_a_graph:
        explained = {"explanations": prediction.explanations} if prediction.explanations is not None else {}
        body = {"predictions": body, **explained}
    return [language.text("answered", body=body, **names)]
