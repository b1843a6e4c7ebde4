"""Which pods pull images with which Secrets, and where the Secrets are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.platform.pull_secrets import PullSecrets
from components.settings.ingress import Ingress
from components.settings.monitoring import MonitoringSettings
from components.settings.stack import parse
from registries.login import Login
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import Recording, record, without_secrets
from tests.unit.components.settings.stack_settings import settings, the_problem

PASSWORD = "pull-password"
NAMES = [{"name": "dev-registries"}, {"name": "regcred"}]
PLATFORM_NAMESPACES = {"cert-manager", "istio-system", "knative-operator", "knative-serving", "kserve", "monitoring"}


def secrets(*hosts: str) -> PullSecrets:
    logins = tuple(Login(host=host, username="reader", password=PASSWORD) for host in hosts)
    return PullSecrets(own="dev-registries", logins=logins, others=("regcred",))


def platform(install: InstallContext, *, release: Release, pull: PullSecrets) -> Recording:
    install = replace(install, pull_secrets=pull, charts=replace(install.charts, pull_secrets=pull.names))
    args = PlatformArgs(
        install=install,
        release=release,
        ingress=Ingress(address="192.0.2.1"),
        has_knative=True,
        monitoring=MonitoringSettings(),
        foreign_namespaces=frozenset(),
    )
    return record(lambda: Platform("platform", args=args))


@pytest.fixture(params=[LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
def recording(install: InstallContext, request: pytest.FixtureRequest) -> Recording:
    return platform(install, release=request.param, pull=secrets("registry.example:5000"))


def test_each_namespace_of_the_platform_has_the_secret(recording: Recording) -> None:
    made = [r for r in recording.resources.values() if r.type.endswith(":Secret")]
    assert {r.plain["metadata"]["namespace"] for r in made} == PLATFORM_NAMESPACES
    for secret in made:
        assert secret.plain["metadata"]["name"] == "dev-registries"
        assert secret.plain["type"] == "kubernetes.io/dockerconfigjson"
        auths = json.loads(secret.plain["stringData"][".dockerconfigjson"])["auths"]
        assert auths["registry.example:5000"]["password"] == PASSWORD
        assert recording.waits_for(secret, recording.the(":Namespace", secret.plain["metadata"]["namespace"]))


def test_the_password_is_a_secret_of_pulumi(recording: Recording) -> None:
    open_text = json.dumps([without_secrets(r.inputs) for r in recording.resources.values()])
    assert PASSWORD not in open_text
    assert Login(host="", username="reader", password=PASSWORD).encoded not in open_text


def test_every_workload_of_the_platform_pulls_with_the_secrets(recording: Recording) -> None:
    """Each chart and object with pods names them; the charts without are those of definitions only."""
    without_pods = {"gateway-api", "istio-base", "knative-serving-crds"}
    own = {
        "cert-manager": lambda values: values["global"]["imagePullSecrets"],
        "grafana": lambda values: values["global"]["imagePullSecrets"],
        "knative-operator": _of_operator,
    }
    for resource in recording.resources.values():
        inputs = resource.plain
        if resource.type.endswith(":Chart"):
            arguments = inputs["postRenderer"]["args"]
            assert [{"name": a.partition("=")[2]} for a in arguments if a.startswith("--image-pull-secret")] == NAMES
        elif resource.type.endswith(":Release") and resource.name not in without_pods:
            assert own[resource.name](inputs["values"]) == NAMES, resource.name
        elif resource.type.endswith(":Deployment"):
            assert inputs["spec"]["template"]["spec"]["imagePullSecrets"] == NAMES
        elif resource.type.endswith(":KnativeServing"):
            assert inputs["spec"]["registry"]["imagePullSecrets"] == NAMES


def _of_operator(values: Any) -> list[dict[str, str]]:
    sections = values["knative_operator"]
    texts = {s["podAnnotations"]["kserve-multi-model/image-pull-secrets"] for s in sections.values()}
    (text,) = texts
    return [{"name": name} for name in text.split(",")]


def test_workloads_wait_for_the_secret_of_their_namespace(recording: Recording) -> None:
    for kind, name, namespace in (
        (":Release", "cert-manager", "cert-manager"),
        (":Chart", "istiod", "istio-system"),
        (":Chart", "istio-ingressgateway", "istio-system"),
        (":Release", "knative-operator", "knative-operator"),
        (":KnativeServing", "knative-serving", "knative-serving"),
        (":Chart", "kserve", "kserve"),
    ):
        secret = recording.the(":Secret", f"{namespace}/registries")
        assert recording.waits_for(recording.the(kind, name), secret), name


def test_the_routers_of_graphs_get_them_as_json(recording: Recording) -> None:
    """KServe's chart prints the list into JSON as Go prints lists: without quotes and commas."""
    (item,) = recording.the(":Chart", "kserve").plain["values"]["kserve"]["router"]["imagePullSecrets"]
    assert json.loads(f"[{item}]") == ["dev-registries", "regcred"]


def test_without_logins_and_names_nothing_is_declared(install: InstallContext) -> None:
    recording = platform(install, release=LOCAL, pull=PullSecrets())
    assert not [name for name in recording.names if ":Secret" in name]
    everything = json.dumps([r.plain for r in recording.resources.values()])
    assert "pull-secret" not in everything
    assert "imagePullSecrets" not in everything


def test_names_alone_make_no_secret(install: InstallContext) -> None:
    recording = platform(install, release=LOCAL, pull=secrets())
    assert not [name for name in recording.names if ":Secret" in name]
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["registry"]["imagePullSecrets"] == [{"name": "regcred"}]


def test_the_secrets_of_settings() -> None:
    logins = {
        "hub": {"host": "docker.io", "username": "me", "password": "a"},
        "charts": {"host": "charts.example", "username": "me", "password": "b", "images": False},
    }
    stack = parse(settings(registries=logins, image_pull_secrets=["regcred"]))
    found = PullSecrets.from_settings(stack, stack="Team.A")
    assert found.names == ("team-a-registries", "regcred")

    def program() -> None:
        found.in_namespaces_of_models({"b", "a"}, own={}, opts=pulumi.ResourceOptions())

    made = record(program)
    assert sorted(r.plain["metadata"]["namespace"] for r in made.resources.values()) == ["a", "b"]
    text = made.the(":Secret", "a/registries").plain["stringData"][".dockerconfigjson"]
    # Kubernetes looks for Docker Hub's login under this name only.
    assert list(json.loads(text)["auths"]) == ["https://index.docker.io/v1/"]
    assert [login.host for login in stack.logins.known] == ["docker.io", "charts.example"]


@pytest.mark.parametrize(
    ("registries", "problem"),
    [
        (
            {"a": {"host": "https://r", "username": "u", "password": "p"}},
            "registries.a.host: 'https://r' is not a valid",
        ),
        ({"a": {"host": "r/team", "username": "u", "password": "p"}}, "registries.a.host: 'r/team' is not a valid"),
        ({"a": {"host": "r", "username": "u"}}, "registries.a.password: is missing"),
        (
            {name: {"host": "r", "username": "u", "password": "p"} for name in "ab"},
            "registries: r has more than one login; keep one",
        ),
    ],
)
def test_wrong_logins_are_refused(registries: dict[str, Any], problem: str) -> None:
    assert the_problem(settings(registries=registries)).startswith(problem)
