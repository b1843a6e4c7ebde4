"""`python -m cluster mirror` on a machine without a local cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from cluster import __main__ as command_line
from releases import RELEASES
from tests.unit.components.registry import packaged, serving

pytestmark = pytest.mark.usefixtures("own_directories")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cluster", "mirror", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def test_the_list_has_every_chart_and_image_and_asks_nobody(run: Run) -> None:
    status, listed, _ = run("--release", "0.20", "--list", "--skip", "vllm/*")
    assert status == 0
    lines = dict(line.split("  ", 1) for line in listed.splitlines())
    release = RELEASES["0.20"]
    assert len(lines) == len(release.sources) + len(release.images) - 1
    assert lines["charts/kserve-resources:v0.20.0"] == "ghcr.io/kserve/charts/kserve-resources:v0.20.0"
    assert lines["knative-operator/webhook:v1.21.1"].endswith("/operator/cmd/webhook:v1.21.1")
    assert "@sha256:" in lines["knative/queue:v1.21.1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--release", "0.21", "--list"), "unknown release '0.21'\nThere are: 0.20, local"),
        (("--release", "0.20"), "--to is missing"),
        (("--release", "local", "--list"), "there is no local cluster dev"),
    ],
)
def test_what_is_wrong_is_said(run: Run, arguments: tuple[str, ...], said: str) -> None:
    status, _, errors = run(*arguments)
    assert status == 1
    assert said in errors


def test_what_could_not_be_copied_is_a_failure_and_what_could_gives_the_setting(run: Run) -> None:
    with serving() as origin, serving() as target:
        to = ("--release", "local", "--from", origin.address, "--to", f"{target.address}/team")
        status, printed, errors = run(*to, "--skip", "[!c]*")
        assert (status, printed) == (1, "")
        assert "404" in errors
        for chart in RELEASES["local"].sources:
            origin.push(f"charts/{chart.name}", chart.version, packaged(chart.name, chart.version))
        status, printed, _ = run(*to, "--skip", "[!c]*", "--skip", "cert-manager/*")
    assert status == 0
    place = f"{target.address}/team"
    assert printed == f"mirror:\n  charts: oci://{place}/charts\n  images: {place}\n  plain_http: true\n"
