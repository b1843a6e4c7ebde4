"""`python -m cluster`: the command line of the local cluster."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated

import httpx2 as httpx
import psutil
import typer
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from cluster import catalog, debian, demo_models, host
from cluster.artifacts import Cache, disk_usage, locked, remove_tree
from cluster.build import Build, build_lock
from cluster.cache_from import VARIABLE, Location
from cluster.catalog import Catalog
from cluster.demo_models import DemoModels
from cluster.environment import Environment
from cluster.errors import ClusterError
from cluster.export import Export
from cluster.extras import extras_of
from cluster.locations import cache_dir, logs_dir, state_dir
from cluster.mirror import CHARTS, Mirror, Place, copy_all, items_of
from cluster.node.lifecycle import IMAGE_STORE, S3_REGION, Node, image_store_key, nodes, recorded_entries
from cluster.node.network import DEFAULT_SUBNET, proxy_exceptions
from cluster.provider import OfficialProvider
from cluster.registry import PORT
from cluster.shared_cache import RefusedError, SharedCache, downloads
from cluster.toolchain import remove_go_caches
from cluster.tools import PROVIDER, get_tools, provider_without_build
from registries.errors import DownloadError
from releases import RELEASES

MIB = 1 << 20
# The exit status after Ctrl-C, as in shells.
INTERRUPTED = 130
# Errors of the machine and the network that become a message; those of requests are OSErrors.
FAULTS = (OSError, subprocess.SubprocessError, httpx.HTTPError, BotoCoreError, ClientError, Boto3Error, psutil.Error)
app = typer.Typer(
    help="A real single-node Kubernetes on this machine, with a registry and an S3 store, built from pinned sources.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)

Name = Annotated[str, typer.Option(help="Which local cluster; each has its own subnet.")]
KeepGoCaches = Annotated[
    bool, typer.Option(help="Keep Go's build and module caches (12 GB) for the next change of a pin.")
]
CacheFrom = Annotated[
    str | None,
    typer.Option(
        envvar=VARIABLE,
        metavar="FOLDER|URL[#sha256=DIGEST]",
        help="A cache that `export` wrote on another machine; what it has is not built here.",
    ),
]
Subnet = Annotated[str, typer.Option(help="The cluster's subnet, a /18 of 198.18.0.0/15.")]


def _cache() -> Cache:
    return Cache(cache_dir() / "entries")


def _build() -> Build:
    """The build of the present pins."""
    return Build(Catalog(_cache()))


def _shared_cache(cache_from: str | None) -> SharedCache | None:
    """The cache that CACHE_FROM names, if it is set; it is not read yet."""
    return SharedCache(location=Location.parse(cache_from), console=console) if cache_from else None


def _node(name: str, subnet: str = DEFAULT_SUBNET) -> Node:
    node = Node.named(name, subnet=subnet, cache=_cache())
    os.environ.update(node.network.proxy_exceptions())
    return node


def _lock(name: str) -> Path:
    return cache_dir() / "locks" / f"node-{name}"


@app.command()
def up(
    name: Name = "dev",
    subnet: Subnet = DEFAULT_SUBNET,
    keep_go_caches: KeepGoCaches = False,
    stack_file: Annotated[
        Path | None, typer.Option(help="A stack file; what its settings need beyond the default is added.")
    ] = None,
    cache_from: CacheFrom = None,
) -> None:
    """Build what is missing, start the cluster and upload the demo's models; seconds when there is nothing to do."""
    host.check_machine()
    shared = _shared_cache(cache_from)
    with locked(_lock(_node(name).name), console=console):
        node = _node(name, subnet)
        build = _build()
        outdated = node.outdated(build)
        # An outdated node keeps running from its own entries, so only Pulumi is needed from this build.
        extras = [] if outdated or not stack_file else extras_of(stack_file, build=build)
        wanted = build.tools if outdated else build.default.union(*map(build.of_extra, extras))
        if outdated:
            console.print(f"  {name} was started from an older build than this; make down, then make up renews it")
        environment = Environment(build, node)
        has_provider = _has_provider(environment)
        if has_provider:
            wanted -= PROVIDER
        # A node that exists would be outdated by packages of another day.
        build, fetched = _fetch(build, wanted, shared, may_renew=not node.initialised)
        environment = Environment(build, node)
        if not has_provider and provider_without_build(console, build):
            wanted -= PROVIDER
        built = _prepare_host(build, node=node, wanted=wanted)
        build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
        started = node.up(console, build=build)
        environment.prepare()
        uploaded = 0 if outdated else _upload_models(node, demo_models.DEMO)
        added = [name for name in extras if _add_extra(node, name, build=build)]
    _advise(node.root_filesystem)
    if not (fetched or built or started or uploaded or added):
        console.print(f"the local cluster {name} is up already: nothing to do")


@app.command()
def add(
    extras: Annotated[list[str], typer.Argument(help="What to add; without a cluster, it is only built.")],
    name: Name = "dev",
    keep_go_caches: KeepGoCaches = False,
    cache_from: CacheFrom = None,
) -> None:
    """Build what the default leaves out and add it to the cluster.

    There are: monitoring, bandit, examples, and the formats lightgbm, onnx, mlflow, tensorflow, pytorch, pmml, paddle.
    """
    host.check_machine()
    shared = _shared_cache(cache_from)
    build = _build()
    extras = _known_extras(build, extras)
    wanted = frozenset().union(*map(build.of_extra, extras))
    build, fetched = _fetch(build, wanted, shared, may_renew=not _node(name).initialised)
    built = _prepare_host(build, wanted=wanted)
    build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    # Not earlier: `down` waits for this lock, and compiling takes minutes.
    with locked(_lock(_node(name).name), console=console):
        node = _node(name)
        if node.outdated(build):
            raise ClusterError(
                f"{name} was started from an older build than this, which cannot be added to",
                hint="make down, then make up renews it.",
            )
        added = [extra for extra in extras if node.initialised and _add_extra(node, extra, build=build)]
    if not (fetched or built or added):
        console.print(f"{', '.join(extras)}: added already, nothing to do")


def _known_extras(build: Build, names: list[str]) -> list[str]:
    if unknown := [name for name in names if name not in build.extras]:
        raise ClusterError(f"unknown extra {unknown[0]!r}", hint=f"There are: {', '.join(build.extras)}")
    return names


def _add_extra(node: Node, name: str, *, build: Build) -> bool:
    """Add an extra that was built to the cluster: its images, and the models to try it with."""
    added = node.add_extra(build, name)
    if added:
        console.print(f"  [green]✓[/] {name}: {', '.join(i.name for i in build.extras[name].images)}")
    models = demo_models.EXTRAS.get(name)
    return bool(models and _upload_models(node, models)) or added


def _upload_models(node: Node, trained: DemoModels) -> int:
    models = trained.path(node.cache)
    client = demo_models.s3_client(endpoint=node.s3_endpoint, credentials=node.credentials, region=S3_REGION)
    uploaded = demo_models.upload(models, client=client)
    if uploaded:
        console.print(f"  [green]✓[/] {uploaded} model files at {node.s3_endpoint}/{demo_models.BUCKET}")
    return uploaded


@app.command("build")
def build_all(
    keep_go_caches: KeepGoCaches = False,
    cache_from: CacheFrom = None,
    renew: Annotated[
        bool, typer.Option(help="Rebuild what holds Debian packages, with today's security updates.")
    ] = False,
    extras: Annotated[bool, typer.Option(help="Also build what is otherwise built when it is first needed.")] = False,
) -> None:
    """Build what is missing, without starting a cluster."""
    host.check_machine()
    shared = _shared_cache(cache_from)
    with debian.renewing(build_lock()) if renew else nullcontext():
        build = _build()
        everything = build.default.union(*map(build.of_extra, build.extras if extras else ()))
        if _has_provider(Environment(build)):
            everything -= PROVIDER
        build, _ = _fetch(build, everything, shared)
        wanted = everything - (PROVIDER if provider_without_build(console, build) else frozenset())
        _prepare_host(build, wanted=wanted)
        build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    _advise(build.catalog.path(catalog.NODE_FILESYSTEM))


def _advise(filesystem: Path) -> None:
    if advice := debian.age_advice(filesystem):
        console.print(f"  {advice}")


def _has_provider(environment: Environment) -> bool:
    """Whether the provider is on this machine, so that no other one has to offer it."""
    return environment.has_provider() or OfficialProvider(environment.build.cache).find() is not None


def _fetch(
    build: Build, wanted: Collection[str], shared: SharedCache | None, *, may_renew: bool = True
) -> tuple[Build, bool]:
    """Take what is missing for `wanted` from the shared cache, if there is one.

    With `may_renew`, entries that were built with later Debian packages are taken, too. Returns the build to go on
    with, which then has the keys of that later day, and whether the shared cache was read.
    """
    if shared is None or not build.missing(wanted):
        return build, False
    newer = _renew_from(shared, build, wanted) if may_renew else None
    if newer is None:
        with locked(build_lock(), console=console):
            shared.fetch(build.cache, build.entries, wanted)
    return newer or build, True


def _renew_from(shared: SharedCache, build: Build, wanted: Collection[str]) -> Build | None:
    """Take what is wanted with the Debian packages of the shared cache's day, if that is missing with those of here.

    Returns None, and leaves the day as it was, unless everything with Debian packages was taken: what is wanted, and
    what is here already, which has another key from then on.
    """
    day = shared.debian_day
    if day is None or not debian.is_newer(day):
        return None
    lasting = build.default.union(wanted, *map(build.of_extra, build.extras))
    keys = build.keys(lasting)
    with suppress(RefusedError), debian.renewing(build_lock(), day=day):
        newer = _build()
        changed = {name: key for name, key in newer.keys(lasting).items() if key != keys[name]}
        taken = {name for name in changed if name in wanted or build.cache.has(name, keys[name])}
        complete = all(shared.offers(name, changed[name]) or newer.cache.has(name, changed[name]) for name in taken)
        if not (complete and build.missing(taken.intersection(wanted))):
            raise RefusedError
        with locked(build_lock(), console=console):
            shared.fetch(newer.cache, newer.entries, taken.union(wanted))
        if newer.missing(taken):
            raise RefusedError
        console.print(f"  Debian packages are now those of {day} or later, as at {shared.location}", soft_wrap=True)
        return newer
    return None


def _prepare_host(build: Build, *, node: Node | None = None, wanted: Collection[str] | None = None) -> bool:
    """Refuse a machine with too little disk or memory, and install the Debian packages that it lacks.

    Returns whether anything has to be built.
    """
    missing = set(build.missing(wanted))
    starts = node is not None and not node.initialised
    disk = host.DISK_TO_RUN if missing or starts else host.DISK_TO_REPAIR
    if missing & {part.name for part in catalog.GO_PARTS}:
        disk = host.DISK_TO_COMPILE
    # A node that exists has its memory already.
    exists = node is not None and (node.initialised or node.container.pid() is not None)
    memory = 0 if exists or not (missing or starts) else host.MEMORY
    host.check_resources(cache=cache_dir(), disk=disk, memory=memory)
    builds_filesystem = any(filesystem.name in missing for filesystem in catalog.ROOT_FILESYSTEMS)
    if packages := debian.missing_host_packages(builds_filesystem=builds_filesystem):
        debian.install_host_packages(packages, console=console)
    return bool(missing)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write: a new one, or one of an earlier export.")],
    extra: Annotated[list[str] | None, typer.Option(help="Also what `add` builds; can be repeated.")] = None,
    wheels: Annotated[bool, typer.Option(help="Also the Python packages of `make venv`, for this Python.")] = True,
    keep_go_caches: KeepGoCaches = False,
) -> None:
    """Build what is missing, and write a folder that other machines can use as CACHE_FROM; prints the index's digest.

    Files of an earlier export are kept, except those that this version no longer needs. A web server may offer it.
    """
    host.check_machine()
    build = _build()
    target = Export(folder=folder, console=console)
    wanted = build.for_any_machine.union(*(build.of_extra(name) for name in _known_extras(build, extra or [])))
    target.prepare()
    _prepare_host(build, wanted=wanted)
    build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    with locked(build_lock(), console=console):
        index = target.write(build.cache, build.keys(sorted(wanted)), wheels=wheels, debian_day=debian.renewed())
    size = sum(archive.size for archive in index.entries.values())
    console.print(f"  [green]✓[/] {len(index.entries)} entries, {size // MIB:,} MiB, in {folder}", soft_wrap=True)
    console.print(
        f"Use it: make up {VARIABLE}={folder.absolute()}, or {VARIABLE}=https://<server>/<path>; with #sha256=<digest> "
        "only this very export is used.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    sys.stdout.write(f"sha256={target.digest}\n")


@app.command()
def down(name: Name = "dev") -> None:
    """End the cluster and remove everything it owns; the cache stays (see prune)."""
    node = _node(name)
    if not node.directory.exists():
        console.print(f"there is no local cluster {name}: nothing to do")
        return
    host.check_root()
    with locked(_lock(name), console=console):
        node.down()
    console.print(f"  [green]✓[/] the local cluster {name} is gone")


@app.command()
def status(name: Name = "dev") -> None:
    """Show which parts work; the exit status is 0 when all do, else 1."""
    node = _node(name)
    health = node.health()
    table = Table("part", "state", title=f"local cluster {name}", title_justify="left")
    table.add_row("node", str(health))
    if health.running:
        table.add_row("API server", f"https://{node.network.node}:6443")
        table.add_row("registry", f"http://{node.network.node}:5000")
        table.add_row("S3", node.s3_endpoint)
        table.add_row("kubeconfig", str(node.kubeconfig))
    lost = node.lost_entries()
    if day := debian.archive_day(node.root_filesystem):
        table.add_row(
            "Debian packages",
            f"of {day}{' (old: python -m cluster build --renew)' if debian.age_advice(node.root_filesystem) else ''}",
        )
    table.add_row("cache", f"{cache_dir()}{': lacks ' + ', '.join(lost) if lost else ''}")
    Console().print(table)
    raise typer.Exit(0 if health.ready else 1)


@app.command()
def logs(
    part: Annotated[
        str | None, typer.Argument(help="A program of the node, or a build; without one, all are listed.")
    ] = None,
    name: Name = "dev",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines.")] = False,
) -> None:
    """Show the log of a program of the node (kubelet, containerd, registry, s3, node) or of a build."""
    files = {f"build-{file.stem}": file for file in sorted(logs_dir().glob("*.log"))}
    files |= {file.stem: file for file in sorted(_node(name).logs.glob("*.log"))}
    if part is None:
        Console().print("\n".join(files) or "there are no logs yet", highlight=False)
        return
    if part not in files:
        raise ClusterError(f"there is no log of {part!r}", hint=f"There are: {', '.join(files) or 'none'}")
    subprocess.run(["tail", "-n", "+1", *(["-f"] if follow else []), files[part]], check=False)


@app.command()
def kubeconfig(name: Name = "dev") -> None:
    """Print the path of the kubeconfig, for KUBECONFIG=$(python -m cluster kubeconfig)."""
    sys.stdout.write(f"{_existing(name).kubeconfig}\n")


@app.command()
def tools(cache_from: CacheFrom = None) -> None:
    """Get Pulumi and its Kubernetes provider for a cluster you have; then: eval "$(… env --tools)".

    Pulumi and provider of this machine are used; else the provider is downloaded, and the rest compiled.
    """
    environment = Environment(_build())
    build = environment.build
    wanted = build.tools - (PROVIDER if _has_provider(environment) else frozenset())
    _fetch(build, wanted, _shared_cache(cache_from))
    get_tools(console, environment)


@app.command()
def env(
    name: Name = "dev",
    only_tools: Annotated[bool, typer.Option("--tools", help="Only Pulumi, for a cluster you have.")] = False,
) -> None:
    """Print shell settings for the plain CLIs: eval "$(python -m cluster env)"."""
    environment = Environment(_build(), None if only_tools else _existing(name))
    environment.prepare()
    for variable, value in environment.variables().items():
        sys.stdout.write(f"export {variable}={shlex.quote(value)}\n")


@app.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="Remove the whole cache; the next up builds everything again.")
    ] = False,
) -> None:
    """Free disk space: remove Go's caches and what is no longer used, or with --all the whole cache."""
    with locked(build_lock(), console=console):
        existing = nodes(state_dir(""))
        if everything and existing:
            raise ClusterError(
                f"the local cluster {', '.join(node.name for node in existing)} runs from the cache",
                hint="First: python -m cluster down --name NAME",
            )
        freed = remove_go_caches()
        freed += remove_tree(downloads()) if downloads().exists() else 0
        if everything:
            freed += remove_tree(cache_dir())
        elif _cache().root.exists():
            build = _build()
            # Entries that only others are made from are removed, too.
            lasting = build.default.union(*map(build.of_extra, build.extras))
            apart = {IMAGE_STORE: image_store_key(build), **OfficialProvider(build.cache).entries}
            used = [build.keys(lasting), apart, *map(recorded_entries, existing)]
            freed += build.cache.prune({entry for entries in used for entry in entries.items()})
    left = disk_usage(cache_dir()) if cache_dir().exists() else 0
    console.print(f"{freed / MIB:,.0f} MiB given back; {left / MIB:,.0f} MiB in use at {cache_dir()}")


@app.command()
def mirror(
    release: Annotated[str, typer.Option(help="The release, as in a stack's settings.")],
    to: Annotated[str, typer.Option(metavar="REGISTRY", help="Where to copy, as registry.example.com:5000/team.")] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="REGISTRY", help="A mirror to take everything from, instead of publishers.")
    ] = "",
    skip: Annotated[list[str] | None, typer.Option(help="A name or pattern to leave out; can be repeated.")] = None,
    platform: Annotated[str, typer.Option(help="Copy only this platform of each image, as linux/amd64.")] = "",
    plain_http: Annotated[
        bool, typer.Option(help="The registry of --to speaks HTTP, as those of this machine do.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "--list", help="Only list what would be copied.")] = False,
    name: Name = "dev",
) -> None:
    """Copy every chart and image of a release to a registry, for the setting `mirror`. Run again, it goes on.

    Release local comes from the registry of the local cluster. The logins are those of `docker login`.
    """
    if release not in RELEASES:
        raise ClusterError(f"unknown release {release!r}", hint=f"There are: {', '.join(RELEASES)}")
    if not (to or dry_run):
        raise ClusterError("--to is missing", hint="Say where to copy, or see with --list what would be copied.")
    origin = Place.parse(source) if source else None
    if origin is None and RELEASES[release].needs_mirror:
        origin = Place(host=f"{_existing(name).network.node}:{PORT}", plain_http=True)
    items = items_of(RELEASES[release], source=origin, skip=tuple(skip or ()))
    if dry_run:
        for item in items:
            sys.stdout.write(f"{item}  {item.source}\n")
        return
    target = Place.parse(to, plain_http=plain_http)
    failed = copy_all(Mirror(target=target, source=origin, platform=platform or None), items, say=_say)
    if failed:
        raise ClusterError(f"{len(failed)} of {len(items)} are missing", hint="The same command copies the rest.")
    sys.stdout.write(f"mirror:\n  charts: oci://{target}/{CHARTS}\n  images: {target}\n")
    sys.stdout.write("  plain_http: true\n" if target.plain_http else "")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _existing(name: str) -> Node:
    node = _node(name)
    if not node.initialised:
        raise ClusterError(f"there is no local cluster {name}", hint="Start it: make up, or python -m cluster up")
    return node


def _print_error(text: str) -> None:
    console.print("[red]error:[/]", end=" ")
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line; failures are a message, not a traceback."""
    # SIGTERM ends as Ctrl-C does: the programs that were started are ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(proxy_exceptions())
    try:
        status = app(standalone_mode=False) or 0
    except (ClusterError, DownloadError) as error:
        _print_error(str(error))
        status = 1
    except FAULTS as error:
        details = (error.stderr or "") if isinstance(error, subprocess.CalledProcessError) else ""
        _print_error(f"{type(error).__name__}: {error}\n{details}".rstrip())
        status = 1
    except typer.TyperException as error:
        console.print(f"{error.format_message()}\nTry 'python -m cluster --help'.", markup=False, highlight=False)
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        console.print("interrupted; the same command goes on from here, down removes it all")
    sys.exit(status)


if __name__ == "__main__":
    main()
