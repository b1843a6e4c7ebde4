"""The tools for a cluster of the user's: nothing is compiled that is there or can be fetched, and the rest is said."""

from __future__ import annotations

import io
import platform
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from rich.console import Console

from cluster import build as build_module
from cluster import environment as environment_module
from cluster import host
from cluster import tools as tools_module
from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import PROVIDER_PART, PULUMI_PART, PULUMI_PYTHON_PART, Catalog
from cluster.environment import Environment
from cluster.errors import ClusterError
from cluster.locations import cache_dir
from cluster.provider import PLUGIN, OfficialProvider
from cluster.toolchain import Toolchain
from cluster.tools import get_tools, provider_without_build

Usage = namedtuple("Usage", "total used free")
PROVIDER = PROVIDER_PART.name
PULUMI, HOST = CLI = (PULUMI_PART.name, PULUMI_PYTHON_PART.name)
OWN_PULUMI = Path("/usr/bin/pulumi")


class Machine:
    """What a machine has, and what was done on it, in order."""

    def __init__(self) -> None:
        self.pulumi: Path | None = None
        self.internet = False
        self.done: list[tuple[object, ...]] = []
        self.console = Console(file=io.StringIO(), width=1000)

    @property
    def build(self) -> Build:
        """As the next command finds it."""
        cache = Cache(cache_dir() / "entries")
        return Build(Catalog(cache))

    def get_tools(self) -> list[tuple[object, ...]]:
        """What it takes to have them."""
        get_tools(self.console, Environment(self.build))
        assert self.done.pop() == ("lay out",)
        return self.done

    @property
    def said(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()


@pytest.fixture
def machine(own_directories: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """An empty machine; compilers and Pulumi's site are stood in for, the decisions are the real ones."""
    assert own_directories
    made = Machine()

    def missing(build: Build, wanted: frozenset[str]) -> list[str]:
        return [name for name in sorted(wanted) if not build.cache.has(name, "key")]

    def run(build: Build, _: Console, *, keep_go_caches: bool, wanted: frozenset[str]) -> None:
        if new := missing(build, wanted):
            made.done.append(("compile", *new))
        for name in new:
            build.cache.get(name, "key", lambda directory: directory.joinpath("file").touch())
        if not keep_go_caches:
            made.done.append(("give back",))

    def fetch(official: OfficialProvider, _: Console, *, pulumi: Path) -> bool:
        made.done.append(("fetch with", pulumi))
        if made.internet:
            ((name, entry),) = official.entries.items()
            official.cache.get(name, entry, lambda directory: (directory / PLUGIN).mkdir())
        return made.internet

    for module in (tools_module, environment_module, build_module):
        monkeypatch.setattr(module, "usable_pulumi", lambda: made.pulumi)
    monkeypatch.setattr(Toolchain, "key", lambda *_: "key")
    monkeypatch.setattr(Build, "missing", missing)
    monkeypatch.setattr(Build, "run", run)
    monkeypatch.setattr(OfficialProvider, "fetch", fetch)
    monkeypatch.setattr(Environment, "prepare", lambda _: made.done.append(("lay out",)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 100 * host.GIB))
    return made


def without_build(machine: Machine) -> list[tuple[object, ...]]:
    return [step for step in machine.get_tools() if step[0] != "give back"]


def test_a_users_pulumi_fetches_the_provider_and_nothing_is_compiled(machine: Machine) -> None:
    machine.pulumi, machine.internet = OWN_PULUMI, True
    assert machine.get_tools() == [("fetch with", OWN_PULUMI)]
    machine.done.clear()
    assert machine.get_tools() == []
    assert "compiling" not in machine.said


def test_what_a_user_has_altogether_needs_nothing(machine: Machine) -> None:
    machine.pulumi = OWN_PULUMI
    (Path.home() / ".pulumi" / "plugins" / PLUGIN).mkdir(parents=True)
    assert machine.get_tools() == []


def test_without_internet_the_provider_alone_is_compiled_once(machine: Machine) -> None:
    machine.pulumi = OWN_PULUMI
    assert machine.get_tools() == [("fetch with", OWN_PULUMI), ("compile", PROVIDER), ("give back",)]
    machine.done.clear()
    assert without_build(machine) == []


def test_without_a_pulumi_ours_is_compiled_and_fetches_the_provider(machine: Machine) -> None:
    machine.internet = True
    ours = machine.build.cache.path(PULUMI_PART.name, "key") / "pulumi"
    assert machine.get_tools() == [("compile", *CLI), ("fetch with", ours), ("give back",)]
    machine.done.clear()
    assert without_build(machine) == []


def test_with_nothing_at_all_everything_is_compiled_in_one_go(machine: Machine) -> None:
    ours = machine.build.cache.path(PULUMI_PART.name, "key") / "pulumi"
    # Go's caches are kept from the one to the other.
    assert machine.get_tools() == [("compile", *CLI), ("fetch with", ours), ("compile", PROVIDER), ("give back",)]
    machine.done.clear()
    assert without_build(machine) == []


def test_what_is_compiled_is_said_before_with_its_time_and_disk(machine: Machine) -> None:
    machine.get_tools()
    (line,) = machine.said.splitlines()
    assert line.startswith(f"compiling {PULUMI}, {PROVIDER}, {HOST}: at most ")
    assert f"min on 2 cores, and 8 GiB of disk at {cache_dir()} while it lasts" in line


def test_too_little_disk_is_said_before_anything_is_fetched_or_compiled(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 3 * host.GIB))
    with pytest.raises(ClusterError) as caught:
        machine.get_tools()
    refusal, needed, hint = str(caught.value).splitlines()
    assert refusal == f"{PULUMI}, {PROVIDER}, {HOST} cannot be compiled on this machine:"
    assert "has 3 GiB free; 8 GiB are needed" in needed
    assert "Or install Pulumi" in hint
    assert (machine.done, machine.said) == ([], "")


@pytest.mark.parametrize(("system", "machine_name"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_other_platforms_compile_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, system: str, machine_name: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine_name)
    assert ("compile", PROVIDER) in machine.get_tools()


def test_a_platform_that_nothing_is_compiled_for_can_still_have_its_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ClusterError, match=r"this is \w+/riscv64\nOr install Pulumi"):
        machine.get_tools()
    assert machine.done == []
    machine.pulumi, machine.internet = OWN_PULUMI, True
    assert machine.get_tools() == [("fetch with", OWN_PULUMI)]


def test_the_local_cluster_fetches_it_with_a_users_pulumi_too(machine: Machine) -> None:
    # Ours is compiled with everything else there.
    assert not provider_without_build(machine.console, machine.build)
    assert machine.done == []
    machine.pulumi = OWN_PULUMI
    assert not provider_without_build(machine.console, machine.build)
    machine.internet = True
    assert provider_without_build(machine.console, machine.build)
    machine.done.clear()
    assert provider_without_build(machine.console, machine.build)
    assert machine.done == []


def test_a_provider_that_was_compiled_is_not_fetched(machine: Machine) -> None:
    machine.pulumi = OWN_PULUMI
    machine.build.run(machine.console, keep_go_caches=True, wanted=frozenset({PROVIDER}))
    assert not provider_without_build(machine.console, machine.build)
    assert machine.done == [("compile", PROVIDER)]
