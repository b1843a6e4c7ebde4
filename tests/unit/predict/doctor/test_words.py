"""Both languages say everything, with the same facts."""

from __future__ import annotations

import ast
import string
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from doctor.checks import Check, Name, Section
from doctor.facts import Unread
from doctor.findings import Cause
from doctor.words import DOCTOR_LANGUAGES
from predict.messages import Lang

EN, ZH = DOCTOR_LANGUAGES[Lang.EN], DOCTOR_LANGUAGES[Lang.ZH]
CAUSES = Path(__file__).parents[4] / "doctor" / "causes"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("lang", list(Lang))
def test_every_cause_has_words(lang: Lang) -> None:
    assert list(DOCTOR_LANGUAGES[lang].causes) == list(Cause)
    assert all(all(words) for words in DOCTOR_LANGUAGES[lang].causes.values())


@pytest.mark.parametrize("cause", list(Cause))
def test_both_languages_give_the_same_facts(cause: Cause) -> None:
    english, chinese = EN.causes[cause], ZH.causes[cause]
    assert [placeholders(text) for text in english] == [placeholders(text) for text in chinese]
    assert placeholders(english.meaning) == set()
    assert (english.title, english.meaning) != (chinese.title, chinese.meaning)


def test_all_other_texts_have_the_same_facts() -> None:
    assert list(EN.checks) == list(ZH.checks)
    assert list(EN.sections) == list(ZH.sections) == list(Section)
    for key, text in EN.checks.items():
        assert placeholders(text) == placeholders(ZH.checks[key]), key
    for field in fields(EN):
        english, chinese = getattr(EN, field.name), getattr(ZH, field.name)
        if isinstance(english, str):
            assert placeholders(english) == placeholders(chinese), field.name
            assert english != chinese, field.name
    assert len(EN.columns) == len(ZH.columns)


def test_every_cause_is_found_somewhere() -> None:
    """A cause that no check can find would be a row of the page that never comes."""
    used = set()
    for file in CAUSES.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Cause":
                used.add(node.attr)
    assert used == {cause.name for cause in Cause}


def test_what_was_not_looked_at_is_said() -> None:
    missed = (Unread(what="nodes", where="", why="nodes is forbidden"),)
    check = Check(section=Section.CLUSTER, name=Name.NODES, unread=missed)
    assert EN.check(check) == "not checked: nodes could not be read"
    assert ZH.check(check) == "未检查：无法读取 nodes"


def test_causes_of_a_kind_are_together() -> None:
    """The page's groups go by the order of the causes."""
    kinds = [cause.partition("-")[0] for cause in Cause if cause.startswith(("storage", "runtime", "gateway"))]
    changes = sum(one != other for one, other in pairwise(kinds))
    assert changes == len(set(kinds)) - 1
