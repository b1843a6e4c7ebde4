"""The kubeconfig of the settings is refused where Pulumi's Kubernetes provider would read another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.preflight.kubeconfig import require_kubeconfig
from components.settings.errors import SettingsError
from components.settings.stack import parse


def check(file: Path | None) -> None:
    stated = {"kubeconfig": str(file)} if file else {}
    require_kubeconfig(parse({"release": "0.20", "cluster": stated, "models": []}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "a kubeconfig"
    made.touch()
    return made


def test_without_the_setting_any_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    check(None)
    monkeypatch.setenv("KUBECONFIG", "a:b")
    check(None)


def test_the_one_of_the_variable_is_taken(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    for name in (file, link, Path(file.name)):
        monkeypatch.setenv("KUBECONFIG", str(name))
        check(file)


def test_the_default_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    check(Path("~/.kube/config"))


@pytest.mark.parametrize("variable", [None, "another", "{file}:another"])
def test_another_is_refused_with_the_command_to_type(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    if variable:
        monkeypatch.setenv("KUBECONFIG", variable.format(file=file))
    with pytest.raises(SettingsError, match=r"cluster\.kubeconfig: ") as refused:
        check(file)
    assert f"export KUBECONFIG='{file}'" in str(refused.value)
