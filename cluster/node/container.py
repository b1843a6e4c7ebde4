"""The runc container of a node: started on an overlay that only it sees, and ended without leaving anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.artifacts import locked
from cluster.errors import ClusterError
from cluster.processes import output, run, running

# What the kubelet, containerd and runc need, and what pods may have: containerd's default set, and on request IPC_LOCK,
# SYS_NICE and SYS_PTRACE. Left out are those that affect the machine itself (SYS_MODULE, SYS_RAWIO, SYS_BOOT, SYS_TIME,
# MAC_ADMIN, ...), and SYS_RESOURCE, which root does not have on every machine.
CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
        *("SETFCAP", "MKNOD", "AUDIT_WRITE", "NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW", "IPC_LOCK"),
        *("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "SYS_NICE", "SYSLOG"),
    )
]
# Seconds after which runc counts as hung; normally it answers at once.
RUNC_TIMEOUT = 30
START_TIMEOUT = 120
EXECUTE_TIMEOUT = 60
RUNC = "runc"
DEVICES = (("/dev/kmsg", 1, 11), ("/dev/net/tun", 10, 200), ("/dev/fuse", 10, 229))
NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
INIT = ("/usr/bin/tini", "-g", "--", "/usr/bin/supervisord", "-n", "-c", "/etc/supervisor/node.conf")
# With cgroup v2, a group can have controllers for its subgroups only if it has no processes itself. The kubelet makes
# its groups in the root of this namespace, so the processes there are moved into a subgroup first.
START = """
mount --make-rshared / || exit
cgroup=/sys/fs/cgroup
if [ -e $cgroup/cgroup.controllers ]; then
  mkdir -p $cgroup/init
  for pid in $(cat $cgroup/cgroup.procs); do
    echo $pid > $cgroup/init/cgroup.procs || :
  done
  sed 's/^/+/; s/ / +/g' $cgroup/cgroup.controllers > $cgroup/cgroup.subtree_control
fi
exec "$0" "$@"
"""


@dataclass(frozen=True)
class Bind:
    """A directory of this machine that is mounted into the container.

    Attributes:
        source: the directory on this machine.
        target: its path in the container.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class NodeContainer:
    """The runc container that is the node.

    Attributes:
        name: the container's name, which is also its host name.
        directory: the folder with the bundle, runc's state and the overlay's writable part.
    """

    name: str
    directory: Path

    @property
    def upper(self) -> Path:
        """The overlay's writable part; files put here before the start are in the container's root file system."""
        return self.directory / "upper"

    @property
    def _runc(self) -> tuple[str, ...]:
        return (RUNC, "--root", str(self.directory / "runc"))

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pid"

    @property
    def _starting(self) -> Path:
        """A lock file, held during a start, even when the program that began the start was killed."""
        return self.directory / "starting"

    def pid(self) -> int | None:
        """The pid of the container's first process on this machine, or None when the container does not run."""
        pid = self._recorded_pid()
        if pid is None or shutil.which(RUNC) is None:
            return None
        listed = output([*self._runc, "state", self.name], timeout=RUNC_TIMEOUT, check=False)
        if not listed:
            return None
        # runc knows its process's start time, so another process with the same pid does not count as running.
        state = json.loads(listed)
        return pid if state["status"] == "running" and state["pid"] == pid else None

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def start(self, *, lower: Path, binds: Sequence[Bind], log: Path) -> int:
        """Start the container on the root filesystem `lower`, which is not changed; returns the first process's pid.

        The container keeps running after this program ends.

        Raises:
            ClusterError: runc failed or hung.
        """
        for name in ("upper", "work", "rootfs"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "config.json").write_text(json.dumps(self._bundle(binds)))
        overlay = f"lowerdir={lower},upperdir={self.upper},workdir={self.directory / 'work'}"
        # In a mount namespace of its own, so that the overlay is removed with the container and never seen on the host.
        script = 'mount -t overlay overlay -o "$0" "$1" && shift && exec "$@"'
        create = (*self._runc, "run", "--detach", "--pid-file", str(self._pid_file), "--bundle", str(self.directory))
        inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, overlay)
        locking = ("setsid", "--wait", "flock", "--close", str(self._starting))
        # A limit that holds even if this program is killed, so that `delete` does not wait for the lock for ever.
        limited = ("timeout", "--kill-after=10", str(START_TIMEOUT + RUNC_TIMEOUT))
        run(
            [*locking, *limited, *inside, self.directory / "rootfs", *create, self.name],
            what=f"starting the node {self.name}",
            log=log,
            hint="python -m cluster down removes what is left of it.",
            timeout=START_TIMEOUT,
        )
        return int(self._pid_file.read_text())

    def execute(
        self,
        *command: str,
        log: Path | None = None,
        what: str = "",
        timeout: float = EXECUTE_TIMEOUT,
        check: bool = True,
    ) -> str:
        """Run a command in the container; returns its output, or "" when that is written to `log`.

        Raises:
            ClusterError: the command took longer than `timeout` seconds, or failed, unless `check` is false.
        """
        inside = [*self._runc, "exec", self.name, *command]
        what = what or f"{command[0]} in the node {self.name}"
        if log is None:
            return output(inside, what=what, timeout=timeout, check=check)
        run(inside, what=what, log=log, timeout=timeout)
        return ""

    def delete(self) -> None:
        """End all processes of the container and remove its cgroups; does nothing when it does not exist.

        Raises:
            ClusterError: runc is missing or hangs, or the first process does not end.
        """
        if not self.directory.exists():
            return
        with locked(self._starting):
            pid = self._recorded_pid()
            process = running(pid, recorded=self._pid_file) if pid else None
            # This fails when there is no container any more, or never was one.
            output([*self._runc, "delete", "--force", self.name], timeout=RUNC_TIMEOUT, check=False)
            self._pid_file.unlink(missing_ok=True)
        if process is None:
            return
        try:
            process.wait(timeout=30)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired as error:
            raise ClusterError(f"the node {self.name} (pid {process.pid}) does not end") from error

    def _bundle(self, binds: Sequence[Bind]) -> dict[str, object]:
        def mount(destination: str, kind: str, *options: str) -> dict[str, object]:
            return {"destination": destination, "type": kind, "source": kind, "options": list(options)}

        def mount_of(bind: Bind) -> dict[str, object]:
            options = ["rbind", "rw" if bind.writable else "ro"]
            return {"destination": bind.target, "type": "bind", "source": str(bind.source), "options": options}

        return {
            "ociVersion": "1.0.2",
            "hostname": self.name,
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/sh", "-c", START, *INIT],
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
                "cwd": "/",
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
                "noNewPrivileges": False,
            },
            "root": {"path": str(self.directory / "rootfs")},
            "mounts": [
                mount("/proc", "proc"),
                mount("/dev", "tmpfs", "nosuid", "mode=755", "size=65536k"),
                mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                mount("/dev/shm", "tmpfs"),  # noqa: S108
                mount("/dev/mqueue", "mqueue"),
                mount("/sys", "sysfs"),
                mount("/sys/fs/cgroup", "cgroup", "rw"),
                mount("/run", "tmpfs", "mode=755"),
                mount("/tmp", "tmpfs", "mode=1777"),  # noqa: S108
                *map(mount_of, binds),
            ],
            "linux": {
                "cgroupsPath": f"/{self.cgroup}",
                "rootfsPropagation": "rshared",
                "namespaces": [{"type": kind} for kind in NAMESPACES],
                "resources": {"devices": [{"allow": True, "access": "rwm"}]},
                "devices": [
                    {"path": path, "type": "c", "major": major, "minor": minor, "fileMode": 0o600}
                    for path, major, minor in DEVICES
                ],
            },
        }

    @property
    def cgroup(self) -> str:
        """The name of the container's cgroup in all hierarchies."""
        return f"kmm-{self.name}"
