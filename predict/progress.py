"""Shows the progress of all checks: a live line for each model on a terminal, else a line for each change of state."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from endpoints.endpoint import Endpoint
from locales.language import Language
from predict.outcome import Outcome, Waiting
from predict.words import explain, gateway_of, verdict


class Progress:
    """Context manager around a run; `console` is standard error's."""

    def __init__(self, endpoints: Sequence[Endpoint], *, language: Language, console: Console) -> None:
        self._language = language
        self._console = console
        self._shown: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._live = RichProgress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        for endpoint in endpoints:
            self._tasks[endpoint.name] = self._live.add_task("", total=1)
            if endpoint.cluster_local:
                continue
            gateway = gateway_of(endpoint, language=language)
            asking = language.text("asking", name=endpoint.name, host=endpoint.host, gateway=gateway)
            self._print(endpoint, language.text("no-address", asking=asking) if endpoint.forwarded else asking)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Waiting | Outcome) -> None:
        """Show a change of state."""
        name, language = event.endpoint.name, self._language
        if isinstance(event, Waiting):
            label = explain(event.failure, event.endpoint, language=language).title
            self._print(event.endpoint, language.text("waiting", name=name, label=label))
        else:
            self._print(event.endpoint, f"{name}: {verdict(event, language=language)}")
            self._live.advance(self._tasks[name])

    def _print(self, endpoint: Endpoint, line: str) -> None:
        if self._shown.get(endpoint.name) == line:
            return
        self._shown[endpoint.name] = line
        self._live.update(self._tasks[endpoint.name], description=line)
        if not self._console.is_terminal:
            self._console.print(Text(line), soft_wrap=True)
