"""Guards of namespaces and definitions: what they see in a cluster, and when; Pulumi and its provider are real."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.objects import STACK_ANNOTATION, declare_namespace
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.teardown.cluster_guard import AnotherClusterError, ObstacleError
from components.teardown.others_objects import OthersObjectsError
from components.teardown.part_guard import PartGuardProvider, PartGuards, require_nothing_inside
from kube.retry import ATTEMPTS
from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import UID, have_uid, kubeconfig
from tests.unit.components.pulumi_project import Cluster, Project
from tests.unit.components.recording import record
from tests.unit.predict.server import Reply, Server

IDENTITY = "organization/project/dev:a"
OURS = {STACK_ANNOTATION: IDENTITY}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMESPACE = "/api/v1/namespaces/monitoring"
RELEASE = {"meta.helm.sh/release-name": "knative-operator", "meta.helm.sh/release-namespace": "knative-operator"}


def item(name: str, *, namespace: str = "", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **metadata}}


def group(name: str, version: str, *plurals: str) -> dict[str, Any]:
    resources = [{"resource": plural, "verbs": ["get", "list"]} for plural in plurals]
    return item(name) | {"versions": [{"version": version, "resources": resources}]}


def answer(api: Server, path: str, *replies: object) -> None:
    given = (reply if isinstance(reply, Reply) else Reply({"items": reply}) for reply in replies)
    api.on(api.address.removeprefix("http://"), f"GET {path}", *given)


@pytest.fixture
def cluster(api: Server) -> Server:
    """The stack's namespace of monitoring, and Knative's operator of a Helm release whose record is gone already."""
    answer(api, "/api", [group("", "v1", "configmaps", "secrets", "events")])
    answer(api, "/apis", [group("apps", "v1", "deployments"), group("operator.knative.dev", "v1", "knativeeventings")])
    answer(api, "/api/v1/namespaces", [item("monitoring", annotations=OURS), item("default")])
    definitions = ("knativeeventings.operator.knative.dev", "inferenceservices.serving.kserve.io")
    marks = (RELEASE, OURS)
    answer(api, DEFINITIONS, [item(name, annotations=mark) for name, mark in zip(definitions, marks, strict=True)])
    answer(api, "/apis/operator.knative.dev/v1/knativeeventings", [])
    for kind in ("configmaps", "secrets"):
        answer(api, f"{NAMESPACE}/{kind}", [])
    answer(api, "/apis/apps/v1/namespaces/monitoring/deployments", [])
    return api


def require(api: Server, *, timeout: float = 0, **props: Any) -> None:
    given = {
        "identity": IDENTITY,
        "deployed_before": False,
        "what": "namespace monitoring",
        "namespaces": [],
        "releases": [],
        "groups": [],
        **props,
    }
    require_nothing_inside(given, connect=lambda: httpx.Client(base_url=api.address), timeout=timeout)


def test_a_namespace_with_what_the_stack_and_controllers_made_may_go(cluster: Server) -> None:
    made = [item("prometheus-config", namespace="monitoring", annotations=OURS), item("kube-root-ca.crt")]
    answer(cluster, f"{NAMESPACE}/configmaps", made)
    require(cluster, namespaces=["monitoring"])


def test_what_others_have_in_a_namespace_is_named_with_what_to_do(cluster: Server) -> None:
    answer(cluster, f"{NAMESPACE}/configmaps", [item("theirs", namespace="monitoring")])
    deployments = "/apis/apps/v1/namespaces/monitoring/deployments"
    answer(cluster, deployments, [item("exporter", namespace="monitoring")])
    with pytest.raises(ObstacleError) as refused:
        require(cluster, namespaces=["monitoring"])
    text = str(refused.value)
    assert text.startswith(
        "namespace monitoring stays, because Kubernetes would delete with it what this stack did not "
    )
    assert "configmaps monitoring/theirs; deployments.apps monitoring/exporter. Delete these, or move them" in text
    assert "pulumi state delete --target-dependents <URN>" in text


def test_what_is_about_to_go_is_waited_for(cluster: Server, pauses: list[float]) -> None:
    answer(cluster, f"{NAMESPACE}/secrets", [item("of-an-older-version", namespace="monitoring")], [])
    require(cluster, namespaces=["monitoring"], timeout=60)
    assert len(pauses) == 1


def test_objects_of_others_of_a_kind_that_a_release_brought_are_named(cluster: Server) -> None:
    """Also where Helm's record of the release is gone, as late in a destroy."""
    answer(cluster, "/apis/operator.knative.dev/v1/knativeeventings", [item("theirs", namespace="team-b")])
    release = "knative-operator/knative-operator"
    with pytest.raises(ObstacleError, match=r"knativeeventings\.operator\.knative\.dev team-b/theirs"):
        require(cluster, releases=[release])
    require(cluster, releases=["knative-serving/knative-serving-crds"])
    require(cluster, groups=["serving.kserve.io"])


def test_objects_of_others_of_a_group_that_a_chart_brought_are_named(cluster: Server) -> None:
    answer(cluster, "/apis", [group("serving.kserve.io", "v1beta1", "inferenceservices")])
    answer(cluster, "/apis/serving.kserve.io/v1beta1/inferenceservices", [item("iris", namespace="team-b")])
    with pytest.raises(ObstacleError, match=r"inferenceservices\.serving\.kserve\.io team-b/iris"):
        require(cluster, groups=["serving.kserve.io"])


def test_a_definition_of_the_group_that_is_somebody_elses_stays_and_is_not_looked_at(cluster: Server) -> None:
    answer(cluster, DEFINITIONS, [item("inferenceservices.serving.kserve.io")])
    require(cluster, groups=["serving.kserve.io"])


@pytest.mark.parametrize("path", [DEFINITIONS, "/apis", f"{NAMESPACE}/secrets"])
@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_cluster_that_does_not_tell_keeps_the_namespace(cluster: Server, path: str, status: int) -> None:
    answer(cluster, path, Reply({"message": "not for you"}, status=status))
    with pytest.raises(ObstacleError, match=r"stays, because the cluster does not say .*not for you"):
        require(cluster, namespaces=["monitoring"])


def test_state_has_the_module_name_but_no_code() -> None:
    """So it can be destroyed with any version of Python."""
    identity = Identity(text=IDENTITY, deployed_before=False, cluster=ClusterIdentity(uid=UID, name="here"))

    def program() -> None:
        namespace = declare_namespace("monitoring", opts=pulumi.ResourceOptions())
        PartGuards(identity=identity, context="here", pull_secrets=("b", "a")).namespace(namespace)

    declared = record(program).the("pulumi-python:dynamic/kserve-multi-model:PartGuard", "namespace/monitoring").inputs
    kept = base64.b64decode(declared["__provider"])
    assert b"components.teardown.part_guard" in kept
    assert b"PartGuardProvider" in kept
    assert len(kept) < 200
    assert declared["pull_secrets"] == ["a", "b"]


def delete(api: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, **props: Any) -> None:
    """Delete a guard as Pulumi does, which loads its provider and gives it what the state has."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(folder, server=api.address)))
    given = {
        "uid": UID,
        "name": "of context 'here'",
        "context": "here",
        "identity": IDENTITY,
        "deployed_before": False,
        "what": "namespace monitoring",
        "namespaces": ["monitoring"],
        "releases": [],
        "groups": [],
        "of_models": False,
        **props,
    }
    PartGuardProvider().delete("", given)


def test_a_busy_api_server_is_asked_again_before_a_guard_refuses(
    cluster: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    have_uid(cluster)
    busy = Reply({"message": "storage is (re)initializing"}, status=429, headers={"Retry-After": "1"})
    secrets = f"{NAMESPACE}/secrets"
    answer(cluster, secrets, busy, busy, [])
    delete(cluster, tmp_path, monkeypatch)
    assert pauses == [1.0, 1.0]
    answer(cluster, secrets, busy)
    with pytest.raises(
        ObstacleError, match=r"does not say .*storage is \(re\)initializing \(status 429\)\. Once it does"
    ):
        delete(cluster, tmp_path, monkeypatch)
    assert len(pauses) == 2 + ATTEMPTS - 1


def test_a_guard_in_another_cluster_refuses(cluster: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have_uid(cluster, "0c4a7b1e-0000-4000-8000-000000000002")
    with pytest.raises(AnotherClusterError, match="leads to another one"):
        delete(cluster, tmp_path, monkeypatch)


def test_objects_of_every_kind_count_in_a_namespace_of_models(
    cluster: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    have_uid(cluster)
    deletable = {"resource": "limitranges", "scope": "Namespaced", "verbs": ["list", "delete"]}
    answer(cluster, "/api", [item("") | {"versions": [{"version": "v1", "resources": [deletable]}]}])
    found = Reply(item("monitoring", annotations=OURS))
    cluster.on(cluster.address.removeprefix("http://"), f"GET {NAMESPACE}", found)
    ranges = f"{NAMESPACE}/limitranges"
    answer(cluster, ranges, [item("theirs", namespace="monitoring")])
    delete(cluster, tmp_path, monkeypatch)
    answer(cluster, ranges, [item("theirs", namespace="monitoring")], [item("ours", annotations=OURS)])
    delete(cluster, tmp_path, monkeypatch, of_models=True)
    assert len(pauses) == 1


def test_the_commands_to_type_name_the_cluster_of_the_stack(
    cluster: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubectl's current context may be another one by then."""
    have_uid(cluster)
    found = Reply(item("monitoring", annotations=OURS))
    cluster.on(cluster.address.removeprefix("http://"), f"GET {NAMESPACE}", found)
    answer(cluster, "/apis", Reply({"message": "not for you"}, status=403))
    with pytest.raises(OthersObjectsError, match=r"kubectl --context=here --namespace monitoring delete"):
        delete(cluster, tmp_path, monkeypatch, of_models=True)


# A ConfigMap stands for a namespace, and one that depends on it for what the stack has in it.
HEADER = f"""\
import pulumi
import pulumi_kubernetes as k8s
from components.objects import cluster_provider
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.teardown.cluster_guard import ClusterGuard, ClusterGuardArgs
from components.teardown.part_guard import PartGuards

provider = cluster_provider("cluster", context="here", uid={UID!r}, opts=pulumi.ResourceOptions())
identity = Identity(
    text={IDENTITY!r}, deployed_before=False, cluster=ClusterIdentity(uid={UID!r}, name="of context 'here'")
)
guards = PartGuards(identity=identity, context="here")


def declare(name, *after):
    return k8s.core.v1.ConfigMap(
        name,
        metadata={{"name": name, "namespace": "default"}},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=after),
    )


def guard_cluster(*guarded):
    args = ClusterGuardArgs(identity=identity, context="here", namespaces=(), has_platform=False)
    ClusterGuard(args=args, opts=pulumi.ResourceOptions(depends_on=guarded))


kept = declare("kept")
"""
MONITORING = """\
monitoring = declare("monitoring")
"""
GUARDED = """\
guarded = guards.namespace(monitoring)
"""
INSIDE = """\
inside = declare("inside", monitoring)
"""
WHOLE = """\
whole = guards.part(inside, "monitoring", what="the monitoring", namespaces=("monitoring",))
"""
END = """\
guard_cluster(kept)
"""
END_OF_BOTH = """\
guard_cluster(kept, monitoring, inside)
"""
BROKEN = """\
raise RuntimeError("half-way")
"""


@pytest.fixture
def server() -> Iterator[Cluster]:
    with pulumi_project.running() as server:
        every = [item("monitoring", annotations=OURS)]
        server.answers["/api"] = {"kind": "APIVersions", "versions": ["v1"], "items": [group("", "v1", "secrets")]}
        server.answers["/api/v1/namespaces"] = {"items": every}
        server.answers[DEFINITIONS] = {"items": []}
        holds(server)
        yield server


def holds(server: Cluster, *secrets: str) -> None:
    """Have these Secrets of others in the namespace, and no others."""
    server.answers[f"{NAMESPACE}/secrets"] = {"items": [item(name, namespace="monitoring") for name in secrets]}


def objects(server: Cluster) -> set[str]:
    return {path.rpartition("/")[2] for path in server.objects}


def made(folder: Path, server: Cluster, *program: str) -> Project:
    """A project with this program, which is deployed."""
    project = pulumi_project.project(folder, cluster=server, program=HEADER + "".join(program))
    project.pulumi("up", "--yes", "--skip-preview")
    return project


def change(project: Project, *program: str) -> None:
    (project.folder / "__main__.py").write_text(HEADER + "".join(program))


def changes(text: str) -> Mapping[str, int]:
    """How many resources were created, changed, deleted, or left as they are, as Pulumi says."""
    return {word: int(number) for number, word in re.findall(r"^ +\S? *(\d+) (\w+)", text, re.MULTILINE)}


REFUSED = "(?s)the monitoring stays, because Kubernetes would delete with it .*secrets monitoring/theirs"


def test_an_up_that_removes_a_part_with_something_of_others_deletes_nothing_of_it(
    tmp_path: Path, server: Cluster
) -> None:
    project = made(tmp_path, server, MONITORING, GUARDED, INSIDE, WHOLE, END_OF_BOTH)
    holds(server, "theirs")
    before = dict(server.objects)
    change(project, END)
    for _ in range(2):
        with pytest.raises(AssertionError, match=REFUSED):
            project.pulumi("up", "--yes", "--skip-preview")
        assert server.objects == before
    holds(server)
    project.pulumi("up", "--yes", "--skip-preview")
    assert objects(server) == {"kept"}
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert objects(server) == set()


def test_a_destroy_after_an_up_that_failed_half_way_keeps_the_namespace(tmp_path: Path, server: Cluster) -> None:
    project = pulumi_project.project(tmp_path, cluster=server, program=HEADER + MONITORING + GUARDED + BROKEN)
    with pytest.raises(AssertionError, match="half-way"):
        project.pulumi("up", "--yes", "--skip-preview")
    assert objects(server) == {"kept", "monitoring"}
    holds(server, "theirs")
    with pytest.raises(AssertionError, match=r"(?s)namespace monitoring stays, .*secrets monitoring/theirs"):
        project.pulumi("destroy", "--yes", "--skip-preview")
    assert "monitoring" in objects(server)
    holds(server)
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert objects(server) == set()


def test_a_stack_from_before_there_were_guards_gets_them_and_nothing_else_changes(
    tmp_path: Path, server: Cluster
) -> None:
    project = made(tmp_path, server, MONITORING, INSIDE, END_OF_BOTH)
    before = dict(server.objects)
    change(project, MONITORING, GUARDED, INSIDE, WHOLE, END_OF_BOTH)
    said = changes(project.pulumi("up", "--yes", "--skip-preview"))
    assert {word: said[word] for word in said if word in {"created", "updated", "replaced", "deleted"}} == {
        "created": 2
    }
    assert server.objects == before
    types = [resource["type"] for resource in state(project)]
    assert types.count("pulumi-python:dynamic/kserve-multi-model:PartGuard") == 2
    assert "unchanged" in project.pulumi("up", "--yes", "--skip-preview")
    holds(server, "theirs")
    change(project, END)
    with pytest.raises(AssertionError, match=REFUSED):
        project.pulumi("up", "--yes", "--skip-preview")
    assert server.objects == before


def state(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.pulumi("stack", "export"))["deployment"]["resources"]
    return found


def test_a_part_whose_context_got_another_name_meanwhile_can_be_removed(tmp_path: Path, server: Cluster) -> None:
    """Its guard keeps the former name: an `up` does not renew what it removes."""
    project = made(tmp_path, server, MONITORING, GUARDED, INSIDE, WHOLE, END_OF_BOTH)
    (tmp_path / "renamed").mkdir()
    renamed = kubeconfig(tmp_path / "renamed", server=server.address, contexts=("there",))
    (project.folder / "__main__.py").write_text((HEADER + END).replace('context="here"', 'context="there"'))
    holds(server, "theirs")
    with pytest.raises(AssertionError, match=REFUSED):
        project.pulumi("up", "--yes", "--skip-preview", KUBECONFIG=str(renamed))
    holds(server)
    project.pulumi("up", "--yes", "--skip-preview", KUBECONFIG=str(renamed))
    assert objects(server) == {"kept"}
