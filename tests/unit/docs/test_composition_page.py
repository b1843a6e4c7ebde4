"""What the page on transformers, explainers and graphs shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import stack_files
from components.settings.graph import Graph
from components.settings.server import COMPONENT_TYPES, Explainer, Transformer
from components.settings.stack import parse

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").glob("composition*.md"))
EXAMPLES = [sorted(ROOT.glob(f"examples/{name}/README*.md")) for name in ("named-fields", "feature-importance")]
MODELS = ("sklearn-model", "xgboost-model", "centimetres", "iris")
STORAGE = {"demo": {"kind": "s3", "anonymous": True}}


def blocks(page: Path) -> list[Any]:
    """The page's YAML: a list of models or of graphs each, or a part of a model."""
    texts = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    parts = [stack_files.parse(text) for text in texts]
    return [
        part if not isinstance(part, dict) or {*COMPONENT_TYPES} & {*part} else next(iter(part.values()))
        for part in parts
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


@pytest.mark.parametrize("page", [*PAGES, *chain(*EXAMPLES)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_is_valid(page: Path) -> None:
    assert [settings(part) for part in blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_has_an_example(page: Path) -> None:
    read = [settings(part) for part in blocks(page)]
    models = [model for one in read for model in one.models]
    for kind, settings_of in (("transformer", Transformer), ("explainer", Explainer)):
        components = [component for model in models if (component := model.component(kind))]
        said = {name for component in components for name in component.model_fields_set}
        assert said == set(settings_of.model_fields)
    assert {name for one in read for graph in one.graphs for name in graph.model_fields_set} == set(Graph.model_fields)


def test_both_languages_show_the_same() -> None:
    for pages in (PAGES, *EXAMPLES):
        english, chinese = map(blocks, pages)
        assert english == chinese
