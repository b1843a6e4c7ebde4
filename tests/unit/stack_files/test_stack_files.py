"""A stack file is read as Pulumi reads it, and written so that Pulumi reads the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stack_files import parse, read, settings, write

ROOT = Path(__file__).parents[3]
# As Pulumi 3.259 shows them with `pulumi config --json`.
MEANINGS: list[tuple[str, object]] = [
    *[("0.00001", 0.00001), ("1e-05", 0.00001), ("-1e-7", -1e-7), ("1.2345675e+06", 1234567.5), ("1.0E+3", 1000)],
    *[("1e6", 1000000), ("1.5e5", 150000), (".5", 0.5), ("1.", 1), ("2.0", 2), ("09", 9), ("+5", 5), ("-0", 0)],
    *[("1000000", 1000000), ("123456789012345678", 123456789012345678), ("1_000", 1000)],
    *[("010", 8), ("0o10", 8), ("0x1F", 31), ("0b11", 3)],
    *[("true", True), ("True", True), ("false", False), ("null", None), ("~", None), ("", None)],
    *[(text, text) for text in ("yes", "no", "on", "Off", "y", "1:30", "1e", "1e3.5", "=", "1.2.3", "0x")],
    *[('"1e-05"', "1e-05"), ("'2'", "2"), ("gs://a/b", "gs://a/b")],
]


@pytest.mark.parametrize(("written", "meant"), MEANINGS)
def test_a_value_is_read_as_pulumi_reads_it(written: str, meant: object) -> None:
    value = parse(f"key: {written}")["key"]
    assert value == meant
    assert isinstance(value, bool) == isinstance(meant, bool)
    assert parse(f"[{written}]") == ([meant] if written else [])


def test_a_date_is_text() -> None:
    assert parse("[2024-01-01, 2024-01-01T00:00:00Z]") == ["2024-01-01", "2024-01-01T00:00:00Z"]


def test_anchors_and_merge_keys_are_followed() -> None:
    assert parse("a: &check {tolerance: 1e-05}\nb: *check\nc: {<<: *check, d: 1}") == {
        "a": {"tolerance": 0.00001},
        "b": {"tolerance": 0.00001},
        "c": {"tolerance": 0.00001, "d": 1},
    }


def test_a_tag_cannot_run_code() -> None:
    with pytest.raises(yaml.YAMLError):
        parse("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize("text", ["", "# nothing\n", "text", "[1]"])
def test_a_file_without_settings_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    assert settings(read(tmp_path / "Pulumi.dev.yaml")) == {}


def test_only_the_projects_settings_are_given() -> None:
    config = {"kserve-multi-model:release": "0.20", "mode": "Standard", "aws:region": "eu-west-1"}
    assert settings({"config": config, "encryptionsalt": "v1"}) == {"release": "0.20", "mode": "Standard"}
    assert settings({"config": config}, project="aws") == {"mode": "Standard", "region": "eu-west-1"}
    assert settings({"config": None}) == {}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.from_regex(r"[-+]?[0-9._]{1,4}([eE][-+]?[0-9]{1,2})?|yes|on|~|null|[0-9]:[0-9]{2}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1e.", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(document=st.dictionaries(st.sampled_from("abc"), values, max_size=3))
def test_what_is_written_reads_back_the_same(
    document: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    write(file, document)
    assert read(file) == document


def test_no_other_module_reads_stack_files_as_plain_yaml() -> None:
    """A plain YAML reader would read some values of a stack file differently from Pulumi."""
    plain = re.compile(r"yaml\.(safe_)?load(_all)?\(.*(stack_file|Pulumi\.)")
    sources = [file for depth in ("*", "*/*", "*/*/*") for file in ROOT.glob(f"{depth}/*.py")]
    assert [file for file in sources if plain.search(file.read_text("utf-8"))] == []
