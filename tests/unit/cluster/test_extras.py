"""Which extras of the local cluster a stack's settings ask for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cluster.build import Build
from cluster.errors import ClusterError
from cluster.extras import extras_of

EXTRAS = ("monitoring", "lightgbm", "onnx", "bandit", "mlflow", "tensorflow", "pytorch", "pmml", "examples")
BUILD = cast(Build, SimpleNamespace(extras=dict.fromkeys(EXTRAS)))


@pytest.mark.parametrize(
    ("settings", "extras"),
    [
        ("monitoring: true", ["monitoring"]),
        ("monitoring: {alerts: {}}", ["monitoring"]),
        ("monitoring: false", []),
        ("models: [{name: a, format: sklearn}]", []),
        ("models: [{name: a, format: onnx}, {name: b, format: lightgbm}]", ["lightgbm", "onnx"]),
        ("models: [{name: a, format: mlflow}]", ["mlflow"]),
        ("models: [{name: a, format: pytorch}]", ["pytorch"]),
        ("models: [{name: a, format: pmml}, {name: b, format: tensorflow}]", ["tensorflow", "pmml"]),
        ("models: [{name: a, canary: {bandit: {}}}]", ["bandit"]),
        ("models: [{name: a, transformer: {image: 'localhost:5000/examples/named-fields:v1'}}]", ["examples"]),
        ("models: nonsense", []),
    ],
)
def test_settings_ask_for_extras(tmp_path: Path, settings: str, extras: list[str]) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f"config:\n  kserve-multi-model:{settings}\n")
    assert extras_of(file, build=BUILD) == extras


@pytest.mark.parametrize("text", ["", "nothing", "config: 1"])
def test_a_file_without_settings_asks_for_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(text)
    assert extras_of(file, build=BUILD) == []


@pytest.mark.parametrize("text", [None, "a: [b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ClusterError, match=r"Pulumi\.dev\.yaml"):
        extras_of(file, build=BUILD)
