"""Names of models and graphs that are those of parts which KServe and Knative make for others."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.unit.components.settings.stack_settings import problems, settings, sklearn, the_problem

BANDIT = {"traffic": 10, "bandit": {"image": "bandit:1"}}
STANDARD = {"mode": "Standard"}


def graph(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ensemble": ["asked"], **more}


@pytest.mark.parametrize("modes", [*product(("Knative", "Standard"), repeat=2)])
@pytest.mark.parametrize("part", ["predictor", "transformer", "explainer"])
@pytest.mark.parametrize("first", [True, False])
def test_no_model_has_the_name_of_a_part_of_another(part: str, modes: tuple[str, str], first: bool) -> None:
    two = [sklearn("flowers", mode=modes[0]), sklearn(f"flowers-{part}", mode=modes[1])]
    index = 1 if first else 0
    assert the_problem(settings(*(two if first else reversed(two)))) == (
        f"models[{index}].name: 'flowers-{part}' is KServe's name for a part of the model 'flowers'; "
        "give the model another name"
    )


@pytest.mark.parametrize("part", ["predictor", "transformer", "explainer"])
@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_no_graph_has_the_name_of_a_part_of_a_model(part: str, mode: str) -> None:
    found = the_problem(settings(sklearn("asked"), sklearn("flowers"), graphs=(graph(f"flowers-{part}", mode=mode),)))
    assert found == (
        f"graphs[0].name: 'flowers-{part}' is KServe's name for a part of the model 'flowers'; "
        "give the graph another name"
    )


def test_no_graph_and_no_model_has_the_name_of_a_bandit() -> None:
    flowers = sklearn("flowers", canary=BANDIT)
    assert the_problem(settings(flowers, sklearn("flowers-bandit"))) == (
        "models[1].name: 'flowers-bandit' is the name of another model's bandit; give the model another name"
    )
    assert the_problem(settings(flowers, sklearn("asked"), graphs=(graph("flowers-bandit"),))) == (
        "graphs[0].name: 'flowers-bandit' is the name of another model's bandit; give the graph another name"
    )
    assert not problems(settings(sklearn("flowers"), sklearn("flowers-bandit")))


def test_names_can_be_those_of_parts_in_another_namespace() -> None:
    elsewhere = sklearn("flowers-predictor", namespace="other")
    assert not problems(settings(sklearn("flowers"), elsewhere))
    assert problems(settings(sklearn("flowers", namespace="other"), elsewhere))
    assert not problems(settings(sklearn("asked"), elsewhere | {"name": "x"}, graphs=(graph("x-predictor"),)))


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_no_model_has_the_service_of_a_version_of_another(mode: str) -> None:
    found = the_problem(settings(sklearn("latest-flowers", mode=mode), sklearn("flowers")))
    assert found == (
        "models[0].name: 'latest-flowers' collides: the Service 'latest-flowers-predictor' is made for the model "
        "'flowers', too; give the model another name"
    )


def test_no_model_has_the_virtual_service_of_a_route_of_another() -> None:
    (_, found) = problems(settings(sklearn("flowers-predictor-mesh"), sklearn("flowers")))
    assert "the VirtualService 'flowers-predictor-mesh' is made for the model 'flowers', too" in found


@pytest.mark.parametrize(
    "name", ["latest-flowers-predictor", "flowers-predictor-00001", "flowers-predictor-12345-private"]
)
def test_no_graph_has_the_service_of_a_revision_of_a_model(name: str) -> None:
    found = the_problem(settings(sklearn("asked"), sklearn("flowers"), graphs=(graph(name),)))
    assert f"the Service {name!r} is made for the model 'flowers', too; give the graph another name" in found


def test_no_graph_makes_an_object_that_another_one_or_a_model_has() -> None:
    asked = sklearn("asked")
    revision = graph("both-00002-deployment", mode="Standard")
    assert "the Deployment 'both-00002-deployment' is made for the graph 'both', too" in the_problem(
        settings(asked, graphs=(graph("both"), revision))
    )
    assert "the Service 'both-00001' is made for the graph 'both', too" in the_problem(
        settings(asked, graphs=(graph("both"), graph("both-00001")))
    )
    assert "the VirtualService 'both-mesh' is made for the graph 'both', too" in the_problem(
        settings(asked, sklearn("both-mesh"), graphs=(graph("both"),))
    )


def test_the_version_before_has_names_during_a_canary_only() -> None:
    before = sklearn("prev-flowers")
    assert "the Service 'prev-flowers-predictor' is made for" in the_problem(
        settings(sklearn("flowers", canary={"traffic": 0}), before)
    )
    assert not problems(settings(sklearn("flowers"), before))
    assert not problems(settings(sklearn("flowers", canary={"traffic": 100}), before))


@pytest.mark.parametrize(
    "models",
    [
        (sklearn("flowers"), sklearn("flowers-2"), sklearn("flower"), sklearn("predictor")),
        (sklearn("iris-00001"), sklearn("iris-00002")),
        (sklearn("flowers", **STANDARD), sklearn("latest-flowers"), sklearn("flowers-predictor-mesh", **STANDARD)),
        (sklearn("flowers", **STANDARD), sklearn("flowers-predictor-00001", **STANDARD)),
    ],
)
def test_other_names_are_accepted(models: tuple[dict[str, Any], ...]) -> None:
    assert not problems(settings(*models))


def test_collisions_are_found_beside_other_problems() -> None:
    found = problems(settings(sklearn("flowers", timeout=1), sklearn("flowers-predictor"), {"name": 7}, mode="x"))
    paths = [problem.partition(":")[0] for problem in found]
    assert {"mode", "models[0].timeout", "models[1].name", "models[2].name"} <= {*paths}


@pytest.mark.parametrize(
    ("name", "more", "ending", "where"),
    [
        ("flowers-default", {}, "-default", "name, namespace and ingress.domain"),
        ("my-default-model", {}, "-default", "name, namespace and ingress.domain"),
        ("flowers", {"namespace": "team-default"}, "-default", "name, namespace and ingress.domain"),
        ("my-predictor-2", {}, "-predictor", "name"),
        ("my-predictors", {}, "-predictor", "name"),
        ("my-transformer-2", {"transformer": {"image": "t:1"}}, "-transformer", "name"),
    ],
)
def test_kserve_must_give_a_model_its_host_name(name: str, more: dict[str, Any], ending: str, where: str) -> None:
    host = f"{name}.{more.get('namespace', 'default')}.example.com"
    assert the_problem(settings(sklearn(name, **more))) == (
        f"models[0].name: does not give the model the host name {host}: KServe takes {ending!r} for an ending of its "
        f"own; choose another {where} without it, or mode Standard"
    )
    if "transformer" not in more:
        assert not problems(settings(sklearn(name, **more, **STANDARD)))


@pytest.mark.parametrize("name", ["a-predictor", "defaults", "default", "my-transformer-2", "predictor-x"])
def test_host_names_that_kserve_gives(name: str) -> None:
    assert not problems(settings(sklearn(name)))


def test_the_domain_decides_about_the_host_name_too() -> None:
    found = the_problem(settings(sklearn("flowers"), ingress={"domain": "my-default.example.com"}))
    assert "flowers.default.my-default.example.com" in found
