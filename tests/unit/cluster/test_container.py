"""The node's container: how its first process begins, and that a number of a process is not taken on trust."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cluster.artifacts import locked
from cluster.errors import ClusterError
from cluster.node import container
from cluster.node.container import CAPABILITIES, START, Bind, NodeContainer

Runc = Callable[[str], Path]


@pytest.fixture
def runc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runc:
    """Makes a `runc` of a shell script; gives the file with what it was asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)

    def make(script: str) -> Path:
        (programs / "runc").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
        (programs / "runc").chmod(0o755)
        return tmp_path / "asked"

    return make


@pytest.fixture
def dev(tmp_path: Path) -> NodeContainer:
    made = NodeContainer(name="dev", directory=tmp_path / "container")
    made.directory.mkdir()
    return made


def begin(tmp_path: Path) -> str:
    """What the first process does, in a file system of the test's own; what it then executes says so."""
    (tmp_path / "mount").write_text("#!/bin/sh\n")
    (tmp_path / "mount").chmod(0o755)
    script = START.replace("/sys/fs/cgroup", str(tmp_path / "cgroup"))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["/bin/sh", "-c", script, "echo", "init", "runs"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_on_cgroup_v2_the_root_is_emptied_and_gets_its_controllers(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpuset cpu memory\n")
    (root / "cgroup.procs").write_text("1\n17\n")
    assert begin(tmp_path) == "init runs\n"
    assert (root / "cgroup.subtree_control").read_text() == "+cpuset +cpu +memory\n"
    # The kernel takes one number at a time; a plain file keeps the last.
    assert (root / "init" / "cgroup.procs").read_text() == "17\n"


def test_on_cgroup_v1_nothing_is_moved(tmp_path: Path) -> None:
    (tmp_path / "cgroup").mkdir()
    assert begin(tmp_path) == "init runs\n"
    assert list((tmp_path / "cgroup").iterdir()) == []


def test_the_container_begins_so_and_sees_what_it_is_given(dev: NodeContainer, runc: Runc, tmp_path: Path) -> None:
    runc("exit 0")
    for program in ("setsid", "flock", "unshare"):
        (tmp_path / "bin" / program).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / program).chmod(0o755)
    (dev.directory / "pid").write_text("17")
    bind = Bind(tmp_path / "s3", "/srv/s3", writable=True)
    assert dev.start(lower=tmp_path / "rootfs", binds=[bind], log=tmp_path / "log") == 17
    bundle = json.loads((dev.directory / "config.json").read_text())
    assert bundle["process"]["args"][2:4] == [START, "/usr/bin/tini"]
    mount = {"destination": "/srv/s3", "type": "bind", "source": str(tmp_path / "s3"), "options": ["rbind", "rw"]}
    assert mount in bundle["mounts"]


def test_without_runc_no_container_runs(dev: NodeContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    (dev.directory / "pid").write_text(str(os.getpid()))
    monkeypatch.setenv("PATH", "")
    assert dev.pid() is None


@pytest.mark.parametrize(("status", "runs"), [("running", True), ("stopped", False)])
def test_runc_says_whether_the_recorded_process_runs(dev: NodeContainer, runc: Runc, status: str, runs: bool) -> None:
    (dev.directory / "pid").write_text(str(os.getpid()))
    runc(f"""echo '{{"status": "{status}", "pid": {os.getpid()}}}'""")
    assert dev.pid() == (os.getpid() if runs else None)


def test_what_hangs_inside_is_ended_and_named(dev: NodeContainer, runc: Runc, tmp_path: Path) -> None:
    runc("echo working; sleep 600")
    with pytest.raises(ClusterError, match=r"^ctr in the node dev took longer than 1 s and was ended$"):
        dev.execute("ctr", "version", timeout=1)
    log = tmp_path / "log"
    with pytest.raises(ClusterError, match=r"(?s)^kubeadm init took longer than 1 s and was ended\n.*working"):
        dev.execute("kubeadm", "init", log=log, what="kubeadm init", timeout=1)


@pytest.mark.parametrize("ask", [NodeContainer.pid, NodeContainer.delete])
def test_a_runc_that_hangs_is_given_up(
    dev: NodeContainer, runc: Runc, monkeypatch: pytest.MonkeyPatch, ask: Callable[[NodeContainer], object]
) -> None:
    runc("sleep 600")
    (dev.directory / "pid").write_text(str(os.getpid()))
    monkeypatch.setattr(container, "RUNC_TIMEOUT", 1)
    with pytest.raises(ClusterError, match="runc took longer than 1 s and was ended"):
        ask(dev)


def test_a_start_that_hangs_ends_and_lets_go_of_the_lock(
    dev: NodeContainer, runc: Runc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = runc("""[ "$3" = run ] && exec sleep 600; exit 0""")
    # Without the mount, which needs a root filesystem.
    (tmp_path / "bin" / "mount").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "mount").chmod(0o755)
    (tmp_path / "bin" / "unshare").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    (tmp_path / "bin" / "unshare").chmod(0o755)
    monkeypatch.setattr(container, "START_TIMEOUT", 1)
    monkeypatch.setattr(container, "RUNC_TIMEOUT", 1)
    with pytest.raises(ClusterError, match=r"^starting the node dev took longer than 1 s and was ended"):
        dev.start(lower=tmp_path, binds=(), log=tmp_path / "log")
    dev.delete()
    assert [line.split()[2] for line in asked.read_text().splitlines()] == ["run", "delete"]


def test_the_container_cannot_change_the_machine() -> None:
    forbidden = {"SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME", "MAC_ADMIN", "MAC_OVERRIDE", "SYS_RESOURCE"}
    assert not forbidden & {name.removeprefix("CAP_") for name in CAPABILITIES}
    # Containerd gives these to every pod, and starts none without one of them.
    pods = {"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"}
    pods |= {"NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"}
    assert pods <= {name.removeprefix("CAP_") for name in CAPABILITIES}


def test_deleting_does_not_wait_for_a_process_that_has_the_number_now(dev: NodeContainer, runc: Runc) -> None:
    asked = runc("exit 0")
    file = dev.directory / "pid"
    file.write_text(str(os.getpid()))
    before = psutil.Process().create_time() - 60
    os.utime(file, (before, before))
    began = time.monotonic()
    dev.delete()
    assert time.monotonic() - began < 10
    assert "delete --force dev" in asked.read_text()
    assert not file.exists()


def test_deleting_waits_for_a_start_that_goes_on(dev: NodeContainer, runc: Runc) -> None:
    asked = runc("exit 0")
    deleting = threading.Thread(target=dev.delete)
    with locked(dev.directory / "starting"):
        deleting.start()
        deleting.join(0.3)
        assert not asked.exists()
    deleting.join(10)
    assert "delete --force dev" in asked.read_text()


def test_a_start_holds_the_lock_that_deleting_waits_for(
    dev: NodeContainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(container, "run", lambda command, **_: commands.append([str(word) for word in command]))
    (dev.directory / "pid").write_text("17")
    dev.start(lower=tmp_path, binds=(), log=tmp_path / "log")
    assert commands[0][:5] == ["setsid", "--wait", "flock", "--close", str(dev.directory / "starting")]


def test_deleting_what_never_was_makes_nothing(tmp_path: Path) -> None:
    NodeContainer(name="dev", directory=tmp_path / "container").delete()
    assert list(tmp_path.iterdir()) == []
