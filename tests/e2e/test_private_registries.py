"""A platform and models whose pods pull images with Secrets, all from the mirror; and the mirror, copied elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.artifacts import Cache
from cluster.catalog import REGISTRY_PART, Catalog
from cluster.locations import cache_dir
from cluster.registry import _serving
from releases.local import LOCAL
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import NAME, NODE, Deployment, cluster

STACK = "private"
PASSWORD = "a-password-of-a-registry"
PULLED_WITH = {"private-registries", "regcred"}
LOGINS = {"company": {"host": "localhost:5000", "username": "reader"}}


@pytest.fixture(scope="module")
def private(undeployed: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The demo with a login of its registry, on a cluster without the demo, which goes if it is there."""
    if undeployed.exists():
        undeployed.destroy()
        undeployed.remove()
    directory, text = tmp_path_factory.mktemp("private"), undeployed.stack_file.read_text()
    made = Deployment.made(STACK, directory=directory, environment=undeployed.environment, text=text)
    made.configure(registries=LOGINS, image_pull_secrets=["regcred"])
    path = ("--path", "registries.company.password")
    done = made.pulumi("config", "set", "--secret", *path, PASSWORD, "--config-file", str(made.stack_file))
    assert done.status == 0, done.text
    made.up()
    yield made
    made.destroy()
    made.remove()


def pods_of(deployment: Deployment) -> list[dict[str, Any]]:
    found = kubectl(deployment, "get", "pods", "--all-namespaces")["items"]
    return [pod for pod in found if pod["metadata"]["namespace"] != "kube-system"]


@pytest.mark.feature("images and charts from a private registry", mode="both")
def test_every_pod_pulls_with_the_secrets(private: Deployment) -> None:
    """Those of the platform, of the models and of the graph's router; and they answer."""
    checked = private.predict("--stack", private.stack, "--json")
    assert checked.status == 0, checked.text
    found = pods_of(private)
    without = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in found
        if PULLED_WITH - {secret["name"] for secret in pod["spec"].get("imagePullSecrets", ())}
    }
    assert without == set()
    assert {"default", "kserve", "knative-serving", "istio-system"} <= {pod["metadata"]["namespace"] for pod in found}
    for namespace in {pod["metadata"]["namespace"] for pod in found}:
        secret = kubectl(private, "-n", namespace, "get", "secret", "private-registries")
        assert secret["type"] == "kubernetes.io/dockerconfigjson"


def test_the_password_is_in_plain_text_neither_in_the_state_nor_in_the_file(private: Deployment) -> None:
    exported = private.pulumi("stack", "export")
    assert exported.status == 0
    assert PASSWORD not in exported.text
    assert PASSWORD not in private.stack_file.read_text()


def test_up_again_changes_nothing(private: Deployment) -> None:
    done = private.pulumi("preview", "--expect-no-changes")
    assert done.status == 0, done.text[-4000:]


@pytest.mark.feature("with a mirror nothing is fetched from elsewhere", mode="both")
def test_every_image_that_runs_is_one_of_the_release_and_in_the_mirror(private: Deployment) -> None:
    listed = {f"localhost:5000/{image.name}:{image.tag}" for image in LOCAL.images}
    running = {
        container["image"]
        for pod in pods_of(private)
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    }
    # Knative names a model's images by digest where it has resolved their tags.
    assert {image for image in running if "@" not in image} <= listed
    assert all(image.startswith("localhost:5000/") for image in running)


@pytest.mark.feature("python -m cluster mirror", mode="both")
def test_the_local_clusters_registry_is_mirrored(node: dict[str, str], tmp_path: Path) -> None:
    """Charts and images of release local, to a registry with nothing in it; the same digests, and nothing twice."""
    del node
    catalog = Catalog(Cache(cache_dir() / "entries"))
    programs = catalog.part(REGISTRY_PART)
    with _serving(registry=programs / "registry", root=tmp_path / "storage", log=tmp_path / "log") as address:
        command = ("mirror", "--release", "local", "--name", NAME, "--to", f"{address}/team")
        first = cluster(*command)
        assert first.status == 0, first.text
        assert f"images: {address}/team\n  plain_http: true\n" in first.stdout
        again = cluster(*command)
        assert again.status == 0
        assert ": copied" not in again.text

        def digest(place: str) -> str:
            crane = [str(programs / "crane"), "digest", "--insecure", place]
            return subprocess.run(crane, capture_output=True, text=True, check=True).stdout

        for chart in LOCAL.sources:
            name = f"charts/{chart.name}:{chart.version}"
            assert digest(f"{address}/team/{name}") == digest(f"{NODE}:5000/{name}")
        for image in LOCAL.images:
            if not image.is_optional:
                name = f"{image.name}:{image.tag}"
                assert digest(f"{address}/team/{name}") == digest(f"{NODE}:5000/{name}")
