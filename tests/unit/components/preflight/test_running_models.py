"""Models and graphs that change their mode, against a Kubernetes API on the loopback."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from components.preflight.platform_facts import UntoldError
from components.preflight.running_models import changing_mode, running_in
from components.settings.model import Model, ValidationContext
from components.settings.modes import Mode
from components.settings.stack import parse
from kube.connection import connect
from releases.local import LOCAL
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.predict.server import Reply, serving

pytestmark = pytest.mark.usefixtures("pauses")

MODELS_PATH = "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
GRAPHS_PATH = "GET /apis/serving.kserve.io/v1alpha1/namespaces/models/inferencegraphs"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", given.append)
    return given


def model(name: str, mode: Mode) -> Model:
    document = {"name": name, "format": "sklearn", "storage_uri": "s3://models/m", "mode": mode}
    return Model.model_validate(document, context=ValidationContext(release=LOCAL, storage=None, mode="Knative"))


MODELS = [model("stays", "Standard"), model("moves", "Standard"), model("waits", "Knative"), model("new", "Knative")]
STACK = {
    "release": "0.20",
    "models": [{"name": "m", "format": "sklearn", "storage_uri": "s3://a/b"}],
    "graphs": [{"name": name, "mode": "Standard", "ensemble": ["m"]} for name in ("same", "other")],
}
GRAPHS = parse(STACK).graphs
RUNNING_GRAPHS = {
    "items": [
        {"metadata": {"name": "same", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}}},
        {"metadata": {"name": "other"}},
    ]
}
RUNNING = {
    "items": [
        {"metadata": {"name": "stays"}, "status": {"deploymentMode": "Standard"}},
        {"metadata": {"name": "moves"}, "status": {"deploymentMode": "Knative"}},
        {"metadata": {"name": "waits"}},
        {"metadata": {"name": "another"}, "status": {"deploymentMode": "Knative"}},
    ]
}


def changing(folder: Path, *replies: Reply, graphs: Reply | None = None) -> frozenset[str]:
    with serving() as server:
        host = server.address.removeprefix("http://")
        server.on(host, MODELS_PATH, *replies)
        if graphs:
            server.on(host, GRAPHS_PATH, graphs)
        with connect(kubeconfig=kubeconfig(folder, server=server.address), context=None) as client:
            return changing_mode([*MODELS, *GRAPHS], running=running_in(client, "models"))


def test_change_of_mode_gives_a_warning(tmp_path: Path, warnings: list[str]) -> None:
    assert changing(tmp_path, Reply(RUNNING)) == {"moves"}
    (warning,) = warnings
    assert warning.startswith("moves changes from mode Knative to Standard, which KServe cannot do: it is deleted and")
    assert "does not answer in between" in warning


def test_mode_of_a_graph_is_the_declared_one(tmp_path: Path, warnings: list[str]) -> None:
    assert changing(tmp_path, Reply({"items": []}), graphs=Reply(RUNNING_GRAPHS)) == {"other"}
    assert warnings[0].startswith("other changes from mode Knative to Standard")


def test_nothing_runs_without_kserve(tmp_path: Path, warnings: list[str]) -> None:
    assert changing(tmp_path, Reply(status=404)) == frozenset()
    assert warnings == []


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("unread", ["inferenceservices", "inferencegraphs"])
def test_models_that_cannot_be_read_stop_the_run(tmp_path: Path, status: int, unread: str) -> None:
    replies = {kind: Reply({"items": []}) for kind in ("inferenceservices", "inferencegraphs")}
    replies[unread] = Reply({"message": "not now"}, status=status)
    with pytest.raises(UntoldError, match=rf"{unread} in namespace models: .* not now \(status {status}\)"):
        changing(tmp_path, replies["inferenceservices"], graphs=replies["inferencegraphs"])
