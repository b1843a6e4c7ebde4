"""A model's download is watched while Pulumi's engine makes the model: the engine is real, the cluster is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.unit.components import pulumi_project
from tests.unit.components.pulumi_project import project, running
from tests.unit.components.rollout.test_download import (
    EVENTS,
    MODEL,
    PODS,
    REFUSED,
    declared_model,
    events,
    on,
    pod,
    pods,
)
from tests.unit.predict.server import Reply, Server

# The object is a ConfigMap, which the cluster of these tests has. Nothing tells the download that it is made.
PROGRAM = """
import httpx2
import pulumi
import pulumi_kubernetes as k8s
from components.rollout.download import Download
from components.rollout.wait import WaitScope

scope = WaitScope(connect=lambda: httpx2.Client(base_url={address!r}), namespace="models", timeout=600)
download = Download(scope=scope, model="iris", spec_hashes=frozenset({{"new"}}))
watched = pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("download", download.start)])
metadata = {{"name": "iris", "namespace": "models"}}
k8s.core.v1.ConfigMap("iris", metadata=metadata, opts=pulumi.ResourceOptions(hooks=watched))
"""


def test_it_is_said_while_the_model_is_made_and_does_not_hold_up_the_update(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(api, PODS, pods(pod(REFUSED)))
    on(api, MODEL, Reply(declared_model()))
    on(api, EVENTS, Reply({}, status=201))
    make = pulumi_project.Handler.do_PATCH

    def make_once_told(handler: pulumi_project.Handler) -> None:
        """The API server keeps the object to itself until the words of the pod are kept."""
        end = time.monotonic() + 60
        while not events(api) and time.monotonic() < end:
            time.sleep(0.05)
        make(handler)

    monkeypatch.setattr(pulumi_project.Handler, "do_PATCH", make_once_told)
    with running() as kubernetes:
        made = project(tmp_path, cluster=kubernetes, program=PROGRAM.format(address=api.address))
        started = time.monotonic()
        said = made.pulumi("up", "--yes", "--skip-preview")
    assert time.monotonic() - started < 60
    assert f"warning: model iris: its files cannot be fetched yet: {REFUSED}" in said
    assert [event["message"] for event in events(api)] == [REFUSED]
