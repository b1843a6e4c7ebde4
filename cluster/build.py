"""Build what is missing: compile, fetch and pack side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console

from cluster.artifacts import Cache, locked, try_locked
from cluster.catalog import (
    GO_PARTS,
    HELM_PART,
    PROVIDER_PART,
    PULUMI_PART,
    PULUMI_PYTHON_PART,
    PYTHON_PACKAGES,
    REGISTRY_PART,
    ROOT_FILESYSTEMS,
    Catalog,
)
from cluster.locations import cache_dir
from cluster.programs import usable_helm, usable_pulumi
from cluster.registry import RegistryContent
from cluster.schedule import Task, run_all
from cluster.toolchain import GoPart, remove_go_caches

FETCH_SECONDS = 3
IMAGE_SECONDS = 4
CHART_SECONDS = 1
REGISTRY_SECONDS = 30
GIB = 1 << 30


def build_lock() -> Path:
    """The lock of who builds in the cache, or removes from it."""
    return cache_dir() / "locks" / "build"


@dataclass(frozen=True)
class Build:
    """Everything a cluster starts from."""

    catalog: Catalog

    @property
    def cache(self) -> Cache:
        """Where everything is kept."""
        return self.catalog.cache

    @cached_property
    def parts(self) -> tuple[GoPart, ...]:
        """Go parts: all but those a usable program on PATH makes needless."""
        needless: set[GoPart] = set()
        if usable_pulumi():
            needless |= {PULUMI_PART, PULUMI_PYTHON_PART}
        if usable_helm():
            needless |= {HELM_PART}
        return tuple(part for part in GO_PARTS if part not in needless)

    @property
    def helm(self) -> Path:
        """Helm from PATH when usable, else ours."""
        return usable_helm() or self.catalog.part(HELM_PART) / "helm"

    @cached_property
    def content(self) -> RegistryContent:
        """Every image and chart of the local registry."""
        images = (*self.catalog.node_images(), *self.catalog.platform_images())
        return RegistryContent(images=images, charts=tuple(self.catalog.charts()))

    @property
    def registry(self) -> Path:
        """The cache entry with the registry's storage."""
        return self.content.path(self.cache)

    @cached_property
    def entries(self) -> dict[str, str]:
        """Cache entries this build consists of: name → key."""
        keys = {part.name: self.catalog.toolchain.key(part) for part in self.parts}
        keys |= {filesystem.name: filesystem.key for filesystem in ROOT_FILESYSTEMS}
        keys |= {packages.name: packages.key for packages in PYTHON_PACKAGES}
        keys |= {image.entry: image.key(self.cache) for image in self.content.images}
        keys |= {chart.entry: chart.key(self.cache) for chart in self.content.charts}
        return keys | {self.content.entry: self.content.key(self.cache)}

    def missing(self, only: frozenset[str] | None = None) -> list[str]:
        """Names of the entries, or of those in `only`, that are not there, or damaged."""
        return [
            name
            for name, key in self.entries.items()
            if (only is None or name in only) and not self.cache.has(name, key)
        ]

    @property
    def tools(self) -> frozenset[str]:
        """Names of the entries that Pulumi alone needs."""
        return frozenset(part.name for part in self.parts if part in {PULUMI_PART, PULUMI_PYTHON_PART, PROVIDER_PART})

    def run(self, console: Console, *, keep_go_caches: bool, only: frozenset[str] | None = None) -> None:
        """Build what is missing, or of that `only` the entries named; gives Go's caches back unless told otherwise.

        One process builds at a time; the others wait for it, if there is anything for them to build.

        Raises:
            ClusterError: a part failed; its text ends with the last lines of the part's log.
        """
        if not self.missing(only):
            with try_locked(build_lock()) as held:
                if held and not keep_go_caches:
                    _give_back_go_caches(console)
            return
        with locked(build_lock(), console=console):
            if wanted := set(self.missing(only)):
                run_all(list(self._tasks(wanted)), console=console, title="building")
            if not keep_go_caches:
                _give_back_go_caches(console)

    def _tasks(self, wanted: set[str]) -> Iterator[Task]:
        """The steps to the entries wanted, in the order each lane should take them."""
        toolchain = self.catalog.toolchain
        for part in self.parts:
            if part.name in wanted:
                modules = f"{part.name} modules"
                yield Task(modules, "prepare", FETCH_SECONDS, partial(toolchain.fetch, part))
                yield Task(part.name, "compile", part.seconds, partial(toolchain.build, part), frozenset({modules}))
        yield from (task for task in self._packing() if task.name in wanted)

    def _packing(self) -> Iterator[Task]:
        """Everything that is not compiled."""
        cache = self.cache
        for filesystem in ROOT_FILESYSTEMS:
            yield Task(filesystem.name, "prepare", filesystem.seconds, partial(filesystem.build, cache))
        for packages in PYTHON_PACKAGES:
            yield Task(packages.name, "prepare", packages.seconds, partial(packages.build, cache))
        for image in self.content.images:
            yield Task(image.entry, "prepare", IMAGE_SECONDS, partial(image.build, cache), image.needs(cache))
        for chart in self.content.charts:
            build = partial(chart.build, cache, helm=self.helm)
            yield Task(chart.entry, "prepare", CHART_SECONDS, build, chart.needs(cache) | {HELM_PART.name})
        binaries = self.catalog.part(REGISTRY_PART)
        push = partial(
            self.content.build, cache, registry=binaries / "registry", crane=binaries / "crane", helm=self.helm
        )
        everything = frozenset(self.entries) - {self.content.entry}
        yield Task(self.content.entry, "prepare", REGISTRY_SECONDS, push, everything)


def _give_back_go_caches(console: Console) -> None:
    with console.status("giving back the disk that Go's caches take"):
        freed = remove_go_caches()
    if freed:
        console.print(f"  [green]✓[/] {freed / GIB:.0f} GiB of Go's caches given back")
