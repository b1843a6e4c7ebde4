"""Every command line prints its help: `--help` of the command, and of each of its subcommands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import cluster.__main__
import lifecycle.__main__
import predict.__main__

APPS = {"cluster": cluster.__main__.app, "lifecycle": lifecycle.__main__.app, "predict": predict.__main__.app}


def command_lines() -> Iterator[tuple[str, ...]]:
    for name, app in APPS.items():
        yield (name,)
        yield from ((name, command) for command in getattr(get_command(app), "commands", {}))


@pytest.mark.parametrize("line", [*command_lines()], ids=" ".join)
def test_help_is_printed(line: tuple[str, ...]) -> None:
    name, *arguments = line
    app: typer.Typer = APPS[name]
    done = CliRunner().invoke(app, [*arguments, "--help"])
    assert done.exception is None
    assert "Usage:" in done.output
    assert "]...]..." not in done.output
