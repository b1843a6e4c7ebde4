"""Prints the logs of all of a model's pods together."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from rich.text import Text

from doctor.causes import models, platform
from doctor.checks import Name
from doctor.diagnosis import diagnose
from doctor.facts import Facts
from doctor.gather import Wanted, connect, gather
from doctor.model import SERVER, ModelView
from doctor.words import evidence_of, explain, remedy, titled
from endpoints.failures import one_line
from endpoints.sources import InputError
from kube.connection import refusal_of
from kube.kubeconfig import KubeconfigError
from kube.views.fetching import INITIALIZER
from kube.views.kserve import InferenceService
from kube.views.kubernetes import Pod
from locales.terminal import Terminal

DURATION = re.compile(r"(\d+)([smh]?)")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which logs to print.

    Attributes:
        container: None for the server, or for the storage initializer where the server has not started; or `all`.
        previous: of the container before the last restart.
        follow: also lines still to come.
        tail: this many lines at most, the last ones; None for all.
        since: of the last so many seconds; None for all.

    """

    model: str
    namespace: str | None
    container: str | None
    previous: bool
    follow: bool
    tail: int | None
    since: int | None

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters of the Kubernetes API."""
        numbers = {"tailLines": self.tail, "sinceSeconds": self.since}
        flags = {"follow": self.follow, "previous": self.previous}
        given = {name: str(value) for name, value in numbers.items() if value is not None}
        return given | {name: "true" for name, value in flags.items() if value}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One container of one pod."""

    namespace: str
    pod: str
    container: str

    @property
    def path(self) -> str:
        """The path of its log in the Kubernetes API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"

    def __str__(self) -> str:
        return f"{self.pod}/{self.container}"


def seconds(duration: str) -> int:
    """Read a duration, as in `90s`, `10m`, `2h`.

    Raises:
        InputError: it is something else, or 0.

    """
    match = DURATION.fullmatch(duration)
    if match is None or not int(match[1]):
        raise InputError("bad-duration", value=duration)
    return int(match[1]) * UNITS[match[2]]


def print_logs(query: Query, *, kubeconfig: Path | None, context: str | None, terminal: Terminal) -> bool:
    """Print the logs, or say why there are none; return whether there are any.

    Raises:
        InputError: the kubeconfig cannot be used, or there is no such container, or more than one such model.

    """
    client, home = connect(kubeconfig=kubeconfig, context=context)
    with client:
        facts = gather(client, wanted=Wanted(names=(query.model,), namespace=query.namespace, ask=False), home=home)
        model = _the_model(facts)
        if model is None:
            _explain_missing(facts, terminal=terminal)
            return False
        view = ModelView(facts=facts, model=model)
        if sources := list(sources_of(view.pods, query=query)):
            return _stream(client, sources, query=query, terminal=terminal)
        known = sorted({status.name for _, status in view.statuses})
        if view.pods and query.container and query.container not in {ALL, *known}:
            names = ", ".join(known) or "-"
            raise InputError("no-such-container", model=model.name, container=query.container, known=names)
        terminal.say("no-containers" if view.pods else "no-pods", model=model.name)
        _explain(view, terminal=terminal)
        return False


def sources_of(pods: Sequence[Pod], *, query: Query) -> Iterator[Source]:
    """Find the containers to print that have started: by name, or the server, or else the storage initializer."""
    for pod in pods:
        started = [
            status.name
            for status in (*pod.init, *pod.containers)
            if status.running_since or status.ended or status.ended_before
        ]
        wanted = query.container or (SERVER if SERVER in started else INITIALIZER)
        for name in started:
            if wanted in {ALL, name}:
                yield Source(namespace=pod.namespace, pod=pod.name, container=name)


def _the_model(facts: Facts) -> InferenceService | None:
    found = models.all_of(facts)
    if len(found) > 1:
        namespaces = ", ".join(model.namespace for model in found)
        raise InputError("ambiguous-model", model=found[0].name, namespaces=namespaces)
    return found[0] if found else None


def _explain_missing(facts: Facts, *, terminal: Terminal) -> None:
    """Say why the model was not found."""
    language = terminal.language
    for check in diagnose(facts):
        for item in check.unread if check.name is Name.DECLARED else ():
            terminal.say("not-made", what=item.what)
            terminal.print(f"  {item}")
        for finding in check.findings if not facts.version or check.name in {Name.INSTALLED, Name.DECLARED} else ():
            terminal.print(explain(finding, language=language).title)
            for line in remedy(finding, language=language):
                terminal.print(f"  {line}")


def _explain(view: ModelView, *, terminal: Terminal) -> None:
    """Print what the doctor finds about the model."""
    language = terminal.language
    check = models.check(view.facts, view.model, broken=platform.stops_models(view.facts))
    for finding in check.findings:
        terminal.print(f"  {titled(finding, language=language)}")
        for line in evidence_of(finding, language=language):
            terminal.print(f"    {line}")
        for line in remedy(finding, language=language):
            terminal.print(f"  {line}")


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line of a log. A `text` of None is its end; `problem` says why the log could not be read, if so."""

    source: Source
    text: str | None
    problem: str = ""


def _stream(client: httpx.Client, sources: Sequence[Source], *, query: Query, terminal: Terminal) -> bool:
    """Print the lines of all sources as they come; return whether any of the logs could be read."""
    out = terminal.out
    lines: queue.Queue[_Line] = queue.Queue()
    # Daemon threads: one that waits for a log's next line must not keep the program from ending.
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
            terminal.say("unreadable-log", source=line.source, problem=line.problem)
    return read


def _read(client: httpx.Client, source: Source, query: Query, lines: queue.Queue[_Line]) -> None:
    parameters = query.parameters | {"container": source.container}
    timeout = httpx.Timeout(10, read=None if query.follow else 60)
    problem = ""
    try:
        with client.stream("GET", source.path, params=parameters, timeout=timeout) as answer:
            if answer.is_success:
                for text in answer.iter_lines():
                    lines.put(_Line(source=source, text=text))
            else:
                answer.read()
                problem = one_line(refusal_of(answer))
    except (httpx.HTTPError, KubeconfigError) as error:
        problem = one_line(f"{type(error).__name__}: {error}")
    lines.put(_Line(source=source, text=None, problem=problem))
