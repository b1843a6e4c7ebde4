"""The runc container a node lives in: started on an overlay the host never sees, ended without residue."""

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

# What the kubelet, containerd and runc need, and what pods get from them: containerd's default set, and IPC_LOCK,
# SYS_NICE and SYS_PTRACE for those that ask. Without what reaches the machine itself (SYS_MODULE, SYS_RAWIO, SYS_BOOT,
# SYS_TIME, MAC_ADMIN, ...) and without SYS_RESOURCE, which not every machine has to give.
CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
        *("SETFCAP", "MKNOD", "AUDIT_WRITE", "NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW", "IPC_LOCK"),
        *("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "SYS_NICE", "SYSLOG"),
    )
]
# Seconds until runc, which answers at once or never, is taken for hung.
RUNC_TIMEOUT = 30
START_TIMEOUT = 120
EXECUTE_TIMEOUT = 60
RUNC = "runc"
DEVICES = (("/dev/kmsg", 1, 11), ("/dev/net/tun", 10, 200), ("/dev/fuse", 10, 229))
NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
INIT = ("/usr/bin/tini", "-g", "--", "/usr/bin/supervisord", "-n", "-c", "/etc/supervisor/node.conf")
# cgroup v2 gives controllers only to a group without processes of its own, and the kubelet makes its groups in the
# root of this namespace: what runs there moves into a group beside the kubelet's.
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
    """A directory of this machine that the container sees.

    Attributes:
        source: the directory here.
        target: its path inside.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Container:
    """One runc container.

    Attributes:
        name: also its host name.
        directory: holds the bundle, runc's state and the overlay's writable part.
    """

    name: str
    directory: Path

    @property
    def upper(self) -> Path:
        """The overlay's writable part: what is put here before the start is there inside."""
        return self.directory / "upper"

    @property
    def _runc(self) -> tuple[str, ...]:
        return (RUNC, "--root", str(self.directory / "runc"))

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pid"

    @property
    def _starting(self) -> Path:
        """Locked for as long as a start goes on, also when the program that began it was killed."""
        return self.directory / "starting"

    def pid(self) -> int | None:
        """The first process's pid here, or None when the container does not run."""
        pid = self._recorded_pid()
        if pid is None:
            return None
        if shutil.which(RUNC) is None:
            return None
        listed = output([*self._runc, "state", self.name], timeout=RUNC_TIMEOUT, check=False)
        if not listed:
            return None
        # Runc knows when its process began, so that another with this number does not count as running.
        state = json.loads(listed)
        return pid if state["status"] == "running" and state["pid"] == pid else None

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def start(self, *, lower: Path, binds: Sequence[Bind], log: Path) -> int:
        """Start it on the root filesystem `lower`, which stays as it is; returns the first process's pid.

        What runs inside goes on after this program ends.

        Raises:
            ClusterError: runc failed or hung.
        """
        for name in ("upper", "work", "rootfs"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "config.json").write_text(json.dumps(self._bundle(binds)))
        overlay = f"lowerdir={lower},upperdir={self.upper},workdir={self.directory / 'work'}"
        # A mount namespace of its own: the overlay goes with the container and the host's mount table never has it.
        script = 'mount -t overlay overlay -o "$0" "$1" && shift && exec "$@"'
        create = (*self._runc, "run", "--detach", "--pid-file", str(self._pid_file), "--bundle", str(self.directory))
        inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, overlay)
        locking = ("setsid", "--wait", "flock", "--close", str(self._starting))
        # Holds also when this program was killed, so that `delete` waits no longer for the lock.
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
        """Run a command inside; its output, or "" when it goes to `log`.

        Raises:
            ClusterError: it took longer than `timeout` seconds, or failed, unless `check` is false.
        """
        inside = [*self._runc, "exec", self.name, *command]
        what = what or f"{command[0]} in the node {self.name}"
        if log is None:
            return output(inside, what=what, timeout=timeout, check=check)
        run(inside, what=what, log=log, timeout=timeout)
        return ""

    def delete(self) -> None:
        """End every process in it and remove its cgroups; nothing happens when there is none.

        Raises:
            ClusterError: runc is not there or hangs, or the first process does not end.
        """
        if not self.directory.exists():
            return
        with locked(self._starting):
            pid = self._recorded_pid()
            process = running(pid, recorded=self._pid_file) if pid else None
            # It fails where the container is gone already, or never was.
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
        """Name of its cgroup in every hierarchy."""
        return f"kmm-{self.name}"
