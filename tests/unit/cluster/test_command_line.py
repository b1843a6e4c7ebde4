"""`python -m cluster`: what is checked first, what needs no Go, and that a failure is a message."""

from __future__ import annotations

import datetime
import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx2 as httpx
import pytest
import requests
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from cluster import __main__ as command_line
from cluster import build as build_module
from cluster import catalog, debian, demo_models, host
from cluster import environment as environment_module
from cluster import tools as tools_module
from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import Catalog
from cluster.environment import Environment
from cluster.errors import ClusterError
from cluster.export import Export
from cluster.locations import cache_dir, state_dir
from cluster.node import lifecycle
from cluster.node.container import NodeContainer
from cluster.node.lifecycle import Node
from cluster.provider import PLUGIN
from cluster.registry import CONTENT
from cluster.shared_cache import SharedCache
from cluster.toolchain import Toolchain

pytestmark = pytest.mark.usefixtures("own_directories")
NODE = catalog.NODE_FILESYSTEM
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line on a machine without Pulumi; gives its exit status and all that it said."""
    for module in (tools_module, environment_module, build_module):
        monkeypatch.setattr(module, "usable_pulumi", lambda: None)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cluster", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        shown = capsys.readouterr()
        return cast(int, ended.value.code), shown.out + shown.err

    return call


@pytest.fixture
def no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where asking for Go is a failure."""

    def must_not(_: Toolchain) -> Path:
        raise AssertionError("Go was asked for")

    for name in ("go", "packages"):
        monkeypatch.setattr(Toolchain, name, property(must_not))


@pytest.fixture
def old_node(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a node that was started from an older build than there is, and its parts in the cache."""
    entries = dict.fromkeys((catalog.NODE_FILESYSTEM.name, *lifecycle.ENTRIES, CONTENT), "new")
    monkeypatch.setattr(Build, "keys", lambda _, names: dict.fromkeys(names, "new"))
    cache = Cache(cache_dir() / "entries")
    for name in entries:
        for key in ("old", "new", "unused"):
            cache.get(name, key, lambda directory: directory.joinpath("file").touch())
    directory = state_dir("dev")
    directory.mkdir(parents=True)
    (directory / "initialised").touch()
    (directory / "entries.json").write_text(str(dict.fromkeys(entries, "old")).replace("'", '"'))
    monkeypatch.setattr(command_line, "image_store_key", lambda _: "new")
    return directory


@pytest.mark.usefixtures("no_go")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("status",), 1, "not running"),
        (("down",), 0, "there is no local cluster dev: nothing to do"),
        (("kubeconfig",), 1, "there is no local cluster dev"),
        (("env",), 1, "there is no local cluster dev"),
        (("logs",), 0, "there are no logs yet"),
        (("down", "--name", ""), 1, "--name '': not a name for a local cluster"),
        (("up", "--name", "tools"), 1, "not a name for a local cluster"),
    ],
)
def test_what_needs_no_go(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.setattr(host, "check_machine", lambda: None)
    state_dir("").mkdir(parents=True)
    ended, text = run(*arguments)
    assert (ended, said in text) == (status, True), text
    assert state_dir("").is_dir()


@pytest.mark.usefixtures("no_go")
def test_a_node_is_removed_without_go(run: Run, old_node: Path) -> None:
    assert run("down")[0] == 0
    assert not old_node.exists()


@pytest.mark.usefixtures("no_go")
@pytest.mark.parametrize("command", ["up", "build"])
def test_the_platform_is_checked_before_anything_is_fetched(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    status, text = run(command)
    assert status == 1
    assert "the local cluster runs on Linux/x86_64 only; this is Linux/aarch64" in text
    assert "make up CONTEXT=<kube-context>" in text


@pytest.mark.usefixtures("no_go")
def test_the_platform_is_checked_before_anything_is_fetched_to_compile(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    status, text = run("tools")
    assert status == 1
    assert "Pulumi can be compiled on Linux/x86_64, Linux/aarch64, Darwin/x86_64, Darwin/arm64 only" in text
    assert "this is Linux/riscv64\nOr install Pulumi" in text


def _install(_: list[str], *, env: dict[str, str], **__: object) -> None:
    """What `pulumi plugin install` does to Pulumi's home."""
    (Path(env["PULUMI_HOME"]) / "plugins" / PLUGIN).mkdir(parents=True)


@pytest.mark.usefixtures("no_go")
def test_a_cluster_of_the_users_needs_no_root_nor_debian(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Path.home() / ".pulumi" / "plugins" / PLUGIN
    plugin.mkdir(parents=True)
    for module in (tools_module, environment_module, build_module):
        monkeypatch.setattr(module, "usable_pulumi", lambda: Path("/opt/pulumi/bin/pulumi"))
    monkeypatch.setattr(environment_module, "run", _install)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert run("tools") == (0, "")
    status, text = run("env", "--tools")
    assert status == 0, text
    assert "KUBECONFIG" not in text
    (variable,) = [line for line in text.splitlines() if line.startswith("export PULUMI_HOME=")]
    assert variable.endswith(str(state_dir("tools") / "pulumi" / "home"))


@pytest.mark.usefixtures("no_go")
def test_only_root_removes_what_root_made(run: Run, old_node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    status, text = run("down")
    assert (status, "it needs root" in text) == (1, True)
    assert (old_node / "initialised").exists()


@pytest.mark.parametrize(
    ("missing", "initialised", "running", "disk", "memory"),
    [
        pytest.param([], True, False, host.DISK_TO_REPAIR, 0, id="repair"),
        pytest.param([], False, False, host.DISK_TO_RUN, host.MEMORY, id="start"),
        pytest.param([], False, True, host.DISK_TO_RUN, 0, id="start over what still runs"),
        pytest.param(["image-pause"], True, True, host.DISK_TO_RUN, 0, id="pack"),
        pytest.param(["pause"], True, True, host.DISK_TO_COMPILE, 0, id="compile beside a running node"),
        pytest.param(["pause"], False, False, host.DISK_TO_COMPILE, host.MEMORY, id="everything"),
    ],
)
def test_what_is_needed_follows_from_what_is_to_do(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], initialised: bool, running: bool, disk: int, memory: int
) -> None:
    cache = Cache(cache_dir() / "entries")
    node = Node.named("dev", subnet="198.19.0.0/18", cache=cache)
    node.directory.mkdir(parents=True)
    if initialised:
        (node.directory / "initialised").touch()
    monkeypatch.setattr(NodeContainer, "pid", lambda _: 17 if running else None)
    monkeypatch.setattr(debian, "missing_host_packages", lambda **_: [])
    needed: dict[str, object] = {}
    monkeypatch.setattr(host, "check_resources", lambda **given: needed.update(given))
    build = SimpleNamespace(missing=lambda _: missing)
    assert command_line._prepare_host(cast(Build, build), node=node) == bool(missing)
    assert (needed["disk"], needed["memory"]) == (disk, memory)


def test_a_build_that_has_nothing_to_do_needs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    needed: dict[str, object] = {}
    monkeypatch.setattr(debian, "missing_host_packages", lambda **_: [])
    monkeypatch.setattr(host, "check_resources", lambda **given: needed.update(given))
    command_line._prepare_host(cast(Build, SimpleNamespace(missing=lambda _: [])))
    assert (needed["disk"], needed["memory"]) == (host.DISK_TO_REPAIR, 0)


def test_a_node_of_an_older_build_is_said_to_be_one_and_goes_on(
    run: Run, old_node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert old_node
    built: list[object] = []
    monkeypatch.setattr(host, "check_machine", lambda: None)
    monkeypatch.setattr(command_line, "_build", lambda: Build(_catalog()))
    monkeypatch.setattr(command_line, "_prepare_host", lambda *_, **__: False)
    monkeypatch.setattr(Build, "run", lambda *_, **given: built.append(given["wanted"]))
    monkeypatch.setattr(Node, "up", lambda *_, **__: False)
    monkeypatch.setattr(Environment, "prepare", lambda _: None)
    monkeypatch.setattr(demo_models, "upload", lambda *_, **__: pytest.fail("other models than the node is made for"))
    status, text = run("up")
    assert status == 0, text
    assert "was started from an older build than this; make down, then make up renews it" in " ".join(text.split())
    assert "up already: nothing to do" in text
    assert built == [Build(_catalog()).tools]


def _catalog() -> Catalog:
    cache = Cache(cache_dir() / "entries")
    return Catalog(cache)


def test_prune_keeps_what_nodes_were_started_from_and_nothing_that_others_were_made_of(
    run: Run, old_node: Path
) -> None:
    entries = Cache(cache_dir() / "entries")
    entries.get("image-pause", "new", lambda directory: directory.joinpath("file").touch())
    (cache_dir() / "go" / "mod").mkdir(parents=True)
    assert run("prune")[0] == 0
    assert {path.name for path in (entries.root / "kubernetes").iterdir()} == {"old", "new"}
    assert not (entries.root / "image-pause").exists()
    assert not (cache_dir() / "go").exists()
    status, text = run("prune", "--all")
    assert (status, "the local cluster dev runs from the cache" in text) == (1, True)
    (old_node / "initialised").unlink()
    assert run("prune", "--all")[0] == 1
    (old_node / "entries.json").unlink()
    assert run("prune", "--all")[0] == 0
    assert not cache_dir().exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (httpx.ConnectError("refused"), "ConnectError: refused"),
        (requests.ConnectionError("refused"), "ConnectionError: refused"),
        (EndpointConnectionError(endpoint_url="http://198.19.0.2:9000"), "Could not connect to the endpoint URL"),
        (
            subprocess.CalledProcessError(1, ["cp"], stderr="cannot stat"),
            "returned non-zero exit status 1.\ncannot stat",
        ),
        (ClusterError("broken", hint="mend it"), "broken\nmend it"),
    ],
)
def test_a_failure_is_a_message(run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str) -> None:
    def fail(_: Node) -> None:
        raise fault

    monkeypatch.setattr(Node, "health", fail)
    status, text = run("status")
    assert status == 1
    assert "error: " in text
    assert said in text
    assert "Traceback" not in text


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the node's root filesystem that `build` was to build."""
    keys: list[str] = []
    monkeypatch.setattr(host, "check_machine", lambda: None)
    monkeypatch.setattr(debian, "_today", lambda: datetime.date(2030, 1, 1))
    monkeypatch.setattr(command_line, "_build", lambda: Build(_catalog()))
    monkeypatch.setattr(command_line, "_prepare_host", lambda *_, **__: True)
    monkeypatch.setattr(Build, "run", lambda build, *_, **__: keys.append(build.catalog.path(NODE).name))
    return keys


def test_a_renewal_builds_root_filesystems_and_what_is_made_of_them_anew(run: Run, building: list[str]) -> None:
    before = Build(_catalog()).content.key(_catalog().cache)
    assert run("build")[0] == 0
    assert run("build", "--renew")[0] == 0
    assert run("build")[0] == 0
    assert building[0] != building[1] == building[2]
    assert Build(_catalog()).content.key(_catalog().cache) != before


def test_extras_are_built_when_asked_for(run: Run, building: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    del building
    asked: list[frozenset[str]] = []
    monkeypatch.setattr(Build, "run", lambda *_, wanted, **__: asked.append(wanted))
    assert run("build")[0] == 0
    assert run("build", "--extras")[0] == 0
    formats = ("lightgbm", "onnx", "mlflow", "tensorflow", "pmml", "paddle", "pytorch")
    extras = {f"registry-{name}" for name in ("monitoring", "bandit", "examples", *formats)}
    assert asked[1] - asked[0] == extras | {f"models-{name}" for name in formats}


def test_the_help_of_add_names_all_that_can_be_added(run: Run) -> None:
    status, text = run("add", "--help")
    assert status == 0
    assert [name for name in Build(_catalog()).extras if not re.search(rf"\b{name}\b", text)] == []


def test_a_renewal_that_fails_leaves_what_was_built_in_use(
    run: Run, building: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("build")[0] == 0

    def fail(*_: object, **__: object) -> None:
        raise ClusterError("Debian's package archive must be reachable")

    with monkeypatch.context() as patch:
        patch.setattr(Build, "run", fail)
        assert run("build", "--renew")[0] == 1
    assert run("build")[0] == 0
    assert building[0] == building[1]


@pytest.mark.parametrize(("day", "said"), [("2029-12-31", "of 2029-12-31 "), ("2026-11-26", "of 2026-11-26 (old:")])
def test_the_status_says_how_old_debians_packages_are(
    run: Run, old_node: Path, monkeypatch: pytest.MonkeyPatch, day: str, said: str
) -> None:
    monkeypatch.setattr(debian, "_today", lambda: datetime.date(2030, 1, 1))
    key = json.loads((old_node / "entries.json").read_text())[NODE.name]
    entry = _catalog().cache.path(NODE.name, key)
    (entry / debian.PACKAGES_FILE).write_text(json.dumps({"archive": day}))
    assert said in run("status")[1]


@pytest.fixture
def one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that `up` and `export` need is the entry `pause`, on a machine that lacks nothing else."""
    for name in ("default", "for_any_machine"):
        monkeypatch.setattr(Build, name, frozenset({"pause"}))
    monkeypatch.setattr(host, "check_machine", lambda: None)
    monkeypatch.setattr(command_line, "_prepare_host", lambda *_, **__: False)
    monkeypatch.setattr(command_line, "provider_without_build", lambda *_: False)
    monkeypatch.setattr(debian, "age_advice", lambda _: None)


@pytest.mark.usefixtures("one_entry")
@pytest.mark.parametrize("by_variable", [True, False])
def test_what_one_machine_exports_another_takes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_variable: bool
) -> None:
    key = command_line._build().entries["pause"].key
    Cache(cache_dir() / "entries").get("pause", key, lambda directory: directory.joinpath("program").touch())
    status, text = run("export", str(tmp_path / "shared"), "--no-wheels")
    assert status == 0, text
    digest = hashlib.sha256((tmp_path / "shared" / "index.json").read_bytes()).hexdigest()
    assert f"make up CACHE_FROM={tmp_path}/shared" in text
    assert f"sha256={digest}\n" in text

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    source = f"{tmp_path}/shared#sha256={digest}"
    if by_variable:
        monkeypatch.setenv("CACHE_FROM", source)
    status, text = run("build", *([] if by_variable else ["--cache-from", source]))
    assert status == 0, text
    assert "✓ pause fetched" in text
    assert (Cache(cache_dir() / "entries").path("pause", key) / "program").exists()
    assert "fetched" not in run("build")[1]


@pytest.mark.usefixtures("one_entry", "no_go")
@pytest.mark.parametrize("command", ["up", "build", "add bandit", "tools"])
def test_a_wrong_cache_from_is_said_before_anything_is_done(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("CACHE_FROM", "http://example.com/cache")
    monkeypatch.setattr(Build, "run", lambda *_, **__: pytest.fail("built"))
    status, text = run(*command.split())
    assert status == 1
    assert "CACHE_FROM=http://example.com/cache: plain HTTP does not prove who answers" in text


@pytest.mark.usefixtures("one_entry")
def test_another_machine_is_asked_for_the_provider_before_pulumi_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def official(*_: object) -> bool:
        asked.append("Pulumi")
        return False

    monkeypatch.setattr(SharedCache, "fetch", lambda *_: asked.append("shared cache"))
    monkeypatch.setattr(command_line, "provider_without_build", official)
    monkeypatch.setattr(Build, "run", lambda *_, **__: None)
    assert run("build", "--cache-from", str(tmp_path))[0] == 0
    assert asked == ["shared cache", "Pulumi"]


@pytest.mark.parametrize(
    ("day", "adopted"), [("2026-02-03", True), ("2026-01-01", False), ("2025-12-31", False), ("9999-12-31", False)]
)
def test_debian_packages_are_as_new_as_those_of_the_shared_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str, *, adopted: bool
) -> None:
    """Or nothing that holds some would have the key it has there."""
    monkeypatch.setattr(debian, "RENEWED", "2026-01-01")
    exported_on(day, tmp_path, monkeypatch)
    before = NODE.key
    build, _ = take(tmp_path)
    assert debian.renewed() == (day if adopted else "2026-01-01")
    assert (NODE.key != before) == adopted
    assert build.entries[NODE.name].key == NODE.key
    assert not adopted or build.missing(WANTED) == []


WANTED = frozenset({NODE.name, CONTENT})


def exported_on(day: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """An export of a machine whose Debian packages are of that day."""
    with monkeypatch.context() as patch:
        patch.setattr(debian, "renewed", lambda: day)
        cache, keys = Cache(folder / "other"), command_line._build().keys(names or WANTED)
    for name, key in keys.items():
        cache.get(name, key, lambda directory: directory.joinpath("file").touch())
    Export(folder=folder / "shared", console=Console(file=io.StringIO())).write(
        cache, keys, wheels=False, debian_day=day
    )


def take(folder: Path, *, may_renew: bool = True) -> tuple[Build, bool]:
    shared = command_line._shared_cache(str(folder / "shared"))
    return command_line._fetch(command_line._build(), WANTED, shared, may_renew=may_renew)


def built_here(*names: str) -> None:
    build = command_line._build()
    for name in names:
        build.cache.get(name, build.entries[name].key, lambda directory: directory.joinpath("file").touch())


@pytest.fixture
def built_with(one_entry: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the root filesystem with which `build` built what was missing."""
    del one_entry
    keys: list[str] = []
    monkeypatch.setattr(debian, "RENEWED", "2026-01-01")
    monkeypatch.setattr(Build, "default", WANTED)
    monkeypatch.setattr(Build, "run", lambda build, *_, **__: keys.append(build.entries[NODE.name].key))
    return keys


@pytest.mark.parametrize("offered", [("pause",), (NODE.name,), (CONTENT,)])
def test_a_shared_cache_without_the_packages_of_its_day_changes_no_key(
    run: Run, built_with: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: tuple[str, ...]
) -> None:
    exported_on("2026-02-03", tmp_path, monkeypatch, *offered)
    before = NODE.key
    assert run("build", "--cache-from", str(tmp_path / "shared"))[0] == 0
    assert [before] == built_with == [NODE.key]


def test_packages_of_a_later_day_that_are_refused_leave_the_day_as_it_was(
    run: Run, built_with: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported_on("2026-02-03", tmp_path, monkeypatch)
    (archive,) = (tmp_path / "shared" / "entries").glob(f"{CONTENT}-*")
    archive.write_bytes(b"x")
    before = NODE.key
    assert run("build", "--cache-from", str(tmp_path / "shared"))[0] == 0
    assert [before] == built_with == [NODE.key]


@pytest.mark.parametrize("lacks", ["", "pause"])
def test_what_was_built_with_debian_packages_is_not_given_up_for_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """Neither where all that lacks is without any, nor what is not offered in its place."""
    monkeypatch.setattr(debian, "RENEWED", "2026-01-01")
    monkeypatch.setattr(Build, "default", WANTED | {"pause"})
    exported_on("2026-02-03", tmp_path, monkeypatch)
    built_here(*(WANTED if lacks else ("registry-bandit",)))
    before = NODE.key
    shared = command_line._shared_cache(str(tmp_path / "shared"))
    build, _ = command_line._fetch(command_line._build(), WANTED | {"pause"}, shared)
    assert NODE.key == before == build.entries[NODE.name].key


def test_a_cluster_that_is_there_is_not_outdated_by_later_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "RENEWED", "2026-01-01")
    exported_on("2026-02-03", tmp_path, monkeypatch)
    before = NODE.key
    assert take(tmp_path, may_renew=False)[1]
    assert NODE.key == before


@pytest.mark.usefixtures("one_entry")
def test_a_provider_that_pulumi_fetched_is_not_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Build, "default", tools_module.PROVIDER)
    (Path.home() / ".pulumi" / "plugins" / PLUGIN).mkdir(parents=True)
    monkeypatch.setattr(Build, "run", lambda *_, **__: None)
    status, text = run("build", "--cache-from", str(tmp_path))
    assert (status, "is not used" in text) == (0, False), text


@pytest.mark.usefixtures("one_entry")
def test_a_folder_that_cannot_be_exported_to_is_said_before_anything_is_built(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Build, "run", lambda *_, **__: pytest.fail("built"))
    # As on a read-only file system; root may write to a folder whose mode forbids it.
    monkeypatch.setattr(tempfile, "TemporaryFile", failing(errno.EROFS))
    status, text = run("export", str(tmp_path / "shared"), "--no-wheels")
    assert status == 1
    assert f"{tmp_path}/shared cannot be written: [Errno {errno.EROFS}]" in text
    assert "Name another folder" in text


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
