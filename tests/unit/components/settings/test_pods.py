"""Settings of pods: arguments, variables of Secrets, volumes, nodes, priority and disruptions."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.environment import SecretVariable
from components.settings.pods import DisruptionBudget
from components.settings.stack import parse
from tests.unit.components.settings.stack_settings import problems, settings, sklearn, the_problem

TWICE = [{"name": "a", "mount_path": "/a", "empty_dir": {}}, {"name": "a", "mount_path": "/b", "secret": "a"}]
SAME_PATH = [{"name": "a", "mount_path": "/a", "empty_dir": {}}, {"name": "b", "mount_path": "/a/", "secret": "a"}]
SPREAD = {"topology_key": "topology.kubernetes.io/zone"}


def volume(**changes: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "a", "mount_path": "/a", **changes}]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"args": ["--model_name=x"]}, "args[0]: --model_name is set by `model_name`; use that"),
    (
        {"args": ["--http_port", "80"]},
        "args[0]: --http_port is set by KServe, which sends requests to it; leave it out",
    ),
    ({"args": ["{{.Name}}"]}, "args[0]: contains '{{', which KServe would take for a placeholder of its own"),
    ({"model_name": "a/b"}, "model_name: 'a/b' is not a valid model name for requests: use A-Z, a-z, 0-9"),
    ({"model_name": "a.b", "explainer": {"image": "x"}}, "model_name: contains a dot: KServe routes no request for an"),
    (
        {"model_name": "a", "runtime": "kserve-mlserver", "protocol": "v2"},
        "model_name: does not work with kserve-mlserv",
    ),
    (
        {"model_name": "a", "protocol": "v2"},
        "model_name: needs `runtime`: KServe may choose among kserve-sklearnserver,",
    ),
    ({"visibility": "private"}, "visibility: must be 'cluster-local'"),
    (
        {"visibility": "cluster-local", "canary": {"traffic": 10, "bandit": {"image": "a"}}},
        "canary: bandit is reached through the gateway by the model's name: drop it, or visibility",
    ),
    (
        {"storage_initializer": {}, "storage_uri": "pvc://claim/iris"},
        "storage_initializer: has no effect: pvc:// is mounted, not downloaded; drop it",
    ),
    ({"environment": {"A": {"secret": "s"}}}, "environment.A.key: is missing"),
    (
        {"environment": {"A": {"secret": "s", "key": "k", "x": 1}}},
        "environment.A.x: unknown setting; the settings here",
    ),
    (
        {"environment": {"A": {"secret": "S_", "key": "k"}}},
        "environment.A.secret: 'S_' is not a valid name of an object",
    ),
    ({"environment": {"A": 1}}, "environment.A: must be text; quote it"),
    (volume(), "volumes[0]: needs exactly one of persistent_volume_claim, empty_dir, secret, config_map; it has none"),
    (volume(secret="s", empty_dir={}), "volumes[0]: needs exactly one of persistent_volume_claim, empty_dir, secret,"),
    (volume(secret="s", mount_path="a"), "volumes[0].mount_path: 'a' is not a valid path: begin it with /"),
    (volume(secret="s", mount_path="/a/../b"), "volumes[0].mount_path: '/a/../b' is not a plain path; write /b"),
    (volume(secret="s", mount_path="/dev"), "volumes[0].mount_path: /dev is reserved for Knative; mount the volume at"),
    (
        volume(secret="s", mount_path="/mnt/models/x"),
        "volumes[0].mount_path: /mnt/models/x is where KServe puts the mod",
    ),
    (volume(secret="s", name="kserve-x"), "volumes[0].name: 'kserve-x' is a name of KServe's or Knative's own volumes"),
    (volume(empty_dir={"size_limit": 0}), "volumes[0].empty_dir.size_limit: '0' leaves no room; give more than 0"),
    (volume(empty_dir={"medium": "Disk"}), "volumes[0].empty_dir.medium: must be 'Memory'"),
    ({"volumes": TWICE}, "volumes: a is the name of more than one volume; give each its own"),
    ({"volumes": SAME_PATH}, "volumes: /a is the mount_path of more than one volume; give each its own"),
    ({"affinity": {}}, "affinity: requires and prefers nothing; give one of its affinities a term, or drop it"),
    (
        {"affinity": {"node_affinity": {"required": [{"key": "a"}]}}},
        "affinity.node_affinity.required[0].values: are missing: operator In needs one or more",
    ),
    (
        {"affinity": {"node_affinity": {"required": [{"key": "a", "operator": "Exists", "values": ["b"]}]}}},
        "affinity.node_affinity.required[0].values: have no effect with operator Exists; drop them",
    ),
    (
        {"affinity": {"node_affinity": {"required": [{"key": "a", "operator": "Gt", "values": ["b"]}]}}},
        "affinity.node_affinity.required[0].values: must be one whole number with operator Gt, in quotes",
    ),
    (
        {"affinity": {"pod_affinity": {"preferred": [{"topology_key": "a", "weight": 101}]}}},
        "affinity.pod_affinity.preferred[0].weight: must be less than or equal to 100",
    ),
    (
        {"topology_spread": [SPREAD, SPREAD]},
        "topology_spread: topology.kubernetes.io/zone is there more than once with",
    ),
    ({"priority_class": "High"}, "priority_class: 'High' is not a valid priority class: give the name of one"),
    (
        {"disruption_budget": {"min_available": 1}},
        "disruption_budget: min_available 1 of at most 1 replicas allows no eviction: no node with such a pod",
    ),
    (
        {"disruption_budget": {"min_available": "100%"}},
        "disruption_budget.min_available: 100% allows no eviction: no nod",
    ),
    (
        {"disruption_budget": {"max_unavailable": "0%"}},
        "disruption_budget.max_unavailable: 0% allows no eviction: no nod",
    ),
    ({"disruption_budget": {}}, "disruption_budget: needs exactly one of min_available and max_unavailable"),
    (
        {"disruption_budget": {"max_unavailable": "a"}},
        "disruption_budget.max_unavailable: 'a' is not a valid number of",
    ),
]


@pytest.mark.parametrize(("model", "problem"), REFUSED, ids=[problem[:50] for _, problem in REFUSED])
def test_wrong_settings_of_pods_are_refused_with_their_path(model: dict[str, Any], problem: str) -> None:
    assert f"models[0].{problem}" in the_problem(settings(sklearn("iris", **model)))


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_a_transformer_and_an_explainer_have_the_same_settings(component: str) -> None:
    for own, problem in [
        (volume(), "volumes[0]: needs exactly one of"),
        ({"disruption_budget": {"min_available": 1}}, "disruption_budget: min_available 1 of at most 1 replicas"),
        ({"environment": {"A": {"key": "k"}}}, "environment.A.secret: is missing"),
    ]:
        found = the_problem(settings(sklearn("iris", **{component: {"image": "a", **own}})))
        assert found.startswith(f"models[0].{component}.{problem}")


def test_arguments_of_a_container_are_its_own() -> None:
    model = {"name": "own", "container": {"image": "a"}, "args": ["--fast"]}
    assert the_problem(settings(model)).startswith("models[0].args: are those of a format's server; give a container's")


def test_a_variable_is_a_text_or_a_key_of_a_secret() -> None:
    model = sklearn("iris", environment={"PLAIN": "text", "TOKEN": {"secret": "tokens", "key": "hf.token"}})
    (parsed,) = parse(settings(model)).models
    assert parsed.environment == {"PLAIN": "text", "TOKEN": SecretVariable(secret="tokens", key="hf.token")}


@pytest.mark.parametrize(
    ("budget", "replicas", "refused"),
    [
        ({"min_available": 1}, {"min": 1, "max": 2}, False),
        ({"min_available": 2}, {"min": 1, "max": 2}, True),
        ({"min_available": "50%"}, {"min": 0, "max": 1}, True),
        ({"min_available": "50%"}, {"min": 2, "max": 2}, False),
        ({"max_unavailable": 1}, {"min": 1, "max": 1}, False),
    ],
)
def test_a_budget_that_can_never_be_met_is_refused(
    budget: dict[str, Any], replicas: dict[str, int], *, refused: bool
) -> None:
    model = sklearn("iris", disruption_budget=budget, replicas=replicas)
    assert bool(problems(settings(model))) == refused


@pytest.mark.parametrize(
    ("budget", "least", "blocks"),
    [({"min_available": 1}, 1, True), ({"min_available": 1}, 0, False), ({"max_unavailable": 1}, 1, False)],
)
def test_a_budget_can_block_the_drain_of_nodes_at_the_least_number_of_replicas(
    budget: dict[str, Any], least: int, *, blocks: bool
) -> None:
    (model,) = parse(settings(sklearn("iris", replicas={"min": least, "max": 3}))).models
    assert DisruptionBudget.model_validate(budget).blocks_at_minimum(model.replicas) == blocks


def test_a_name_in_two_namespaces_is_refused_with_the_remedy() -> None:
    same = {"namespace": "b", "service_name": "iris"}
    (problem,) = problems(settings(sklearn("iris", namespace="a"), sklearn("iris", namespace="b")))
    assert problem == (
        "models: 'iris' is the name of more than one model; give each its own name; in another namespace the models' "
        "service_name can be the same"
    )
    assert problems(settings(sklearn("iris", namespace="a"), sklearn("iris-b", **same))) == ()
    (problem,) = problems(settings(sklearn("iris", namespace="b"), sklearn("iris-b", **same)))
    assert problem.startswith(
        "models[1].service_name: 'iris' collides: the Service 'iris' is made for the model 'iris'"
    )
    (problem,) = problems(settings(sklearn("iris", namespace="b"), sklearn("b", **(same | {"service_name": "Iris"}))))
    assert problem.startswith("models[1].service_name: 'Iris' is not a valid model name: start with a letter")
    part = sklearn("b", **(same | {"service_name": "iris-predictor"}))
    (problem,) = problems(settings(sklearn("iris", namespace="b"), part))
    assert problem.startswith(
        "models[1].service_name: 'iris-predictor' is KServe's name for a part of the model 'iris'"
    )
