"""A stack on a platform that a stranger installed uses it, and leaves it as it was.

The stranger's is the shared platform: its Helm releases are real, and what tells that this program made it is taken
away for the module, so annotations and the descriptions in Helm's records. The demo's models stay another stack's. The
demo's stack itself is not used meanwhile, and gets its marks back in the end.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from components.charts.helm_records import DESCRIPTION
from components.objects import STACK_ANNOTATION
from components.preflight.webhook_trial import TRIAL, TRIALS
from kube.connection import connect
from kube.views.base import REVISION_LABEL
from stack_files import dump
from tests.e2e.cluster_objects import all_items, all_objects, reference
from tests.e2e.machine import NODE, Completed, Deployment
from tests.e2e.models_on_platform import STORAGE
from tests.e2e.test_others_objects import HELM_RECORD, VOLATILE, words

NAME = "newcomer"
INSTANCES = [[6.5, 3, 5.5, 2], [5.9, 2.8, 4.3, 1.3]]
MODEL = {
    "name": "iris",
    "format": "sklearn",
    "storage_uri": "s3://models/sklearn",
    "storage": "demo",
    "check": {"instances": INSTANCES, "predictions": [1, 0]},
}
# Whole settings of a stack on a platform that is there.
SETTINGS: Mapping[str, Any] = {
    "release": "local",
    "platform": {"existing": "all"},
    "ingress": {"address": NODE},
    "resources": "small",
    "storage": STORAGE,
    "models": [MODEL],
}
# Where the charts of release `local` are, for a stack that may install parts.
MIRROR = {"charts": f"oci://{NODE}:5000/charts", "images": "localhost:5000", "plain_http": True}
# Another Service of the gateway's pods, as a stranger may have it for clients of a network of their own.
PUBLIC = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "public", "namespace": "istio-system"},
    "spec": {
        "type": "NodePort",
        "selector": {"istio": "ingressgateway"},
        "ports": [{"name": "http", "port": 8080, "targetPort": 80}],
    },
}
SERVICES = "/api/v1/namespaces/istio-system/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices"
# A policy that denies what a preview tries, and a webhook for the same that nobody answers.
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
DRY = "?dryRun=All"
ONLY_TRIALS = {"name": "only-trials", "expression": f"object.metadata.name == '{TRIAL}'"}
ON_CREATE = {
    "apiGroups": ["serving.kserve.io"],
    "apiVersions": ["*"],
    "operations": ["CREATE"],
    "resources": ["inferenceservices"],
}
POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-trials"},
    "spec": {
        "matchConstraints": {"resourceRules": [ON_CREATE]},
        "matchConditions": [ONLY_TRIALS],
        "validations": [{"expression": "false", "message": "no trials here"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-trials"},
    "spec": {"policyName": "no-trials", "validationActions": ["Deny"]},
}
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "no-trials"},
    "webhooks": [
        {
            "name": "no-trials.corp.example",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
            "rules": [ON_CREATE],
            "matchConditions": [ONLY_TRIALS],
        }
    ],
}
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
MERGE = {"Content-Type": "application/merge-patch+json"}


def content_of(deployment: Deployment) -> dict[str, str]:
    """Each object of the cluster but those of the stack's namespace, without what changes by itself.

    Of an object without a status, the content has its version in the cluster, which any write changes. Of one that a
    controller made for another, only its identity counts: the controller writes it at any time. Not compared are what
    Knative scales for the demo's own models, and the API's registrations, which come and go with definitions.
    """
    return {
        reference(item): _content(item)
        for item in all_items(deployment)
        if NAME not in {item["metadata"].get("namespace"), item["metadata"]["name"]}
        and item["kind"] not in {"Job", "APIService"}
        and REVISION_LABEL not in (item["metadata"].get("labels") or {})
    }


def _content(item: Mapping[str, Any]) -> str:
    if item["metadata"].get("ownerReferences"):
        return str(item["metadata"]["uid"])
    annotations = dict(item["metadata"].get("annotations") or {})
    # Controllers write these: Istio's ConfigMaps for leader election, and roles that are put together from others.
    written = annotations.pop(LEADER_ANNOTATION, None) is not None or "aggregationRule" in item
    if "status" not in item and not written:
        return json.dumps(item, sort_keys=True)
    metadata = {key: value for key, value in item["metadata"].items() if key not in VOLATILE}
    metadata["annotations"] = annotations
    return json.dumps({key: value for key, value in item.items() if key != "status"} | {"metadata": metadata})


def path_of(client: httpx.Client, item: Mapping[str, Any]) -> str:
    version, metadata = item["apiVersion"], item["metadata"]
    api = f"/apis/{version}" if "/" in version else f"/api/{version}"
    kinds = client.get(api).raise_for_status().json()["resources"]
    plural = next(kind["name"] for kind in kinds if kind["kind"] == item["kind"] and "/" not in kind["name"])
    place = f"namespaces/{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{api}/{place}{plural}/{metadata['name']}"


def with_description(record: str, text: str) -> tuple[str, str]:
    """A record of Helm's with another description, and the one that it had."""
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(record))))
    had = release["info"]["description"]
    release["info"]["description"] = text
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return base64.b64encode(packed).decode(), had


@pytest.fixture(scope="module")
def stranger(deployment: Deployment) -> Iterator[Deployment]:
    """The shared platform without any mark of this program; it gets them back."""
    items = all_items(deployment)
    undo: list[tuple[str, dict[str, Any]]] = []
    with connect(kubeconfig=Path(deployment.environment["KUBECONFIG"])) as client:

        def patch(path: str, change: Mapping[str, Any]) -> None:
            client.patch(path, json=change, headers=MERGE).raise_for_status()

        for item in items:
            mark = (item["metadata"].get("annotations") or {}).get(STACK_ANNOTATION)
            if item["kind"] in {"InferenceService", "InferenceGraph"}:
                continue  # a change of their annotations would make new revisions
            if mark:
                path = path_of(client, item)
                undo.append((path, {"metadata": {"annotations": {STACK_ANNOTATION: mark}}}))
                patch(path, {"metadata": {"annotations": {STACK_ANNOTATION: None}}})
            elif item.get("type") == HELM_RECORD:
                changed, had = with_description(item["data"]["release"], "Install complete")
                if had.startswith(DESCRIPTION):
                    path = path_of(client, item)
                    undo.append((path, {"data": {"release": item["data"]["release"]}}))
                    patch(path, {"data": {"release": changed}})
        assert len(undo) > 100
        client.post(SERVICES, json=PUBLIC).raise_for_status()
        slices, until = f"{SLICES}?labelSelector=kubernetes.io/service-name=public", time.monotonic() + 60
        endpoints = SERVICES.replace("services", "endpoints/public")
        # Kubernetes makes these for the Service, a moment later.
        while not (client.get(slices).json()["items"] and client.get(endpoints).is_success):
            assert time.monotonic() < until
            time.sleep(0.5)
        try:
            yield deployment
        finally:
            client.delete(f"{SERVICES}/public").raise_for_status()
            for path, change in undo:
                patch(path, change)


@pytest.fixture
def newcomer(stranger: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A stack of one model; nothing of it is deployed yet."""
    config = {**SETTINGS, "cluster": {"namespace": NAME}}
    text = dump({"config": {f"kserve-multi-model:{key}": value for key, value in config.items()}})
    stack = Deployment.made(NAME, directory=tmp_path, environment=stranger.environment, text=text)
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")
    stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


@pytest.mark.feature("a platform that is there already", mode="Knative")
def test_a_strangers_platform_is_used_and_left_as_it_was(newcomer: Deployment) -> None:
    objects, before = all_objects(newcomer), content_of(newcomer)
    done = newcomer.pulumi("preview")
    assert done.status == 0, done.text[-6000:]
    said = words(done)
    assert (
        "cert-manager: 1.11.5, installed by Helm (release cert-manager in namespace cert-manager), used as it" in said
    )
    assert "Gateway API: 1.5.1, installed by Helm (release gateway-api in namespace default), used as it is" in said
    for line in ("Istio: 1.31.0, ", "Knative: 1.21.1, ", "KServe: 0.20.0, "):
        assert line in said
    assert content_of(newcomer) == before

    newcomer.up()
    shown = newcomer.predict("--stack", NAME, "--json")
    assert shown.status == 0, shown.text
    assert [model["got"] for model in json.loads(shown.stdout)["models"]] == [[1, 0]]
    declared = json.loads(newcomer.pulumi("stack", "export").stdout)["deployment"]["resources"]
    of_the_platform = [found["urn"] for found in declared if "platform:Platform$" in found["urn"]]
    assert of_the_platform == []
    assert newcomer.pulumi("preview", "--expect-no-changes").status == 0
    a_gateway_named_by_a_setting_is_used(newcomer)
    what_denies_the_trial_is_told_from_what_does_not_answer(newcomer)
    # A part that is there stays somebody else's, whichever way the settings say so.
    newcomer.configure(platform={"existing": "auto"}, mirror=MIRROR)
    done = newcomer.pulumi("preview", "--json")
    assert done.status == 0, done.text[-6000:]
    # The guard keeps that the stack may have parts of its own now.
    assert json.loads(done.stdout)["changeSummary"].keys() <= {"same", "update"}
    assert json.loads(done.stdout)["changeSummary"]["update"] == 1

    newcomer.destroy()
    assert content_of(newcomer) == before
    assert all_objects(newcomer) == objects


def a_gateway_named_by_a_setting_is_used(stack: Deployment) -> None:
    """What is not there is refused with what is; what is there has a port of its own, at which the model answers."""
    for ingress, problem in (
        ({"gateway": {"name": "publik"}}, "ingress.gateway.name: there is no Service 'publik' in namespace 'istio-"),
        (
            {"gateway": {"name": "public"}},
            "ingress.gateway.port: no Service of the gateway in namespace",
        ),
        ({"class_name": "corp"}, "ingress.class_name: is corp, but the Gateway istio-system/kserve-gateway that"),
    ):
        stack.configure(ingress={"address": NODE, **ingress})
        refused = stack.pulumi("preview")
        assert refused.status != 0
        assert problem in words(refused), refused.text[-6000:]
    with connect(kubeconfig=Path(stack.environment["KUBECONFIG"])) as client:
        port = client.get(f"{SERVICES}/public").raise_for_status().json()["spec"]["ports"][0]["nodePort"]
    named = {"gateway": {"name": "public", "selector": {"istio": "ingressgateway"}, "port": 8080}}
    stack.configure(ingress={"address": NODE, "class_name": "istio", **named})
    stack.up()
    gateway = json.loads(stack.pulumi("stack", "output", "gateway", "--json").stdout)
    assert gateway["address"] == f"http://{NODE}:{port}"
    shown = stack.predict("--stack", stack.stack, "--json")
    assert shown.status == 0, shown.text
    assert [model["got"] for model in json.loads(shown.stdout)["models"]] == [[1, 0]]
    stack.configure(ingress={"address": NODE})


def what_denies_the_trial_is_told_from_what_does_not_answer(stack: Deployment) -> None:
    """A policy's denial is a warning in its words, and a webhook that cannot be called is an error."""
    done = preview_with(stack, POLICY, BINDING, shown="denied request: no trials here")
    assert done.status == 0, done.text[-6000:]
    warned = words(done)
    assert "KServe: the policy 'no-trials' of the cluster denied the InferenceService in namespace" in warned
    assert "ValidatingAdmissionPolicy 'no-trials' with binding 'no-trials' denied request: no trials here" in warned
    done = preview_with(stack, WEBHOOK, shown="failed calling webhook")
    assert done.status != 0
    assert "KServe: the webhook no-trials.corp.example, which is not KServe's, cannot be called to check" in words(done)
    assert 'service "nobody" not found' in words(done)


def preview_with(stack: Deployment, *objects: Mapping[str, Any], shown: str) -> Completed:
    """A preview while the cluster has these objects, as soon as the API server says this to the trial."""
    api, plural, kind, spec = TRIALS["kserve"]
    trial = {"apiVersion": api, "kind": kind, "metadata": {"name": TRIAL, "namespace": "default"}, "spec": spec}
    with connect(kubeconfig=Path(stack.environment["KUBECONFIG"])) as client:
        try:
            for item in objects:
                client.post(f"{ADMISSION}/{plural_of(item)}", json=item).raise_for_status()
            until = time.monotonic() + 60
            while (
                shown not in (answer := client.post(f"/apis/{api}/namespaces/default/{plural}{DRY}", json=trial)).text
            ):
                assert time.monotonic() < until, answer.text
                time.sleep(1)
            return stack.pulumi("preview")
        finally:
            for item in objects:
                client.delete(f"{ADMISSION}/{plural_of(item)}/{item['metadata']['name']}")


def plural_of(item: Mapping[str, Any]) -> str:
    kind = str(item["kind"]).lower()
    return f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"


def test_without_the_setting_it_is_refused_with_a_line_a_part(newcomer: Deployment) -> None:
    before = content_of(newcomer)
    document = {**SETTINGS, "cluster": {"namespace": NAME}, "mirror": MIRROR}
    document.pop("platform")
    config = {f"kserve-multi-model:{key}": value for key, value in document.items()}
    newcomer.stack_file.write_text(dump({"config": config}))
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        done = newcomer.pulumi(*command)
        assert done.status != 0, done.text[-6000:]
        for part in ("cert-manager 1.11.5", "Gateway API 1.5.1", "Istio 1.31.0", "Knative 1.21.1", "KServe 0.20.0"):
            assert f"{part} is there already (" in words(done), done.text[-6000:]
        assert "pulumi config set --path platform.existing auto" in words(done)
        assert content_of(newcomer) == before
