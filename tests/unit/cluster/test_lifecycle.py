"""A node's life: what it was started from is known, what it changed on the machine is put back by the last one."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from cluster import catalog, host
from cluster.artifacts import Cache
from cluster.build import Build
from cluster.errors import ClusterError
from cluster.locations import cache_dir, state_dir
from cluster.node import lifecycle
from cluster.node.container import NodeContainer
from cluster.node.lifecycle import Health, Node, node_entries, nodes
from cluster.node.network import DEFAULT_SUBNET, Network
from cluster.registry import CONTENT, RegistryContent

pytestmark = pytest.mark.usefixtures("own_directories")
NAMES = (catalog.NODE_FILESYSTEM.name, *lifecycle.ENTRIES, CONTENT)


def fake_build(key: str) -> Build:
    return cast(Build, SimpleNamespace(keys=lambda names: dict.fromkeys(names, key)))


def node(name: str = "dev", subnet: str = DEFAULT_SUBNET) -> Node:
    return Node.named(name, subnet=subnet, cache=Cache(cache_dir() / "entries"))


def created(name: str = "dev", key: str = "first", subnet: str = DEFAULT_SUBNET) -> Node:
    """A node as it is once it was started completely."""
    made = node(name, subnet)
    made.directory.mkdir(parents=True)
    (made.directory / "entries.json").write_text(json.dumps(dict.fromkeys(NAMES, key)))
    (made.directory / "subnet").write_text(subnet)
    (made.directory / "initialised").touch()
    return made


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel setting, as the machine has it."""
    file = tmp_path / "overcommit_memory"
    file.write_text("0\n")
    monkeypatch.setattr(lifecycle, "HOST_SETTINGS", (file, tmp_path / "not of this kernel"))
    return file


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "foo://x"])
def test_a_node_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Also without one of a kind that the client does not know."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    made = created()
    cluster = {"clusters": [{"name": "c", "cluster": {"server": "https://198.19.0.2:6443"}}]}
    user = {"users": [{"name": "u", "user": {"token": "t"}}]}
    context = {"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"}
    made.kubeconfig.write_text(json.dumps(cluster | user | context))
    assert made.client()


@pytest.mark.parametrize("name", ["", "tools", "Dev", "-dev", "dev-", "a/b", "..", "dev\n", "twelve-chars"])
def test_a_name_that_could_be_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="not a name for a local cluster\nUse 1 to 11 of"):
        node(name)


@pytest.mark.parametrize("name", ["a", "dev", "e2e", "a-b", "eleven-char"])
def test_a_name_fits_an_interface(name: str) -> None:
    assert len(node(name).network.interface) <= 15


def test_a_node_keeps_its_subnet() -> None:
    created("two", subnet="198.18.0.0/18")
    assert node("two").network.subnet == "198.18.0.0/18"


def test_what_an_interrupted_start_left_is_made_on_the_subnet_that_is_asked_for() -> None:
    (created("two", subnet="198.18.0.0/18").directory / "initialised").unlink()
    assert node("two").network.subnet == DEFAULT_SUBNET


def test_an_older_build_is_known_by_what_the_node_was_started_from() -> None:
    build = fake_build("first")
    assert not node().outdated(build)
    made = created()
    assert node_entries(build) == made.entries
    assert not made.outdated(build)
    assert made.outdated(fake_build("second"))
    (made.directory / "entries.json").write_text("{")
    assert made.outdated(build)


def test_a_node_whose_parts_are_gone_is_not_ended_to_start_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = created()
    monkeypatch.setattr(Node, "health", lambda _: Health(running=False))
    monkeypatch.setattr(NodeContainer, "delete", lambda _: pytest.fail("ended"))
    with pytest.raises(ClusterError, match=r"the cache no longer has rootfs-node, kubernetes, .*\n.*down, then up"):
        made.up(Console(file=io.StringIO()), build=fake_build("second"))


def test_a_node_starts_again_from_what_it_was_started_from(monkeypatch: pytest.MonkeyPatch) -> None:
    made = created()
    for name in NAMES:
        made.cache.get(name, "first", lambda directory: directory.joinpath("file").touch())
    seen: dict[str, object] = {}
    monkeypatch.setattr(NodeContainer, "start", lambda _, **given: seen.update(given) or 17)
    monkeypatch.setattr(Network, "connect", lambda _, pid: seen.update(pid=pid))
    monkeypatch.setattr(Node, "_wait_containerd", lambda _: None)
    monkeypatch.setattr(Node, "_wait_ready", lambda _, **__: None)
    monkeypatch.setattr(Node, "health", lambda _: Health(running=False))
    assert made.up(Console(file=io.StringIO()), build=fake_build("second"))
    assert seen["lower"] == made.cache.path(catalog.NODE_FILESYSTEM.name, "first")
    assert seen["pid"] == 17
    assert (made.directory / "registry" / "file").exists()


def test_an_extra_joins_the_registry_once_and_again_when_it_is_another() -> None:
    made = created()
    (made.directory / "registry" / "blobs").mkdir(parents=True)
    (made.directory / "registry" / "blobs" / "shared").write_text("layer")

    def build(key: str) -> Build:
        content = RegistryContent(extra="onnx", images=())

        def fill(directory: Path) -> None:
            (directory / "blobs").mkdir()
            (directory / "blobs" / "shared").write_text("layer")
            (directory / "blobs" / key).touch()

        made.cache.get(content.entry, key, fill)
        entry = SimpleNamespace(name=content.entry, key=key)
        return cast(Build, SimpleNamespace(extras={"onnx": content}, entries={content.entry: entry}))

    assert made.add_extra(build("first"), "onnx")
    assert not made.add_extra(build("first"), "onnx")
    assert made.add_extra(build("second"), "onnx")
    assert {file.name for file in (made.directory / "registry" / "blobs").iterdir()} == {"shared", "first", "second"}


def test_a_start_records_what_it_uses_before_anything_runs(setting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = node(subnet="198.18.0.0/18")

    def boot(_: Node) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Node, "_boot", boot)
    monkeypatch.setattr(lifecycle, "image_store_key", lambda _: "key")
    monkeypatch.setattr(Network, "check_free", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        made.up(Console(file=io.StringIO()), build=fake_build("first"))
    assert made.entries == dict.fromkeys(NAMES, "first")
    assert nodes(state_dir("")) == [made.directory]
    assert (made.directory / "subnet").read_text() == "198.18.0.0/18"
    assert json.loads((made.directory / "host-settings.json").read_text()) == {str(setting): "0\n"}


def test_an_interrupted_end_leaves_nothing_that_looks_startable(monkeypatch: pytest.MonkeyPatch) -> None:
    made = created()

    def interrupt(_: NodeContainer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(NodeContainer, "delete", interrupt)
    with pytest.raises(KeyboardInterrupt):
        made.down()
    assert made.directory.exists()
    assert not made.initialised


def test_an_end_puts_the_machines_settings_back(setting: Path) -> None:
    made = created()
    made._save_host_settings()
    setting.write_text("1\n")
    made.down()
    assert setting.read_text() == "0\n"
    assert not made.directory.exists()


@pytest.mark.parametrize("first_down", ["one", "two"])
def test_the_last_node_to_end_unloads_modules(setting: Path, monkeypatch: pytest.MonkeyPatch, first_down: str) -> None:
    assert setting
    unloaded: list[bool] = []
    monkeypatch.setattr(host, "unload_modules", lambda: unloaded.append(True))
    pair = {name: created(name) for name in ("one", "two")}
    pair.pop(first_down).down()
    assert unloaded == []
    for last in pair.values():
        last.down()
    assert unloaded == [True]


def test_a_start_loads_modules_that_another_nodes_end_may_have_unloaded(
    setting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setting
    loaded: list[list[Path]] = []
    monkeypatch.setattr(host, "load_modules", lambda: loaded.append(nodes(state_dir(""))))
    made = created()
    made._save_host_settings()
    # From here on the other one's end leaves them.
    assert loaded == [[made.directory]]


def test_a_container_that_does_not_answer_in_time_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = created()
    (tmp_path / "runc").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "runc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(lifecycle, "PROBE_TIMEOUT", 0.3)
    monkeypatch.setattr(NodeContainer, "pid", lambda _: 17)
    health = made.health()
    assert not health.ready
    assert health.stopped == lifecycle.PROGRAMS


@pytest.mark.parametrize("text", ["", "{", "[]", '{"/proc/sys/kernel/hostname": "changed"}'])
def test_a_bad_file_is_nothing_to_restore(setting: Path, text: str) -> None:
    made = created()
    (made.directory / "host-settings.json").write_text(text)
    setting.write_text("1\n")
    made.down()
    assert setting.read_text() == "1\n"


@pytest.mark.parametrize("first_down", ["one", "two"])
def test_with_two_nodes_the_last_one_restores_what_was_before_the_first(setting: Path, first_down: str) -> None:
    pair = {name: created(name) for name in ("one", "two")}
    pair["one"]._save_host_settings()
    setting.write_text("1\n")
    pair["two"]._save_host_settings()
    assert len(list(state_dir("").glob("*/host-settings.json"))) == 1
    pair.pop(first_down).down()
    assert setting.read_text() == "1\n"
    for last in pair.values():
        last.down()
    assert setting.read_text() == "0\n"
