import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoints.endpoint import Endpoint, parse_endpoints
from locales.language import load
from predict.check import EndpointCheck, Limits
from predict.outcome import Outcome
from predict.words import explain, explain_service
from tests.unit.predict.server import Reply, Server, serving

ROOT = Path(__file__).parents[3]
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


@pytest.fixture
def gateway() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A Kubernetes API, and KUBECONFIG with the contexts `here` (current) and `elsewhere` (nothing listens there)."""
    with serving() as server:
        user = {"name": "me", "user": {"token": "t"}}
        clusters = [
            {"name": "here", "cluster": {"server": server.address}},
            {"name": "elsewhere", "cluster": {"server": "http://127.0.0.1:1"}},
        ]
        contexts = [{"name": c["name"], "context": {"cluster": c["name"], "user": "me"}} for c in clusters]
        config = {"clusters": clusters, "users": [user], "contexts": contexts, "current-context": "here"}
        file = tmp_path / "kubeconfig"
        file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield server


@pytest.fixture(autouse=True)
def _bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig, language or proxy of whoever runs the tests."""
    for name in (
        "KUBECONFIG",
        "LC_ALL",
        "LC_MESSAGES",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
        "FORCE_COLOR",
        "COLUMNS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LANG", "en_US.UTF-8")


def described(gateway: Server | str, name: str = "sklearn-model", **changes: Any) -> dict[str, Any]:
    """One endpoint as the stack exports it."""
    protocol = changes.get("protocol", "v1")
    host = f"{name}.default.example.com"
    return {
        "name": name,
        "namespace": "default",
        "url": f"http://{host}",
        "host": host,
        "protocol": protocol,
        "predict_path": f"/v1/models/{name}:predict" if protocol == "v1" else f"/v2/models/{name}/infer",
        "metadata_path": f"/{protocol}/models/{name}",
        "gateway_address": gateway if isinstance(gateway, str) else gateway.address,
        "context": None,
        "check": {"instances": ROWS, "predictions": [1, 0], "tolerance": 1e-6},
        **changes,
    }


def endpoint(gateway: Server | str, name: str = "sklearn-model", **changes: Any) -> Endpoint:
    return parse_endpoints({name: described(gateway, name, **changes)})[name]


def serve_v1(gateway: Server, predictions: Any, name: str = "sklearn-model") -> None:
    """A healthy v1 model."""
    host = f"{name}.default.example.com"
    gateway.on(host, f"GET /v1/models/{name}", Reply({"name": name, "ready": True}))
    gateway.on(host, f"POST /v1/models/{name}:predict", Reply({"predictions": predictions}))


def check(endpoint: Endpoint, *, timeout: float = 0.6, context: str | None = None) -> Outcome:
    return EndpointCheck(endpoint, limits=Limits(timeout=timeout, context=context), notify=lambda _: None).run()


def words(outcome: Outcome, code: str = "en") -> str:
    """Cause, what the InferenceService adds, advice."""
    assert outcome.failure is not None
    language = load(code)
    said = explain(outcome.failure, outcome.endpoint, language=language)
    service = explain_service(outcome.service, outcome.endpoint, language=language)
    return "\n".join(filter(None, (said.meaning, service, said.advice)))


def run_predict(*arguments: str, stdin: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`python -m predict`, with nothing on standard input unless `stdin` is piped in."""
    return subprocess.run(
        [sys.executable, "-m", "predict", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
    )


def as_file(folder: Path, *endpoints: dict[str, Any]) -> str:
    file = folder / "endpoints.json"
    file.write_text(json.dumps({item["name"]: item for item in endpoints}))
    return str(file)
