import string
from dataclasses import fields

import pytest

from endpoints import failures as f
from predict.messages import LANGUAGES, Lang, display_name

EN, ZH = LANGUAGES[Lang.EN], LANGUAGES[Lang.ZH]


def leaf_types(kind: type[f.Failure] = f.Failure) -> set[type[f.Failure]]:
    """Every failure that can be raised: dataclasses of their own below the two bases."""
    below = {found for child in kind.__subclasses__() for found in leaf_types(child)}
    return below | ({kind} if kind not in (f.Failure, f.PassingFailure) else set())


def placeholders(text: str) -> set[str]:
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return {"name" if name == "display" else name for name in names}


@pytest.mark.parametrize("lang", list(Lang))
def test_every_failure_has_words(lang: Lang) -> None:
    assert set(LANGUAGES[lang].failures) == leaf_types()
    assert all(all(words) for words in LANGUAGES[lang].failures.values())


@pytest.mark.parametrize("kind", sorted(leaf_types(), key=str))
def test_both_languages_give_the_same_facts(kind: type[f.Failure]) -> None:
    english, chinese = EN.failures[kind], ZH.failures[kind]
    assert [placeholders(text) for text in english] == [placeholders(text) for text in chinese]
    # What a failure knows is said.
    said = set().union(*map(placeholders, english))
    assert {field.name for field in fields(kind)} - {"by_model_server"} <= said


def test_all_other_texts_have_the_same_facts() -> None:
    for field in fields(EN):
        english, chinese = getattr(EN, field.name), getattr(ZH, field.name)
        if isinstance(english, str):
            assert placeholders(english) == placeholders(chinese), field.name
            assert english != chinese, field.name


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({}, Lang.EN),
        ({"LANG": "zh_CN.UTF-8"}, Lang.ZH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, Lang.EN),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_US"}, Lang.ZH),
    ],
)
def test_language_of_the_environment(environment: dict[str, str], lang: Lang) -> None:
    assert Lang.from_environment(environment) is lang


@pytest.mark.parametrize(
    ("model", "shown"),
    [("sklearn-model", "Sklearn"), ("xgboost-model", "XGBoost"), ("iris-v2", "Iris V2"), ("onnx", "ONNX")],
)
def test_display_name(model: str, shown: str) -> None:
    assert display_name(model) == shown


def test_a_failed_check_in_chinese() -> None:
    assert ZH.failed.format(display="Sklearn", waited=1.5, cause="…") == "Sklearn 模型未通过核对（1.5 秒）: …"


def test_foreign_text_becomes_one_printable_line() -> None:
    assert f.one_line("a\x1b[31m\n\tb\x00") == "a [31m b"
    assert f.one_line("x" * 400) == "x" * 299 + "…"
