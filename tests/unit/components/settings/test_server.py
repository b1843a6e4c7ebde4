"""Settings of transformers, explainers and bandits."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.errors import SettingsError
from components.settings.model import Model, ValidationContext
from components.settings.server import BanditSettings
from components.settings.stack import Settings, parse
from releases.local import LOCAL

IMAGE = "registry.example/named-fields:1"
EXPLAINS = {"image": "registry.example/feature-importance:1"}


def settings(**changes: Any) -> Settings:
    model = {"name": "iris", "format": "sklearn", "storage_uri": "s3://a/b", **changes}
    return parse({"release": "0.20", "ingress": {"service_type": "ClusterIP"}, "models": [model]})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"transformer": {}}, "models[0].transformer.image: is missing"),
        ({"transformer": {"image": "a b"}}, "models[0].transformer.image: 'a b' is not a valid image"),
        ({"transformer": {"image": IMAGE, "port": 0}}, "models[0].transformer.port: must be greater"),
        ({"transformer": {"image": IMAGE, "args": "--a"}}, "models[0].transformer.args: must be a list"),
        ({"transformer": {"image": IMAGE, "batcher": {}}}, "models[0].transformer.batcher: unknown setting"),
        (
            {"transformer": {"image": IMAGE, "environment": {"PORT": "80"}}},
            "models[0].transformer.environment.PORT: PORT is set by Knative",
        ),
        (
            {"transformer": {"image": IMAGE, "replicas": {"min": 2}}},
            "models[0].transformer.replicas.min: 2 is more than max, 1",
        ),
        (
            {"transformer": {"image": IMAGE}, "name": "i" * 35},
            "models[0].transformer: needs a shorter model name: 34 characters at most",
        ),
        ({"explainer": {**EXPLAINS, "port": 80}}, "models[0].explainer.port: unknown setting"),
        (
            {"explainer": EXPLAINS, "protocol": "v2"},
            "models[0].explainer: does not work with protocol v2: KServe supports an explainer with v1 only",
        ),
        (
            {"transformer": {"image": IMAGE}, "protocol": "grpc-v2", "format": "triton"},
            "models[0].transformer: does not work with protocol grpc-v2: KServe supports a transformer with v1 and v2 "
            "only",
        ),
        (
            {"explainer": {**EXPLAINS, "replicas": {"min": 0}}, "mode": "Standard"},
            "models[0].explainer: replicas.min 0 needs mode Knative: in mode Standard an explainer cannot scale",
        ),
        (
            {"check": {"instances": [[1]], "predictions": [1], "explanations": [[1]]}},
            "models[0].check: explanations need an `explainer`",
        ),
    ],
)
@pytest.mark.feature("explainer", proof="refused", mode="both")
@pytest.mark.feature("transformer", proof="refused", mode="both")
def test_an_invalid_transformer_or_explainer_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(**changes)
    assert any(found.startswith(problem) for found in refused.value.problems), refused.value.problems


def test_the_check_of_a_model_with_a_transformer_can_have_objects() -> None:
    check = {"instances": [{"sepal_length": 6.5}], "predictions": ["virginica"]}
    (model,) = settings(transformer={"image": IMAGE}, check=check).models
    assert model.check
    assert model.check.instances == check["instances"]


def refused(*models: dict[str, Any], **changes: Any) -> str:
    document = {
        "release": "local",
        "mirror": {"charts": "oci://registry.example/charts", "images": "registry.example"},
        "models": [{"format": "sklearn", "storage_uri": "gs://models/iris", **model} for model in models],
        **changes,
    }
    with pytest.raises(SettingsError) as caught:
        parse(document)
    return str(caught.value)


@pytest.mark.feature("an ε-greedy bandit over two versions", proof="refused")
def test_a_bandit_needs_two_versions() -> None:
    assert "models[0].canary: bandit needs two versions" in refused(
        {"name": "iris", "canary": {"traffic": 100, "bandit": {}}}
    )
    assert "models[0].canary.traffic: is missing" in refused({"name": "iris", "canary": {"bandit": {}}})
    assert "models[0].bandit: unknown setting" in refused({"name": "iris", "bandit": {}})


@pytest.mark.feature("an ε-greedy bandit over two versions", mode="Standard", proof="refused")
def test_a_bandit_needs_mode_knative() -> None:
    document = {
        "name": "iris",
        "format": "sklearn",
        "storage_uri": "gs://models/iris",
        "canary": {"traffic": 20, "bandit": {}},
    }
    context = ValidationContext(release=LOCAL, storage=None, mode="Standard", mirrored=True)
    with pytest.raises(ValueError, match="needs mode Knative: in mode Standard KServe does not split requests"):
        Model.model_validate(document, context=context)


def test_without_a_mirror_a_bandit_needs_an_image() -> None:
    model = {"name": "iris", "canary": {"traffic": 20, "bandit": {}}}
    assert "models[0].canary: bandit.image is missing" in refused(model, release="0.20", mirror=None)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, "much"])
def test_epsilon_is_from_0_to_1(epsilon: Any) -> None:
    error = refused({"name": "iris", "canary": {"traffic": 20, "bandit": {"epsilon": epsilon}}})
    assert "models[0].canary.bandit.epsilon: must be" in error
    assert BanditSettings().epsilon == 0.1


def test_a_model_cannot_have_the_name_of_a_bandit() -> None:
    error = refused({"name": "iris", "canary": {"traffic": 20, "bandit": {}}}, {"name": "iris-bandit"})
    assert "models[1].name: 'iris-bandit' is the name of another model's bandit" in error
