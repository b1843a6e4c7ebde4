"""The commands `doctor`, `status` and `logs`; what they need is imported when one of them runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from endpoints.endpoint import Endpoint
from endpoints.sources import read_endpoints, stdin_is_fed
from locales.terminal import NOT_READY, LanguageOption, Terminal

WATCH_SECONDS = 3.0
CODES = "64 bad usage or input; 70 an unexpected error; 130 interrupted."

Models = Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Only these models.", show_default=False)]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only this namespace (default: all).")]
Stack = Annotated[str | None, typer.Option(help="Look at the models of this Pulumi stack, by its outputs.")]
Cwd = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="The Pulumi project's folder, for --stack.")
]
File = Annotated[Path | None, typer.Option(help="Look at the models whose endpoints are in this JSON file.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="The cluster's kubeconfig (default: KUBECONFIG, ~/.kube/config).")
]
Context = Annotated[str | None, typer.Option(help="Kube context (default: the endpoints', else the current one).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=f"Exit codes: 0 all well; 2 something is not ready, or a check could not be made; {CODES}",
    )(doctor)
    app.command(epilog=f"Exit codes: 0 every model is ready; 2 one is not, or cannot be read; {CODES}")(status)
    app.command(epilog=f"Exit codes: 0 logs were printed; 2 there are none, which is explained; {CODES}")(logs)


def doctor(
    models: Models = None,
    namespace: Namespace = None,
    stack: Stack = None,
    cwd: Cwd = None,
    file: File = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    lang: LanguageOption = None,
    as_json: AsJson = False,
) -> int:
    """Say why a deployment or a model is not ready: the cause, what follows from it, and what to do.

    Needs only a kubeconfig, and changes nothing. With a stack, by --stack, --file or through a pipe, it also checks
    that the stack's models exist, and asks them at the stack's gateway.
    """
    from doctor.diagnosis import diagnose  # noqa: PLC0415 - a second of start-up time
    from doctor.gather import Wanted, look  # noqa: PLC0415
    from doctor.report import exit_code, print_report, to_json  # noqa: PLC0415

    terminal = Terminal.speaking(lang)
    with terminal.ending():
        endpoints: tuple[Endpoint, ...] = ()
        if stack or file or stdin_is_fed():
            read = read_endpoints(stack=stack, cwd=cwd, file=file, may_be_empty=True)
            if read is None:
                terminal.say("nothing-piped")
            endpoints = tuple(endpoint for endpoint in read or () if not endpoint.is_a_graph)
        wanted = Wanted(names=tuple(models or ()), namespace=namespace, endpoints=endpoints)
        with terminal.errors.status(terminal.language.text("looking")):
            facts = look(wanted, kubeconfig=kubeconfig, context=context)
        checks = diagnose(facts)
    if as_json:
        print(to_json(checks, language=terminal.language))
    else:
        print_report(checks, language=terminal.language, console=terminal.out)
    return exit_code(checks)


def status(
    models: Models = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    lang: LanguageOption = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
) -> int:
    """Show each model in a line: ready or why not, its versions' shares of the requests, pods, URL and age."""
    from doctor.gather import Wanted, look  # noqa: PLC0415
    from doctor.status import rows_of, show, to_json  # noqa: PLC0415
    from kube.views.kserve import InferenceService  # noqa: PLC0415

    terminal = Terminal.speaking(lang)
    wanted = Wanted(names=tuple(models or ()), namespace=namespace, ask=False)
    with terminal.ending():
        while True:
            facts = look(wanted, kubeconfig=kubeconfig, context=context)
            rows = rows_of(facts, language=terminal.language)
            if as_json:
                print(to_json(rows, facts))
            else:
                show(rows, facts, language=terminal.language, console=terminal.out)
            if not watch:
                seen = facts.version and not facts.missed(InferenceService)
                return 0 if seen and all(row.ready for row in rows) else NOT_READY
            time.sleep(WATCH_SECONDS)


def logs(
    model: Annotated[str, typer.Argument(help="The model.")],
    namespace: Namespace = None,
    container: Annotated[
        str | None,
        typer.Option(
            "--container", "-c", help="kserve-container, storage-initializer, queue-proxy … (default: the server)."
        ),
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the container before the last restart.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C, or until the pods end.")] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, help="Only so many lines of each container, the last ones.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DURATION", help="Only what is newer: 90s, 10m, 2h.")] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    lang: LanguageOption = None,
) -> int:
    """Print the logs of a model's pods, of all replicas, or say why there are none."""
    from doctor.logs import Query, print_logs, seconds  # noqa: PLC0415

    terminal = Terminal.speaking(lang)
    with terminal.ending():
        query = Query(
            model=model,
            namespace=namespace,
            container=container,
            previous=previous,
            follow=follow,
            tail=tail,
            since=seconds(since) if since else None,
        )
        printed = print_logs(query, kubeconfig=kubeconfig, context=context, terminal=terminal)
    return 0 if printed else NOT_READY
