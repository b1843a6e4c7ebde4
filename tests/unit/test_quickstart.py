"""The quickstart's client, and its pages in both languages; the end-to-end tests run the page's commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from tests.quickstart import QUICKSTART, commands
from tests.unit.predict.server import Reply, Server, serving


@pytest.fixture
def gateway() -> Iterator[Server]:
    with serving() as server:
        yield server


def answer(gateway: Server, model: str, reply: Reply, *, namespace: str = "default") -> None:
    gateway.on(f"{model}.{namespace}.example.com", f"POST /v2/models/{model}/infer", reply)


def predictions(*data: float) -> Reply:
    return Reply({"outputs": [{"name": "output-0", "shape": [len(data)], "datatype": "FP32", "data": list(data)}]})


def ask(gateway: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "predict-request.py", "--gateway", f"{gateway.address}/", *arguments]
    return subprocess.run(command, cwd=QUICKSTART, capture_output=True, text=True, check=False, timeout=60)


def test_both_pages_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh.md")
    assert commands("README.md").startswith('eval "$(.venv/bin/python -m cluster env)"\n')


def test_the_client_prints_a_line_a_model(gateway: Server) -> None:
    answer(gateway, "sklearn-model", predictions(1, 0), namespace="team-a")
    answer(gateway, "xgboost-model", predictions(0.823, 0.177), namespace="team-a")
    done = ask(gateway, "--namespace", "team-a")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Sklearn 模型响应: {'predictions': [1, 0]}\nXGBoost 模型响应: {'predictions': [0.823, 0.177]}\n"
    )


def test_the_client_asks_the_hosts_of_mode_standard(gateway: Server) -> None:
    for model in ("sklearn-model", "xgboost-model"):
        gateway.on(f"{model}-team-a.models.test", f"POST /v2/models/{model}/infer", predictions(1, 0))
    done = ask(gateway, "--namespace", "team-a", "--domain", "models.test", "--host", "{model}-{namespace}.{domain}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_requirements_are_what_the_client_imports() -> None:
    tree = ast.parse((QUICKSTART / "predict-request.py").read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    required = [Requirement(line) for line in (QUICKSTART / "requirements.txt").read_text().splitlines()]
    assert {requirement.name for requirement in required} == imported - sys.stdlib_module_names
    assert all(requirement.specifier.contains(version(requirement.name)) for requirement in required)


@pytest.mark.parametrize(
    "reply",
    [Reply({"error": "no such model"}, status=404), Reply({"outputs": []}), Reply([]), Reply({"outputs": {}})],
    ids=["404", "no-outputs", "a-list", "no-list"],
)
def test_the_client_asks_the_other_model_and_ends_with_1_where_one_fails(gateway: Server, reply: Reply) -> None:
    answer(gateway, "sklearn-model", reply)
    answer(gateway, "xgboost-model", predictions(0.823, 0.177))
    done = ask(gateway)
    assert done.returncode == 1
    assert done.stdout == "XGBoost 模型响应: {'predictions': [0.823, 0.177]}\n"
    assert "Sklearn 模型没有响应 (no prediction from sklearn-model.default.example.com at " in done.stderr
    assert "Traceback" not in done.stderr
