"""What is in the way of a destroy, against a Kubernetes API on the loopback."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx2 as httpx
import pytest

from components.charts.helm_records import ReleaseMark
from components.objects import STACK_ANNOTATION
from components.teardown.obstacles import Obstacles
from components.teardown.others_in_platform import RELEASE, RELEASE_NAMESPACE
from kube.parallel import AT_ONCE
from kube.read import ForbiddenError
from tests.unit.predict.server import Reply, Server, serving

MARK = ReleaseMark(identity="organization/project/dev:a", deployed_before=False)
OURS = {STACK_ANNOTATION: MARK.identity}
CHART = {"meta.helm.sh/release-name": "kserve-crd", "meta.helm.sh/release-namespace": "kserve"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MODELS = "/apis/serving.kserve.io/v1beta1/inferenceservices"
NOTHING = Reply({"items": []})


def item(
    name: str, *, namespace: str = "", annotations: dict[str, str] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}, **metadata}}


def items(*found: dict[str, Any]) -> Reply:
    return Reply({"items": list(found)})


def group(name: str, version: str, *plurals: str, **kinds: str) -> dict[str, Any]:
    """An API group; `kinds` are those of plurals whose objects own others, as `ingresses="Ingress"`."""
    resources = [
        {"resource": plural, "scope": "Namespaced", "verbs": ["get", "list"]}
        | ({"responseKind": {"kind": kinds[plural]}} if plural in kinds else {})
        for plural in (*plurals, *kinds)
    ]
    return item(name) | {"versions": [{"version": version, "resources": resources}]}


def owned_by(api: str, kind: str, name: str) -> list[dict[str, str]]:
    return [{"apiVersion": api, "kind": kind, "name": name}]


def record(description: str, *, status: str = "deployed") -> dict[str, Any]:
    """A Secret of Helm's."""
    text = json.dumps({"info": {"description": description}}).encode()
    packed = base64.b64encode(base64.b64encode(gzip.compress(text))).decode()
    metadata = {"name": "sh.helm.release.v1.kserve-crd.v1", "labels": {"status": status}}
    return {"metadata": metadata, "data": {"release": packed}}


@pytest.fixture
def server() -> Iterator[Server]:
    """A cluster with this stack's KServe, of Helm, and nothing that is served."""
    with serving() as server:
        answer(server, "/api", NOTHING)
        answer(server, "/apis", items(group("serving.kserve.io", "v1beta1", "inferenceservices")))
        answer(server, DEFINITIONS, items(item("inferenceservices.serving.kserve.io", annotations=CHART)))
        answer(server, MODELS, NOTHING)
        helm = "/api/v1/namespaces/kserve/secrets?labelSelector=owner%3Dhelm%2Cname%3Dkserve-crd"
        answer(server, helm, items(record(MARK.description)))
        yield server


def answer(server: Server, path: str, reply: Reply) -> None:
    server.on(server.address.removeprefix("http://"), f"GET {path}", reply)


def obstacles(**fields: Any) -> Obstacles:
    return Obstacles(**{"mark": MARK, "namespaces": ("models",), "has_platform": True, **fields})


def of_others(server: Server, **fields: Any) -> list[str]:
    with httpx.Client(base_url=server.address) as client:
        return obstacles(**fields).objects_of_others(client)


def test_nothing_is_in_the_way_of_an_unused_platform(server: Server) -> None:
    assert of_others(server) == []


def test_models_of_others_are_named_with_their_stack(server: Server) -> None:
    of_another_stack = {STACK_ANNOTATION: "organization/project/b:c"}
    found = items(
        item("ours", namespace="models", annotations=OURS),
        item("iris", namespace="team-b", annotations=of_another_stack),
        item("by-hand", namespace="default"),
    )
    answer(server, MODELS, found)
    assert of_others(server) == [
        "inferenceservices.serving.kserve.io team-b/iris of stack organization/project/b:c, default/by-hand"
    ]


@pytest.mark.parametrize(
    "metadata",
    [{"ownerReferences": [{"kind": "Graph", "name": "g"}]}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}],
    ids=["made by a controller", "going already"],
)
def test_what_goes_by_itself_is_not_in_the_way(server: Server, metadata: dict[str, Any]) -> None:
    answer(server, MODELS, items(item("iris", namespace="team-b", **metadata)))
    assert of_others(server) == []


def test_a_gateway_class_of_others_goes_with_its_definition_and_those_that_istiod_makes_are_nobodys(
    server: Server,
) -> None:
    kind = "gatewayclasses.gateway.networking.k8s.io"
    answer(server, DEFINITIONS, items(item(kind, annotations=OURS)))
    answer(server, "/apis", items(group("gateway.networking.k8s.io", "v1", "gatewayclasses")))
    classes = ("istio", "istio-remote", "istio-waypoint", "istio-east-west", "istio-agentgateway", "envoy", "istiofake")
    answer(server, "/apis/gateway.networking.k8s.io/v1/gatewayclasses", items(*map(item, classes)))
    assert of_others(server) == [f"{kind} envoy, istiofake"]


def namespaces(server: Server, **kinds: list[dict[str, Any]]) -> None:
    """Have the stack's namespaces of Istio, cert-manager, Knative and monitoring, and these objects by their kind."""
    names = ("istio-system", "cert-manager", "knative-serving", "monitoring")
    answer(
        server,
        "/api/v1/namespaces",
        items(*(item(name, annotations=OURS) for name in (*names, "models")), item("elsewhere"), item("default")),
    )
    answer(server, "/api", items(group("", "v1", *(kind for kind in kinds if kind != "deployments"), "podtemplates")))
    answer(server, "/apis", items(group("apps", "v1", "deployments")))
    for name in names:
        for kind, found in kinds.items():
            api = "/apis/apps/v1" if kind == "deployments" else "/api/v1"
            here = [one for one in found if one["metadata"]["namespace"] == name]
            answer(server, f"{api}/namespaces/{name}/{kind}", items(*here))


def test_what_people_put_into_the_platforms_namespaces_is_named(server: Server) -> None:
    namespaces(
        server,
        deployments=[
            item("kiali", namespace="istio-system", annotations={**CHART, "meta.helm.sh/release-name": "kiali"}),
            item("istiod", namespace="istio-system", annotations=OURS),
            item("gateway", namespace="istio-system", annotations=CHART),
            item("made", namespace="istio-system", ownerReferences=[{"kind": "Gateway", "name": "g"}]),
        ],
        configmaps=[
            item("dashboard", namespace="monitoring"),
            item("dashboard-models", namespace="monitoring", annotations=OURS),
        ],
        secrets=[
            item("shop-tls", namespace="istio-system"),
            item("cacerts", namespace="istio-system"),
            item("password", namespace="monitoring"),
            item("issued", namespace="istio-system", annotations={"cert-manager.io/certificate-name": "issued"}),
        ],
        services=[item("scraped", namespace="monitoring")],
    )
    kiali = "/api/v1/namespaces/kserve/secrets?labelSelector=owner%3Dhelm%2Cname%3Dkiali"
    answer(server, kiali, items(record("Install complete")))
    assert of_others(server) == [
        "configmaps monitoring/dashboard",
        "secrets istio-system/shop-tls, istio-system/cacerts, monitoring/password",
        "services monitoring/scraped",
        "deployments.apps istio-system/kiali",
    ]
    asked = [request.path for request in server.requests]
    assert not [path for path in asked if "/models/" in path or "/elsewhere/" in path or "podtemplates" in path]


def test_what_controllers_and_clouds_put_there_is_nobody_elses(server: Server) -> None:
    """What nobody owns and nobody made: of Kubernetes, OpenShift, istiod, cert-manager, Knative and Helm."""
    names = ("istio-system", "cert-manager", "knative-serving", "monitoring")
    every = (
        *("kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl"),
        *("openshift-service-ca.crt", "odh-trusted-ca-bundle", "global-ca-bundle"),
        *("config-service-cabundle", "config-trusted-cabundle"),
    )
    of_helm = {"owner": "helm", "name": "kserve-crd", "status": "deployed", "version": "1"}
    token = {"kubernetes.io/service-account.name": "default"}
    of_operator = {"labels": {"app.kubernetes.io/name": "knative-serving"}, "annotations": {"manifestival": "new"}}
    helm = "/api/v1/namespaces/monitoring/secrets?labelSelector=owner%3Dhelm%2Cname%3Dkserve-crd"
    answer(server, helm, items(record(MARK.description)))
    namespaces(
        server,
        configmaps=[
            *(item(name, namespace=namespace) for name in every for namespace in names),
            item(
                "istio-leader", namespace="istio-system", annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}
            ),
        ],
        secrets=[
            item("istio-ca-secret", namespace="istio-system"),
            item("cert-manager-webhook-ca", namespace="cert-manager"),
            item("sh.helm.release.v1.kserve-crd.v1", namespace="monitoring", labels=of_helm),
            *(item("default-token-abcde", namespace=name, annotations=token) for name in names),
        ],
        services=[
            item("autoscaler-bucket-00-of-01", namespace="knative-serving"),
            item("knative-local-gateway", namespace="istio-system", **of_operator),
        ],
    )
    assert of_others(server) == []


def test_pull_secrets_that_the_settings_name_are_there_for_the_stack(server: Server) -> None:
    """Something else puts them into every namespace of the platform, as `image_pull_secrets` says."""
    namespaces(server, secrets=[item("regcred", namespace=name) for name in ("istio-system", "monitoring")])
    assert of_others(server) == ["secrets istio-system/regcred, monitoring/regcred"]
    assert of_others(server, pull_secrets=("regcred",)) == []
    namespaces(server, configmaps=[item("regcred", namespace="monitoring")])
    assert of_others(server, pull_secrets=("regcred",)) == ["configmaps monitoring/regcred"]


def test_secrets_that_pods_beside_them_pull_images_with_are_there_for_the_stack(server: Server) -> None:
    """In a destroy by a guard from before, which does not know the setting, and where a cloud adds them to pods."""
    places = ("istio-system", "monitoring")
    namespaces(server, secrets=[item("regcred", namespace=name) for name in places])
    pod = item("istiod", namespace="istio-system", ownerReferences=[{"kind": "ReplicaSet", "name": "istiod"}])
    pods = "/api/v1/namespaces/istio-system/pods"
    answer(server, pods, items(pod | {"spec": {"imagePullSecrets": [{"name": "regcred"}, {}]}}))
    assert of_others(server) == ["secrets monitoring/regcred"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"generate.kyverno.io/policy-name": "copy"}},
        {"labels": {"hnc.x-k8s.io/inherited-from": "root"}},
        {"annotations": {"reflector.v1.k8s.emberstack.com/reflects": "default/a"}},
        {"annotations": {"replicator.v1.mittwald.de/replicated-from-version": "1"}},
        {"labels": {"digitalocean.com/copy-identifier": "registry"}},
        {"labels": {"secret-generated-by": "cce"}},
    ],
    ids=lambda metadata: next(iter(next(iter(metadata.values())))),
)
def test_copies_that_a_controller_puts_into_namespaces_are_nobodys(server: Server, metadata: dict[str, Any]) -> None:
    namespaces(server, secrets=[item("copied", namespace="monitoring", **metadata)])
    assert of_others(server) == []


def test_logins_that_a_cloud_puts_into_every_namespace_are_nobodys(server: Server) -> None:
    """Those of ACK and CCE, which are known by their names only; the names of others count."""
    login = "acr-credential-0123456789abcdef0123456789abcdef"
    namespaces(server, secrets=[item(name, namespace="monitoring") for name in (login, "paas.elb")])
    assert of_others(server) == []
    namespaces(server, secrets=[item(name, namespace="monitoring") for name in (f"{login}0", "acr-credential-mine")])
    assert of_others(server) == [f"secrets monitoring/{login}0, monitoring/acr-credential-mine"]


def test_names_of_controllers_elsewhere_are_peoples(server: Server) -> None:
    """A name that a controller uses in its own namespace means nothing in another one."""
    namespaces(
        server,
        secrets=[item("istio-ca-secret", namespace="monitoring")],
        services=[
            item("autoscaler-bucket-00-of-01", namespace="monitoring"),
            item("autoscaler-bucket-00-of-01-mine", namespace="knative-serving"),
            item("local-gateway", namespace="istio-system", annotations={"manifestival": "new"}),
        ],
    )
    assert of_others(server) == [
        "secrets monitoring/istio-ca-secret",
        "services istio-system/local-gateway, knative-serving/autoscaler-bucket-00-of-01-mine, "
        "monitoring/autoscaler-bucket-00-of-01",
    ]


def test_accounts_roles_and_network_policies_of_people_are_named(server: Server) -> None:
    """An account of the monitoring, which a program outside the cluster logs in with, and what it may do."""
    namespaces(server)
    answer(server, "/api", items(group("", "v1", "serviceaccounts")))
    roles, policies = "rbac.authorization.k8s.io", "networking.k8s.io"
    answer(
        server, "/apis", items(group(roles, "v1", "roles", "rolebindings"), group(policies, "v1", "networkpolicies"))
    )
    made = {"annotations": CHART}
    by_rancher = {"labels": {"authz.cluster.cattle.io/rtb-owner-updated": "p-1_prtb-2"}}
    in_istio = {
        "/api/v1/namespaces/istio-system/serviceaccounts": [
            item("istiod", namespace="istio-system", **made),
            *(item(name, namespace="istio-system") for name in ("default", "builder", "deployer", "pipeline", "robot")),
        ],
        f"/apis/{roles}/v1/namespaces/istio-system/roles": [
            item("istiod", namespace="istio-system", **made),
            item("gateway", namespace="istio-system", annotations=OURS),
            item("robot", namespace="istio-system"),
        ],
        f"/apis/{roles}/v1/namespaces/istio-system/rolebindings": [
            item("system:image-pullers", namespace="istio-system"),
            item("pipelines-scc-rolebinding", namespace="istio-system"),
            item("rb-1", namespace="istio-system", **by_rancher),
            item("robot", namespace="istio-system"),
        ],
        f"/apis/{policies}/v1/namespaces/istio-system/networkpolicies": [
            item("np-default", namespace="istio-system"),
            item("only-from-shop", namespace="istio-system"),
        ],
    }
    for path, found in in_istio.items():
        answer(server, path, items(*found))
    assert of_others(server) == [
        "serviceaccounts istio-system/robot",
        f"roles.{roles} istio-system/robot",
        f"rolebindings.{roles} istio-system/robot",
        f"networkpolicies.{policies} istio-system/only-from-shop",
    ]


def test_what_an_operator_of_others_makes_in_a_namespace_counts_by_its_owner(server: Server) -> None:
    """Of a kind that is not looked at by itself: what it owns would pass for what goes with it."""
    external = "external-secrets.io"
    of_shop, of_copies = (owned_by(f"{external}/v1", "ExternalSecret", name) for name in ("shop", "copies"))
    namespaces(
        server,
        secrets=[
            item("shop-tls", namespace="istio-system", ownerReferences=of_shop),
            item("copied", namespace="monitoring", ownerReferences=of_copies),
            item("going", namespace="monitoring", ownerReferences=owned_by("gone.example.com/v1", "Gone", "gone")),
        ],
    )
    own_kinds = group(external, "v1", externalsecrets="ExternalSecret", sets="Set", clustersets="ClusterSet")
    own_kinds["versions"][0]["resources"][-1]["scope"] = "Cluster"
    answer(server, "/apis", items(own_kinds))
    of_a_set, of_the_cluster = (owned_by(f"{external}/v1", kind, "set") for kind in ("Set", "ClusterSet"))
    shop = item("shop", namespace="istio-system", ownerReferences=of_a_set)
    path = f"/apis/{external}/v1/namespaces"
    answer(server, f"{path}/istio-system/externalsecrets", items(shop, item("other", namespace="istio-system")))
    answer(server, f"{path}/istio-system/sets", items(item("set", namespace="istio-system")))
    copies = item("copies", namespace="monitoring", ownerReferences=of_the_cluster)
    answer(server, f"{path}/monitoring/externalsecrets", items(copies))
    assert of_others(server) == [f"sets.{external} istio-system/set"]
    answer(server, f"{path}/istio-system/sets", items(item("set", namespace="istio-system", annotations=OURS)))
    assert of_others(server) == []


def test_an_object_of_the_stacks_definitions_that_something_of_others_owns_is_named(server: Server) -> None:
    """It goes with its definition, though its owner stays: a Certificate that cert-manager made for an Ingress."""
    certificates = "cert-manager.io"
    definition = item(f"certificates.{certificates}", annotations=OURS)
    answer(
        server, DEFINITIONS, items(definition, item("requests.example.com", annotations=OURS), item("notebooks.k.org"))
    )
    answer(
        server,
        "/apis",
        items(
            group(certificates, "v1", certificates="Certificate"),
            group("networking.k8s.io", "v1", ingresses="Ingress"),
            group("example.com", "v1", requests="Request"),
            group("k.org", "v1", notebooks="Notebook"),
        ),
    )
    found = {
        "shop": owned_by("networking.k8s.io/v1", "Ingress", "shop"),
        "notebook": owned_by("k.org/v1", "Notebook", "notebook"),
        "of-the-stacks-kind": owned_by("example.com/v1", "Request", "mine"),
        "two-owners": [*owned_by("k.org/v1", "Notebook", "n"), *owned_by("example.com/v1", "Request", "mine")],
        "owner-is-going": owned_by("gone.example.com/v1", "Gone", "gone"),
    }
    listed = [item(name, namespace="team-b", ownerReferences=owners) for name, owners in found.items()]
    listed.append(item("ours", namespace="models", annotations=OURS, ownerReferences=found["shop"]))
    answer(server, f"/apis/{certificates}/v1/certificates", items(*listed))
    assert of_others(server) == [f"certificates.{certificates} team-b/shop, team-b/notebook"]


def test_a_helm_release_of_others_in_a_namespace_of_the_stack_is_named(server: Server) -> None:
    """Its record is lost with the namespace, wherever its objects are."""
    labels = {"owner": "helm", "name": "loki", "status": "deployed", "version": "1"}
    namespaces(server, secrets=[item("sh.helm.release.v1.loki.v1", namespace="monitoring", labels=labels)])
    helm = "/api/v1/namespaces/monitoring/secrets?labelSelector=owner%3Dhelm%2Cname%3Dloki"
    answer(server, helm, items(record("Install complete")))
    assert of_others(server) == ["secrets monitoring/sh.helm.release.v1.loki.v1"]


def test_the_records_of_many_releases_are_read_at_a_time(server: Server) -> None:
    """One of a kind for each of 24 definitions, as on a cluster with many operators: three times eight."""
    gate = threading.Event()
    charts = [f"operator-{number}" for number in range(24)]
    answer(
        server,
        DEFINITIONS,
        items(*(item(f"{name}.example.com", annotations={RELEASE: name, RELEASE_NAMESPACE: name}) for name in charts)),
    )
    for name in charts:
        helm = f"/api/v1/namespaces/{name}/secrets?labelSelector=owner%3Dhelm%2Cname%3D{name}"
        answer(server, helm, replace(items(record("Install complete")), wait_for=gate))
    read = [f"/api/v1/namespaces/{name}/secrets" for name in charts]

    def asked() -> int:
        return sum(request.path.partition("?")[0] in read for request in list(server.requests))

    with ThreadPoolExecutor(1) as running:
        looking = running.submit(of_others, server)
        deadline = time.monotonic() + 30
        while asked() < AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        waiting = asked()
        gate.set()
        assert looking.result(30) == []
    assert (waiting, asked()) == (AT_ONCE, 24)


@pytest.mark.parametrize(
    ("namespace", "status", "expected"),
    [
        ("kserve", "failed", []),
        ("kserve", "deployed", ["deployments.apps kserve/kserve"]),
        ("elsewhere", "failed", ["inferenceservices.serving.kserve.io elsewhere/kserve"]),
    ],
    ids=["failed", "of others", "of others, failed"],
)
def test_what_a_failed_installation_of_the_stack_left_is_its_own(
    server: Server, namespace: str, status: str, expected: list[str]
) -> None:
    """Helm writes whose a release is only when it has succeeded."""
    answer(server, "/api/v1/namespaces", items(item("kserve", annotations=OURS)))
    answer(server, DEFINITIONS, items(item("inferenceservices.serving.kserve.io", annotations=OURS)))
    failed = item("kserve", namespace=namespace, annotations={**CHART, "meta.helm.sh/release-namespace": namespace})
    helm = f"/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm%2Cname%3Dkserve-crd"
    answer(server, helm, items(record("Release failed: timed out", status=status)))
    if namespace == "kserve":
        answer(server, "/apis", items(group("apps", "v1", "deployments")))
        answer(server, "/apis/apps/v1/namespaces/kserve/deployments", items(failed))
    else:
        answer(server, MODELS, items(failed))
    assert of_others(server) == expected


def test_many_are_counted(server: Server) -> None:
    answer(server, MODELS, items(*(item(f"m{number}", namespace="n") for number in range(7))))
    assert of_others(server)[0].endswith("n/m4 and 2 more")


@pytest.mark.parametrize(
    "definition",
    [
        item("inferenceservices.serving.kserve.io"),
        item("inferenceservices.serving.kserve.io", annotations={STACK_ANNOTATION: "organization/project/b:c"}),
    ],
    ids=["by hand", "another stack"],
)
def test_a_definition_of_others_stays_and_so_do_its_objects(server: Server, definition: dict[str, Any]) -> None:
    answer(server, DEFINITIONS, items(definition))
    answer(server, MODELS, items(item("iris", namespace="team-b")))
    assert of_others(server) == []


def test_a_definition_in_somebody_elses_release_stays_too(server: Server) -> None:
    helm = "/api/v1/namespaces/kserve/secrets?labelSelector=owner%3Dhelm%2Cname%3Dkserve-crd"
    answer(server, helm, items(record("Install complete")))
    answer(server, MODELS, items(item("iris", namespace="team-b")))
    assert of_others(server) == []


def test_a_stack_of_models_takes_no_definitions_with_it(server: Server) -> None:
    answer(server, MODELS, items(item("iris", namespace="team-b")))
    assert of_others(server, has_platform=False) == []


@pytest.mark.parametrize("path", [DEFINITIONS, MODELS])
def test_what_the_cluster_does_not_tell_is_no_reason_to_go_on(server: Server, path: str) -> None:
    answer(server, path, Reply({}, status=403))
    with pytest.raises(ForbiddenError):
        of_others(server)


def stopped(server: Server, **fields: Any) -> list[str]:
    with httpx.Client(base_url=server.address) as client:
        return obstacles(**fields).stopped_controllers(client, wait=0)


def in_models(server: Server, *found: dict[str, Any]) -> None:
    answer(server, "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices", items(*found))


def deployment(server: Server, labels: str, *, available: int) -> None:
    found = item("controller") | {"status": {"availableReplicas": available}}
    answer(server, f"/apis/apps/v1/deployments?labelSelector={labels}", items(found))


OF_KSERVE = "control-plane%3Dkserve-controller-manager"
OF_KNATIVE = "app.kubernetes.io%2Fname%3Dknative-serving%2Capp.kubernetes.io%2Fcomponent%3D"


@pytest.mark.parametrize(("available", "expected"), [(1, []), (0, ["KServe's controller"])])
def test_a_model_waits_for_kserves_controller(server: Server, available: int, expected: list[str]) -> None:
    in_models(server, item("iris", annotations=OURS))
    deployment(server, OF_KSERVE, available=available)
    assert stopped(server, has_platform=False) == expected


def test_a_controller_that_is_gone_does_not_run(server: Server) -> None:
    in_models(server, item("iris", annotations=OURS))
    answer(server, f"/apis/apps/v1/deployments?labelSelector={OF_KSERVE}", NOTHING)
    assert stopped(server) == ["KServe's controller"]


def test_a_model_behind_knative_waits_for_knative_too(server: Server) -> None:
    in_models(server, item("iris", annotations=OURS))
    behind = item("iris-predictor", labels={"serving.kserve.io/inferenceservice": "iris"})
    answer(server, "/apis/serving.knative.dev/v1/namespaces/models/services", items(behind))
    deployment(server, OF_KSERVE, available=1)
    deployment(server, f"{OF_KNATIVE}controller", available=1)
    deployment(server, f"{OF_KNATIVE}webhook", available=0)
    assert stopped(server) == ["Knative's webhook"]


def test_knative_waits_for_its_operator(server: Server) -> None:
    serving = items(item("knative-serving", annotations=OURS))
    answer(server, "/apis/operator.knative.dev/v1beta1/knativeservings", serving)
    deployment(server, "app.kubernetes.io%2Fname%3Dknative-operator", available=0)
    assert stopped(server) == ["Knative's operator"]
    assert stopped(server, has_platform=False) == []


def test_knative_of_others_needs_no_operator(server: Server) -> None:
    answer(server, "/apis/operator.knative.dev/v1beta1/knativeservings", items(item("knative-serving")))
    deployment(server, "app.kubernetes.io%2Fname%3Dknative-operator", available=0)
    assert stopped(server) == []


def test_models_of_others_need_nothing_of_this_destroy(server: Server) -> None:
    in_models(server, item("iris"))
    deployment(server, OF_KSERVE, available=0)
    assert stopped(server) == []


def test_a_login_that_may_not_see_controllers_goes_on(server: Server) -> None:
    """The destroy itself then says what it waited for."""
    in_models(server, item("iris", annotations=OURS))
    answer(server, f"/apis/apps/v1/deployments?labelSelector={OF_KSERVE}", Reply({}, status=403))
    assert stopped(server) == []
