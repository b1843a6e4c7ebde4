"""Which parts of a platform are installed, used or refused, by what the cluster has and the settings say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.objects import STACK_ANNOTATION
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.platform.existing import ExistingParts
from components.preflight.cluster import find_cluster, preflight
from components.preflight.existing_platform import FIRST_RESOURCES, ExistingPlatformError, find_existing
from components.preflight.platform_facts import UntoldError
from components.preflight.rights import Right, needed_rights
from components.settings.platform_parts import PARTS, Part
from components.settings.stack import parse
from endpoints.endpoint import GatewayService
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.components.preflight.cluster_with_platform import NAMESPACES, PlatformServer
from tests.unit.predict.server import Request, serving

pytestmark = pytest.mark.usefixtures("pauses")

OWNER = "organization/kserve-multi-model/dev:1"
OTHER = "organization/kserve-multi-model/other:2"
SKLEARN = {"name": "iris", "format": "sklearn", "storage_uri": "gs://models/iris"}
ALL = frozenset(PARTS)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: lines.append(text))
    monkeypatch.setattr(pulumi.log, "warn", lambda text: lines.append(f"warning: {text}"))
    return lines


@pytest.fixture
def empty() -> Iterator[PlatformServer]:
    with serving() as server:
        yield PlatformServer(server)


@pytest.fixture
def full() -> Iterator[PlatformServer]:
    with serving() as server:
        yield PlatformServer(server, *PARTS)


def look(api: PlatformServer, *, existing: object = None, own: tuple[Part, ...] = (), **changes: Any) -> ExistingParts:
    document = {"release": "0.20", "models": [SKLEARN], **changes}
    if existing:
        document["platform"] = {"existing": existing}
    urns = frozenset(f"urn:pulumi:dev::p::kserve-multi-model:platform:Platform${FIRST_RESOURCES[part]}" for part in own)
    cluster = ClusterIdentity(uid="u", name="here")
    identity = Identity(text=OWNER, deployed_before=False, cluster=cluster, in_state=urns)
    with httpx.Client(base_url=api.server.address) as client:
        return find_existing(client, parse(document), identity=identity, namespace="default")


def the_problems(api: PlatformServer, **settings: Any) -> list[str]:
    with pytest.raises(ExistingPlatformError) as refused:
        look(api, **settings)
    first, *problems = str(refused.value).split("\n  ")
    assert first == "The platform has a problem:"
    return problems


def test_an_empty_cluster_gets_all_parts(empty: PlatformServer, said: list[str]) -> None:
    for existing in (None, "auto"):
        assert look(empty, existing=existing) == ExistingParts()
    assert said[5:] == said[:5]
    assert said[0] == "cert-manager: not there, installed by this stack"


def test_a_strangers_parts_are_refused_a_line_each_with_the_setting_that_uses_them(full: PlatformServer) -> None:
    *parts, remedy = the_problems(full)
    by = "is there already (installed by Helm (release platform in namespace platform))"
    assert parts == [
        f"{part} {by}. This stack neither changes nor deletes it."
        for part in ("cert-manager 1.17.0", "Gateway API 1.5.1", "Istio 1.27.1", "Knative 1.21.1", "KServe 0.20.0")
    ]
    assert remedy.endswith("pulumi config set --path platform.existing auto")


def test_another_stacks_part_is_refused_with_the_setting_platform(empty: PlatformServer) -> None:
    empty.has("istio", "1.27.1", stack=OTHER)
    refused, remedy = the_problems(empty)
    assert refused.startswith(f"Istio 1.27.1 is there already (stack {OTHER}). ")
    assert "on that stack's platform (setting `platform`)" in remedy


@pytest.mark.parametrize("existing", ["all", "auto", [*PARTS]])
def test_a_whole_platform_is_used(full: PlatformServer, said: list[str], existing: object) -> None:
    namespaces = frozenset(NAMESPACES.values())
    service = GatewayService(namespace="istio-system", name="istio-ingressgateway", port=80)
    given = ExistingParts(parts=ALL, namespaces=namespaces, gateway_url="http://192.0.2.9", gateway_service=service)
    assert look(full, existing=existing) == given
    by = "installed by Helm (release platform in namespace platform), used as it is"
    assert said == [
        f"{part}, {by}"
        for part in ("cert-manager: 1.17.0", "Gateway API: 1.5.1", "Istio: 1.27.1", "Knative: 1.21.1", "KServe: 0.20.0")
    ]


@pytest.mark.parametrize("existing", [None, "auto"])
def test_what_this_stack_installed_stays_its_own(full: PlatformServer, said: list[str], existing: object) -> None:
    assert look(full, existing=existing, own=PARTS) == ExistingParts()
    assert said[2] == "Istio: 1.27.1, of this stack"


def test_what_an_interrupted_run_left_is_known_by_its_mark(empty: PlatformServer) -> None:
    empty.has("istio", "1.27.1", stack=OWNER)
    assert look(empty) == look(empty, existing="auto") == ExistingParts()


@pytest.mark.parametrize("existing", ["all", ["cert_manager"]])
def test_a_part_that_this_stack_installed_cannot_be_declared_as_existing(
    full: PlatformServer, existing: object
) -> None:
    problems = the_problems(full, existing=existing, own=PARTS)
    part = "cert-manager" if existing != "all" else "Istio"
    assert any(f"this stack has installed {part} itself and would delete it" in problem for problem in problems)


def test_auto_uses_what_is_there_and_installs_the_rest(empty: PlatformServer, said: list[str]) -> None:
    empty.has("cert_manager", "v1.15.3")
    empty.has("gateway_api", "v1.3.0")
    parts, namespaces = frozenset[Part]({"cert_manager", "gateway_api"}), frozenset({"cert-manager"})
    assert look(empty, existing="auto") == ExistingParts(parts=parts, namespaces=namespaces)
    assert [line.rpartition(", ")[2] for line in said] == ["used as it is"] * 2 + ["installed by this stack"] * 3


def test_a_list_refuses_the_parts_that_it_does_not_have(full: PlatformServer) -> None:
    problems = the_problems(full, existing=["cert_manager", "gateway_api"])
    assert [problem.partition(" is there")[0] for problem in problems[:-1]] == [
        "Istio 1.27.1",
        "Knative 1.21.1",
        "KServe 0.20.0",
    ]


@pytest.mark.parametrize(
    ("existing", "remedy"),
    [("all", "Set it to auto to have what is missing installed"), (["istio", "knative"], "Take it out of the list")],
)
def test_a_part_that_is_promised_and_missing_is_refused(empty: PlatformServer, existing: object, remedy: str) -> None:
    empty.has("istio", "1.27.1")
    problems = the_problems(empty, existing=existing)
    assert f"platform.existing: Knative is not there. {remedy}" in problems


@pytest.mark.parametrize("existing", ["all", "auto", ["istio", "kserve"]])
def test_parts_below_which_another_is_missing_are_refused_once_with_a_remedy(
    empty: PlatformServer, existing: object
) -> None:
    empty.has("kserve", "v0.20.0")
    assert the_problems(empty, existing=existing) == [
        "KServe is there already, but the Istio that it runs on is not there. Install it there",
        "KServe is there already, but the Knative that models in mode Knative run on is not there. Install it there, "
        "or have the models in mode Standard: pulumi config set mode Standard",
    ]


def test_old_definitions_of_gateway_api_are_refused(empty: PlatformServer) -> None:
    empty.has("gateway_api", "v1.1.0")
    (problem,) = the_problems(empty, existing="auto")
    assert problem.startswith("Gateway API 1.1.0 is there (installed by Helm (")
    assert problem.endswith("which is too old: this release works with 1.2 to 1.5. Update it there")


def test_a_newer_version_is_used_with_a_warning(empty: PlatformServer, said: list[str]) -> None:
    empty.has("cert_manager", "v1.21.0")
    assert look(empty, existing="auto").parts == {"cert_manager"}
    assert "warning: cert-manager 1.21.0 is newer than what this release is known to work with: 1.11 to 1.17" in said


def test_a_part_without_a_running_controller_is_refused(full: PlatformServer) -> None:
    full.has("kserve", "v0.20.0", available=0)
    (problem,) = the_problems(full, existing="all")
    assert "but its controller does not run" in problem
    full.controllers("kserve")
    (problem,) = the_problems(full, existing="all")
    assert "KServe is there" in problem


def test_the_version_is_read_from_the_image_where_no_label_has_it(full: PlatformServer, said: list[str]) -> None:
    image = "registry.example:5000/pilot:1.28.0-distroless@sha256:abc"
    controller = {
        "metadata": {"name": "istiod", "namespace": "istio-system"},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": image}]}}},
        "status": {"availableReplicas": 1},
    }
    full.controllers("istio", controller)
    assert look(full, existing="all").parts == ALL
    assert said[2].startswith("Istio: 1.28.0-distroless, installed by Helm")


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_cluster_that_does_not_tell_stops_the_run(full: PlatformServer, status: int) -> None:
    full.controllers("knative", status=status)
    for existing in (None, "all", "auto"):
        with pytest.raises(UntoldError, match=rf"^Knative: the cluster does not tell .*\(status {status}\)"):
            look(full, existing=existing)


def test_cert_manager_is_tried_only_where_this_stack_installs_kserve(full: PlatformServer) -> None:
    """No model needs cert-manager; a KServe of this stack's would."""
    full.trial("cert_manager", {}, status=500)
    assert look(full, existing="all").parts == ALL


def test_nothing_is_created_but_in_a_dry_run(full: PlatformServer) -> None:
    look(full, existing="all")
    written = [request.path for request in full.server.requests if request.method != "GET"]
    assert len(written) == 3
    assert all(path.endswith("?dryRun=All") for path in written)


STANDARD: dict[str, Any] = {"models": [SKLEARN | {"mode": "Standard"}], "mode": "Standard"}
Change = Callable[[PlatformServer], object]


@pytest.mark.parametrize(
    ("change", "settings", "problem"),
    [
        (lambda api: api.configure_kserve(mode="Standard"), {}, "mode: KServe there runs models in mode Standard"),
        (
            lambda api: api.configure_kserve(ingressGateway="a/b"),
            {},
            "KServe: the ingressGateway of its configuration, 'a/b', is not there",
        ),
        (
            lambda api: api.configure_kserve(disableIstioVirtualHost=True),
            {},
            "KServe: it makes no routes for models in mode Knative",
        ),
        (
            lambda api: api.config_map("knative-serving", "config-domain", {"corp.example": "", "x.example": "a: b"}),
            {},
            "ingress.domain: is example.com, but hosts of the Knative that is there end with corp.example",
        ),
        (
            lambda api: api.config_map("knative-serving", "config-domain", {}),
            {},
            "ingress.domain: is example.com, but hosts of the Knative that is there end with svc.cluster.local",
        ),
        (
            lambda api: api.config_map(
                "knative-serving", "config-network", {"domain-template": "{{.Name}}.{{.Domain}}"}
            ),
            {},
            "Knative: its hosts are {{.Name}}.{{.Domain}}",
        ),
        (
            lambda api: api.config_map("kserve", "inferenceservice-config", {}),
            {},
            "KServe: its ConfigMap kserve/inferenceservice-config cannot be read",
        ),
        (lambda api: api.configure_kserve(enableGatewayApi=False), STANDARD, "KServe: models in mode Standard need"),
        (
            lambda api: api.configure_kserve(kserveIngressGateway="a/b"),
            STANDARD,
            "KServe: the kserveIngressGateway of its configuration, 'a/b', is not there",
        ),
        (
            lambda api: api.answer("/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio", {}, status=404),
            STANDARD,
            "KServe: the class 'istio' of its gateway istio-system/kserve-gateway is not there",
        ),
        (lambda api: api.configure_kserve(ingressDomain="b"), STANDARD, "ingress.domain: is example.com, but hosts of"),
        (
            lambda api: api.configure_kserve(domainTemplate="{{.Name}}-{{.Namespace}}.{{.IngressDomain}}"),
            STANDARD,
            "KServe: hosts of models in mode Standard are {{.Name}}-",
        ),
        (lambda api: api.configure_kserve(urlScheme="https"), STANDARD, "KServe: its URLs begin with https"),
        (
            lambda api: api.answer("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes", {"items": []}),
            {},
            "models[0].format: KServe there has no serving runtime for it; it would be kserve-sklearnserver",
        ),
    ],
)
def test_a_platform_that_cannot_serve_the_models_is_refused(
    full: PlatformServer, change: Change, settings: dict[str, Any], problem: str
) -> None:
    assert look(full, existing="all", **settings).parts == ALL
    change(full)
    (given,) = the_problems(full, existing="all", **settings)
    assert given.startswith(problem)


def test_a_model_that_gets_a_runtime_of_its_own_needs_none_there(full: PlatformServer) -> None:
    full.answer("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes", {"items": []})
    mirror = {"charts": "oci://registry.example.com/charts", "images": "registry.example.com"}
    mlflow = SKLEARN | {"format": "mlflow", "protocol": "v2"}
    assert look(full, existing="all", release="local", mirror=mirror, models=[mlflow]).parts == ALL
    (problem,) = the_problems(full, existing="all", models=[mlflow])
    assert problem.endswith("it would be kserve-mlserver")


def test_a_platform_without_knative_serves_models_in_mode_standard(empty: PlatformServer) -> None:
    empty.has("istio", "1.27.1")
    empty.has("kserve", "v0.20.0")
    empty.configure_kserve(mode="Standard")
    assert look(empty, existing="all", **STANDARD).parts == {"istio", "kserve"}


@pytest.mark.parametrize(
    ("service", "ingress", "url"),
    [
        ({"type": "NodePort"}, {"address": "192.0.2.1"}, "http://192.0.2.1:31080"),
        ({}, {"address": "models.example"}, "http://models.example"),
        ({"externalIPs": ["2001:db8::1"]}, {}, "http://[2001:db8::1]"),
        ({"externalIPs": ["192.0.2.5"]}, {"client_port": 8080}, "http://192.0.2.5:8080"),
    ],
)
def test_the_gateways_address(
    full: PlatformServer, service: dict[str, Any], ingress: dict[str, object], url: str
) -> None:
    full.gateway(**service)
    assert look(full, existing="all", ingress=ingress).gateway_url == url


def test_the_gateway_is_the_one_that_kserve_names(full: PlatformServer) -> None:
    full.answer(
        "/apis/networking.istio.io/v1/namespaces/knative-serving/gateways/knative-ingress-gateway",
        {"metadata": {"name": "knative-ingress-gateway"}, "spec": {"selector": {"istio": "corp"}}},
    )
    (problem,) = the_problems(full, existing="all")
    assert problem.startswith("Istio: there is no Service of its gateway with port 80: ")
    assert problem.endswith("labels istio=corp. If it is elsewhere, name it: ingress.gateway")
    full.gateway(name="corp", selector={"istio": "corp"}, externalIPs=["192.0.2.5"])
    assert look(full, existing="all").gateway_url == "http://192.0.2.5"


@pytest.mark.parametrize("kind", ["NodePort", "ClusterIP", "LoadBalancer"])
def test_a_gateway_without_an_address_is_reached_through_a_port_forward(
    full: PlatformServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: warnings.append(text))
    full.gateway(type=kind, externalIPs=[])
    found = look(full, existing="all")
    assert (found.gateway_url, str(found.gateway_service)) == (None, "istio-system/istio-ingressgateway")
    (warning,) = (text for text in warnings if "port-forward" in text)
    assert "ingress.address" in warning


def test_a_stack_on_another_stacks_platform_looks_at_none_of_this(full: PlatformServer) -> None:
    assert look(full, platform="other", models=[]) == ExistingParts()
    assert full.server.requests == []


def test_a_stack_that_installed_its_platform_does_not_delete_it_by_moving_to_another_stacks(
    full: PlatformServer,
) -> None:
    """No destroy's guard would look for the objects of others that went with it."""
    with pytest.raises(
        ExistingPlatformError,
        match=r"^platform: this stack has installed cert-manager, Gateway API, Istio, Knative, KServe itself",
    ):
        look(full, platform="other", models=[], own=PARTS)


@pytest.mark.parametrize("existing", ["all", "auto"])
def test_a_part_of_this_stack_is_not_deleted_because_somebody_installed_kserve_on_it(
    full: PlatformServer, existing: object
) -> None:
    """As after an `up` that failed before KServe."""
    (problem,) = the_problems(full, existing=existing, own=("cert_manager",))
    assert problem.startswith("KServe 0.20.0 is there already (installed by Helm (")
    assert "this stack has installed cert-manager itself and would delete that" in problem


def test_somebody_elses_knative_is_not_removed_by_a_stack_in_mode_standard(
    full: PlatformServer, tmp_path: Path, said: list[str]
) -> None:
    team = {
        "metadata": {"name": "m", "annotations": {STACK_ANNOTATION: OTHER}},
        "status": {"deploymentMode": "Knative"},
    }
    full.answer("/apis/serving.kserve.io/v1beta1/inferenceservices", {"items": [team]})
    file = kubeconfig(tmp_path, server=full.server.address)
    document = {"release": "0.20", "cluster": {"kubeconfig": str(file)}, **STANDARD, "platform": {"existing": "all"}}
    settings = parse(document)
    found = find_cluster(settings)
    identity = Identity(text=OWNER, deployed_before=False, cluster=found.identity)
    state = preflight(settings, identity=identity, found=found)
    assert state.platform_parts.parts == ALL
    assert "Knative: 1.21.1, installed by Helm (release platform in namespace platform), not used" in said


def right_of(request: Request) -> Right:
    """What the API server asks whether the login may do, for a request."""
    *path, last = request.path.partition("?")[0].strip("/").split("/")
    parts = [*path, last]
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    verb = "create" if request.method == "POST" else "get" if len(rest) > 1 else "list"
    return Right(verb=verb, group=group, resource=rest[0])


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("ingress", [{}, {"gateway": {"name": "istio-ingressgateway"}, "class_name": "istio"}], ids=str)
@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_the_roles_of_a_stack_on_a_whole_platform_allow_all_that_is_read(
    full: PlatformServer, mode: str, ingress: dict[str, object]
) -> None:
    denial = {"message": 'admission webhook "validate.kyverno.svc-fail" denied the request: no'}
    full.trial("knative", denial, status=400)
    with contextlib.suppress(ExistingPlatformError):
        look(full, existing="all", mode=mode, ingress=ingress)
    settings = parse({"release": "0.20", "models": [SKLEARN], "mode": mode, "platform": {"existing": "all"}})
    given = needed_rights(settings, missing=set(), own=set())
    used = {right_of(request) for request in full.server.requests}
    assert len(used) > 8
    assert used <= given


def test_a_stack_of_models_in_mode_standard_does_not_ask_who_needs_knative(
    empty: PlatformServer, tmp_path: Path, said: list[str]
) -> None:
    """It removes none, and its login may not read the models of others."""
    empty.has("istio", "1.27.1")
    empty.has("kserve", "v0.20.0")
    empty.configure_kserve(mode="Standard")
    empty.answer("/apis/serving.kserve.io/v1beta1/inferenceservices", {}, status=403)
    file = kubeconfig(tmp_path, server=empty.server.address)
    document = {"release": "0.20", "cluster": {"kubeconfig": str(file)}, **STANDARD, "platform": {"existing": "all"}}
    settings = parse(document)
    found = find_cluster(settings)
    identity = Identity(text=OWNER, deployed_before=False, cluster=found.identity)
    state = preflight(settings, identity=identity, found=found)
    assert state.platform_parts.parts == {"istio", "kserve"}
    assert said
