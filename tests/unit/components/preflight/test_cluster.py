from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.objects import STACK_ANNOTATION, cluster_provider
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.platform.existing import ExistingParts
from components.preflight.cluster import ClusterState, PreflightError, find_cluster, preflight
from components.preflight.platform_facts import UntoldError
from components.preflight.report import report
from components.settings.stack import parse
from kube.retry import ATTEMPTS
from tests.unit.components.kubernetes import UID, answering, have_uid, kubeconfig, reply_with
from tests.unit.components.recording import record
from tests.unit.predict.server import Reply, serving

pytestmark = pytest.mark.usefixtures("pauses")

SKLEARN = {"name": "iris", "format": "sklearn", "storage_uri": "gs://models/iris"}
PLATFORM = {"release": "local", "mirror": {"charts": "oci://registry.example/charts", "images": "registry.example"}}
OWNER = "organization/kserve-multi-model/dev"


def look(
    *,
    models: tuple[dict[str, Any], ...] = (),
    graphs: tuple[dict[str, Any], ...] = (),
    platform: str | None = None,
    mode: str | None = None,
    in_state: frozenset[str] = frozenset(),
    **cluster: Any,
) -> ClusterState:
    sections = {name: str(value) for name, value in cluster.items()}
    listed = [SKLEARN | model for model in models]
    document = PLATFORM | {"cluster": sections, "models": listed, "graphs": list(graphs)}
    given = {"platform": platform, "mode": mode}
    settings = parse(document | {key: text for key, text in given.items() if text})
    found = find_cluster(settings)
    identity = Identity(text=OWNER, deployed_before=False, cluster=found.identity, in_state=in_state)
    return preflight(settings, identity=identity, found=found)


@pytest.fixture
def infos(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: given.append(text))
    return given


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", given.append)
    return given


@pytest.mark.parametrize(
    ("version", "mode"),
    [(("1", "33+"), None), (("1", "34"), None), (("1", "32"), "Standard"), (("1", "34"), "Standard")],
)
def test_supported_version(
    tmp_path: Path, warnings: list[str], version: tuple[str, str], mode: str | None, infos: list[str]
) -> None:
    with answering(tmp_path, version=version) as file:
        look(kubeconfig=file, mode=mode)
    assert warnings == []
    tested = "tested on it" if version == ("1", "34") else "not tested on it"
    (line,) = (line for line in infos if line.startswith("Kubernetes: "))
    assert line == (
        f"Kubernetes: 1.{version[1][:2]}; release 'local' is made for 1.33 to 1.34, without Knative from 1.32, and "
        f"{tested}"
    )


def test_newer_version_gives_a_warning(tmp_path: Path, warnings: list[str]) -> None:
    with answering(tmp_path, version=("1", "35")) as file:
        look(kubeconfig=file)
    assert warnings == [
        "the cluster runs Kubernetes 1.35, which is newer than release 'local' is made for: 1.33 to 1.34, without "
        "Knative from 1.32"
    ]


@pytest.mark.parametrize(
    ("minor", "mode", "problem"),
    [
        ("31", "Standard", r"runs Kubernetes 1\.31; release 'local' needs 1\.32 or newer\. Use a newer cluster"),
        ("31", None, r"runs Kubernetes 1\.31; release 'local' needs 1\.33 or newer for Knative\. .*newer cluster$"),
        ("32", None, r"runs Kubernetes 1\.32; .* 1\.33 or newer for Knative\. Use a newer cluster, or mode: Standard"),
    ],
)
def test_older_version_is_refused(tmp_path: Path, minor: str, mode: str | None, problem: str) -> None:
    with answering(tmp_path, version=("1", minor)) as file, pytest.raises(PreflightError, match=problem):
        look(kubeconfig=file, mode=mode)


def test_each_check_is_reported_in_one_line(tmp_path: Path, infos: list[str]) -> None:
    models = tuple({"name": name, "namespace": name} for name in ("missing", "made", "foreign"))
    in_s3 = models[0] | {"storage_uri": "s3://models/iris"}
    with answering(tmp_path, namespaces={"made": OWNER, "foreign": None}) as file:
        look(kubeconfig=file, models=(in_s3, *models[1:]))
    assert [line for line in infos if not line.startswith("Kubernetes: ")] == [
        "rights: this login may do everything",
        f"cluster: of context 'here' (UID {UID})",
        *(
            f"{part}: not there, installed by this stack"
            for part in ("cert-manager", "Gateway API", "Istio", "Knative", "KServe")
        ),
        "namespaces: made, missing: this stack's, and deleted with it; foreign: not this stack's, and stays",
        "folders in S3: s3://models/iris/ (missing); where one is a file, set storage_file: true",
    ]


@pytest.mark.parametrize("dry", [True, False])
def test_only_a_preview_keeps_the_lines(monkeypatch: pytest.MonkeyPatch, dry: bool) -> None:
    given: list[tuple[str, bool]] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, *, ephemeral: given.append((text, ephemeral)))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: dry)
    report("rights", "all")
    assert given == [("rights: all", not dry)]


def test_kubeconfig_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(tmp_path) as file:
        monkeypatch.setenv("KUBECONFIG", str(file))
        look()


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        ("elsewhere", "no Kubernetes cluster answers: .*refused.*If it is running"),
        ("nowhere", "context 'nowhere': there is no such context"),
    ],
)
def test_cluster_that_does_not_answer(tmp_path: Path, context: str, problem: str) -> None:
    file = kubeconfig(tmp_path, server="http://127.0.0.1:1")
    with pytest.raises(PreflightError, match=problem) as refused:
        look(kubeconfig=file, context=context)
    assert "check cluster.kubeconfig and cluster.context" in str(refused.value)


def test_missing_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(PreflightError, match="none not found"):
        look()


def test_own_and_foreign_namespaces(tmp_path: Path) -> None:
    models = tuple({"name": name, "namespace": name} for name in ("missing", "made", "foreign"))
    with answering(tmp_path, namespaces={"made": OWNER, "foreign": None}) as file:
        found = look(kubeconfig=file, models=models)
    assert found == ClusterState(
        own_namespaces=frozenset({"missing", "made"}),
        foreign_namespaces=frozenset({"foreign"}),
        changing_mode=frozenset(),
        platform_parts=ExistingParts(namespaces=frozenset({"foreign"})),
    )


def test_a_namespace_of_the_stacks_state_stays_declared_without_its_mark(tmp_path: Path) -> None:
    parent = "kserve-multi-model:platform:Platform$kubernetes:core/v1:Namespace"
    urn = "urn:pulumi:dev::kserve-multi-model"
    state = frozenset({f"{urn}::kubernetes:core/v1:Namespace::made", f"{urn}::{parent}::of-the-platform"})
    models = tuple({"name": f"in-{name}", "namespace": name} for name in ("made", "foreign", "of-the-platform"))
    with answering(tmp_path, namespaces=dict.fromkeys(("made", "foreign", "of-the-platform"))) as file:
        found = look(kubeconfig=file, models=models, in_state=state)
    assert found.own_namespaces == {"made"}
    assert found.foreign_namespaces == {"foreign", "of-the-platform"}


def test_namespace_of_another_stack_is_refused(tmp_path: Path) -> None:
    with (
        answering(tmp_path, namespaces={"team-a": "organization/kserve-multi-model/a"}) as file,
        pytest.raises(
            PreflightError,
            match="namespace 'team-a' belongs to stack organization/kserve-multi-model/a and is deleted with it",
        ),
    ):
        look(kubeconfig=file, namespace="team-a", models=({},))


@pytest.mark.parametrize("of", [OWNER, None])
def test_model_of_this_stack_or_of_none_is_accepted(tmp_path: Path, of: str | None) -> None:
    with answering(tmp_path, namespaces={"models": None}, served={"models": {"iris": of}}) as file:
        look(kubeconfig=file, namespace="models", models=({},))


def test_model_of_another_stack_is_refused(tmp_path: Path) -> None:
    served = {"models": {"iris": "organization/kserve-multi-model/a"}}
    with answering(tmp_path, namespaces={"models": None}, served=served) as file:
        look(kubeconfig=file, namespace="models", models=({"name": "other"},))
        with pytest.raises(
            PreflightError, match=r"^models\[0\].name: 'iris' in namespace 'models' belongs to stack org.*/a; use"
        ):
            look(kubeconfig=file, namespace="models", models=({},))


@pytest.mark.parametrize(
    ("of", "whose"),
    [("org/project/a", "of stack org/project/a"), (None, "not of this stack")],
    ids=["stack", "stranger"],
)
@pytest.mark.parametrize(("theirs", "own"), [("iris", "iris-predictor"), ("iris-explainer", "iris")])
def test_a_name_that_kserve_makes_for_a_model_of_others_is_refused(
    tmp_path: Path, theirs: str, own: str, of: str | None, whose: str
) -> None:
    part = max(theirs, own, key=len)
    place = r"models\[0\].name" if part == own else f"{theirs} in namespace models, {whose}"
    problem = f"^{place}: {part!r} is KServe's name for a part of the model 'iris'; use another name or namespace in"
    with answering(tmp_path, namespaces={"models": None, "b": None}, served={"models": {theirs: of}}) as file:
        with pytest.raises(PreflightError, match=problem):
            look(kubeconfig=file, namespace="models", models=({"name": own},))
        look(kubeconfig=file, namespace="b", models=({"name": own},))


def test_models_whose_names_collide_and_are_all_of_others_or_all_of_the_stack_are_none_of_its_business(
    tmp_path: Path,
) -> None:
    served = {"models": {"iris": None, "iris-predictor": None, "rose-predictor": OWNER}}
    with answering(tmp_path, namespaces={"models": None}, served=served) as file:
        look(kubeconfig=file, namespace="models", models=({"name": "rose"},))


CORE, APPS = "/api/v1", "/apis/apps/v1"
ROUTES, ISTIO = "/apis/gateway.networking.k8s.io/v1", "/apis/networking.istio.io/v1"
KNATIVE = "/apis/serving.knative.dev/v1"


def in_use(folder: Path, path: str, *found: dict[str, Any], model: dict[str, Any]) -> None:
    """Look at a cluster in whose namespace `models` these objects are, for a stack with this model named iris."""
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /api/v1/namespaces/models", Reply({"metadata": {"name": "models"}}))
        api, _, plural = path.rpartition("/")
        server.on(host, f"GET {api}/namespaces/models/{plural}", Reply({"items": [*found]}))
        look(kubeconfig=kubeconfig(folder, server=server.address), namespace="models", models=(model,))


@pytest.mark.parametrize(
    ("path", "name", "mode", "called"),
    [
        (f"{CORE}/services", "iris", "Knative", "Service 'iris'"),
        (f"{CORE}/services", "iris-predictor-00001", "Knative", "Service 'iris-predictor-00001'"),
        (f"{CORE}/services", "iris-predictor", "Standard", "Service 'iris-predictor'"),
        (f"{APPS}/deployments", "iris-predictor", "Standard", "Deployment 'iris-predictor'"),
        (f"{ROUTES}/httproutes", "iris", "Standard", "HTTPRoute 'iris'"),
        (f"{ISTIO}/virtualservices", "iris", "Knative", "VirtualService 'iris'"),
        (f"{KNATIVE}/services", "iris", "Knative", "Knative Service 'iris'"),
    ],
)
def test_what_kserve_would_take_for_its_own_is_refused(
    tmp_path: Path, path: str, name: str, mode: str, called: str
) -> None:
    """It finds a Service, a Deployment or a route by its name, overwrites it, and deletes it with the model."""
    theirs = {"metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "Helm"}}}
    with pytest.raises(PreflightError) as refused:
        in_use(tmp_path, path, theirs, model={"mode": mode})
    assert str(refused.value) == (
        f"models[0].name: the {called} in namespace 'models' is there already (managed by Helm), and KServe would take "
        "it for its own, change it, and delete it with the model; use another name or namespace"
    )
    in_use(tmp_path, path, theirs, model={"mode": mode, "name": "rose"})


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "iris"}]},
        {"ownerReferences": [{"apiVersion": "serving.knative.dev/v1", "kind": "Route", "name": "iris"}]},
        {"annotations": {STACK_ANNOTATION: OWNER}},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
    ids=["of a model that was deleted", "of its route", "of an interrupted run", "going"],
)
def test_what_is_left_of_a_model_of_the_same_name_is_not_refused(tmp_path: Path, metadata: dict[str, Any]) -> None:
    left = {"metadata": {"name": "iris", **metadata}}
    in_use(tmp_path, f"{CORE}/services", left, model={})
    of_others = {"apiVersion": "example.com/v1", "kind": "Shop", "name": "iris"}
    with pytest.raises(PreflightError, match=r"the Service 'iris' .* \(not made by this stack\)"):
        in_use(tmp_path, f"{CORE}/services", {"metadata": {"name": "iris", "ownerReferences": [of_others]}}, model={})


def test_what_a_model_that_runs_has_already_is_not_refused(tmp_path: Path) -> None:
    running = {"items": [{"metadata": {"name": "iris", "annotations": {STACK_ANNOTATION: OWNER}}}]}
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /api/v1/namespaces/models", Reply({"metadata": {"name": "models"}}))
        server.on(host, "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices", Reply(running))
        server.on(host, "GET /api/v1/namespaces/models/services", Reply({"items": [{"metadata": {"name": "iris"}}]}))
        look(kubeconfig=kubeconfig(tmp_path, server=server.address), namespace="models", models=({},))


@pytest.mark.parametrize("status", [403, 429, 503])
def test_names_that_cannot_be_read_stop_the_run(tmp_path: Path, status: int) -> None:
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /api/v1/namespaces/models", Reply({"metadata": {"name": "models"}}))
        server.on(host, "GET /apis/apps/v1/namespaces/models/deployments", Reply({}, status=status))
        with pytest.raises(UntoldError, match=rf"deployments in namespace models: .*\(status {status}\)"):
            look(kubeconfig=kubeconfig(tmp_path, server=server.address), namespace="models", models=({},))


def test_graph_of_another_stack_is_refused(tmp_path: Path) -> None:
    graphs = {"items": [{"metadata": {"name": "both", "annotations": {STACK_ANNOTATION: "org/project/team"}}}]}
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /api/v1/namespaces/models", Reply({"metadata": {"name": "models"}}))
        path = "GET /apis/serving.kserve.io/v1alpha1/namespaces/models/inferencegraphs"
        server.on(host, path, Reply(graphs))
        file = kubeconfig(tmp_path, server=server.address)
        models, both = ({"namespace": "elsewhere"},), {"name": "both", "ensemble": ["iris"]}
        with pytest.raises(
            PreflightError, match=r"^graphs\[0\].name: 'both' in namespace 'models' belongs to stack org/project/"
        ):
            look(kubeconfig=file, namespace="models", models=models, graphs=(both,))
        found = look(kubeconfig=file, namespace="missing", models=models, graphs=(both,))
    assert found.own_namespaces == {"elsewhere", "missing"}


@pytest.mark.parametrize("deployment_mode", ["Knative", "Serverless"])
def test_knative_is_not_removed_while_other_stacks_need_it(tmp_path: Path, deployment_mode: str) -> None:
    behind = {"metadata": {"name": "m", "annotations": {STACK_ANNOTATION: "org/project/team"}}}
    standard = {"mode": "Standard"}
    with answering(tmp_path) as file:
        look(kubeconfig=file, models=(standard,))
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        items = {"items": [{**behind, "status": {"deploymentMode": deployment_mode}}]}
        server.on(host, "GET /apis/serving.kserve.io/v1beta1/inferenceservices", Reply(items))
        file = kubeconfig(tmp_path, server=server.address)
        look(kubeconfig=file, models=(standard, {"name": "other"}))
        with pytest.raises(
            PreflightError, match="mode: this would remove Knative, but models of org/project/team need it"
        ):
            look(kubeconfig=file, models=(standard,))
        look(kubeconfig=file, models=(standard,), mode="Knative")


def test_knative_is_not_removed_while_somebody_without_a_stack_needs_it(tmp_path: Path) -> None:
    by_hand = {"metadata": {"name": "iris", "namespace": "team-b"}, "status": {"deploymentMode": "Knative"}}
    of_kserve = {"ownerReferences": [{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}]}
    services = [
        {"metadata": {"name": "shop", "namespace": "web"}},
        {"metadata": {"name": "iris-predictor", **of_kserve}},
    ]
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /apis/serving.kserve.io/v1beta1/inferenceservices", Reply({"items": [by_hand]}))
        server.on(host, "GET /apis/serving.knative.dev/v1/services", Reply({"items": services}))
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(PreflightError, match="mode: this would remove Knative, but team-b/iris, web/shop need it"):
            look(kubeconfig=file, models=({"mode": "Standard"},))


def test_stack_without_a_platform_needs_kserve(tmp_path: Path) -> None:
    with answering(tmp_path, namespaces={"models": None}, served={"models": {}}) as file:
        look(kubeconfig=file, platform="dev")
    with (
        answering(tmp_path, namespaces={"models": None}, served={"models": {}}, knative=False) as file,
        pytest.raises(PreflightError, match="mode: the platform has no Knative; use mode Standard"),
    ):
        look(kubeconfig=file, platform="dev")
    with (
        answering(tmp_path, namespaces={"models": None}) as file,
        pytest.raises(PreflightError, match="it has no KServe; is it the cluster of the platform's stack, dev"),
    ):
        look(kubeconfig=file, platform="dev")


@pytest.mark.parametrize("status", [403, 429, 503])
@pytest.mark.parametrize("api", ["serving.kserve.io/v1beta1", "serving.knative.dev/v1"])
def test_a_platform_of_which_the_cluster_does_not_tell_is_not_said_to_be_missing(
    tmp_path: Path, api: str, status: int
) -> None:
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        for served in ("serving.kserve.io/v1beta1", "serving.knative.dev/v1"):
            server.on(host, f"GET /apis/{served}", Reply({}))
        server.on(host, f"GET /apis/{api}", Reply({}, status=status))
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(UntoldError, match=rf"the cluster does not tell .*\(status {status}\)"):
            look(kubeconfig=file, platform="dev")


@pytest.mark.parametrize("text", ["# A page", "[]", "{a: b", "contexts: {}", "clusters: 7\ncontexts: [x]\n"])
def test_file_that_is_not_a_kubeconfig(tmp_path: Path, text: str) -> None:
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(PreflightError, match=r"no Kubernetes cluster answers: .*check cluster\.kubeconfig"):
        look(kubeconfig=file)


def test_several_kubeconfigs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    kubeconfig(other, server="http://127.0.0.1:1", contexts=("afar",))
    with answering(tmp_path) as file:
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{other / 'kubeconfig'}:{file}")
        look(context="here")
        with pytest.raises(PreflightError, match="no Kubernetes cluster answers"):
            look()


def test_unsupported_login_stops_the_run(tmp_path: Path) -> None:
    """What is declared would depend on what cannot be read."""
    file = kubeconfig(tmp_path, server="http://127.0.0.1:1", login={"auth-provider": {"name": "gcp"}})
    with pytest.raises(PreflightError, match=r"^the cluster cannot be asked what is there: .*gcp"):
        look(kubeconfig=file)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_namespace_that_cannot_be_read_stops_the_run(tmp_path: Path, status: int) -> None:
    """As if it were a stranger's, it would be missing from what is declared, and so be deleted."""
    with serving() as server:
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        refusal = Reply({"message": "namespaces is not for you"}, status=status)
        server.on(server.address.removeprefix("http://"), "GET /api/v1/namespaces/models", refusal)
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(PreflightError) as refused:
            look(kubeconfig=file, namespace="models", models=({},))
    text = str(refused.value)
    assert "does not tell whether namespace 'models' is there, and whose it is: namespaces is not for you" in text
    assert f"(status {status})" in text


@pytest.mark.parametrize("status", [403, 503])
def test_models_behind_knative_that_cannot_be_read_stop_its_removal(tmp_path: Path, status: int) -> None:
    with serving() as server:
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        request = "GET /apis/serving.kserve.io/v1beta1/inferenceservices"
        server.on(server.address.removeprefix("http://"), request, Reply(status=status))
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(UntoldError, match=rf"what the settings would remove, or need it: .*{status}"):
            look(kubeconfig=file, models=({"mode": "Standard"},))
        look(kubeconfig=file, models=({"mode": "Standard"},), mode="Knative")


def test_a_cluster_that_does_not_say_which_one_it_is_stops_the_run(tmp_path: Path) -> None:
    with serving() as server:
        reply_with(server, {"major": "1", "minor": "34"})
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(PreflightError, match="it has no namespace kube-system"):
            look(kubeconfig=file)
        request = "GET /api/v1/namespaces/kube-system"
        server.on(server.address.removeprefix("http://"), request, Reply(status=403))
        with pytest.raises(PreflightError, match="does not tell whether namespace 'kube-system' is there"):
            look(kubeconfig=file)


def test_another_cluster_than_the_stacks_is_refused_with_both_names(tmp_path: Path) -> None:
    deployed = ClusterIdentity(uid="other", name="of context 'production'")
    with answering(tmp_path) as file:
        settings = parse(PLATFORM | {"cluster": {"kubeconfig": str(file)}})
        found = find_cluster(settings)
        identity = Identity(text=OWNER, deployed_before=False, cluster=deployed)
        with pytest.raises(PreflightError) as refused:
            preflight(settings, identity=identity, found=found)
        again = Identity(text=OWNER, deployed_before=False, cluster=ClusterIdentity(uid=UID, name="another name"))
        preflight(settings, identity=again, found=found)
    text = str(refused.value)
    assert f"the cluster of context 'here' (UID {UID})" in text
    assert "the cluster of context 'production' (UID other)" in text
    for remedy in ("pulumi destroy", "pulumi stack rm --force --preserve-config"):
        assert remedy in text


def test_the_current_context_is_found_by_its_name(tmp_path: Path) -> None:
    with answering(tmp_path) as file:
        found = find_cluster(parse(PLATFORM | {"cluster": {"kubeconfig": str(file)}}))
    assert found.access.context == "here"
    assert found.identity == ClusterIdentity(uid=UID, name="of context 'here'")


@pytest.mark.parametrize(("body", "status"), [({"error": "who are you"}, 401), (b"<html>", 200), ({}, 200)])
def test_answer_that_is_not_of_a_cluster(tmp_path: Path, body: object, status: int) -> None:
    with serving() as server:
        reply_with(server, body, status=status)
        file = kubeconfig(tmp_path, server=server.address)
        with pytest.raises(PreflightError, match="no Kubernetes cluster answers"):
            look(kubeconfig=file)


def test_another_way_to_the_cluster_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identifier alone decides that, and a stack from before keeps its own."""
    identities = set()
    for name, context in (("one", "here"), ("other", "there"), ("other", None)):
        monkeypatch.setenv("KUBECONFIG", name)
        declare = partial(cluster_provider, "cluster", context=context, uid=UID, opts=pulumi.ResourceOptions())
        provider = record(declare).the(":kubernetes", "cluster")
        identities.add(provider.plain["clusterIdentifier"])
        # The provider reads the variable itself, and leaves a copy of what it is given.
        assert (provider.plain["kubeconfig"], provider.plain.get("context")) == ("", context)
        assert provider.plain["enableSecretMutable"] == "true"
        assert provider.ignored == ("clusterIdentifier",)
    assert identities == {UID}


@pytest.mark.parametrize("status", [404, 503])
def test_missing_metrics_give_a_warning(tmp_path: Path, warnings: list[str], status: int) -> None:
    with serving() as server:
        host = server.address.removeprefix("http://")
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        server.on(host, "GET /api/v1/namespaces/default", Reply({"metadata": {"name": "default"}}))
        missing = [Reply(status=status)] * (1 if status == 404 else ATTEMPTS)
        server.on(host, "GET /apis/metrics.k8s.io/v1beta1", *missing, Reply({"kind": "APIResourceList"}))
        file = kubeconfig(tmp_path, server=server.address)
        scaled = {"mode": "Standard", "replicas": {"max": 2}}
        look(kubeconfig=file)
        assert warnings == []
        look(kubeconfig=file, models=(scaled,))
        (warning,) = warnings
        assert warning.startswith(
            "the cluster has no working metrics API (/apis/metrics.k8s.io/v1beta1): until it has one"
        )
        look(kubeconfig=file, models=(scaled,))
        assert len(warnings) == 1


def test_a_cluster_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path, pauses: list[float]) -> None:
    busy = Reply({"message": "too many requests"}, status=429, headers={"Retry-After": "2"})
    with serving() as server:
        reply_with(server, {"major": "1", "minor": "34"})
        have_uid(server)
        path = "GET /api/v1/namespaces/models"
        server.on(server.address.removeprefix("http://"), path, busy, Reply({"metadata": {"name": "models"}}))
        found = look(kubeconfig=kubeconfig(tmp_path, server=server.address), namespace="models", models=({},))
    assert found.foreign_namespaces == {"models"}
    assert pauses == [2.0]
