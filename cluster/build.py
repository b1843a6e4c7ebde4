"""Build what is missing: compile, link, fetch and pack side by side."""

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
from cluster.locations import cache_dir
from cluster.programs import usable_helm, usable_pulumi
from cluster.registry import RegistryContent
from cluster.schedule import Lane, Task, run_all
from cluster.toolchain import GoPart, remove_go_caches

FETCH_SECONDS = 20
IMAGE_SECONDS = 4
CHART_SECONDS = 1
REGISTRY_SECONDS = 30
TRAINING_SECONDS = 5
GIVING_BACK_SECONDS = 40
GIB = 1 << 30


def build_lock() -> Path:
    """The lock of who builds in the cache, or removes from it."""
    return cache_dir() / "locks" / "build"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cache entry and how it is made.

    Attributes:
        needs: names of the entries it is made from; once it is there, it does without them.
    """

    name: str
    key: str
    lane: Lane
    seconds: int
    run: Callable[[], object]
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Build:
    """Everything a cluster starts from."""

    catalog: Catalog

    @property
    def cache(self) -> Cache:
        """Where everything is kept."""
        return self.catalog.cache

    @property
    def helm(self) -> Path:
        """Helm from PATH when usable, else ours."""
        return usable_helm() or self.catalog.part(HELM_PART) / "helm"

    @cached_property
    def content(self) -> RegistryContent:
        """Every image and chart that a cluster's registry has from its start."""
        images = (*self.catalog.node_images(), *self.catalog.platform_images())
        return RegistryContent(images=images, charts=tuple(self.catalog.charts()))

    @cached_property
    def extras(self) -> dict[str, RegistryContent]:
        """Images that a registry gets when they are first needed, by the extra's name."""
        return {
            name: RegistryContent(extra=name, images=tuple(images))
            for name, images in self.catalog.extra_images().items()
        }

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every cache entry that this build can give, by name."""
        return {entry.name: entry for entry in self._entries()}

    @property
    def tools(self) -> frozenset[str]:
        """Names of the entries that Pulumi alone needs."""
        own = {PROVIDER_PART} if usable_pulumi() else {PULUMI_PART, PULUMI_PYTHON_PART, PROVIDER_PART}
        return frozenset(part.name for part in own)

    @property
    def node(self) -> frozenset[str]:
        """Names of the entries a node is started from; metrics-server's has its manifests."""
        parts = (KUBERNETES_PART, REGISTRY_PART, VERSITYGW_PART, METRICS_SERVER_PART)
        return frozenset({NODE_FILESYSTEM.name, self.content.entry, *(part.name for part in parts)})

    @property
    def default(self) -> frozenset[str]:
        """Names of the entries that `cluster up` works with; extras are not among them."""
        own_helm = frozenset() if usable_helm() else frozenset({HELM_PART.name})
        return self.tools | self.node | own_helm | {demo_models.DEMO.entry}

    @property
    def for_any_machine(self) -> frozenset[str]:
        """Names of the entries that `cluster up` works with on a machine that has none of the programs on its PATH."""
        programs = (HELM_PART, PULUMI_PART, PULUMI_PYTHON_PART, PROVIDER_PART)
        return self.default.union(part.name for part in programs)

    def of_extra(self, name: str) -> frozenset[str]:
        """Names of the entries of an extra."""
        models = demo_models.EXTRAS.get(name)
        return frozenset({self.extras[name].entry} | ({models.entry} if models else set()))

    def keys(self, names: Collection[str]) -> dict[str, str]:
        """The keys of the entries named: name → key."""
        return {name: self.entries[name].key for name in names}

    def missing(self, wanted: Collection[str] | None = None) -> list[str]:
        """Names of what has to be made for `wanted`, which is `default` when not given, in the order of making.

        What is made from an entry that is there does without it, so that entry is not asked for.
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
        """Build what is missing for `wanted`, or for `default`; gives Go's caches back unless told otherwise.

        One process builds at a time; the others wait for it, if there is anything for them to build.

        Raises:
            ClusterError: a part failed; its text ends with the last lines of the part's log.
        """
        if not self.missing(wanted):
            with try_locked(build_lock()) as held:
                if held and not keep_go_caches:
                    _give_back_go_caches(console)
            return
        with locked(build_lock(), console=console):
            if missing := set(self.missing(wanted)):
                tasks = list(self._tasks(missing, keep_go_caches=keep_go_caches))
                run_all(tasks, console=console, title="building")
            if not keep_go_caches:
                _give_back_go_caches(console)

    def _tasks(self, missing: set[str], *, keep_go_caches: bool) -> Iterator[Task]:
        """The steps to the missing entries, in the order each lane should take them.

        Disk is given back as soon as it can be: the compiled packages of a module that has them apart when its programs
        are linked, and the rest of Go's caches when all are. A module's sources are fetched while the one before it is
        linked.
        """
        toolchain = self.catalog.toolchain
        parts = [part for part in GO_PARTS if part.name in missing]
        modules = [(module, list(members)) for module, members in groupby(parts, key=lambda part: part.module)]
        before = frozenset({toolchain.packages.name})
        for module, members in modules:
            sources, packages = f"{module.name}: sources", f"{module.name}: packages"
            yield Task(sources, "prepare", FETCH_SECONDS, partial(toolchain.fetch, module, members), before)
            yield Task(
                *(packages, "compile", module.seconds, partial(toolchain.compile, module, members)),
                frozenset({sources}),
            )
            before = frozenset({packages})
            if module.apart and not keep_go_caches:
                linked = frozenset(part.name for part in members)
                yield Task(
                    f"{module.name}: packages given back", "link", 2, partial(toolchain.give_back, module), linked
                )
        for name, entry in self.entries.items():
            if name in missing:
                yield Task(name, entry.lane, entry.seconds, entry.run, entry.needs | self._compiled(name))
        if parts and not keep_go_caches:
            linked = frozenset(part.name for part in parts)
            yield Task("Go's caches given back", "link", GIVING_BACK_SECONDS, remove_go_caches, linked)

    def _compiled(self, name: str) -> frozenset[str]:
        """The step that compiles what a part is linked from."""
        return frozenset(f"{part.module.name}: packages" for part in GO_PARTS if part.name == name)

    def _entries(self) -> Iterator[Entry]:
        cache, toolchain = self.cache, self.catalog.toolchain
        go = toolchain.packages
        yield Entry(name=go.name, key=go.key, lane="prepare", seconds=go.seconds, run=lambda: toolchain.go)
        for filesystem in ROOT_FILESYSTEMS:
            yield Entry(
                name=filesystem.name,
                key=filesystem.key,
                lane="prepare",
                seconds=filesystem.seconds,
                run=partial(filesystem.build, cache),
            )
        for part in GO_PARTS:
            yield self._part(part)
        for packages in PYTHON_PACKAGES:
            yield Entry(
                name=packages.name,
                key=packages.key,
                lane="prepare",
                seconds=packages.seconds,
                run=partial(packages.build, cache),
                needs=packages.needs,
            )
        for models in (demo_models.DEMO, *demo_models.EXTRAS.values()):
            yield Entry(
                name=models.entry,
                key=models.key,
                lane="prepare",
                seconds=TRAINING_SECONDS,
                run=partial(models.train, cache),
                needs=models.needs,
            )
        for content in (self.content, *self.extras.values()):
            yield from self._registry(content)

    def _part(self, part: GoPart) -> Entry:
        toolchain = self.catalog.toolchain
        return Entry(
            name=part.name,
            key=toolchain.key(part),
            lane="link",
            seconds=part.seconds,
            run=partial(toolchain.build, part),
            needs=frozenset({toolchain.packages.name}),
        )

    def _registry(self, content: RegistryContent) -> Iterator[Entry]:
        """A registry's storage after the images and charts it is filled with."""
        cache = self.cache
        own_helm = frozenset() if usable_helm() else frozenset({HELM_PART.name})
        for image in content.images:
            yield Entry(
                name=image.entry,
                key=image.key(cache),
                lane="prepare",
                seconds=IMAGE_SECONDS,
                run=partial(image.build, cache),
                needs=image.needs(cache),
            )
        for chart in content.charts:
            yield Entry(
                name=chart.entry,
                key=chart.key(cache),
                lane="prepare",
                seconds=CHART_SECONDS,
                run=partial(chart.build, cache, helm=self.helm),
                needs=chart.needs(cache) | own_helm,
            )
        binaries = self.catalog.part(REGISTRY_PART)
        yield Entry(
            name=content.entry,
            key=content.key(cache),
            lane="prepare",
            seconds=REGISTRY_SECONDS,
            run=partial(content.build, cache, registry=binaries / "registry", crane=binaries / "crane", helm=self.helm),
            needs=frozenset(
                {REGISTRY_PART.name, *(i.entry for i in content.images), *(c.entry for c in content.charts)}
            )
            | own_helm,
        )


def _give_back_go_caches(console: Console) -> None:
    with console.status("giving back the disk that Go's caches take"):
        freed = remove_go_caches()
    if freed:
        console.print(f"  [green]✓[/] {freed / GIB:.0f} GiB of Go's caches given back")
