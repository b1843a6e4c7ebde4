"""`predict doctor`, `status` and `logs` as a shell runs them, against a Kubernetes API on loopback."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from doctor.gather import Wanted, connect, gather
from doctor.logs import Query, seconds, sources_of
from endpoints.sources import InputError
from kube.views.base import Object
from kube.views.knative import Revision
from kube.views.kserve import InferenceService
from kube.views.kubernetes import (
    MutatingWebhookConfiguration,
    Node,
    Pod,
    Secret,
    ServiceAccount,
    ValidatingWebhookConfiguration,
)
from predict.__main__ import main
from tests.unit.doctor.objects import failed, pod, running
from tests.unit.predict.conftest import described, run_predict
from tests.unit.predict.server import Reply, Server

VERSION = Reply({"gitVersion": "v1.34.3"})
FORBIDDEN = Reply({"kind": "Status", "message": "forbidden: User cannot list"}, status=403)
LABEL = "serving.kserve.io/inferenceservice"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Shell(Protocol):
    def __call__(self, *arguments: str, stdin: str | None = None) -> Done: ...


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """`python -m predict` in this process: a start of Python a test would be most of its time."""

    def command(*arguments: str, stdin: str | None = None) -> Done:
        (tmp_path / "stdin").write_text(stdin or "")
        monkeypatch.setattr(sys, "argv", ["predict", *arguments])
        with Path(os.devnull if stdin is None else tmp_path / "stdin").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            code = main()
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return command


class Api:
    """A Kubernetes API that knows what it is told; a kind that it is not told of is absent."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.on("/version", VERSION)

    def on(self, path: str, *replies: Reply) -> None:
        self._server.on(self._server.address.removeprefix("http://"), f"GET {path}", *replies)

    def lists(self, kind: type[Object], *items: dict[str, Any], inside: str = "", query: str = "") -> None:
        self.on(self.path(kind, inside=inside, query=query), Reply({"items": list(items)}))

    def refuses(self, kind: type[Object], *, inside: str = "", query: str = "") -> None:
        self.on(self.path(kind, inside=inside, query=query), FORBIDDEN)

    def path(self, kind: type[Object], *, inside: str = "", query: str = "") -> str:
        namespace = f"namespaces/{inside}/" if inside else ""
        return f"/{kind.api}/{namespace}{kind.plural}?limit=500{query}"


@pytest.fixture
def api(kubernetes: Server) -> Api:
    return Api(kubernetes)


def model(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "iris", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"predictor": {"minReplicas": 1, "serviceAccountName": None}},
        "status": status,
    }


READY = {"conditions": [{"type": "Ready", "status": "True"}], "deploymentMode": "Standard"}
PODS = f"&labelSelector={LABEL.replace('/', '%2F')}"


def test_a_cluster_without_kserve(api: Api) -> None:
    done = run_predict("doctor")
    assert done.returncode == 2, done.stderr
    assert "✓ the cluster answers: Kubernetes v1.34.3" in done.stdout
    assert (
        "✗ KServe is not installed: the cluster does not know InferenceServices [kserve-not-installed]" in done.stdout
    )
    assert "→ pulumi up" in done.stdout
    assert api


def test_a_cluster_that_does_not_answer(kubernetes: Server, predict: Shell) -> None:
    assert kubernetes
    done = predict("doctor", "--context", "elsewhere", "--json")
    assert done.returncode == 2
    (check,) = json.loads(done.stdout)["checks"]
    assert [finding["id"] for finding in check["findings"]] == ["cluster-unreachable"]
    status = predict("status", "--context", "elsewhere")
    assert (status.returncode, "the cluster does not answer" in status.stdout) == (2, True)
    logs = predict("logs", "iris", "--context", "elsewhere")
    assert (logs.returncode, "the cluster does not answer" in logs.stderr) == (2, True)


@pytest.mark.parametrize("command", [["doctor"], ["status"], ["logs", "iris"]])
def test_no_kubeconfig_is_bad_usage(command: list[str], predict: Shell) -> None:
    done = predict(*command)
    assert (done.returncode, done.stdout) == (64, "")
    assert "The cluster cannot be read" in done.stderr
    chinese = predict(*command, "--lang", "zh")
    assert "无法访问集群" in chinese.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["doctor", "--no-such-option"], "No such option: --no-such-option"),
        (["logs"], "Missing argument"),
        (["logs", "iris", "--since", "soon"], "'soon' is not a duration"),
        (["dcotor"], "No such command"),
        (["--context", "elsewhere", "doctor"], "--context: options come after `doctor`"),
        (["doctor", "--stack", "dev", "--file", "x"], "--stack and --file exclude each other"),
    ],
)
def test_bad_usage(arguments: list[str], said: str, predict: Shell) -> None:
    done = predict(*arguments)
    assert done.returncode == 64
    assert said in done.stderr


@pytest.mark.parametrize("command", ["doctor", "status", "logs"])
def test_help_names_the_exit_codes(command: str, predict: Shell) -> None:
    done = predict(command, "--help")
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "Exit codes: 0" in said
    assert "2 " in said
    assert "64 bad usage" in said


def test_a_ready_and_a_missing_model_in_the_table(api: Api, predict: Shell) -> None:
    api.lists(InferenceService, model(**READY, url="http://iris.default.example.com"))
    done = predict("status", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["models"]
    assert (row["name"], row["ready"], row["cause"]) == ("iris", True, "")
    api.lists(InferenceService)
    assert "There are no InferenceServices." in predict("status").stdout


def test_endpoints_through_a_pipe_say_which_models_to_look_for(api: Api, predict: Shell) -> None:
    api.lists(InferenceService, model(**READY))
    piped = json.dumps({"endpoints": {"absent": described("http://127.0.0.1:1", "absent")}})
    done = predict("doctor", "--json", stdin=piped)
    found = [finding["id"] for check in json.loads(done.stdout)["checks"] for finding in check["findings"]]
    assert "namespace-missing" in found
    empty = predict("doctor", stdin="")
    assert "Nothing came through the pipe" in empty.stderr


def test_what_is_forbidden_everywhere_is_read_in_the_namespaces_that_are_known(api: Api) -> None:
    api.refuses(InferenceService)
    api.lists(InferenceService, model(**READY), inside="default")
    api.refuses(Pod, query=PODS)
    api.lists(Pod, {"metadata": {"name": "p", "namespace": "default"}}, inside="default", query=PODS)
    api.refuses(Node)
    client, home = connect(kubeconfig=None, context=None)
    with client:
        facts = gather(client, wanted=Wanted(ask=False), home=home)
    assert [item.name for item in facts.of(InferenceService)] == ["iris"]
    assert [item.name for item in facts.of(Pod)] == ["p"]
    assert [str(item) for item in facts.unread] == ["nodes: forbidden: User cannot list"]
    assert {Revision, MutatingWebhookConfiguration, ValidatingWebhookConfiguration} <= facts.absent


def test_lists_are_read_to_their_end(api: Api) -> None:
    first = {"items": [model(**READY)], "metadata": {"continue": "more"}}
    second = {"items": [{"metadata": {"name": "second", "namespace": "default"}}]}
    api.on(api.path(InferenceService), Reply(first))
    api.on(api.path(InferenceService, query="&continue=more"), Reply(second))
    client, home = connect(kubeconfig=None, context=None)
    with client:
        facts = gather(client, wanted=Wanted(ask=False), home=home)
    assert [item.name for item in facts.of(InferenceService)] == ["iris", "second"]
    assert facts.of(InferenceService)[0].service_account == "default"  # null is as good as nothing


def test_of_secrets_only_names_are_asked_for(api: Api, kubernetes: Server) -> None:
    api.lists(InferenceService, model(**READY))
    api.lists(ServiceAccount, inside="default")
    client, home = connect(kubeconfig=None, context=None)
    with client:
        gather(client, wanted=Wanted(ask=False), home=home)
    asked = [request for request in kubernetes.requests if "/secrets" in request.path]
    assert [request.path for request in asked] == [api.path(Secret, inside="default")]
    assert all("PartialObjectMetadataList" in request.headers["accept"] for request in asked)


def test_logs_of_two_pods_have_prefixes(api: Api, predict: Shell) -> None:
    api.lists(InferenceService, model(**READY))
    states = [{"name": "kserve-container", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]
    labels = {LABEL: "iris"}
    pods = [
        {"metadata": {"name": name, "namespace": "default", "labels": labels}, "status": {"containerStatuses": states}}
        for name in ("a", "b")
    ]
    api.lists(Pod, *pods, query=PODS)
    for name in ("a", "b"):
        path = f"/api/v1/namespaces/default/pods/{name}/log?tailLines=1&container=kserve-container"
        api.on(path, Reply(f"line of {name}\n".encode(), content_type="text/plain"))
    done = predict("logs", "iris", "--tail", "1")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["[a/kserve-container] line of a", "[b/kserve-container] line of b"]
    unknown = predict("logs", "iris", "-c", "other")
    assert (unknown.returncode, unknown.stdout) == (64, "")
    assert "There are: kserve-container." in unknown.stderr
    refused = predict("logs", "iris", "--previous")
    assert refused.returncode == 2
    assert "its log cannot be read" in refused.stderr


def query(container: str | None = None) -> Query:
    return Query(model="iris", namespace=None, container=container, previous=False, follow=False, tail=None, since=None)


def test_which_containers_have_their_logs_printed() -> None:
    ran = {"name": "storage-initializer", "state": {"terminated": {"exitCode": 0}}}
    serving = pod(running(), running(name="queue-proxy"), init=[ran], name="p")
    loading = pod({"name": "kserve-container"}, init=[failed("…", name="storage-initializer")], name="q")
    assert [str(source) for source in sources_of([serving, loading], query=query())] == [
        "p/kserve-container",
        "q/storage-initializer",
    ]
    named = sources_of([serving, loading], query=query("queue-proxy"))
    assert [str(source) for source in named] == ["p/queue-proxy"]
    assert len(list(sources_of([serving], query=query("all")))) == 3


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7", 7)])
def test_durations(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-5s", "1d", "0m"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(InputError, match="bad-duration"):
        seconds(text)
