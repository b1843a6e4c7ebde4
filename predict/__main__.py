"""The command line of the prediction check."""

import io
import sys
import traceback
from pathlib import Path
from typing import Annotated, TextIO

import typer

from doctor.commands import register
from endpoints.endpoint import Endpoint
from endpoints.sources import InputError, read_endpoints
from locales.terminal import BAD_USAGE, LanguageOption, Terminal
from predict import report
from predict.check import Limits, check_all
from predict.outcome import Outcome
from predict.progress import Progress

UNEXPECTED = 70

app = typer.Typer(add_completion=False)
register(app)


@app.callback(
    invoke_without_command=True,
    epilog="Exit codes: 0 all right; 1 at least one wrong answer, all models ready; 2 at least one model not reachable "
    "or not ready; 64 bad usage or input; 70 an unexpected error; 130 interrupted.",
)
def predict(
    command: typer.Context,
    stack: Annotated[str | None, typer.Option(help="Read the outputs of this Pulumi stack.")] = None,
    cwd: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="The Pulumi project's folder, for --stack.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read the endpoints from this JSON file.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="Check this model only; repeatable.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=86400, help="Seconds to wait for a model to be ready.")] = 120,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Where to ask why a model is not ready (default: KUBECONFIG, ~/.kube/config).")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Kube context to ask (default: the endpoint's own).")] = None,
    lang: LanguageOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of lines and a table.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write JUnit XML to this file.")] = None,
) -> int:
    """Ask every deployed model for a prediction through the gateway and compare the answer by value.

    The endpoints come from --stack, from --file, from a pipe, or else from the selected stack:
    pulumi stack output endpoints --json | python -m predict
    """
    if command.invoked_subcommand:
        _refuse_options_before(command)
        return 0
    terminal = Terminal.speaking(lang)
    language = terminal.language
    with terminal.ending(interrupted="check-interrupted"):
        with terminal.errors.status(language.text("reading-stack")):
            endpoints = _endpoints(stack=stack, cwd=cwd, file=file, only=only or [])
        if not endpoints:
            terminal.say("no-models")
        limits = Limits(timeout=timeout, kubeconfig=kubeconfig, context=context)
        outcomes: dict[str, Outcome] = {}
        with Progress(endpoints, language=language, console=terminal.errors) as progress:
            for event in check_all(endpoints, limits=limits):
                progress.show(event)
                if isinstance(event, Outcome):
                    outcomes[event.endpoint.name] = event
        ordered = [outcomes[endpoint.name] for endpoint in endpoints]
    if as_json:
        # JSON is UTF-8 whatever the locale; a lone surrogate leaves as its escape, which is JSON's as well.
        _reconfigure(sys.stdout, encoding="utf-8")
        print(report.to_json(ordered, language=language))
    elif ordered:
        report.print_report(ordered, language=language, console=terminal.out)
    try:
        if junit:
            report.write_junit(ordered, path=junit, language=language)
    except OSError as problem:
        terminal.say("unwritable-file", path=junit, problem=problem)
        return BAD_USAGE
    return report.exit_code(ordered)


def _refuse_options_before(command: typer.Context) -> None:
    """Refuse options of the check before another command, where they would have no effect.

    Raises:
        typer.BadParameter: there are some.

    """
    sources = {name: command.get_parameter_source(name) for name in command.params}
    given = [
        f"--{name.replace('_', '-')}" for name, source in sources.items() if source and source.name == "COMMANDLINE"
    ]
    if given:
        raise typer.BadParameter(f"{', '.join(given)}: options come after `{command.invoked_subcommand}`")


def _endpoints(*, stack: str | None, cwd: Path | None, file: Path | None, only: list[str]) -> list[Endpoint]:
    """The endpoints to check.

    Raises:
        InputError: there are none to be read, or none of a model in `only`.

    """
    endpoints = {endpoint.name: endpoint for endpoint in read_endpoints(stack=stack, cwd=cwd, file=file) or ()}
    for model in only:
        if model not in endpoints:
            raise InputError("unknown-model", model=model, known=", ".join(endpoints) or "-")
    return [endpoint for model, endpoint in endpoints.items() if not only or model in only]


def _reconfigure(stream: TextIO, *, encoding: str | None = None) -> None:
    """Let a standard stream escape what its encoding lacks rather than raise UnicodeEncodeError."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors="backslashreplace")


def main() -> int:
    """Run the command line; bad usage gives 64 and an unexpected error 70, since 2 and 1 have meanings of their own."""
    _reconfigure(sys.stdout)
    _reconfigure(sys.stderr)
    try:
        code: int = typer.main.get_command(app).main(standalone_mode=False)
    except typer.TyperException as problem:
        print(f"{problem.format_message()}\nTry 'python -m predict --help'.", file=sys.stderr)
        return BAD_USAGE
    except SystemExit:  # typer's end, with 1, when nobody reads the output any more
        return UNEXPECTED
    except Exception:
        traceback.print_exc()
        return UNEXPECTED
    return code


if __name__ == "__main__":
    sys.exit(main())
