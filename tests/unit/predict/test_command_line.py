"""`python -m predict` as a pipeline runs it: inputs, outputs, exit codes."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from predict.__main__ import main
from tests.unit.predict.conftest import ROOT, as_file, described, run_predict, serve_v1
from tests.unit.predict.server import Reply, Server

PULUMI = """#!/bin/sh
printf '%s\\n' "$PWD" "$@" > "$RECORD"
exec cat "$ENDPOINTS"
"""


@pytest.fixture
def models(gateway: Server) -> Server:
    """Both demo models, healthy."""
    serve_v1(gateway, [1, 0])
    serve_v1(gateway, [0.823, 0.177], name="xgboost-model")
    return gateway


def both(gateway: Server) -> list[dict[str, object]]:
    check = {"instances": [[1.0], [2.0]], "predictions": [0.8230001, 0.1770001]}
    return [described(gateway), described(gateway, "xgboost-model", check=check)]


def test_two_right_models(models: Server, tmp_path: Path) -> None:
    done = run_predict("--file", as_file(tmp_path, *both(models)))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "sklearn-model answered: {'predictions': [1, 0]}",
        "xgboost-model answered: {'predictions': [0.823, 0.177]}",
    ]
    head = [cell.strip() for cell in lines[3].strip("┃").split("┃")]
    assert head == ["model", "url", "protocol", "expected", "got", "latency ms", "verdict"]
    row = [cell.strip() for cell in lines[5].strip("│").split("│")]
    assert row[:5] == ["sklearn-model", "http://sklearn-model.default.example.com", "v1", "[1, 0]", "[1, 0]"]
    assert float(row[5]) > 0
    assert row[6] == "right"
    assert lines[-1] == "2 of 2 gave the expected answer."
    assert f"sklearn-model: asking sklearn-model.default.example.com through {models.address}" in done.stderr
    assert "sklearn-model: right" in done.stderr


def test_chinese_by_lang_through_a_pipe(models: Server) -> None:
    piped = json.dumps({"endpoints": {item["name"]: item for item in both(models)}, "gateway": {"address": "x"}})
    done = run_predict(stdin=piped, LANG="zh_CN.UTF-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "Sklearn 模型响应: {'predictions': [1, 0]}",
        "XGBoost 模型响应: {'predictions': [0.823, 0.177]}",
    ]
    assert "2 个中有 2 个给出了预期结果。" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [(["--stack", "dev"], ["--stack", "dev"]), ([], [])],
    ids=["named stack", "selected stack, nothing piped in"],
)
def test_from_a_stack(models: Server, tmp_path: Path, arguments: list[str], passed: list[str]) -> None:
    pulumi, project = tmp_path / "bin" / "pulumi", tmp_path / "project"
    pulumi.parent.mkdir()
    project.mkdir()
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    done = run_predict(
        *arguments,
        "--cwd",
        str(project),
        PATH=f"{pulumi.parent}:{os.environ['PATH']}",
        RECORD=str(tmp_path / "record"),
        ENDPOINTS=as_file(tmp_path, described(models)),
    )
    assert done.returncode == 0, done.stderr
    recorded = (tmp_path / "record").read_text().splitlines()
    assert recorded == [str(project), "stack", "output", "endpoints", "--json", *passed]


def test_json_report_and_junit_with_every_kind_of_end(models: Server, tmp_path: Path) -> None:
    serve_v1(models, [float("nan"), 0], name="swapped-model")
    endpoints = [
        described(models),
        described(models, "swapped-model"),
        described(models, "absent-model"),
        described(models, "xgboost-model", check=None),
    ]
    junit = tmp_path / "junit.xml"
    done = run_predict("--file", as_file(tmp_path, *endpoints), "--json", "--junit", str(junit), "--timeout", "1")
    assert done.returncode == 2  # not reachable wins over wrong
    report = json.loads(done.stdout)
    assert report["exit_code"] == 2
    verdicts = {model["endpoint"]["name"]: (model["verdict"], model["exit_code"]) for model in report["models"]}
    assert verdicts == {
        "sklearn-model": ("ok", 0),
        "swapped-model": ("wrong-value", 1),
        "absent-model": ("no-route", 2),
        "xgboost-model": ("answered", 0),
    }
    right, swapped, absent, answered = report["models"]
    assert (right["compared"], right["got"], right["cause"]) == (True, [1, 0], None)
    assert swapped["got"] == ["NaN", 0]
    assert "other values: expected [1, 0], got [nan, 0]" in swapped["cause"]
    assert "no route for Host absent-model.default.example.com" in absent["cause"]
    assert "could not be read" in absent["status"]
    assert absent["inference_service"]["kind"] == "unreadable"
    assert "not found" in absent["inference_service"]["problem"]
    assert (answered["compared"], answered["metadata"]["ready"]) == (False, True)

    suite = Xml.parse(junit).getroot()  # noqa: S314 - our own file
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "sklearn-model": [],
        "swapped-model": ["failure"],
        "absent-model": ["error"],
        "xgboost-model": ["skipped"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "wrong-value"
    assert failure.text is not None
    assert "are not swapped" in failure.text


def test_a_wrong_answer_gives_1_and_says_what_to_do(models: Server, tmp_path: Path) -> None:
    serve_v1(models, [0, 1])
    done = run_predict("--file", as_file(tmp_path, *both(models)))
    assert done.returncode == 1
    assert re.search(
        r"sklearn-model failed after \d\.\d s: The answer has other values: expected \[1, 0\]", done.stdout
    )
    assert "  → Another model may be behind this name" in done.stdout
    assert "1 of 2 gave the expected answer." in done.stdout


def test_only_the_named_models(models: Server, tmp_path: Path) -> None:
    serve_v1(models, [0, 1])
    done = run_predict("--file", as_file(tmp_path, *both(models)), "--only", "xgboost-model")
    assert done.returncode == 0
    assert "sklearn" not in done.stdout


def test_a_model_without_check_is_shown_as_not_compared(models: Server, tmp_path: Path) -> None:
    done = run_predict("--file", as_file(tmp_path, described(models, check=None)))
    assert done.returncode == 0
    assert "sklearn-model answered: ready; not compared by value, its stack declares no check" in done.stdout
    assert "│ answered, not compared by value │" in done.stdout
    assert "sklearn-model: answered, not compared by value" in done.stderr
    assert "0 of 1 gave the expected answer." in done.stdout


@pytest.mark.parametrize(
    ("lang", "line", "label"),
    [
        ("en", "sklearn-model was not asked: it is cluster-local, reached", "not asked: cluster-local"),
        ("zh", "Sklearn 模型未被请求：仅限集群内访问（cluster-local）", "未请求：cluster-local"),
    ],
)
def test_a_cluster_local_model_is_shown_as_not_asked(
    models: Server, tmp_path: Path, lang: str, line: str, label: str
) -> None:
    junit = tmp_path / "junit.xml"
    file = as_file(tmp_path, described(models, cluster_local=True))
    done = run_predict("--file", file, "--lang", lang, "--junit", str(junit))
    assert done.returncode == 0
    assert line in done.stdout
    assert label in done.stderr
    assert {"en": "0 of 1 gave", "zh": "1 个中有 0 个"}[lang] in done.stdout
    suite = Xml.parse(junit).getroot()  # noqa: S314 - our own file
    assert suite.get("skipped") == "1"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["--timeout", "0"], None, "--timeout"),
        (["--timeout", "inf"], None, "--timeout"),
        (["--timeout", "nan"], None, "--timeout"),
        (["--timeout", "1e10"], None, "--timeout"),
        (["--lang", "xx"], None, "--lang"),
        (["--stack", "dev", "--file", "x.json"], None, "--stack and --file exclude each other: give one."),
        (["--file", "no-such.json"], None, "Cannot read no-such.json"),
        (["--stack", "dev"], None, "The program `pulumi` is not on PATH."),
        ([], "", "The endpoints are not JSON: Expecting value"),
        ([], "{", "The endpoints are not JSON"),
        (
            [],
            '{"m": {"protocol": "v3"}}',
            "m.protocol: Input should be 'v1', 'v2', 'grpc-v2', 'openai' or 'graph'",
        ),
        (["--lang", "zh"], "[]", "endpoints 的内容无法识别：\n  endpoints: Input should be a valid dictionary"),
        (["--only", "sklearn-model"], "{}", "No model 'sklearn-model' in the endpoints. There are: -."),
    ],
)
def test_bad_usage_gives_64(
    arguments: list[str],
    stdin: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "stdin").write_text(stdin or "")
    monkeypatch.setenv("PATH", str(tmp_path))  # no pulumi there
    monkeypatch.setattr(sys, "argv", ["predict", *arguments])
    with Path(os.devnull if stdin is None else tmp_path / "stdin").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main() == 64
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_unknown_option_gives_64() -> None:
    done = run_predict("--no-such-option")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "No such option: --no-such-option\nTry 'python -m predict --help'.\n"


def test_unknown_model_gives_64(tmp_path: Path) -> None:
    file = as_file(tmp_path, described("http://127.0.0.1:1"))
    done = run_predict("--file", file, "--only", "sklern-model")
    assert done.returncode == 64
    assert "No model 'sklern-model' in the endpoints. There are: sklearn-model." in done.stderr


def test_a_failing_pulumi_gives_64_with_its_words(tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text("#!/bin/sh\necho 'error: no stack named dev found' >&2\nexit 255\n")
    pulumi.chmod(0o755)
    done = run_predict("--stack", "dev", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 64
    assert "`pulumi stack output endpoints --json --stack dev` failed: error: no stack named dev found" in done.stderr


def test_a_pulumi_that_cannot_be_run_gives_64(tmp_path: Path) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\n")  # not executable
    done = run_predict("--stack", "dev", PATH=str(tmp_path))
    assert done.returncode == 64
    assert "The program `pulumi` cannot be run: [Errno 13] Permission denied: 'pulumi'." in done.stderr


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "The stack declares no models: nothing to check.\n"), ("zh", "栈中未声明任何模型：没有需要核对的内容。\n")],
)
def test_a_stack_without_models_is_all_right(lang: str, said: str, tmp_path: Path) -> None:
    done = run_predict("--lang", lang, stdin="{}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", said)
    junit = tmp_path / "junit.xml"
    done = run_predict("--lang", lang, "--json", "--junit", str(junit), stdin='{"endpoints": {}}')
    assert (done.returncode, done.stderr) == (0, said)
    assert json.loads(done.stdout) == {"exit_code": 0, "models": []}
    suite = Xml.parse(junit).getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("time"), len(suite)) == ("0", "0.000", 0)


def test_lone_surrogates_leave_as_valid_json(models: Server, tmp_path: Path) -> None:
    serve_v1(models, ["\ud800", "Ω"])
    done = run_predict("--file", as_file(tmp_path, described(models)), "--json", PYTHONIOENCODING="ascii")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["models"][0]["got"] == ["\ud800", "Ω"]
    assert "Ω" in done.stdout  # UTF-8 whatever the locale
    done = run_predict("--file", as_file(tmp_path, described(models)))
    assert done.returncode == 1, done.stderr


def test_characters_that_the_output_lacks_are_escaped(models: Server, tmp_path: Path) -> None:
    serve_v1(models, [0, 1])
    file = as_file(tmp_path, described(models))
    done = run_predict("--file", file, "--lang", "zh", PYTHONIOENCODING="latin-1:strict")
    assert done.returncode == 1, done.stderr
    assert "Sklearn \\u6a21\\u578b" in done.stdout


def test_an_unexpected_error_gives_70_and_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("predict.__main__.check_all", broken)
    monkeypatch.setattr(sys, "argv", ["predict", "--file", as_file(tmp_path, described("http://127.0.0.1:1"))])
    assert main() == 70
    assert capsys.readouterr().err.endswith("RuntimeError: a bug\n")


def test_an_output_that_nobody_reads_does_not_count_as_a_wrong_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("predict.__main__.check_all", closed)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # typer replaces both
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(sys, "argv", ["predict", "--file", as_file(tmp_path, described("http://127.0.0.1:1"))])
    assert main() == 70


def test_an_unwritable_junit_file_is_said(models: Server, tmp_path: Path) -> None:
    done = run_predict("--file", as_file(tmp_path, described(models)), "--junit", str(tmp_path / "no" / "junit.xml"))
    assert done.returncode == 64
    assert "sklearn-model answered: {'predictions': [1, 0]}" in done.stdout
    assert "The check is done, but" in done.stderr


def test_ctrl_c_gives_130_and_a_clean_message(gateway: Server, tmp_path: Path) -> None:
    gateway.on("sklearn-model.default.example.com", "GET /v1/models/sklearn-model", Reply(b"", status=503))
    command = [sys.executable, "-m", "predict", "--file", as_file(tmp_path, described(gateway))]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore SIGINT, and so would this one if the tests are one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "waiting (HTTP 503)" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert err.endswith("Interrupted: nothing was changed, run it again at any time.\n")
    assert "Traceback" not in err


def test_help() -> None:
    done = run_predict("--help")
    assert done.returncode == 0
    for option in (
        "--stack",
        "--file",
        "--only",
        "--timeout",
        "--kubeconfig",
        "--context",
        "--lang",
        "--json",
        "--junit",
    ):
        assert option in done.stdout
    assert "Exit codes: 0 all right; 1" in done.stdout
    assert "70 an unexpected error" in " ".join(done.stdout.split())
