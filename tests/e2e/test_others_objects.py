"""What a stack did not make, it neither adopts nor changes nor deletes: the shared platform is a stranger's.

The second stack has a platform, too, and a state of its own. Not among the journeys, as most users have one stack.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.objects import STACK_ANNOTATION
from stack_files import dump
from tests.e2e.cluster_objects import all_items, all_objects, kubectl, reference
from tests.e2e.machine import ROOT, Completed, Deployment, run
from tests.e2e.models_on_platform import PLATFORM, STORAGE, stack_of_models

SECOND = "second"
HELM_ANNOTATION = "meta.helm.sh/release-name"
HELM_RECORD = "helm.sh/release.v1"
OTHER_CONTEXT = "another-name-of-this-cluster"
# Of what changes without anybody's doing.
VOLATILE = ("managedFields", "resourceVersion")


def platforms_objects(deployment: Deployment) -> dict[str, tuple[str, str]]:
    """UID and content of each object of the shared platform, those of its Helm releases and Helm's records included.

    Of an object without a status, the content has its version in the cluster, which any write changes.
    """
    return {reference(item): (item["metadata"]["uid"], _content(item)) for item in all_items(deployment) if _kept(item)}


def _kept(item: Mapping[str, Any]) -> bool:
    annotations = item["metadata"].get("annotations") or {}
    return bool({STACK_ANNOTATION, HELM_ANNOTATION} & annotations.keys()) or item.get("type") == HELM_RECORD


def _content(item: Mapping[str, Any]) -> str:
    if "status" not in item:
        return json.dumps(item, sort_keys=True)
    metadata = {key: value for key, value in item["metadata"].items() if key not in VOLATILE}
    return json.dumps({key: value for key, value in item.items() if key != "status"} | {"metadata": metadata})


def words(done: Completed) -> str:
    """What a command wrote, without the line breaks that Pulumi puts in."""
    return " ".join(done.text.split())


def state_of(stack: Deployment) -> dict[str, Any]:
    exported = stack.pulumi("stack", "export")
    assert exported.status == 0, exported.text
    state: dict[str, Any] = json.loads(exported.stdout)
    return state


def import_state(stack: Deployment, state: Mapping[str, Any]) -> None:
    file = stack.directory / "state.json"
    file.write_text(json.dumps(state))
    done = stack.pulumi("stack", "import", "--file", str(file))
    assert done.status == 0, done.text


@pytest.fixture
def second(deployment: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A stack with a platform and no models, as the shared one is set up; nothing of it is deployed."""
    settings = {key: value for key, value in deployment.settings.items() if key not in {"models", "graphs", "storage"}}
    text = dump({"config": {f"kserve-multi-model:{key}": value for key, value in settings.items()}})
    stack = Deployment.made(SECOND, directory=tmp_path, environment=deployment.environment, text=text)
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")
    stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config")


def test_a_second_platform_is_refused_and_leaves_the_first_as_it_is(deployment: Deployment, second: Deployment) -> None:
    everything, before = all_objects(deployment), platforms_objects(deployment)
    assert {"Namespace//cert-manager", "Namespace//istio-system", "Namespace//kserve"} <= before.keys()
    assert any(thing.startswith("CustomResourceDefinition//") for thing in before)
    assert any(thing.startswith("Secret/cert-manager/sh.helm.release.v1.cert-manager.v") for thing in before)
    refused = f"is there already (stack organization/kserve-multi-model/{PLATFORM}"

    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        done = second.pulumi(*command)
        assert done.status != 0, done.text[-6000:]
        assert refused in words(done), done.text[-6000:]
        assert "This stack neither changes nor deletes it." in words(done)
        assert platforms_objects(deployment) == before

    state = state_of(second)
    resources = state["deployment"]["resources"]
    assert [found["urn"] for found in resources if found["type"].startswith("kubernetes:")] == []

    # As if it were deployed to another cluster.
    (identity,) = (found for found in resources if found["type"].endswith(":StackIdentity"))
    here = dict(identity["outputs"])
    identity["outputs"] |= {"cluster_uid": "0000", "cluster_name": "of context 'production'"}
    import_state(second, state)
    done = second.pulumi("preview")
    assert done.status != 0
    assert f"(UID {here['cluster_uid']}), but the stack is deployed to the cluster of context 'production'" in words(
        done
    )
    identity["outputs"] = here
    import_state(second, state)

    second.destroy()
    assert platforms_objects(deployment) == before
    assert all_objects(deployment) == everything
    answered = deployment.predict("--stack", deployment.stack)
    assert answered.status == 0, answered.text


def test_a_namespace_of_the_stack_that_holds_something_of_others_stays(deployment: Deployment, tmp_path: Path) -> None:
    name, theirs = "shared-later", "configmaps/theirs"
    model = {"name": "flowers", "format": "sklearn", "storage_uri": "s3://models/sklearn", "storage": "demo"}
    stack = stack_of_models(name, model, directory=tmp_path, deployment=deployment)
    mine = [{"name": "plain", "mode": "Standard", **{key: model[key] for key in model if key != "name"}}]
    try:
        stack.up()
        done = run("kubectl", "-n", name, "create", "configmap", "theirs", env=deployment.environment)
        assert done.status == 0, done.text
        before = kubectl(deployment, "-n", name, "get", theirs)
        # Fewer models, and others, are no reason to refuse.
        stack.configure(models=mine)
        stack.up()

        # Somebody's Secret in place of the stack's is not changed.
        keys = f"{name}-storage-demo"
        in_namespace = ("kubectl", "-n", name)
        for one in (("delete", "secret", keys), ("create", "secret", "generic", keys, "--from-literal=a=b")):
            done = run(*in_namespace, *one, env=deployment.environment)
            assert done.status == 0, done.text
        made_by_hand = kubectl(deployment, "-n", name, "get", "secret", keys)
        stack.configure(storage={"demo": {**STORAGE["demo"], "region": "eu-west-1"}})
        for asked in (("preview",), ("up", "--yes", "--skip-preview")):
            remade = stack.pulumi(*asked)
            assert remade.status != 0
            assert f"Secret {name}/{keys} is not the one that this stack made" in words(remade)
        assert kubectl(deployment, "-n", name, "get", "secret", keys) == made_by_hand
        stack.configure(storage=STORAGE)
        done = run(*in_namespace, "delete", "secret", keys, env=deployment.environment)
        assert done.status == 0, done.text
        repaired = stack.pulumi("up", "--yes", "--skip-preview", "--refresh")
        assert repaired.status == 0, repaired.text

        # All of them elsewhere would delete the namespace.
        stack.configure(cluster={"namespace": f"{name}-moved"})
        for asked in (("preview",), ("up", "--yes", "--skip-preview")):
            moved = stack.pulumi(*asked)
            assert moved.status != 0
            assert f"namespace '{name}' has no model or graph of this stack any more" in words(moved)
            assert f"what this stack did not make: {theirs}. Delete these first" in words(moved)
        stack.configure(cluster={"namespace": name})
        assert stack.pulumi("preview", "--expect-no-changes").status == 0

        refused = stack.pulumi("destroy", "--yes", "--skip-preview")
        assert refused.status != 0
        assert f"namespace {name} stays, because it holds what this stack did not make: configmaps/theirs" in words(
            refused
        )
        assert kubectl(deployment, "-n", name, "get", theirs) == before
        assert kubectl(deployment, "-n", name, "get", "inferenceservices")["items"] == []

        command = re.search(r"pulumi (state delete --target-dependents) '([^']+)'", words(refused))
        assert command, refused.text
        forgotten = stack.pulumi("state", "delete", "--target-dependents", command[2], "--yes")
        assert forgotten.status == 0, forgotten.text
        stack.destroy()
        stack.remove()
        assert kubectl(deployment, "-n", name, "get", theirs) == before
    finally:
        run("kubectl", "delete", "namespace", name, "--ignore-not-found", env=deployment.environment)


def test_a_model_with_the_name_of_a_service_of_others_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    """KServe would make it lead to the model."""
    name = "services-of-others"
    model = {"name": "flowers", "format": "sklearn", "storage_uri": "s3://models/sklearn", "storage": "demo"}
    kubectl_in = ("kubectl", "-n", name)
    try:
        for command in (
            ("kubectl", "create", "namespace", name),
            (*kubectl_in, "create", "service", "clusterip", "flowers", "--tcp=80:80"),
        ):
            done = run(*command, env=deployment.environment)
            assert done.status == 0, done.text
        before = kubectl(deployment, "-n", name, "get", "service", "flowers")
        stack = stack_of_models(name, model, directory=tmp_path, deployment=deployment)
        for asked in (("preview",), ("up", "--yes", "--skip-preview")):
            refused = stack.pulumi(*asked)
            assert refused.status != 0
            assert f"'flowers' needs the Service {name}/flowers for itself, which is there already" in words(refused)
        assert kubectl(deployment, "-n", name, "get", "service", "flowers") == before
        assert kubectl(deployment, "-n", name, "get", "inferenceservices")["items"] == []
        stack.configure(models=[{**model, "name": "roses"}])
        assert stack.pulumi("preview").status == 0
        stack.destroy()
        stack.remove()
    finally:
        run("kubectl", "delete", "namespace", name, "--ignore-not-found", env=deployment.environment)


def test_another_name_of_the_same_cluster_replaces_nothing(deployment: Deployment, tmp_path: Path) -> None:
    document = yaml.safe_load(Path(deployment.environment["KUBECONFIG"]).read_text())
    current = next(found for found in document["contexts"] if found["name"] == document["current-context"])
    document["contexts"].append({"name": OTHER_CONTEXT, "context": current["context"]})
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    kubeconfig.chmod(0o600)
    other = replace(deployment, environment=deployment.environment | {"KUBECONFIG": str(kubeconfig)})
    good = deployment.stack_file.read_text()
    try:
        other.configure(cluster={**deployment.settings.get("cluster", {}), "context": OTHER_CONTEXT})
        done = other.pulumi("preview", "--json")
    finally:
        deployment.stack_file.write_text(good)
    assert done.status == 0, done.text[-6000:]
    # The provider, and the waits of the models' namespaces, keep another way to the same cluster.
    assert json.loads(done.stdout)["changeSummary"].keys() <= {"same", "update"}
    assert deployment.pulumi("preview", "--expect-no-changes").status == 0


def test_a_renamed_stack_sees_no_change(deployment: Deployment) -> None:
    renamed = replace(deployment, stack=f"{PLATFORM}-renamed")
    shutil.copy(deployment.stack_file, renamed.stack_file)
    done = deployment.pulumi("stack", "rename", renamed.stack)
    assert done.status == 0, done.text
    try:
        preview = renamed.pulumi("preview", "--expect-no-changes", "--diff")
    finally:
        back = renamed.pulumi("stack", "rename", deployment.stack)
        for stack in (deployment.stack, renamed.stack):
            (ROOT / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)
    assert back.status == 0, back.text
    assert preview.status == 0, preview.text[-6000:]
    assert deployment.pulumi("preview", "--expect-no-changes").status == 0
