"""A namespace of the stack that holds something of others, against a Kubernetes API on the loopback."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from components.objects import STACK_ANNOTATION
from components.teardown.others_objects import OthersObjectsError, require_nothing_of_others
from kube.read import METADATA_ONLY
from kube.views.kserve import InferenceGraph, InferenceService
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

HERE = "models"
MARK = "organization/kserve-multi-model/dev:1a2b3c4d"
OTHER_STACK = "organization/kserve-multi-model/other:5e6f7a8b"
URN = "urn:pulumi:dev::kserve-multi-model::kubernetes:core/v1:Namespace::models"


def kind(
    resource: str, *, scope: str = "Namespaced", verbs: tuple[str, ...] = ("get", "list", "delete")
) -> dict[str, Any]:
    return {"resource": resource, "scope": scope, "verbs": [*verbs]}


def group(name: str, *versions: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    listed = [{"version": version, "resources": kinds} for version, kinds in versions]
    return {"metadata": {"name": name or None}, "versions": listed}


CORE = group(
    "",
    (
        "v1",
        [
            *map(kind, ("pods", "configmaps", "serviceaccounts", "secrets", "events")),
            kind("nodes", scope="Cluster"),
            kind("bindings", verbs=("create",)),
        ],
    ),
)
OTHERS = (
    group("autoscaling", ("v2", [kind("horizontalpodautoscalers")]), ("v1", [kind("horizontalpodautoscalers")])),
    group("example.com", ("v1", [kind("databases")])),
    group("metrics.k8s.io", ("v1beta1", [kind("pods")])),
)
PATHS = {
    "configmaps": "/api/v1/namespaces/models/configmaps",
    "databases": "/apis/example.com/v1/namespaces/models/databases",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/namespaces/models/horizontalpodautoscalers",
    "inferencegraphs": InferenceGraph.path(namespace=HERE),
    "inferenceservices": InferenceService.path(namespace=HERE),
    "pods": "/api/v1/namespaces/models/pods",
    "secrets": "/api/v1/namespaces/models/secrets",
    "serviceaccounts": "/api/v1/namespaces/models/serviceaccounts",
}


def item(name: str, *, mark: str | None = None, **metadata: Any) -> dict[str, Any]:
    annotations = {**metadata.pop("annotations", {}), **({STACK_ANNOTATION: mark} if mark else {})}
    return {"metadata": {"name": name, "annotations": annotations, **metadata}}


def answer(api: Server, path: str, *replies: object) -> None:
    given = (reply if isinstance(reply, Reply) else Reply(reply) for reply in replies)
    api.on(api.address.removeprefix("http://"), f"GET {path}", *given)


def cluster(api: Server, *, mark: str | None = MARK, **kinds: object) -> None:
    """A namespace of the stack, and the answer for each kind; the other kinds are empty."""
    answer(api, f"/api/v1/namespaces/{HERE}", item(HERE, mark=mark))
    answer(api, "/api", {"items": [CORE]})
    answer(api, "/apis", {"items": [*OTHERS]})
    for name, path in PATHS.items():
        answer(api, path, {"items": kinds.get(name)})


def require(api: Server, *, timeout: float = 0) -> None:
    require_nothing_of_others(HERE, connect=lambda: httpx.Client(base_url=api.address), timeout=timeout)


def test_what_the_stack_and_kubernetes_made_is_nobody_elses(api: Server) -> None:
    cluster(
        api,
        configmaps=[item("kube-root-ca.crt"), item("istio-ca-root-cert"), item("istio-ca-crl")],
        serviceaccounts=[item("default"), item("dev-storage-demo", mark=MARK)],
        secrets=[
            item("dev-storage-demo", mark=MARK),
            item("default-token-x", annotations={"kubernetes.io/service-account.name": "default"}),
        ],
        pods=[
            item("iris-predictor-0", ownerReferences=[{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "iris"}]),
            item("going", deletionTimestamp="2026-01-01T00:00:00Z"),
        ],
        horizontalpodautoscalers=[item("iris", mark=MARK)],
    )
    require(api)
    asked = [request.path for request in api.requests]
    # Kinds without a list, kinds in no namespace, old versions of a kind, and what changes by itself are not asked for.
    for part in ("bindings", "nodes", "autoscaling/v1/", "events", "metrics.k8s.io"):
        assert not [path for path in asked if part in path]
    listed = [request for request in api.requests if request.path in PATHS.values()]
    assert len(listed) == len(PATHS)
    assert {request.headers["accept"] for request in listed} == {METADATA_ONLY["Accept"]}


@pytest.mark.parametrize(
    ("kinds", "named"),
    [
        ({"configmaps": [item("theirs")]}, "configmaps/theirs"),
        ({"databases": [item("orders")]}, "databases.example.com/orders"),
        (
            {"secrets": [item("b"), item("a", mark=OTHER_STACK)]},
            "secrets/a, secrets/b",
        ),
        ({"serviceaccounts": [item("robot")], "pods": [item("debug")]}, "pods/debug, serviceaccounts/robot"),
        ({"configmaps": [item(f"c{number:02}") for number in range(12)]}, "configmaps/c09 and 2 more"),
    ],
    ids=["unmarked", "custom kind", "another stack's", "two kinds", "many"],
)
def test_what_others_made_keeps_the_namespace(api: Server, kinds: dict[str, Any], named: str) -> None:
    cluster(api, **kinds)
    with pytest.raises(OthersObjectsError) as kept:
        require(api)
    text = str(kept.value)
    assert text.startswith("namespace models stays, because it holds what this stack did not make: ")
    assert f"{named}\n" in text
    assert "kubectl --namespace models delete <kind>/<name>" in text
    assert f"pulumi state delete --target-dependents '{URN}'" in text


def test_what_the_platforms_of_clouds_put_into_every_namespace_is_nobody_elses(api: Server) -> None:
    """GKE's quota, OpenShift's bindings, copies of OLM's operators and of authorities, logins of clouds' registries."""
    login = "acr-credential-0123456789abcdef0123456789abcdef"
    cluster(
        api,
        configmaps=[item("global-ca-bundle"), item("odh-trusted-ca-bundle")],
        secrets=[item("paas.elb"), item("default-secret", labels={"secret-generated-by": "cce"}), item(login)],
    )
    bindings = [item(f"system:{name}") for name in ("deployers", "image-builders", "image-pullers")]
    operator = item("serverless-operator.v1", labels={"olm.copiedFrom": "openshift-serverless"})
    more: dict[tuple[str, str], list[dict[str, Any]]] = {
        ("rbac.authorization.k8s.io", "rolebindings"): bindings,
        ("authorization.openshift.io", "rolebindings"): bindings,
        ("operators.coreos.com", "clusterserviceversions"): [operator],
    }
    groups = [group(name, ("v1", [kind(plural)])) for name, plural in more]
    # Listed in every namespace; nothing stores them there.
    packages = group("packages.operators.coreos.com", ("v1", [kind("packagemanifests", verbs=("get", "list"))]))
    core = group("", ("v1", [*map(kind, ("configmaps", "secrets", "resourcequotas"))]))
    answer(api, "/api", {"items": [core]})
    answer(api, "/api/v1/namespaces/models/resourcequotas", {"items": [item("gke-resource-quotas")]})
    answer(api, "/apis", {"items": [*groups, packages]})
    for (name, plural), found in more.items():
        answer(api, f"/apis/{name}/v1/namespaces/models/{plural}", {"items": found})
    manifests = "/apis/packages.operators.coreos.com/v1/namespaces/models/packagemanifests"
    answer(api, manifests, {"items": [item("kserve")]})
    require(api)


def test_pull_secrets_that_the_settings_name_are_there_for_the_stack(api: Server) -> None:
    cluster(api, secrets=[item("regcred")])
    require_nothing_of_others(
        HERE, connect=lambda: httpx.Client(base_url=api.address), timeout=0, pull_secrets=("regcred",)
    )
    with pytest.raises(OthersObjectsError, match="did not make: secrets/regcred"):
        require(api)


def test_what_is_about_to_go_is_waited_for(api: Server, pauses: list[float]) -> None:
    cluster(api)
    answer(api, PATHS["secrets"], {"items": [item("of-an-older-version")]}, {"items": None})
    require(api, timeout=60)
    assert len(pauses) == 1


def test_while_models_of_the_stack_stay_the_namespace_stays_too(api: Server) -> None:
    """Some of its models were removed: what others have in it is no matter."""
    cluster(api, inferenceservices=[item("iris", mark=MARK)], configmaps=[item("theirs")])
    require(api)
    assert PATHS["configmaps"] not in [request.path for request in api.requests]


def test_models_of_others_do_not_pass_for_the_stacks(api: Server) -> None:
    cluster(api, inferenceservices=[item("theirs")], configmaps=[item("c")])
    with pytest.raises(OthersObjectsError, match="did not make: configmaps/c"):
        require(api)


def test_a_namespace_that_is_gone_holds_nothing(api: Server) -> None:
    cluster(api)
    answer(api, f"/api/v1/namespaces/{HERE}", Reply(status=404))
    require(api)


def test_a_namespace_that_lost_its_mark_is_the_stacks_with_what_has_one(api: Server) -> None:
    cluster(api, mark=None, secrets=[item("keys", mark=MARK)])
    require(api)
    cluster(api, mark=None, secrets=[item("keys")])
    with pytest.raises(OthersObjectsError, match="'urn:pulumi:<stack>::<project>::kubernetes:"):
        require(api)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
@pytest.mark.parametrize("where", ["databases", "inferenceservices"])
def test_a_cluster_that_does_not_tell_keeps_the_namespace(api: Server, status: int, where: str) -> None:
    cluster(api)
    answer(api, PATHS[where], Reply({"message": "not for you"}, status=status))
    with pytest.raises(OthersObjectsError, match="stays, because what it holds cannot be read: "):
        require(api)
