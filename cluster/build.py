"""Builds what is missing from the cache: compiles, links, fetches and packs side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path

from rich.console import Console

from cluster import demo_models
from cluster.artifacts import Cache, locked, try_locked
from cluster.catalog import (
    GO_PARTS,
    HELM_PART,
    KUBERNETES_PART,
    METRICS_SERVER_PART,
    NODE_FILESYSTEM,
    PROVIDER_PART,
    PULUMI_PART,
    PULUMI_PYTHON_PART,
    PYTHON_PACKAGES,
    REGISTRY_PART,
    ROOT_FILESYSTEMS,
    VERSITYGW_PART,
    Catalog,
)
from cluster.host import GIB
from cluster.locations import cache_dir
from cluster.programs import usable_helm, usable_pulumi
from cluster.registry import RegistryContent
from cluster.schedule import Lane, Task, run_all
from cluster.toolchain import remove_go_caches

# What steps took on two cores, for the progress bar.
FETCH_SECONDS = 20
IMAGE_SECONDS = 4
CHART_SECONDS = 1
REGISTRY_SECONDS = 30
TRAINING_SECONDS = 5
REMOVE_CACHES_SECONDS = 40


def build_lock() -> Path:
    """The lock held while a process adds entries to the cache or removes some."""
    return cache_dir() / "locks" / "build"


@dataclass(frozen=True)
class Entry:
    """A cache entry and how it is made.

    Attributes:
        run: makes the entry.
        seconds: what that took on two cores.
        needs: names of the entries it is made from; they are not needed any more once it exists.
    """

    name: str
    key: str
    run: Callable[[], object]
    seconds: int
    needs: frozenset[str] = frozenset()
    lane: Lane = "prepare"


@dataclass(frozen=True)
class Build:
    """The cache entries that a cluster is made of, and how to get those that are missing."""

    catalog: Catalog

    @property
    def cache(self) -> Cache:
        """The cache with all entries."""
        return self.catalog.cache

    @property
    def helm(self) -> Path:
        """The Helm to use: the one on PATH if it is usable, else the one that is built."""
        return usable_helm() or self.catalog.part(HELM_PART) / "helm"

    @property
    def _helm_entry(self) -> frozenset[str]:
        """The entry of the Helm to use; empty when it comes from PATH."""
        return frozenset() if usable_helm() else frozenset({HELM_PART.name})

    @cached_property
    def content(self) -> RegistryContent:
        """Images and charts that each cluster's registry has from the start."""
        images = (*self.catalog.node_images(), *self.catalog.platform_images())
        return RegistryContent(images=images, charts=tuple(self.catalog.charts()))

    @cached_property
    def extras(self) -> dict[str, RegistryContent]:
        """Images that are added to a registry on demand, by the extra's name."""
        return {
            name: RegistryContent(extra=name, images=tuple(images))
            for name, images in self.catalog.extra_images().items()
        }

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All cache entries that can be built, by name."""
        return {entry.name: entry for entry in self._entries()}

    @property
    def tools(self) -> frozenset[str]:
        """Names of the entries that running Pulumi needs."""
        own = {PROVIDER_PART} if usable_pulumi() else {PULUMI_PART, PULUMI_PYTHON_PART, PROVIDER_PART}
        return frozenset(part.name for part in own)

    @property
    def node(self) -> frozenset[str]:
        """Names of the entries that starting a node needs; the one of metrics-server has its manifests."""
        parts = (KUBERNETES_PART, REGISTRY_PART, VERSITYGW_PART, METRICS_SERVER_PART)
        return frozenset({NODE_FILESYSTEM.name, self.content.entry, *(part.name for part in parts)})

    @property
    def default(self) -> frozenset[str]:
        """Names of the entries that `cluster up` needs, without extras."""
        return self.tools | self.node | self._helm_entry | {demo_models.DEMO.entry}

    @property
    def for_any_machine(self) -> frozenset[str]:
        """Names of the entries that `cluster up` needs on a machine with neither Pulumi nor Helm."""
        programs = (HELM_PART, PULUMI_PART, PULUMI_PYTHON_PART, PROVIDER_PART)
        return self.default.union(part.name for part in programs)

    def of_extra(self, name: str) -> frozenset[str]:
        """Names of the entries of an extra."""
        models = demo_models.EXTRAS.get(name)
        return frozenset({self.extras[name].entry} | ({models.entry} if models else set()))

    def keys(self, names: Collection[str]) -> dict[str, str]:
        """Name → key of these entries."""
        return {name: self.entries[name].key for name in names}

    def missing(self, wanted: Collection[str] | None = None) -> list[str]:
        """Names of the entries to build for `wanted` (by default `default`), each after those it is made from.

        An entry that exists needs no others, so those it was made from are not listed.
        """
        found: list[str] = []

        def visit(name: str) -> None:
            entry = self.entries[name]
            if name not in found and not self.cache.has(name, entry.key):
                for need in sorted(entry.needs):
                    visit(need)
                found.append(name)

        for name in sorted(self.default if wanted is None else wanted):
            visit(name)
        return found

    def run(self, console: Console, *, keep_go_caches: bool, wanted: Collection[str] | None = None) -> None:
        """Build what is missing for `wanted` (by default `default`), then remove Go's caches unless they are kept.

        One process builds at a time; another one with something to build waits for it.

        Raises:
            ClusterError: a part failed; the text ends with the last lines of the part's log.
        """
        if not self.missing(wanted):
            with try_locked(build_lock()) as held:
                if held and not keep_go_caches:
                    _remove_go_caches(console)
            return
        with locked(build_lock(), console=console):
            if missing := set(self.missing(wanted)):
                tasks = list(self._tasks(missing, keep_go_caches=keep_go_caches))
                run_all(tasks, console=console, title="building")
            if not keep_go_caches:
                _remove_go_caches(console)

    def _tasks(self, missing: set[str], *, keep_go_caches: bool) -> Iterator[Task]:
        """The steps that make the missing entries, in the order in which each lane should take them.

        Disk is freed as early as possible: the compiled packages of a module with a cache of its own when its programs
        are linked, and the rest of Go's caches when all programs are. A module's sources are fetched while the module
        before it is linked.
        """
        toolchain = self.catalog.toolchain
        parts = [part for part in GO_PARTS if part.name in missing]
        modules = [(module, list(members)) for module, members in groupby(parts, key=lambda part: part.module)]
        before = frozenset({toolchain.packages.name})
        for module, members in modules:
            sources, packages = f"{module.name}: sources", f"{module.name}: packages"
            yield Task(sources, "prepare", FETCH_SECONDS, partial(toolchain.fetch, module, members), before)
            compile_packages = partial(toolchain.compile, module, members)
            yield Task(packages, "compile", module.seconds, compile_packages, frozenset({sources}))
            before = frozenset({packages})
            if module.apart and not keep_go_caches:
                linked = frozenset(part.name for part in members)
                remove = partial(toolchain.remove_packages, module)
                yield Task(f"{module.name}: packages given back", "link", 2, remove, linked)
        compiled = {part.name: f"{part.module.name}: packages" for part in parts}
        for name, entry in self.entries.items():
            if name in missing:
                needs = entry.needs | {compiled[name]} if name in compiled else entry.needs
                yield Task(name, entry.lane, entry.seconds, entry.run, needs)
        if parts and not keep_go_caches:
            yield Task("Go's caches given back", "link", REMOVE_CACHES_SECONDS, remove_go_caches, frozenset(compiled))

    def _entries(self) -> Iterator[Entry]:
        cache, toolchain = self.cache, self.catalog.toolchain
        go = toolchain.packages
        yield Entry(go.name, go.key, lambda: toolchain.go, go.seconds)
        for filesystem in ROOT_FILESYSTEMS:
            yield Entry(filesystem.name, filesystem.key, partial(filesystem.build, cache), filesystem.seconds)
        for part in GO_PARTS:
            build = partial(toolchain.build, part)
            yield Entry(part.name, toolchain.key(part), build, part.seconds, frozenset({go.name}), lane="link")
        for packages in PYTHON_PACKAGES:
            build = partial(packages.build, cache)
            yield Entry(packages.name, packages.key, build, packages.seconds, packages.needs)
        for models in (demo_models.DEMO, *demo_models.EXTRAS.values()):
            yield Entry(models.entry, models.key, partial(models.train, cache), TRAINING_SECONDS, models.needs)
        for content in (self.content, *self.extras.values()):
            yield from self._registry_entries(content)

    def _registry_entries(self, content: RegistryContent) -> Iterator[Entry]:
        """The images and charts of a registry, then its storage, to which they are pushed."""
        cache, helm = self.cache, self.helm
        for image in content.images:
            build = partial(image.build, cache)
            yield Entry(image.entry, image.key(cache), build, IMAGE_SECONDS, image.needs(cache))
        for chart in content.charts:
            build = partial(chart.build, cache, helm=helm)
            yield Entry(chart.entry, chart.key(cache), build, CHART_SECONDS, chart.needs(cache) | self._helm_entry)
        programs = self.catalog.part(REGISTRY_PART)
        push = partial(content.build, cache, registry=programs / "registry", crane=programs / "crane", helm=helm)
        images, charts = {image.entry for image in content.images}, {chart.entry for chart in content.charts}
        needs = self._helm_entry | images | charts | {REGISTRY_PART.name}
        yield Entry(content.entry, content.key(cache), push, REGISTRY_SECONDS, needs)


def _remove_go_caches(console: Console) -> None:
    with console.status("giving back the disk that Go's caches take"):
        freed = remove_go_caches()
    if freed:
        console.print(f"  [green]✓[/] {freed / GIB:.0f} GiB of Go's caches given back")
