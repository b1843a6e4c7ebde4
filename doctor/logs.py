"""Prints logs of a model's pods, all of them at once."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from lightkube import ConfigError
from rich.console import Console
from rich.text import Text

from doctor.causes import models, platform
from doctor.diagnosis import diagnose
from doctor.facts import Facts
from doctor.gather import Wanted, connect, gather
from doctor.kinds import InferenceService, Pod
from doctor.model import INITIALIZER, SERVER, ModelView
from doctor.report import titled
from doctor.words import DoctorLanguage
from endpoints.failures import one_line
from endpoints.sources import InputError

NOT_READY = 2
DURATION = re.compile(r"(\d+)([smh]?)")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which logs: of one container (None: the server, or what runs before it), `tail` lines, `since` seconds."""

    model: str
    namespace: str | None
    container: str | None
    previous: bool
    follow: bool
    tail: int | None
    since: int | None

    @property
    def parameters(self) -> dict[str, str]:
        """What the API is asked."""
        asked = {"tailLines": self.tail, "sinceSeconds": self.since}
        flags = {"follow": self.follow, "previous": self.previous}
        return {key: str(value) for key, value in asked.items() if value is not None} | {
            key: "true" for key, value in flags.items() if value
        }


@dataclass(frozen=True, kw_only=True)
class Source:
    """One container of one pod."""

    namespace: str
    pod: str
    container: str

    @property
    def path(self) -> str:
        """Where its log is."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"

    def __str__(self) -> str:
        return f"{self.pod}/{self.container}"


def seconds(text: str, *, words: DoctorLanguage) -> int:
    """Read a duration; raises InputError for another text."""
    match = DURATION.fullmatch(text)
    if match is None or not int(match[1]):
        raise InputError(words.bad_duration.format(value=text))
    return int(match[1]) * UNITS[match[2]]


def print_logs(
    query: Query, *, kubeconfig: Path | None, context: str | None, words: DoctorLanguage, out: Console, errors: Console
) -> int:
    """Print them and give 0, or say why there are none and give 2. Raises InputError for what cannot be meant."""
    try:
        client, home = connect(kubeconfig=kubeconfig, context=context)
    except ConfigError as problem:
        raise InputError(words.no_kubeconfig.format(problem=problem)) from problem
    with client:
        facts = gather(client, wanted=Wanted(names=(query.model,), namespace=query.namespace, ask=False), home=home)
        model = _the_model(facts, words=words)
        if model is None:
            return _explain(facts, words=words, errors=errors)
        view = ModelView(facts=facts, model=model)
        if not view.pods:
            errors.print(words.no_pods.format(model=model.name), markup=False, soft_wrap=True)
            return _why(view, words=words, errors=errors)
        sources = list(sources_of(view.pods, query=query))
        if not sources and query.container and query.container != ALL:
            known = sorted({status.name for _, status in view.statuses})
            told = {"model": model.name, "container": query.container, "known": ", ".join(known) or "-"}
            if query.container not in known:
                raise InputError(words.no_such_container.format(**told))
        if not sources:
            errors.print(words.no_containers.format(model=model.name), markup=False, soft_wrap=True)
            return _why(view, words=words, errors=errors)
        printed = _stream(client, sources, query=query, words=words, out=out, errors=errors)
    return 0 if printed else NOT_READY


def sources_of(pods: Sequence[Pod], *, query: Query) -> Iterator[Source]:
    """The containers meant that have begun: by name, or the server, else what runs before it and failed."""
    for pod in pods:
        begun = [
            status.name
            for status in (*pod.init, *pod.containers)
            if status.running_since or status.ended or status.ended_before
        ]
        if query.container == ALL:
            chosen = begun
        elif query.container:
            chosen = [name for name in begun if name == query.container]
        else:
            chosen = [name for name in begun if name == SERVER] or [name for name in begun if name == INITIALIZER]
        for name in chosen:
            yield Source(namespace=pod.namespace, pod=pod.name, container=name)


def _the_model(facts: Facts, *, words: DoctorLanguage) -> InferenceService | None:
    found = models.all_of(facts)
    if len(found) > 1:
        told = {"model": found[0].name, "namespaces": ", ".join(model.namespace for model in found)}
        raise InputError(words.ambiguous_model.format(**told))
    return found[0] if found else None


def _explain(facts: Facts, *, words: DoctorLanguage, errors: Console) -> int:
    """Say why the model was not found."""
    for check in diagnose(facts):
        for item in check.unread if check.name == "declared" else ():
            errors.print(words.not_made.format(what=item.what), markup=False, soft_wrap=True)
            errors.print(f"  {words.not_made_reason.format(reason=item)}", markup=False, soft_wrap=True)
        for finding in check.findings if not facts.version or check.name in {"installed", "declared"} else ():
            errors.print(f"{words.title(finding)}\n  → {words.advice(finding)}", markup=False, soft_wrap=True)
    return NOT_READY


def _why(view: ModelView, *, words: DoctorLanguage, errors: Console) -> int:
    """Say what the doctor says of the model."""
    check = models.check(view.facts, view.model, broken=platform.stops_models(view.facts))
    for finding in check.findings:
        errors.print(f"  {titled(finding, language=words)}", markup=False, soft_wrap=True)
        for item in finding.evidence:
            told = words.says.format(source=item.source, text=item.text)
            errors.print(f"    {told}", markup=False, soft_wrap=True)
        errors.print(f"  → {words.advice(finding)}", markup=False, soft_wrap=True)
    return NOT_READY


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line of a source; None ends it, with a problem if there was one."""

    source: Source
    text: str | None
    problem: str = ""


def _stream(
    client: httpx.Client,
    sources: Sequence[Source],
    *,
    query: Query,
    words: DoctorLanguage,
    out: Console,
    errors: Console,
) -> bool:
    """Print the lines of all as they come; give whether any of the logs could be read."""
    lines: queue.Queue[_Line] = queue.Queue()
    # Threads that wait for a log's next line end with the program.
    for source in sources:
        threading.Thread(target=_read, args=(client, source, query, lines), daemon=True).start()
    colours = {source: COLOURS[number % len(COLOURS)] for number, source in enumerate(sources)}
    running, read = len(sources), False
    while running:
        line = lines.get()
        if line.text is not None:
            read = True
            prefix = (f"[{line.source}] ", colours[line.source]) if len(sources) > 1 else ""
            out.print(Text.assemble(prefix, line.text), soft_wrap=True)
            continue
        running -= 1
        read = read or not line.problem
        if line.problem:
            told = words.unreadable_log.format(source=line.source, problem=line.problem)
            errors.print(told, markup=False, soft_wrap=True)
    return read


def _read(client: httpx.Client, source: Source, query: Query, lines: queue.Queue[_Line]) -> None:
    asked = query.parameters | {"container": source.container}
    timeout = httpx.Timeout(10, read=None if query.follow else 60)
    problem = ""
    try:
        with client.stream("GET", source.path, params=asked, timeout=timeout) as answer:
            if answer.is_success:
                for text in answer.iter_lines():
                    lines.put(_Line(source=source, text=text))
            else:
                answer.read()
                body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
                problem = one_line(str(body.get("message") or f"HTTP {answer.status_code}"))
    except (httpx.HTTPError, ValueError) as broken:
        problem = one_line(f"{type(broken).__name__}: {broken}")
    lines.put(_Line(source=source, text=None, problem=problem))
