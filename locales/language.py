"""Loads a language's texts. A new language is one more file here: the tests say what it lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parent
DEFAULT = "en"
CODES = tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


class _Part(BaseModel):
    """A part of a language's file; a field that is missing or unknown is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Part):
    """What went wrong: the `title` says it in short, the `meaning` explains it, the `advice` says what to do."""

    title: str
    meaning: str
    advice: str

    def filled(self, values: Mapping[str, object]) -> Message:
        """The message with its placeholders filled in."""
        return Message(
            title=fill(self.title, values), meaning=fill(self.meaning, values), advice=fill(self.advice, values)
        )


class Troubleshooting(_Part):
    """The page about causes: `groups` has the heading of each group, by the anchor that the group begins with."""

    title: str
    introduction: str
    groups: Mapping[str, str]


class Language(_Part):
    """All texts of one language, by message id. Names in braces are placeholders, filled in by `str.format`.

    Attributes:
        code: its file's name.
        name: the language's own name for itself.
        texts: single sentences of the command lines.
        tables: column headings.
        failures: ways in which the prediction check fails, by the failure's verdict.
        sections: of the doctor's report.
        checks: what the doctor says of a check that found nothing wrong, by `section/name`.
        causes: what the doctor finds.

    """

    code: str
    name: str
    texts: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    failures: Mapping[str, Message]
    sections: Mapping[str, str]
    checks: Mapping[str, str]
    causes: Mapping[str, Message]
    troubleshooting: Troubleshooting

    @property
    def page(self) -> str:
        """The troubleshooting page in this language, from the project's folder."""
        return f"docs/troubleshooting{'' if self.code == DEFAULT else f'.{self.code}'}.md"

    def text(self, message: str, **values: object) -> str:
        """The text of a message id, with its placeholders filled in."""
        return self.texts[message].format(**values)


class _Known(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "?"


def fill(text: str, values: Mapping[str, object]) -> str:
    """Fill in a text's placeholders; `?` stands for a value that nobody found out."""
    return text.format_map(_Known(values))


@cache
def load(code: str) -> Language:
    """Load the language of this code, one of CODES."""
    with (FOLDER / f"{code}.yaml").open(encoding="utf-8") as file:
        # libyaml's loader takes a sixth of the time of PyYAML's own.
        return Language.model_validate({"code": code, **yaml.load(file, Loader=yaml.CSafeLoader)})


def code_of(environment: Mapping[str, str]) -> str:
    """Choose a language by LC_ALL, LC_MESSAGES or LANG, the first that is set; English where none of ours fits."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    code = re.split(r"[^a-z]", locale.lower(), maxsplit=1)[0]
    return code if code in CODES else DEFAULT
