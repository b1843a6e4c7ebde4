"""Every language has every text, with the same placeholders, which are those that the code fills in."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from doctor.checks import Name, Section
from doctor.findings import Cause
from endpoints.failures import Failure, PassingFailure
from locales.language import CODES, FOLDER, Language, Message, code_of, fill, load
from tests.unit.locales.placeholders import placeholders

ROOT = Path(__file__).parents[3]
EN = load("en")
OTHERS = [code for code in CODES if code != "en"]
# What `predict.words.explain` knows of every endpoint.
OF_ENDPOINT = {"name", "namespace", "host", "gateway", "protocol", "kind", "curl", "logs", "storage_logs"}
OF_ENDPOINT |= {"explainer_logs"}


def kinds_of_failure(base: type[Failure] = Failure) -> set[type[Failure]]:
    """Every failure that can be raised: the classes below the two bases."""
    below = {found for child in base.__subclasses__() for found in kinds_of_failure(child)}
    return below | ({base} if base not in (Failure, PassingFailure) else set())


def verdict(kind: type[Failure]) -> str:
    return kind(**{field.name: "x" for field in fields(kind)}).verdict


def texts_of(language: Language) -> dict[str, str]:
    """Every text by its path in the file."""
    found: dict[str, str] = {}

    def walk(path: str, value: object) -> None:
        if isinstance(value, str):
            found[path] = value
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                walk(f"{path}/{name}", inner)
        elif isinstance(value, tuple | list):
            for number, inner in enumerate(value):
                walk(f"{path}/{number}", inner)

    for name, value in language.model_dump(exclude={"code"}).items():
        walk(name, value)
    return found


def test_there_are_english_and_chinese() -> None:
    assert {"en", "zh"} <= set(CODES) == {file.stem for file in FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("code", CODES)
def test_no_text_is_empty(code: str) -> None:
    assert all(text.strip() for text in texts_of(load(code)).values())


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_id_in_the_same_order(code: str) -> None:
    assert list(texts_of(load(code))) == list(texts_of(EN))


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_the_same_placeholders(code: str) -> None:
    other = texts_of(load(code))
    for path, text in texts_of(EN).items():
        if path.startswith("troubleshooting/"):
            continue
        # A sentence names a model by its name, or by a name for display.
        pair = [{"name" if name == "display" else name for name in placeholders(said)} for said in (text, other[path])]
        assert pair[0] == pair[1], path


@pytest.mark.parametrize("code", OTHERS)
def test_texts_are_translated(code: str) -> None:
    other = load(code)
    assert [key for key, text in EN.texts.items() if text == other.texts[key]] == []
    for key, message in EN.causes.items() | EN.failures.items():
        translated = other.causes.get(key) or other.failures[key]
        assert (message.title, message.meaning) != (translated.title, translated.meaning)


def test_the_ids_are_those_of_the_code() -> None:
    assert list(EN.causes) == list(Cause)
    assert list(EN.sections) == list(Section)
    assert set(EN.failures) == {verdict(kind) for kind in kinds_of_failure()}
    assert {key.partition("/")[2] for key in EN.checks} == set(Name)


@pytest.mark.parametrize("kind", sorted(kinds_of_failure(), key=str))
def test_a_failure_says_all_that_it_knows_and_nothing_else(kind: type[Failure]) -> None:
    message = EN.failures[verdict(kind)]
    said = placeholders(message.title, message.meaning, message.advice)
    known = {field.name for field in fields(kind)}
    assert said <= known | OF_ENDPOINT
    assert known - {"by_model_server"} <= said


@pytest.mark.parametrize("message", EN.causes.values(), ids=EN.causes)
def test_the_meaning_of_a_cause_is_general(message: Message) -> None:
    """It stands on the page as it is; tests/unit/doctor checks the placeholders of titles and advice."""
    assert placeholders(message.meaning) == set()


def calls() -> Iterator[tuple[str, set[str]]]:
    """Every use of a text in the code: its id, and the values that are given for it."""
    for room in ("predict", "doctor", "endpoints", "locales"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if not (isinstance(node, ast.Call) and node.args):
                    continue
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called not in {"say", "text", "InputError"}:
                    continue
                chosen = node.args[0]
                for one in (chosen.body, chosen.orelse) if isinstance(chosen, ast.IfExp) else (chosen,):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield one.value, {keyword.arg for keyword in node.keywords if keyword.arg}


def test_every_text_is_used_with_exactly_its_placeholders() -> None:
    used = dict(calls())
    assert set(used) | {"interrupted", "check-interrupted"} == set(EN.texts)
    for message, given in calls():
        for code in CODES:
            named = placeholders(load(code).texts[message])
            display = {"name", "display"} if named & {"name", "display"} else set()
            assert named - display == given - display, (code, message)


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
        ({"LANG": "xx_XX"}, "en"),
    ],
)
def test_language_of_the_environment(environment: dict[str, str], code: str) -> None:
    assert code_of(environment) == code


def test_a_missing_field_of_a_language_is_an_error() -> None:
    incomplete = EN.model_dump(exclude={"causes"})
    with pytest.raises(ValidationError, match=r"causes\n\s+Field required"):
        Language.model_validate(incomplete)


def test_a_value_that_nobody_found_out_is_a_question_mark() -> None:
    assert fill("{pods} of {model}", {"model": "iris"}) == "? of iris"
