"""An up that would remove a part of the platform, or a namespace, against a Kubernetes API on the loopback."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.objects import STACK_ANNOTATION
from components.ownership.stack_identity import Identity
from components.preflight.cluster import PreflightError, find_cluster, preflight
from components.preflight.platform_facts import UntoldError
from components.settings.stack import parse
from tests.unit.components.kubernetes import have_uid, kubeconfig, reply_with
from tests.unit.predict.server import Reply, Server, serving

pytestmark = pytest.mark.usefixtures("pauses")

OWNER = "organization/kserve-multi-model/dev:a"
OURS = {STACK_ANNOTATION: OWNER}
PLATFORM = {"release": "local", "mirror": {"charts": "oci://registry.example/charts", "images": "registry.example"}}
IRIS = {"name": "iris", "format": "sklearn", "storage_uri": "gs://models/iris"}
STACK = "urn:pulumi:dev::kserve-multi-model::"
INSIDE = f"{STACK}kserve-multi-model:platform:Platform$kserve-multi-model:platform:"
HAS_MONITORING = f"{INSIDE}Monitoring$kubernetes:core/v1:Namespace::monitoring"
HAS_KNATIVE = f"{INSIDE}Knative$kubernetes:core/v1:Namespace::knative-serving"
HAS_TEAM_A = f"{STACK}kubernetes:core/v1:Namespace::team-a"
GUARD = f"{STACK}pulumi-python:dynamic/kserve-multi-model:ClusterGuard::cluster-guard"
OPERATOR = {"meta.helm.sh/release-name": "knative-operator", "meta.helm.sh/release-namespace": "knative-operator"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
NAMESPACES = ("monitoring", "knative-serving", "knative-operator", "team-a")


def item(name: str, *, namespace: str = "", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **metadata}}


def group(name: str, version: str, *plurals: str) -> dict[str, Any]:
    verbs = ["get", "list", "delete"]
    resources = [{"resource": plural, "scope": "Namespaced", "verbs": verbs} for plural in plurals]
    return item(name) | {"versions": [{"version": version, "resources": resources}]}


def record(description: str) -> dict[str, Any]:
    """A Secret of Helm's."""
    text = json.dumps({"info": {"description": description}}).encode()
    packed = base64.b64encode(base64.b64encode(gzip.compress(text))).decode()
    return item("sh.helm.release.v1.knative-operator.v1", labels={"status": "deployed"}) | {"data": {"release": packed}}


def answer(server: Server, path: str, *found: dict[str, Any]) -> None:
    server.on(server.address.removeprefix("http://"), f"GET {path}", Reply({"items": list(found)}))


@pytest.fixture
def server() -> Iterator[Server]:
    """A cluster with the stack's namespaces, in which nobody has anything else."""
    with serving() as server:
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        answer(server, "/api", group("", "v1", "configmaps"))
        answer(server, "/apis", group("operator.knative.dev", "v1", "knativeeventings"))
        answer(server, "/api/v1/namespaces", *(item(name, annotations=OURS) for name in NAMESPACES))
        answer(server, DEFINITIONS, item("knativeeventings.operator.knative.dev", annotations=OPERATOR))
        helm = "/api/v1/namespaces/knative-operator/secrets?labelSelector=owner%3Dhelm%2Cname%3Dknative-operator"
        answer(server, helm, record(f"made by kserve-multi-model, stack {OWNER}"))
        answer(server, "/apis/operator.knative.dev/v1/knativeeventings")
        for name in NAMESPACES:
            made = item("made", namespace=name, annotations=OURS)
            answer(server, CONFIG_MAPS.format(name), made, item("kube-root-ca.crt", namespace=name))
        yield server


def look(server: Server, folder: Path, *in_state: str, deployed_before: bool = False, **given: Any) -> None:
    """The preflight of a stack that has these resources, with these settings."""
    cluster = {"kubeconfig": str(kubeconfig(folder, server=server.address))}
    settings = parse(PLATFORM | {"models": [IRIS], **given, "cluster": cluster})
    found = find_cluster(settings)
    identity = Identity(
        text=OWNER, deployed_before=deployed_before, cluster=found.identity, in_state=frozenset(in_state)
    )
    preflight(settings, identity=identity, found=found)


def theirs(server: Server, namespace: str) -> None:
    answer(server, CONFIG_MAPS.format(namespace), item("theirs", namespace=namespace))


def refused(server: Server, folder: Path, *in_state: str, **given: Any) -> str:
    with pytest.raises(PreflightError) as problem:
        look(server, folder, *in_state, **given)
    return str(problem.value)


def test_monitoring_with_something_of_others_is_not_removed(server: Server, tmp_path: Path) -> None:
    look(server, tmp_path, HAS_MONITORING)
    theirs(server, "monitoring")
    assert refused(server, tmp_path, HAS_MONITORING) == (
        "monitoring: this would remove the monitoring, and with it what others have in its namespace monitoring: "
        "configmaps monitoring/theirs. Delete these first, or move them elsewhere; or, to keep the monitoring, leave "
        "`monitoring` in the settings"
    )
    look(server, tmp_path, HAS_MONITORING, monitoring=True)


def test_what_the_stack_does_not_have_is_not_looked_at(server: Server, tmp_path: Path) -> None:
    """Somebody else's namespace of the same name."""
    theirs(server, "monitoring")
    look(server, tmp_path)
    assert not [request.path for request in server.requests if "/monitoring/" in request.path]


STANDARD: dict[str, Any] = {"models": [IRIS | {"mode": "Standard"}]}


@pytest.mark.parametrize("namespace", ["knative-serving", "knative-operator"])
def test_an_unused_knative_with_something_of_others_is_not_removed(
    server: Server, tmp_path: Path, namespace: str
) -> None:
    look(server, tmp_path, HAS_KNATIVE, **STANDARD)
    theirs(server, namespace)
    text = refused(server, tmp_path, HAS_KNATIVE, **STANDARD)
    assert text == (
        "mode: this would remove Knative, and with it what others have in its namespaces knative-serving and "
        f"knative-operator, or of its kinds: configmaps {namespace}/theirs. Delete these first, or move them "
        "elsewhere; or, to keep Knative, set mode: Knative"
    )
    look(server, tmp_path, HAS_KNATIVE)
    look(server, tmp_path, HAS_KNATIVE, **STANDARD, mode="Knative")


def test_an_unused_knative_is_not_removed_with_an_eventing_of_others(server: Server, tmp_path: Path) -> None:
    """They use the operator of the stack, which brought the definition."""
    answer(server, "/apis/operator.knative.dev/v1/knativeeventings", item("theirs", namespace="team-b"))
    text = refused(server, tmp_path, HAS_KNATIVE, **STANDARD)
    assert "or of its kinds: knativeeventings.operator.knative.dev team-b/theirs. Delete" in text


def test_a_namespace_of_models_with_something_of_others_is_not_deleted(server: Server, tmp_path: Path) -> None:
    look(server, tmp_path, HAS_TEAM_A)
    theirs(server, "team-a")
    text = refused(server, tmp_path, HAS_TEAM_A)
    assert text.startswith(
        "namespace 'team-a' has no model or graph of this stack any more, so this would delete it, and with it what "
        "this stack did not make: configmaps/theirs. Delete these first"
    )
    look(server, tmp_path, HAS_TEAM_A, models=[IRIS | {"namespace": "team-a"}])


def test_all_problems_are_named_at_once(server: Server, tmp_path: Path) -> None:
    for name in ("monitoring", "team-a"):
        theirs(server, name)
    text = refused(server, tmp_path, HAS_MONITORING, HAS_TEAM_A)
    assert "monitoring/theirs" in text
    assert "namespace 'team-a'" in text


def test_a_stack_from_before_there_were_marks_is_not_refused_for_its_own_objects(
    server: Server, tmp_path: Path
) -> None:
    """The first `up` marks them, and its guard comes last."""
    answer(server, CONFIG_MAPS.format("monitoring"), item("without-a-mark", namespace="monitoring"))
    look(server, tmp_path, HAS_MONITORING, deployed_before=True)
    assert "without-a-mark" in refused(server, tmp_path, HAS_MONITORING, GUARD, deployed_before=True)


@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_cluster_that_does_not_tell_stops_the_run(server: Server, tmp_path: Path, status: int) -> None:
    path = f"GET {CONFIG_MAPS.format('monitoring')}"
    server.on(server.address.removeprefix("http://"), path, Reply({"message": "not for you"}, status=status))
    with pytest.raises(
        UntoldError, match=r"what the settings would remove, or need it: .*not for you.*Nothing is chan"
    ):
        look(server, tmp_path, HAS_MONITORING)
