"""Which rights a stack needs, and how the cluster is asked for them, with a function in place of the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.objects import STACK_ANNOTATION
from components.preflight.access_review import REVIEWS, rights_problem
from components.preflight.rights import Right, needed_rights
from components.settings.stack import Settings, parse
from tests.unit.components.registry import Registry
from tests.unit.test_program import config_of, registry, run

__all__ = ["registry"]

pytestmark = pytest.mark.usefixtures("pauses")

MODEL = {"name": "iris", "format": "sklearn", "storage_uri": "s3://models/iris", "storage": "open"}
STORE = {"storage": {"open": {"kind": "s3", "anonymous": True}}}
ON_TRIAL = MODEL | {"canary": {"traffic": 50, "bandit": {"image": "registry.example/bandit:1"}}}
Allow = Callable[[Mapping[str, str]], bool]


def settings_of(*models: Mapping[str, Any], **given: object) -> Settings:
    return parse({"release": "0.20", **STORE, "models": models, **given})


def models_only(*models: Mapping[str, Any], **given: object) -> Settings:
    return settings_of(*models, platform="shared", cluster={"namespace": "team"}, **given)


@pytest.fixture(autouse=True)
def reported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: given.append(text))
    return given


class Cluster:
    """Answers reviews; has the namespaces that are given, each with its annotations."""

    def __init__(self, allow: Allow, *, namespaces: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self._allow = allow
        self._namespaces = namespaces or {}

    def problem(self, settings: Settings) -> str | None:
        with httpx.Client(base_url="http://cluster", transport=httpx.MockTransport(self._answer)) as client:
            return rights_problem(client, settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            name = request.url.path.rpartition("/")[2]
            if name not in self._namespaces:
                return httpx.Response(404, json={})
            return httpx.Response(200, json={"metadata": {"name": name, "annotations": self._namespaces[name]}})
        assert (request.method, request.url.path) == ("POST", REVIEWS)
        review = json.loads(request.content)
        assert (review["apiVersion"], review["kind"]) == ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        asked = review["spec"]["resourceAttributes"]
        self.asked.append(asked)
        return httpx.Response(201, json={"status": {"allowed": self._allow(asked)}})


def everything_but(*denied: tuple[str, str]) -> Allow:
    """Allow all but these verbs on these kinds, and the right to everything."""
    return lambda asked: (asked["verb"], asked["resource"]) not in {("*", "*"), *denied}


def _plural(kind: str) -> str:
    """Name of a kind in paths of the API."""
    if kind.endswith("y") and kind[-2] not in "aeiou":
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith(("s", "ch", "x")) else f"{kind}s"


@pytest.mark.parametrize("stack", ["dev", "everything"])
def test_everything_that_is_declared_needs_a_right(
    registry: Registry, stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = set()
    (tmp_path / "credentials").write_text("[kserve-multi-model]\naws_access_key_id=A\naws_secret_access_key=S\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for resource in run(stack, registry=registry).resources.values():
        package, _, rest = resource.type.partition(":")
        version, _, kind = rest.partition(":")
        if package == "kubernetes" and not version.startswith("helm.sh"):
            group = version.rpartition("/")[0]
            verb = "patch" if kind.endswith("Patch") else "create"
            declared.add((verb, "" if group == "core" else group, _plural(kind.removesuffix("Patch").lower())))
    assert len(declared) > 10
    needed = needed_rights(parse(config_of(stack, registry=registry)), missing=set(), own=set())
    assert declared <= {(right.verb, right.group, right.resource) for right in needed}
    assert {right.namespace for right in needed} == {""}


def test_a_platform_without_models_needs_what_its_destroy_looks_at() -> None:
    """Otherwise the login that deployed it could not destroy it."""
    needed = needed_rights(settings_of(), missing=set(), own=set())
    assert Right(verb="list", group="*", resource="*") in needed


def test_an_administrator_is_asked_one_question(reported: list[str]) -> None:
    cluster = Cluster(lambda _: True)
    assert cluster.problem(settings_of(MODEL)) is None
    assert cluster.asked == [{"verb": "*", "group": "*", "resource": "*"}]
    assert reported == ["rights: this login may do everything"]


def test_all_rights_are_asked_once(reported: list[str]) -> None:
    cluster = Cluster(everything_but())
    settings = settings_of(MODEL)
    assert cluster.problem(settings) is None
    needed = needed_rights(settings, missing={"default"}, own=set())
    asked = [Right(**asked) for asked in cluster.asked[1:]]
    assert sorted(map(str, asked)) == sorted(map(str, needed))
    assert reported == [f"rights: this login has the {len(needed)} that the stack needs"]


def test_all_missing_rights_are_named_at_once() -> None:
    denied = [
        ("create", "namespaces"),
        ("bind", "clusterroles"),
        ("escalate", "clusterroles"),
        ("create", "inferenceservices"),
    ]
    assert Cluster(everything_but(*denied)).problem(settings_of(MODEL)) == (
        "this login lacks rights that the stack needs: to bind, escalate clusterroles.rbac.authorization.k8s.io; "
        "create inferenceservices.serving.kserve.io, namespaces. Have an administrator grant what "
        "docs/cluster-role.yaml has, as docs/clusters.md shows, or use another login"
    )


def test_a_login_with_no_right_gets_one_line_for_the_kinds_with_the_same_verbs() -> None:
    problem = Cluster(lambda _: False).problem(models_only(MODEL))
    assert problem is not None
    verbs = "create, delete, get, list, patch, watch"
    assert f"{verbs} inferencegraphs.serving.kserve.io, inferenceservices.serving.kserve.io, " in problem
    assert "docs/cluster-role-models.yaml" in problem


@pytest.mark.parametrize(
    ("namespaces", "place", "made"),
    [
        ({}, "", True),
        ({"team": {}}, "team", False),
        ({"team": {STACK_ANNOTATION: "this"}}, "team", True),
    ],
    ids=["missing", "others", "own"],
)
def test_models_need_rights_in_their_namespace_only(
    namespaces: Mapping[str, Mapping[str, str]], place: str, made: bool
) -> None:
    cluster = Cluster(everything_but(), namespaces=namespaces)
    assert cluster.problem(models_only(MODEL)) is None
    asked = {Right(**asked) for asked in cluster.asked[1:]}
    assert {right.namespace for right in asked} == {place, "kube-system"}
    assert Right(verb="get", group="", resource="namespaces", namespace="kube-system", name="kube-system") in asked
    assert Right(verb="create", group="", resource="secrets", namespace=place) in asked
    assert (Right(verb="create", group="", resource="namespaces", namespace=place) in asked) == made
    assert (Right(verb="list", group="*", resource="*", namespace=place) in asked) == made
    assert not {right for right in asked if right.resource in {"customresourcedefinitions", "roles", "clusterroles"}}


def test_rights_follow_the_settings() -> None:
    def needs(settings: Settings, verb: str, kind: str) -> bool:
        rights = needed_rights(settings, missing=set(), own=set())
        return any((right.verb, right.resource) == (verb, kind) for right in rights)

    standard = settings_of(MODEL, mode="Standard")
    knative, small = settings_of(MODEL), settings_of(MODEL, mode="Standard", resources="small")
    assert [needs(found, "create", "knativeservings") for found in (knative, standard)] == [True, False]
    assert [needs(found, "create", "poddisruptionbudgets") for found in (standard, small)] == [True, False]
    monitored = settings_of(MODEL, monitoring={"storage": "1Gi"})
    assert [needs(found, "create", "persistentvolumeclaims") for found in (monitored, knative)] == [True, False]
    budget = {"disruption_budget": {"max_unavailable": 1}}
    for own in (budget, {"transformer": {"image": "a", **budget}}):
        assert needs(models_only(MODEL | own), "create", "poddisruptionbudgets")
    assert not needs(models_only(MODEL), "create", "poddisruptionbudgets")
    storage = needed_rights(models_only(MODEL | {"storage_initializer": {}}), missing=set(), own=set())
    assert Right(verb="create", group="serving.kserve.io", resource="clusterstoragecontainers") in storage
    assert not needs(models_only(MODEL), "create", "clusterstoragecontainers")
    mlflow = MODEL | {"format": "mlflow", "protocol": "v2"}
    mirror = {"charts": "oci://localhost:5001/charts", "images": "localhost:5001", "plain_http": True}
    assert needs(models_only(mlflow, release="local", mirror=mirror), "create", "servingruntimes")
    assert not needs(models_only(mlflow, release="0.20"), "create", "servingruntimes")
    assert not needs(models_only(MODEL, release="local"), "create", "servingruntimes")
    bandit = models_only(ON_TRIAL)
    assert [needs(found, "create", "roles") for found in (bandit, models_only(MODEL))] == [True, False]
    assert not needs(models_only(MODEL | {"storage": None, "storage_uri": "gs://models/iris"}), "create", "secrets")
    # A Role may only allow what its maker may do.
    assert all(needs(bandit, verb, "configmaps") for verb in ("create", "get", "update"))


def test_some_stores_need_objects_of_the_whole_cluster(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")

    def needs(kind: str, /, **store: object) -> set[str]:
        """Namespaces where such a store needs to create this kind."""
        uri = {"https": "https://h/m.joblib", "s3": "s3://models/iris"}[str(store["kind"])]
        settings = models_only(MODEL | {"storage_uri": uri, "storage": "mine"}, storage={"mine": store})
        rights = needed_rights(settings, missing=set(), own=set())
        return {right.namespace for right in rights if (right.verb, right.resource) == ("create", kind)}

    web: dict[str, object] = {"kind": "https", "host": "h", "headers": {"A": "b"}}
    assert needs("clusterstoragecontainers", **web) == {""}
    assert needs("clusterstoragecontainers", kind="s3", anonymous=True) == set()
    assert needs("configmaps", **web) == set()
    assert needs("configmaps", **web, ca_file=str(tmp_path / "ca.pem")) == {"team"}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_cluster_that_does_not_tell_stops_the_run(status: int) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"message": "not now"})

    with httpx.Client(base_url="http://cluster", transport=httpx.MockTransport(refuse)) as client:
        assert rights_problem(client, settings_of(MODEL)) == (
            f"the cluster does not tell what this login may do: not now (status {status}). Try again, or use another "
            "login"
        )
