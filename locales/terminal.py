"""What all commands have in common: how they print texts, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from endpoints.sources import InputError
from locales.language import CODES, Language, code_of, load

NOT_READY = 2
BAD_USAGE = 64
INTERRUPTED = 130
PIPED_WIDTH = 200  # columns for a table that no terminal shows


def _known(code: str | None) -> str | None:
    if code is not None and code not in CODES:
        raise typer.BadParameter(f"{code!r} is not one of {', '.join(CODES)}.")
    return code


LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--lang", metavar=f"[{'|'.join(CODES)}]", callback=_known, help="Language of the messages (default: by LANG)."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """Prints in one language: results on standard output (`out`), all else on standard error (`errors`)."""

    language: Language
    errors: Console

    @classmethod
    def speaking(cls, code: str | None) -> Terminal:
        """Open the terminal in the language of this code, else in that of the environment."""
        return cls(language=load(code or code_of(os.environ)), errors=Console(stderr=True, highlight=False))

    @property
    def out(self) -> Console:
        """Standard output."""
        return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)

    def say(self, message: str, **values: object) -> None:
        """Print the text of a message id on standard error."""
        self.print(self.language.text(message, **values))

    def print(self, line: str) -> None:
        """Print a line on standard error."""
        self.errors.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def ending(self, *, interrupted: str = "interrupted") -> Iterator[None]:
        """End the command by exit code 64 on an InputError and by 130 on Ctrl-C, with a text that says so.

        Raises:
            typer.Exit: with this exit code.

        """
        try:
            yield
        except InputError as problem:
            self.say(problem.message, **problem.values)
            raise typer.Exit(BAD_USAGE) from problem
        except KeyboardInterrupt as problem:
            self.say(interrupted)
            raise typer.Exit(INTERRUPTED) from problem
