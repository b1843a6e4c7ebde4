"""A cluster on which a stranger installed cert-manager and Gateway API with Helm; the stack installs the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import NODE, Deployment, run
from tests.e2e.test_existing_platform import content_of
from tests.e2e.test_others_objects import words

STACK = "partly"
CHARTS = f"oci://{NODE}:5000/charts"
IMAGES = "localhost:5000/cert-manager/cert-manager"
CERT_MANAGER = {
    "installCRDs": "true",
    "startupapicheck.enabled": "false",
    "global.leaderElection.namespace": "cert-manager",
    "image.repository": f"{IMAGES}-controller",
    "webhook.image.repository": f"{IMAGES}-webhook",
    "cainjector.image.repository": f"{IMAGES}-cainjector",
}


def helm(deployment: Deployment, *arguments: str) -> None:
    done = run("helm", *arguments, "--wait", "--timeout", "3m", env=deployment.environment)
    assert done.status == 0, done.text


def kubectl(deployment: Deployment, *arguments: str) -> None:
    done = run("kubectl", *arguments, env=deployment.environment)
    assert done.status == 0, done.text


@pytest.fixture(scope="module")
def prepared(undeployed: Deployment) -> Iterator[Deployment]:
    """The cluster with the stranger's parts, and without the demo, which goes if its own test of that has not run."""
    if undeployed.exists():
        undeployed.destroy()
        undeployed.remove()
    empty = all_objects(undeployed)
    values = ",".join(f"{key}={value}" for key, value in CERT_MANAGER.items())
    plain = ("--plain-http", "--version")
    in_own = ("--namespace", "cert-manager", "--create-namespace")
    helm(undeployed, "install", "certs", f"{CHARTS}/cert-manager", *plain, "v1.11.5", *in_own, "--set", values)
    helm(undeployed, "install", "routes", f"{CHARTS}/gateway-api-crds", *plain, "1.5.1", "--namespace", "default")
    # The CA comes a moment after the pods are ready.
    for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
        injected = "--for=jsonpath={.webhooks[0].clientConfig.caBundle}"
        kubectl(undeployed, "wait", kind, "certs-cert-manager-webhook", injected, "--timeout=60s")
    yield undeployed
    helm(undeployed, "uninstall", "routes", "--namespace", "default")
    helm(undeployed, "uninstall", "certs", "--namespace", "cert-manager")
    kubectl(undeployed, "delete", "namespace", "cert-manager", "--wait")
    left = all_objects(undeployed) - empty
    assert not {thing for thing in left if "cert-manager" not in thing}, left


@pytest.fixture
def stack(prepared: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """The demo's first model, and the parts of the platform that are missing; nothing of it is deployed yet."""
    text = prepared.stack_file.read_text()
    made = Deployment.made(STACK, directory=tmp_path, environment=prepared.environment, text=text)
    made.configure(models=made.settings["models"][:1], graphs=[], platform={"existing": "auto"})
    yield made
    made.configure(platform={"existing": "auto"})
    made.pulumi("destroy", "--yes", "--skip-preview")
    made.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


@pytest.mark.feature("a platform of which parts are there already", mode="both")
def test_what_is_there_is_used_and_left_and_the_rest_comes_and_goes(stack: Deployment) -> None:
    before = content_of(stack)
    said = words(stack.pulumi("preview"))
    assert "cert-manager: 1.11.5, installed by Helm (release certs in namespace cert-manager), used as it is" in said
    assert "Gateway API: 1.5.1, installed by Helm (release routes in namespace default), used as it is" in said
    for part in ("Istio", "Knative", "KServe"):
        assert f"{part}: not there, installed by this stack" in said
    assert content_of(stack) == before

    stack.up()
    shown = stack.predict("--stack", STACK, "--json")
    assert shown.status == 0, shown.text
    assert [model["got"] for model in json.loads(shown.stdout)["models"]] == [[1, 0]]
    # What this stack installed stays its own, and what others did stays theirs.
    again = stack.pulumi("preview", "--expect-no-changes")
    assert again.status == 0, again.text[-6000:]
    assert "Istio: 1.31.0, of this stack" in words(again)
    # A part that the stack installed cannot be declared as somebody else's: it would be deleted.
    stack.configure(platform={"existing": "all"})
    refused = stack.pulumi("preview")
    assert refused.status != 0
    assert "this stack has installed Istio itself and would delete it" in words(refused)

    stack.configure(platform={"existing": "auto"})
    stack.destroy()
    assert content_of(stack) == before
