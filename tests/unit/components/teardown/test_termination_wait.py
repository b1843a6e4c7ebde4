"""The dynamic resource: its inputs in the state, and its deletion in a process of its own."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.teardown.termination_wait import TerminationWait, TerminationWaitArgs, TerminationWaitProvider
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.components.recording import record
from tests.unit.predict.server import Reply, Server

ROOT = Path(__file__).parents[4]
TYPE = "pulumi-python:dynamic/kserve-multi-model:TerminationWait"
STATE: dict[str, Any] = {
    "namespace": "models",
    "own": True,
    "kubeconfig": None,
    "context": "here",
    "models": ["a"],
    "graphs": [],
}


def declared(**fields: Any) -> dict[str, Any]:
    defaults = {"namespace": "models", "own": False, "kubeconfig": None, "context": None}
    args = TerminationWaitArgs(**{**defaults, **fields})
    return dict(record(lambda: TerminationWait("models", args=args)).the(TYPE, "models").inputs)


def test_state_has_the_module_name_but_no_code_and_no_secret() -> None:
    """So it can be destroyed with any version of Python, and without a passphrase."""
    kept = base64.b64decode(declared()["__provider"])
    assert b"components.teardown.termination_wait" in kept
    assert b"TerminationWaitProvider" in kept
    assert len(kept) < 200


def test_inputs_in_the_state() -> None:
    inputs = declared(models=("b", "a"), graphs=("g",), kubeconfig=Path("/a/kubeconfig"), context="here")
    assert {key: value for key, value in inputs.items() if key != "__provider"} == {
        "namespace": "models",
        "own": False,
        "kubeconfig": "/a/kubeconfig",
        "context": "here",
        "models": ["a", "b"],
        "graphs": ["g"],
    }


def test_pull_secrets_are_inputs_only_where_there_are_any() -> None:
    """So stacks that are deployed see no change."""
    assert "pull_secrets" not in declared(models=("a",), graphs=())
    assert declared(models=("a",), graphs=(), pull_secrets=("b", "a"))["pull_secrets"] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "changes", "replaces"),
    [
        ({}, False, []),
        ({"context": "elsewhere"}, True, []),
        ({"kubeconfig": "/elsewhere"}, True, []),
        ({"own": False}, True, []),
        ({"pull_secrets": ["regcred"]}, True, []),
        ({"models": ["a", "b"]}, True, []),
        ({"models": ["b"]}, True, ["models"]),
        ({"models": []}, True, ["models"]),
        ({"namespace": "elsewhere"}, True, ["namespace"]),
        ({"models": [], "graphs": ["g"]}, True, ["models"]),
    ],
    ids=str,
)
def test_replaced_when_models_are_removed(change: dict[str, Any], changes: bool, replaces: list[str]) -> None:
    """Pulumi deletes the old resource after those models."""
    found = TerminationWaitProvider().diff("models", STATE, STATE | change)
    assert (found.changes, found.replaces) == (changes, replaces)


def test_deletion_runs_in_pulumis_own_process(api: Server, tmp_path: Path) -> None:
    """It finds the module by the state alone; the program does not run."""
    host = api.address.removeprefix("http://")
    labels = {"app.kubernetes.io/name": "knative-serving", "pod-template-hash": "h"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "activator-h", "uid": "r", "controller": True}
    pod = {"metadata": {"name": "activator", "uid": "u", "labels": labels, "ownerReferences": [owner]}}
    going = {"metadata": {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    api.on(
        host,
        "GET /api/v1/namespaces/models/pods",
        *(Reply({"items": [pod]}), Reply({"items": [going]}), Reply({"items": None})),
    )
    inputs = declared(kubeconfig=kubeconfig(tmp_path, server=api.address))
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            provider: Any = provider_pb2_grpc.ResourceProviderStub(channel)
            properties = json_format.ParseDict(inputs, struct_pb2.Struct())
            provider.Configure(provider_pb2.ConfigureRequest())
            provider.Delete(provider_pb2.DeleteRequest(id="models", urn="urn", properties=properties), timeout=60)
    finally:
        process.kill()
        process.wait()
    assert [request.path for request in api.requests if request.method == "DELETE"] == [
        "/api/v1/namespaces/models/pods/activator"
    ]


@pytest.mark.parametrize("kubeconfig_exists", [True, False])
def test_nothing_is_waited_for_in_a_cluster_that_is_gone_and_to_be_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubeconfig_exists: bool
) -> None:
    file = kubeconfig(tmp_path, server="https://127.0.0.1:1") if kubeconfig_exists else tmp_path / "gone"
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    TerminationWaitProvider().delete("models", STATE | {"kubeconfig": str(file), "context": None})


def test_a_cluster_that_answers_is_waited_for_all_the_same(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    host = api.address.removeprefix("http://")
    api.on(host, "GET /version", Reply({"major": "1"}))
    pods = "GET /api/v1/namespaces/models/pods"
    api.on(host, pods, Reply({"items": None}))
    file = kubeconfig(tmp_path, server=api.address)
    fields = {key: value for key, value in STATE.items() if key not in ("models", "graphs")}
    TerminationWaitProvider().delete("models", fields | {"kubeconfig": str(file), "context": None})
    assert pods in [f"{request.method} {request.path}" for request in api.requests]


def test_the_command_of_the_error_is_for_the_cluster_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for function in ("leftovers.wait_until_gone", "others_objects.require_nothing_of_others"):
        monkeypatch.setattr(f"components.teardown.{function}", lambda *_, kubectl, **__: said.append(kubectl))
    TerminationWaitProvider().delete("models", STATE | {"kubeconfig": "/a b/kubeconfig"})
    TerminationWaitProvider().delete("models", STATE | {"context": None})
    assert said == [*["kubectl '--kubeconfig=/a b/kubeconfig' --context=here"] * 2, *["kubectl"] * 2]


@pytest.mark.parametrize(
    ("fields", "looks"), [({}, True), ({"own": False}, False), ({"models": None, "graphs": None}, False)]
)
def test_only_a_namespace_of_models_that_the_stack_deletes_is_looked_into(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], looks: bool
) -> None:
    """Knative's operator makes objects without a mark in Knative's own namespace."""
    looked: list[str] = []
    monkeypatch.setattr("components.teardown.leftovers.wait_until_gone", lambda *_, **__: None)
    monkeypatch.setattr(
        "components.teardown.others_objects.require_nothing_of_others",
        lambda namespace, **_: looked.append(namespace),
    )
    TerminationWaitProvider().delete("models", STATE | {"own": True} | fields)
    assert looked == (["models"] if looks else [])
