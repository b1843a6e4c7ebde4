"""What the page on transformers and graphs shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.graph_settings import Graph
from components.settings import parse
from components.transformer_settings import Transformer

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").glob("composition*.md"))
EXAMPLES = sorted(ROOT.glob("examples/named-fields/README*.md"))
MODELS = ("sklearn-model", "xgboost-model", "centimetres", "iris")
STORAGE = {"demo": {"kind": "s3", "anonymous": True}}


def blocks(page: Path) -> list[Any]:
    """The page's YAML: a list of models or of graphs each, or a part of a model."""
    texts = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    parts = [yaml.safe_load(text) for text in texts]
    return [
        next(iter(part.values())) if isinstance(part, dict) and "transformer" not in part else part for part in parts
    ]


def settings(part: Any) -> Any:
    """The settings of a stack that has the part in it."""
    models: list[Any] = [{"name": name, "format": "sklearn", "storage_uri": "s3://a/b"} for name in MODELS]
    document = {"release": "0.20", "ingress": {"service_type": "ClusterIP"}, "storage": STORAGE}
    if isinstance(part, dict):
        return parse({**document, "models": [models[0] | part]})
    if "format" in part[0]:
        return parse({**document, "models": part})
    return parse({**document, "models": models, "graphs": part})


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_is_valid(page: Path) -> None:
    assert [settings(part) for part in blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_has_an_example(page: Path) -> None:
    read = [settings(part) for part in blocks(page)]
    transformers = [model.transformer for one in read for model in one.models if model.transformer]
    said = {name for transformer in transformers for name in transformer.model_fields_set}
    assert said == set(Transformer.model_fields)
    assert {name for one in read for graph in one.graphs for name in graph.model_fields_set} == set(Graph.model_fields)


def test_both_languages_show_the_same() -> None:
    english, chinese = map(blocks, PAGES)
    assert english == chinese
    english, chinese = map(blocks, EXAMPLES)
    assert english == chinese
