"""What a shell works with: Pulumi's files are whole and of the present build, and only stale locks are removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from cluster import environment as environment_module
from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import HELM_PART, KUBERNETES_PART, PROVIDER_PART, PULUMI_KUBERNETES, PULUMI_PART
from cluster.environment import Environment, remove_stale_locks
from cluster.errors import ClusterError
from cluster.locations import cache_dir, state_dir
from cluster.node.lifecycle import Node
from cluster.toolchain import GoPart

PLUGIN = Path("pulumi/home/plugins") / f"resource-kubernetes-v{PULUMI_KUBERNETES}"


def lock(state: Path, name: str, content: str) -> Path:
    file = state / ".pulumi" / "locks" / "organization" / "project" / "dev" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_only_the_lock_of_a_run_that_ended_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = lock(tmp_path, "stale.json", json.dumps({"pid": ended.pid, "hostname": "here"}))
    held = lock(tmp_path, "held.json", json.dumps({"pid": os.getpid(), "hostname": "here"}))
    unread = lock(tmp_path, "unread.json", "")
    remove_stale_locks(tmp_path)
    assert not stale.exists()
    assert held.exists()
    assert unread.exists()


def test_a_lock_is_not_held_by_who_has_its_holders_number_now(tmp_path: Path) -> None:
    stale = lock(tmp_path, "stale.json", json.dumps({"pid": os.getpid(), "hostname": "here"}))
    before = psutil.Process().create_time() - 60
    os.utime(stale, (before, before))
    remove_stale_locks(tmp_path)
    assert not stale.exists()


def test_no_locks_are_fine(tmp_path: Path) -> None:
    remove_stale_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []


class Builds:
    """A build whose parts are there as far as they were made."""

    def __init__(self) -> None:
        self.key_of_all = "first"
        self.toolchain = SimpleNamespace(key=lambda _: self.key_of_all)

    def part(self, part: GoPart) -> Path:
        return cache_dir() / "entries" / part.name / self.key_of_all

    def make(self, part: GoPart, program: str) -> None:
        file = self.part(part) / program
        file.parent.mkdir(parents=True)
        file.write_text(f"{program} {self.key_of_all}")

    def environment(self) -> Environment:
        cache = Cache(cache_dir() / "entries")
        build = SimpleNamespace(catalog=self, cache=cache, helm=self.part(HELM_PART) / "helm")
        node = Node.named("dev", subnet="198.19.0.0/18", cache=cache)
        return Environment(cast(Build, build), node)


@pytest.fixture
def builds(own_directories: Path, monkeypatch: pytest.MonkeyPatch) -> Builds:
    """A first build with everything, on a machine that has no program of its own."""
    assert own_directories
    for usable in ("usable_pulumi", "usable_helm", "usable_kubectl"):
        monkeypatch.setattr(environment_module, usable, lambda: None)
    made = Builds()
    for part, program in (
        *((PULUMI_PART, "pulumi"), (PROVIDER_PART, "provider"), (HELM_PART, "helm"), (KUBERNETES_PART, "kubectl")),
    ):
        made.make(part, program)
    return made


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The binaries that Pulumi was told to install."""
    done: list[str] = []

    def install(command: list[str], **_: object) -> None:
        file = Path(command[command.index("--file") + 1])
        done.append("the published one" if file.is_dir() else file.read_text())
        (state_dir("dev") / PLUGIN).mkdir(parents=True, exist_ok=True)
        (state_dir("dev") / f"{PLUGIN}.partial").unlink(missing_ok=True)

    monkeypatch.setattr(environment_module, "run", install)
    return done


def test_a_second_time_changes_nothing(builds: Builds, installed: list[str]) -> None:
    builds.environment().prepare()
    passphrase = (state_dir("dev") / "pulumi" / "passphrase").read_text()
    assert len(passphrase) == 40
    builds.environment().prepare()
    assert installed == ["provider first"]
    assert (state_dir("dev") / "pulumi" / "passphrase").read_text() == passphrase


def test_another_build_renews_every_program(builds: Builds, installed: list[str]) -> None:
    builds.environment().prepare()
    builds.key_of_all = "second"
    for part, program in ((PULUMI_PART, "pulumi"), (PROVIDER_PART, "provider"), (HELM_PART, "helm")):
        builds.make(part, program)
    builds.environment().prepare()
    assert installed == ["provider first", "provider second"]
    programs = state_dir("dev") / "bin"
    assert (programs / "pulumi").read_text() == "pulumi second"
    assert (programs / "helm").read_text() == "helm second"
    # Not built for a node of the first build.
    assert (programs / "kubectl").read_text() == "kubectl first"


def test_a_half_written_program_does_not_stay(builds: Builds, installed: list[str]) -> None:
    cli = state_dir("dev") / "pulumi" / "cli"
    cli.mkdir(parents=True)
    (cli / "pulumi").write_text("pul")
    (cli / ".partial-pulumi").write_text("pu")
    builds.environment().prepare()
    assert installed
    assert [file.name for file in cli.iterdir()] == ["pulumi"]
    assert (cli / "pulumi").read_text() == "pulumi first"


def test_a_program_is_copied_where_it_cannot_be_linked(
    builds: Builds, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_file_system(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "hardlink_to", other_file_system)
    for _ in range(2):
        builds.environment().prepare()
    assert installed == ["provider first"]
    placed = state_dir("dev") / "bin" / "helm"
    assert (placed.read_text(), placed.stat().st_mode & 0o777) == ("helm first", 0o755)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda state: (state / f"{PLUGIN}.partial").touch(), id="half installed"),
        pytest.param(lambda state: (state / f"{PLUGIN}.key").unlink(), id="of an unknown build"),
        pytest.param(lambda state: (state / PLUGIN).rmdir(), id="removed"),
    ],
)
def test_a_provider_that_may_not_be_right_is_installed_again(
    builds: Builds, installed: list[str], spoil: Callable[[Path], None]
) -> None:
    builds.environment().prepare()
    spoil(state_dir("dev"))
    builds.environment().prepare()
    assert installed == ["provider first"] * 2


def test_an_older_provider_serves_until_the_next_is_built(builds: Builds, installed: list[str]) -> None:
    builds.environment().prepare()
    builds.key_of_all = "second"
    builds.environment().prepare()
    assert installed == ["provider first"]


def test_no_provider_at_all_says_how_to_get_one(builds: Builds, installed: list[str]) -> None:
    builds.key_of_all = "second"
    with pytest.raises(ClusterError, match="provider is not installed\npython -m cluster up"):
        builds.environment().prepare()
    assert installed == []


@pytest.fixture
def published(builds: Builds) -> None:
    """A user's own Pulumi has the provider; what is built is not to be looked at."""

    def must_not(_: GoPart) -> str:
        raise AssertionError("a key was asked for")

    (Path.home() / ".pulumi" / "plugins" / PLUGIN.name).mkdir(parents=True)
    builds.toolchain.key = must_not


@pytest.mark.usefixtures("published")
def test_the_published_provider_is_installed_once_without_a_look_at_what_is_built(
    builds: Builds, installed: list[str]
) -> None:
    for _ in range(2):
        builds.environment().prepare()
    assert installed == ["the published one"]
    assert builds.environment().has_provider()


def test_a_compiled_provider_stays_when_there_is_a_published_one(builds: Builds, installed: list[str]) -> None:
    builds.environment().prepare()
    (Path.home() / ".pulumi" / "plugins" / PLUGIN.name).mkdir(parents=True)
    builds.environment().prepare()
    assert installed == ["provider first"]
    builds.key_of_all = "second"
    assert not builds.environment().has_provider()
    builds.environment().prepare()
    assert installed == ["provider first", "the published one"]


def test_a_pulumi_that_the_user_installs_later_is_not_hidden_by_ours(
    builds: Builds, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds.environment().prepare()
    assert installed
    link = state_dir("dev") / "bin" / "pulumi"
    assert link.exists()
    monkeypatch.setattr(environment_module, "usable_pulumi", lambda: Path("/usr/bin/pulumi"))
    builds.environment().prepare()
    assert not link.is_symlink()


def test_a_shell_goes_past_a_proxy_to_the_node(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_PROXY" not in builds.environment().variables()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert "198.19.0.2" in builds.environment().variables()["no_proxy"].split(",")
