"""What is declared for stacks that are deployed already: a change here would update, roll or replace what users run.

`deployed_before.json` has a digest of every input of every resource. Where a change is meant, write it anew and say in
the commit what users will see: `python -m tests.unit.test_deployed_before`.

The file is from before stacks had identities. What an identity changes is named here, and nothing else may change: none
of it replaces an object or makes a revision of a model.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.charts.helm_records import DESCRIPTION
from components.objects import STACK_ANNOTATION
from components.platform.istio import CA_CONFIG_MAPS
from tests.unit.components.kubernetes import UID, answering
from tests.unit.components.recording import PROJECT, PROVIDER, Recording, Resource
from tests.unit.components.registry import serving
from tests.unit.test_program import ROOT, run

BEFORE = Path(__file__).with_name("deployed_before.json")
STACKS = ("dev", "cluster", "everything")
# Of the machine that deploys: a chart's archive and its post-renderer, a kubeconfig, Python's form of a provider. What
# they do is tested where they are.
OF_THE_MACHINE = {"chart", "postRenderer", "postrender", "kubeconfig", "__provider"}
# Of the machine or the run, wherever they stand in a text.
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")

IDENTITY = "pulumi-python:dynamic/kserve-multi-model:StackIdentity stack"
GUARD = "pulumi-python:dynamic/kserve-multi-model:ClusterGuard cluster-guard"
PATCH = "HorizontalPodAutoscalerPatch"
ISTIO = "kubernetes:core/v1:Namespace istio-system"

Declared = dict[str, dict[str, Any]]


def declared(stack: str, folder: Path) -> Declared:
    """What a stack's program declares, by type and name."""
    (folder / "credentials").write_text("[kserve-multi-model]\naws_access_key_id=A\naws_secret_access_key=S\n")
    with pytest.MonkeyPatch.context() as patch, serving() as registry, answering(folder) as kubeconfig:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.chdir(folder)
        recording = run(stack, registry=registry, state=PROVIDER)
    owner = f"organization/{PROJECT}/{stack}"
    found = {f"{r.type} {r.name}": _resource(r, recording, owner=owner) for r in recording.resources.values()}
    assert found.pop(IDENTITY)
    assert found.pop(GUARD)
    return found


def _resource(resource: Resource, recording: Recording, *, owner: str) -> dict[str, Any]:
    known = {urn: f"{other.type} {other.name}" for urn, other in recording.resources.items()}
    inputs = {key: value for key, value in resource.plain.items() if key not in OF_THE_MACHINE}
    # Models, graphs and their namespaces had the mark before.
    kind = resource.type.rpartition(":")[2]
    is_new_mark = known.get(resource.parent, "") != "" and kind not in {"InferenceService", "InferenceGraph"}
    ignored = sorted(set(resource.ignored) - _without_identity(resource, inputs, owner=owner, is_new_mark=is_new_mark))
    return {
        "parent": known.get(resource.parent, ""),
        "after": sorted({known[urn] for urn in resource.dependencies if urn in known} - _new_dependencies(resource)),
        "inputs": {key: _digest(value) for key, value in sorted(inputs.items())},
        "options": _digest(
            [
                [resource.retained, resource.deleted_first, ignored, sorted(resource.replaced_by)],
                [known.get(resource.deleted_with, ""), sorted(resource.bounds.items())],
            ]
        ),
    }


def _without_identity(resource: Resource, inputs: dict[str, Any], *, owner: str, is_new_mark: bool) -> set[str]:
    """Take what is new with the identity out of the inputs; gives the inputs of which changes are ignored since then.

    The current context is named, Helm is told which stack it installs for, and objects get a mark.
    """
    kind = resource.type.rpartition(":")[2]
    if resource.type == "pulumi:providers:kubernetes":
        assert inputs.pop("context") == "here"
        assert inputs["clusterIdentifier"] == UID
        assert "clusterIdentifier" in resource.ignored
        inputs["clusterIdentifier"] = owner.rpartition("/")[2]  # so Pulumi keeps the one that it has
        return {"clusterIdentifier"}
    if kind == "TerminationWait":
        assert inputs.pop("context") == "here"
    elif kind == "Release":
        assert inputs["description"] == f"{DESCRIPTION}, stack {owner}"
        inputs["description"] = DESCRIPTION
    elif is_new_mark and resource.type.startswith("kubernetes:") and kind not in {"Chart", PATCH}:
        annotations = dict(inputs["metadata"]["annotations"])
        assert annotations.pop(STACK_ANNOTATION) == owner
        inputs["metadata"] = {key: value for key, value in inputs["metadata"].items() if key != "annotations"}
        if annotations:
            inputs["metadata"]["annotations"] = annotations
    return set()


def _new_dependencies(resource: Resource) -> set[str]:
    """What a resource depends on since there are identities: the order in which it is deleted, and no input."""
    if resource.type == "pulumi:providers:kubernetes":
        return {IDENTITY}
    return {ISTIO} if resource.name.rpartition("/")[2] in CA_CONFIG_MAPS else set()


def _digest(value: Any) -> str:
    text = PORT.sub("PORT", json.dumps(value, sort_keys=True))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize("stack", STACKS)
def test_a_deployed_stack_sees_no_change(stack: str, tmp_path: Path) -> None:
    before: Declared = json.loads(BEFORE.read_text())[stack]
    now = declared(stack, tmp_path)
    assert sorted(now) == sorted(before)
    changed = {name: (before[name], now[name]) for name in before if before[name] != now[name]}
    assert changed == {}


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    found: dict[str, Declared] = {}
    for named in STACKS:
        with TemporaryDirectory() as temporary:
            found[named] = declared(named, Path(temporary))
    BEFORE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"written: {BEFORE.relative_to(ROOT)}")
