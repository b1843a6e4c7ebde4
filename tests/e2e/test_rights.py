"""The ClusterRoles of the docs are enough for whole lives of stacks, and a preview names what is missing of them.

The platform here is another stack than the shared one, which is not deployed yet: it is made, used and destroyed by a
login that has its ClusterRole and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack_files import dump
from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import ROOT, Deployment, need, run
from tests.e2e.models_on_platform import stack_of_models
from tests.e2e.test_others_objects import state_of, words

PLATFORM = "rights"
# Of the logins.
NAMESPACE = "rights-logins"
EXISTING = "rights-team"
MODEL: dict[str, Any] = {
    "format": "sklearn",
    "storage_uri": "s3://models/sklearn",
    "storage": "demo",
    "check": {"instances": [[6.5, 3, 5.5, 2], [5.9, 2.8, 4.3, 1.3]], "predictions": [1, 0]},
}
Role = Mapping[str, Any]


def roles(file: str) -> dict[str, Role]:
    """ClusterRoles of a file in the docs, by the end of their names."""
    documents = yaml.safe_load_all((ROOT / "docs" / file).read_text())
    return {role["metadata"]["name"].removeprefix("kserve-multi-model-"): role for role in documents}


def without(role: Role, *, verb: str, resource: str) -> Role:
    """The role without a verb on a kind."""
    rules = []
    for rule in role["rules"]:
        others = [other for other in rule["resources"] if other != resource]
        rules.append(rule | {"resources": others, "verbs": rule["verbs"]})
        if resource in rule["resources"]:
            rules.append(rule | {"resources": [resource], "verbs": [kept for kept in rule["verbs"] if kept != verb]})
    return {**role, "rules": [rule for rule in rules if rule["resources"] and rule["verbs"]]}


@dataclass(frozen=True, kw_only=True)
class Logins:
    """Makes logins, as an administrator."""

    environment: dict[str, str]
    directory: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = run("kubectl", *arguments, env=self.environment, stdin=stdin)
        assert done.status == 0, done.text
        return done.stdout

    def grant(self, role: Role) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(role))

    def bind(self, role: Role, *, login: str, namespace: str | None = None) -> None:
        """Bind a ClusterRole in a namespace, or in all of them."""
        kind = ("rolebinding", "--namespace", namespace) if namespace else ("clusterrolebinding",)
        name = role["metadata"]["name"]
        account = f"--serviceaccount={NAMESPACE}:{login}"
        self.kubectl("create", *kind, f"{login}-{name}", f"--clusterrole={name}", account)

    def log_in(self, login: str) -> dict[str, str]:
        """Make a service account that may do nothing yet; gives the variables with which Pulumi uses it."""
        self.kubectl("--namespace", NAMESPACE, "create", "serviceaccount", login)
        token = self.kubectl("--namespace", NAMESPACE, "create", "token", login, "--duration=2h").strip()
        document = yaml.safe_load(Path(self.environment["KUBECONFIG"]).read_text())
        for user in document["users"]:
            user["user"] = {"token": token}
        file = self.directory / f"{login}.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(document))
        return self.environment | {"KUBECONFIG": str(file)}


@pytest.fixture(scope="module")
def logins(
    undeployed: Deployment, empty_cluster: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Logins]:
    """In the end the cluster is as empty as it was."""
    made = Logins(environment=undeployed.environment, directory=tmp_path_factory.mktemp("logins"))
    granted = [*roles("cluster-role.yaml").values(), *roles("cluster-role-models.yaml").values()]
    made.kubectl("create", "namespace", NAMESPACE)
    made.kubectl("create", "namespace", EXISTING)
    for role in granted:
        made.grant(role)
    yield made
    made.kubectl("delete", "namespace", NAMESPACE, EXISTING)
    for kind in ("clusterrolebinding", "clusterrole"):
        listed = made.kubectl("get", kind, "-o", "name").split()
        if ours := [name for name in listed if "kserve-multi-model-" in name]:
            made.kubectl("delete", *ours)
    assert all_objects(undeployed) == empty_cluster


@pytest.fixture(scope="module")
def platform(logins: Logins, undeployed: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A platform with models of its own, not deployed yet, for a login with the platform's role."""
    environment = logins.log_in("platform")
    logins.bind(roles("cluster-role.yaml")["platform"], login="platform")
    text = dump({"config": {f"kserve-multi-model:{key}": value for key, value in undeployed.settings.items()}})
    directory = tmp_path_factory.mktemp(PLATFORM)
    stack = Deployment.made(PLATFORM, directory=directory, environment=environment, text=text)
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")
    stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


@pytest.mark.parametrize(("verb", "resource"), [("create", "namespaces"), ("escalate", "clusterroles")])
def test_a_missing_right_is_refused_at_preview_and_nothing_is_made(
    logins: Logins, platform: Deployment, verb: str, resource: str
) -> None:
    role = roles("cluster-role.yaml")["platform"]
    before = all_objects(replace(platform, environment=logins.environment))
    logins.grant(without(role, verb=verb, resource=resource))
    try:
        for command in (("preview",), ("up", "--yes", "--skip-preview")):
            done = platform.pulumi(*command)
            assert done.status != 0, done.text
            assert f"this login lacks rights that the stack needs: to {verb} {resource}" in words(done), done.text
            assert "docs/cluster-role.yaml" in words(done)
    finally:
        logins.grant(role)
    assert all_objects(replace(platform, environment=logins.environment)) == before
    resources = state_of(platform)["deployment"].get("resources", [])
    assert [found["urn"] for found in resources if found["type"].startswith("kubernetes:")] == []


def test_a_platform_lives_with_its_role_alone(platform: Deployment) -> None:
    preview = platform.pulumi("preview")
    assert preview.status == 0, preview.text[-6000:]
    said = preview.text.partition("\nDiagnostics:\n")[2]
    for line in (
        "cluster: of context ",
        "Kubernetes: 1.34; release 'local'",
        "rights: this login has the ",
        "namespaces: ",
    ):
        assert said.count(line) == 1, preview.text[-6000:]
    platform.up()
    models = platform.settings["models"]
    platform.configure(models=[models[0] | {"labels": {"team": "a"}}, *models[1:]])
    done = platform.pulumi("up", "--yes", "--refresh")
    assert done.status == 0, done.text[-6000:]
    answered = platform.predict("--stack", platform.stack)
    assert answered.status == 0, answered.text


@pytest.mark.parametrize(("login", "namespace"), [("team", EXISTING), ("owner", "rights-made")])
def test_models_live_with_their_roles_alone(
    logins: Logins, platform: Deployment, login: str, namespace: str, tmp_path: Path
) -> None:
    """A team with a namespace, and one that makes its own."""
    need("bandit")
    given = roles("cluster-role-models.yaml")
    environment = logins.log_in(login)
    models: Sequence[dict[str, Any]] = [
        MODEL | {"name": "plain", "mode": "Standard", "replicas": {"min": 1, "max": 2}},
        MODEL | {"name": "served"},
    ]
    stack = stack_of_models(
        f"rights-{login}",
        *models,
        directory=tmp_path,
        deployment=replace(platform, environment=environment),
        platform=PLATFORM,
        cluster={"namespace": namespace},
        graphs=[
            {"name": "chain", "sequence": ["served"]},
            {"name": "by-deployment", "mode": "Standard", "sequence": ["plain"]},
        ],
    )
    try:
        done = stack.pulumi("preview")
        assert done.status != 0
        kinds = "inferenceservices.serving.kserve.io, secrets, serviceaccounts"
        assert f"{kinds} in namespace {namespace}" in words(done), done.text
        assert "get namespaces in namespace kube-system" in words(done)
        assert "docs/cluster-role-models.yaml" in words(done)

        logins.bind(given["cluster-uid"], login=login)
        if namespace == EXISTING:
            logins.bind(given["models"], login=login, namespace=namespace)
        else:
            logins.bind(given["models"], login=login)
            logins.bind(given["namespaces"], login=login)
        stack.up()
        answered = stack.predict("--stack", stack.stack)
        assert answered.status == 0, answered.text
        # Another version with a bandit, one model less, and no graph.
        on_trial = {"storage_uri": "s3://models/sklearn-v2", "canary": {"traffic": 50, "bandit": {}}}
        stack.configure(models=[{**MODEL, **on_trial, "name": "served"}], graphs=[])
        done = stack.pulumi("up", "--yes", "--refresh")
        assert done.status == 0, done.text[-6000:]
    finally:
        stack.destroy()
        stack.remove()
    left = [
        thing for thing in all_objects(replace(platform, environment=logins.environment)) if "/rights-made" in thing
    ]
    assert left == []


def test_a_platform_is_destroyed_with_its_role_alone(
    logins: Logins, platform: Deployment, empty_cluster: frozenset[str]
) -> None:
    platform.destroy()
    left = all_objects(replace(platform, environment=logins.environment)) - empty_cluster
    assert [thing for thing in left if "rights" not in thing and "kserve-multi-model-" not in thing] == []
