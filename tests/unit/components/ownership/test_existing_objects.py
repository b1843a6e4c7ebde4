"""The hook that refuses what exists already, with an HTTP server in place of the Kubernetes API."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import Output
from pulumi.output import UNKNOWN

from components.objects import STACK_ANNOTATION
from components.ownership.existing_objects import HELM_RELEASE, ExistingObjectError, ExistingObjects
from components.ownership.stack_identity import ClusterIdentity, Identity
from kube.connection import connect
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.predict.server import Reply, Server

OURS = "organization/kserve-multi-model/dev:1a2b3c4d"
OTHERS = "organization/kserve-multi-model/other:5e6f7a8b"
BARE = "made by kserve-multi-model"
NAMESPACE = "/api/v1/namespaces/cert-manager"
CORE = {"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]}
APPS = {
    "resources": [
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
        {"name": "deployments/status", "kind": "Deployment", "namespaced": True},
    ]
}
Refuse = Callable[..., None]


@pytest.fixture
def infos(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", given.append)
    return given


@pytest.fixture
def refuse(api: Server, tmp_path: Path) -> Refuse:
    """Run the hook before an object is created, or the one before it is changed where it has old outputs."""
    file = kubeconfig(tmp_path, server=api.address)
    answer(api, "/api/v1", CORE)
    answer(api, "/apis/apps/v1", APPS)
    kept: list[ExistingObjects] = []

    def run(
        type_: str = "kubernetes:core/v1:Namespace",
        *,
        inputs: Mapping[str, Any] | None = None,
        deployed_before: bool = False,
        in_state: frozenset[str] = frozenset(),
        old: Mapping[str, Any] | None = None,
    ) -> None:
        if not kept:
            cluster = ClusterIdentity(uid="u", name="here")
            identity = Identity(text=OURS, deployed_before=deployed_before, cluster=cluster, in_state=in_state)
            opened = partial(connect, kubeconfig=file)
            kept.append(ExistingObjects(connect=opened, namespace="of-context", identity=identity, longest_pause=0.01))
        args = pulumi.ResourceHookArgs(
            urn="urn", id="", name="n", type=type_, new_inputs=inputs or namespace(), old_outputs=old
        )
        hook = kept[0].refuse_remade if old else kept[0].refuse
        asyncio.get_event_loop().run_until_complete(hook(args))

    return run


def answer(api: Server, path: str, *bodies: object, status: int = 200) -> None:
    replies = [body if isinstance(body, Reply) else Reply(body, status=status) for body in bodies]
    api.on(api.address.removeprefix("http://"), f"GET {path}", *replies)


def paths(api: Server) -> list[str]:
    return [request.path for request in api.requests]


def namespace(name: object = "cert-manager") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def deployment(**metadata: object) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod", **metadata}}


def existing(*, annotations: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None) -> Any:
    return {"metadata": {"name": "cert-manager", "uid": "u", "annotations": annotations, "labels": labels}}


@pytest.mark.parametrize(
    ("found", "whose"),
    [
        (existing(), "not made by this stack"),
        (existing(annotations={STACK_ANNOTATION: OTHERS}), f"stack {OTHERS}"),
        # A stack of the same name, from before there were identities.
        (existing(annotations={STACK_ANNOTATION: OURS.partition(":")[0]}), f"stack {OURS.partition(':')[0]}"),
        (
            existing(
                annotations={"meta.helm.sh/release-name": "cm", "meta.helm.sh/release-namespace": "there"},
                labels={"app.kubernetes.io/managed-by": "Helm"},
            ),
            "Helm release cm in namespace there",
        ),
        (existing(labels={"app.kubernetes.io/managed-by": "argocd"}), "managed by argocd"),
    ],
)
def test_an_object_of_somebody_else_is_refused(api: Server, refuse: Refuse, found: Any, whose: str) -> None:
    answer(api, NAMESPACE, found)
    with pytest.raises(ExistingObjectError) as refused:
        refuse()
    text = str(refused.value)
    assert text.startswith(f"Namespace cert-manager is there already ({whose}). ")
    assert "Deploy to another cluster" in text
    assert ("`platform`" in text) == whose.startswith("stack ")
    assert [request.method for request in api.requests] == ["GET", "GET"]


def test_an_object_that_is_missing_is_created(refuse: Refuse) -> None:
    refuse()


def test_an_object_that_a_preview_would_replace_is_not_of_an_interrupted_run(
    api: Server, refuse: Refuse, infos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    answer(api, NAMESPACE, existing(annotations={STACK_ANNOTATION: OURS}))
    refuse(in_state=frozenset({"urn"}))
    assert infos == []


def test_an_object_of_an_interrupted_run_is_taken_up_again(api: Server, refuse: Refuse, infos: list[str]) -> None:
    answer(api, NAMESPACE, existing(annotations={STACK_ANNOTATION: OURS}))
    refuse()
    assert infos == [
        "Namespace cert-manager is there already, from a run of this stack that was interrupted: it goes on"
    ]


def made(uid: str = "before") -> dict[str, Any]:
    """Outputs of the namespace as the stack made it."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager", "uid": uid}}


@pytest.mark.parametrize("annotations", [None, {STACK_ANNOTATION: OTHERS}], ids=["by hand", "another stack's"])
def test_an_object_that_others_made_anew_is_not_changed(
    api: Server, refuse: Refuse, annotations: Mapping[str, str] | None
) -> None:
    answer(api, NAMESPACE, existing(annotations=annotations))
    with pytest.raises(ExistingObjectError) as refused:
        refuse(old=made())
    assert "Namespace cert-manager is not the one that this stack made: it has the UID u instead of before (" in str(
        refused.value
    )
    assert "pulumi state delete 'urn'" in str(refused.value)


def test_an_object_of_the_stack_is_changed(api: Server, refuse: Refuse) -> None:
    """Also one of before there were marks, one from a backup, and one that is gone."""
    answer(api, NAMESPACE, existing(), existing(annotations={STACK_ANNOTATION: OURS}), Reply({}, status=404))
    for uid in ("u", "before", "before"):
        refuse(old=made(uid))
    assert paths(api).count(NAMESPACE) == 3


def test_a_cluster_that_does_not_tell_changes_nothing(api: Server, refuse: Refuse) -> None:
    answer(api, NAMESPACE, {"message": "no"}, status=403)
    with pytest.raises(ExistingObjectError, match="does not tell whether it is there already"):
        refuse(old=made())


@pytest.mark.parametrize(("metadata", "place"), [({"namespace": "istio-system"}, "istio-system"), ({}, "of-context")])
def test_a_namespaced_object_is_looked_for_in_its_namespace(
    api: Server, refuse: Refuse, metadata: dict[str, str], place: str
) -> None:
    answer(api, f"/apis/apps/v1/namespaces/{place}/deployments/istiod", existing())
    with pytest.raises(ExistingObjectError, match=f"^Deployment {place}/istiod is there already"):
        refuse("kubernetes:apps/v1:Deployment", inputs=deployment(**metadata))


def test_kinds_are_asked_for_once_and_again_while_one_is_missing(api: Server, refuse: Refuse) -> None:
    api_path = "/apis/serving.kserve.io/v1alpha1"
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "onnx"},
    }
    token = "kubernetes:serving.kserve.io/v1alpha1:ClusterServingRuntime"
    refuse(token, inputs=runtime)  # no such group yet
    kind = {"name": "clusterservingruntimes", "kind": "ClusterServingRuntime", "namespaced": False}
    answer(api, api_path, {"resources": None}, {"resources": [kind]})
    refuse(token, inputs=runtime)  # the group is there, the kind is not
    refuse(token, inputs=runtime)
    answer(api, f"{api_path}/clusterservingruntimes/onnx", existing())
    with pytest.raises(ExistingObjectError, match=r"^ClusterServingRuntime onnx is there already"):
        refuse(token, inputs=runtime)
    assert paths(api).count(api_path) == 3


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("kubernetes:core/v1:Namespace", namespace(UNKNOWN)),
        ("kubernetes:apps/v1:Deployment", deployment(namespace=UNKNOWN)),
        ("kubernetes:apps/v1:Deployment", {"apiVersion": "v1", "kind": "Deployment", "metadata": UNKNOWN}),
        (HELM_RELEASE, {"name": UNKNOWN}),
    ],
)
def test_what_a_preview_does_not_know_yet_is_looked_for_by_the_update(
    api: Server, refuse: Refuse, monkeypatch: pytest.MonkeyPatch, type_: str, inputs: dict[str, Any], preview: bool
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    if preview:
        refuse(type_, inputs=inputs)
    else:
        with pytest.raises(ExistingObjectError, match="it has no name to look for"):
            refuse(type_, inputs=inputs)
    assert paths(api) == []


def test_what_is_secret_is_looked_for_too(api: Server, refuse: Refuse) -> None:
    answer(api, NAMESPACE, existing())
    with pytest.raises(ExistingObjectError, match=r"^Namespace cert-manager is there already"):
        refuse(inputs=namespace() | {"metadata": Output.secret({"name": "cert-manager"})})


@pytest.mark.parametrize("name", ["istio-ca-root-cert", "istio-ca-crl"])
def test_istiods_config_maps_may_exist(api: Server, refuse: Refuse, name: str) -> None:
    metadata = {"name": name, "namespace": "team-a"}
    refuse("kubernetes:core/v1:ConfigMap", inputs={"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert paths(api) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_cluster_that_refuses_to_tell_creates_nothing(api: Server, refuse: Refuse, status: int) -> None:
    answer(api, NAMESPACE, {"message": "not for you"}, status=status)
    with pytest.raises(ExistingObjectError) as refused:
        refuse()
    assert "Namespace cert-manager: the cluster does not tell whether it is there already" in str(refused.value)
    assert f"not for you (status {status})" in str(refused.value)
    assert paths(api).count(NAMESPACE) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_cluster_is_asked_again(api: Server, refuse: Refuse, status: int) -> None:
    answer(api, NAMESPACE, Reply(status=status), Reply(status=status), Reply(status=404))
    refuse()
    answer(api, NAMESPACE, {"message": "too busy"}, status=status)
    with pytest.raises(ExistingObjectError, match=rf"too busy \(status {status}\)"):
        refuse()


def test_a_kind_that_the_cluster_does_not_tell_creates_nothing(api: Server, refuse: Refuse) -> None:
    answer(api, "/apis/apps/v1", {"message": "no"}, status=403)
    with pytest.raises(ExistingObjectError, match=r"^the kinds of apps/v1: the cluster does not tell"):
        refuse("kubernetes:apps/v1:Deployment", inputs=deployment())


def test_an_unsupported_login_creates_nothing(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, server="http://127.0.0.1:1", login={"auth-provider": {"name": "gcp"}})
    identity = Identity(text=OURS, deployed_before=False, cluster=ClusterIdentity(uid="u", name="here"))
    looking = ExistingObjects(connect=partial(connect, kubeconfig=file), namespace="default", identity=identity)
    args = pulumi.ResourceHookArgs(urn="urn", id="", name="n", type="t", new_inputs=namespace())
    with pytest.raises(ExistingObjectError, match="gcp"):
        asyncio.get_event_loop().run_until_complete(looking.refuse(args))


@pytest.mark.parametrize("deployed_before", [True, False])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("preview", [True, False])
def test_what_a_stack_from_before_would_replace_is_not_refused_in_a_preview(
    api: Server, refuse: Refuse, monkeypatch: pytest.MonkeyPatch, preview: bool, declared: bool, deployed_before: bool
) -> None:
    """Its objects have no mark before its first `up` with one; `up` has deleted the old object by then."""
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    answer(api, NAMESPACE, existing())
    look = partial(refuse, deployed_before=deployed_before, in_state=frozenset({"urn"} if declared else ()))
    if preview and declared and deployed_before:
        look()
    else:
        with pytest.raises(ExistingObjectError):
            look()


def helm_record(
    *, description: str = "Install complete", status: str = "deployed", chart: str = "cert-manager", revision: int = 1
) -> Any:
    release = {"info": {"description": description}, "chart": {"metadata": {"name": chart, "version": "v1.20.0"}}}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    return {
        "metadata": {"name": f"sh.helm.release.v1.cm.v{revision}", "labels": {"status": status}},
        "data": {"release": packed},
    }


RELEASE = {"name": "cm", "namespace": "cert-manager", "chart": "build/charts/cert-manager-v1.20.0.tgz"}
RECORDS = "/api/v1/namespaces/cert-manager/secrets?labelSelector=owner%3Dhelm%2Cname%3Dcm"


@pytest.mark.parametrize(
    ("records", "whose"),
    [
        ([helm_record()], "Helm says: Install complete"),
        ([helm_record(description=f"{BARE}, stack {OTHERS}")], f"stack {OTHERS}"),
        ([helm_record(description=BARE)], f"Helm says: {BARE}"),
        ([helm_record(status="pending-install", chart="other")], "pending-install, by someone else"),
        ([helm_record(status="uninstalling", chart="other")], "uninstalling, by someone else"),
        ([helm_record(status="pending-upgrade", revision=10), helm_record(revision=9)], "Helm says: Install complete"),
    ],
)
def test_a_helm_release_of_somebody_else_is_refused(
    api: Server, refuse: Refuse, records: list[Any], whose: str
) -> None:
    answer(api, RECORDS, {"items": records})
    with pytest.raises(ExistingObjectError) as refused:
        refuse(HELM_RELEASE, inputs=RELEASE)
    assert str(refused.value).startswith(f"Helm release cm in namespace cert-manager is there already ({whose}). ")


@pytest.mark.parametrize(
    ("records", "deployed_before"),
    [
        ([], False),
        ([helm_record(description=f"{BARE}, stack {OURS}")], False),
        ([helm_record(description=BARE), helm_record(status="pending-upgrade", revision=2)], True),
        ([helm_record(status="superseded"), helm_record(description=f"{BARE}, stack {OURS}", revision=2)], False),
        ([helm_record(description="Initial install underway", status="pending-install")], False),
        ([helm_record(description="Deletion in progress (or silently failed)", status="uninstalling")], False),
        ([helm_record(description="Release failed: timed out", status="failed")], False),
    ],
)
def test_a_helm_release_of_the_stack_is_not_refused(
    api: Server, refuse: Refuse, records: list[Any], deployed_before: bool
) -> None:
    answer(api, RECORDS, {"items": records})
    refuse(HELM_RELEASE, inputs=RELEASE, deployed_before=deployed_before)


@pytest.mark.parametrize(("stack", "ours"), [(OURS, True), (OTHERS, False)])
def test_a_release_that_is_not_installed_yet_is_of_whom_its_namespace_is(
    api: Server, refuse: Refuse, stack: str, ours: bool
) -> None:
    answer(api, RECORDS, {"items": [helm_record(status="pending-install")]})
    answer(api, NAMESPACE, existing(annotations={STACK_ANNOTATION: stack}))
    if ours:
        refuse(HELM_RELEASE, inputs=RELEASE)
    else:
        with pytest.raises(ExistingObjectError, match=f"pending-install, by stack {OTHERS}"):
            refuse(HELM_RELEASE, inputs=RELEASE)


@pytest.mark.parametrize("reply", [Reply({"items": [{"metadata": {"name": "n"}}]}), Reply(status=403)])
def test_a_helm_release_that_cannot_be_read_is_refused(api: Server, refuse: Refuse, reply: Reply) -> None:
    answer(api, RECORDS, reply)
    with pytest.raises(ExistingObjectError, match=r"^Helm release cm in namespace cert-manager: the cluster does not"):
        refuse(HELM_RELEASE, inputs=RELEASE)
