"""`python -m cluster`: the local cluster's life from a shell."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

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
from cluster.locations import TOOLS, cache_dir, logs_dir, state_dir
from cluster.node.lifecycle import IMAGE_STORE, S3_REGION, Node, image_store_key, nodes, recorded_entries
from cluster.node.network import DEFAULT_SUBNET, proxy_exceptions
from cluster.provider import OfficialProvider
from cluster.shared_cache import SharedCache, downloads
from cluster.toolchain import Toolchain, remove_go_caches
from cluster.tools import PROVIDER, get_tools, provider_without_build

MIB = 1 << 20
# What typer makes of a KeyboardInterrupt, as shells do.
INTERRUPTED = 130
# What can go wrong with the machine and the network; requests' errors are OSErrors.
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
        help="A cache of another machine, which is asked before anything is built: what `export` wrote.",
    ),
]
Subnet = Annotated[str, typer.Option(help="Its /18 of 198.18.0.0/15.")]


def _cache() -> Cache:
    return Cache(cache_dir() / "entries")


def _build() -> Build:
    """Everything the present pins give."""
    cache = _cache()
    return Build(Catalog(cache=cache, toolchain=Toolchain(cache=cache)))


def _shared_cache(cache_from: str | None) -> SharedCache | None:
    """The cache of another machine, where the user names one; nothing is asked of it yet."""
    return SharedCache(location=Location.parse(cache_from), console=console) if cache_from else None


def _build_with(shared: SharedCache | None) -> Build:
    """The same, with Debian packages at least as new as those of the shared cache, or its keys would be others."""
    build = _build()
    if shared and build.missing(build.default) and (day := shared.debian_day) and debian.renew(day, build_lock()):
        console.print(f"  Debian packages are now those of {day} or later, as at {shared.location}", soft_wrap=True)
        build = _build()
    return build


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
        Path | None, typer.Option(help="A stack's settings: what they need beside the default is added.")
    ] = None,
    cache_from: CacheFrom = None,
) -> None:
    """Build what is missing, start the cluster, upload the demo's models. Nothing to do is said and costs seconds."""
    host.check_machine()
    shared = _shared_cache(cache_from)
    with locked(_lock(_node(name).name), console=console):
        node = _node(name, subnet)
        build = _build_with(shared)
        outdated = node.outdated(build)
        # It goes on with what it was started from; Pulumi is used from here.
        extras = [] if outdated or not stack_file else extras_of(stack_file, build=build)
        wanted = build.tools if outdated else build.default.union(*map(build.of_extra, extras))
        if outdated:
            console.print(f"  {name} was started from an older build than this; make down, then make up renews it")
        has_provider = Environment.of(node, build=build).has_provider()
        if has_provider:
            wanted -= PROVIDER
        fetched = _fetch(build, wanted, shared)
        if not has_provider and provider_without_build(console, build):
            wanted -= PROVIDER
        built = _prepare_host(build, node=node, wanted=wanted)
        build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
        started = node.up(console, build=build)
        Environment.of(node, build=build).prepare()
        uploaded = 0 if outdated else _upload_models(node, demo_models.DEMO)
        added = [name for name in extras if _add_extra(node, name, build=build)]
    _advise(node.root_filesystem)
    if not (fetched or built or started or uploaded or added):
        console.print(f"the local cluster {name} is up already: nothing to do")


@app.command()
def add(
    extras: Annotated[list[str], typer.Argument(help="What to add; without a cluster, it is built only.")],
    name: Name = "dev",
    keep_go_caches: KeepGoCaches = False,
    cache_from: CacheFrom = None,
) -> None:
    """Build what the default does without, and give it to the cluster: monitoring, lightgbm, onnx, bandit, examples."""
    host.check_machine()
    shared = _shared_cache(cache_from)
    build = _build_with(shared)
    extras = _known_extras(build, extras)
    wanted = frozenset().union(*map(build.of_extra, extras))
    fetched = _fetch(build, wanted, shared)
    built = _prepare_host(build, wanted=wanted)
    build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    # Not before: `down` waits for this lock, and a compilation takes minutes.
    with locked(_lock(_node(name).name), console=console):
        node = _node(name)
        if node.outdated(build):
            raise ClusterError(
                f"{name} was started from an older build than this, which cannot be added to",
                hint="make down, then make up renews it.",
            )
        added = [extra for extra in extras if node.initialised and _add_extra(node, extra, build=build)]
    if not (fetched or built or added):
        console.print(f"{', '.join(extras)}: there already, nothing to do")


def _known_extras(build: Build, names: list[str]) -> list[str]:
    if unknown := [name for name in names if name not in build.extras]:
        raise ClusterError(f"there is no {unknown[0]!r} to add", hint=f"There are: {', '.join(build.extras)}")
    return names


def _add_extra(node: Node, name: str, *, build: Build) -> bool:
    """Give the cluster an extra that is built: its images, and the models to try it with."""
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
        bool, typer.Option(help="Make what holds Debian packages anew, with today's security updates.")
    ] = False,
    extras: Annotated[bool, typer.Option(help="Build what is otherwise built when it is first needed, too.")] = False,
) -> None:
    """Build what is missing and start nothing."""
    host.check_machine()
    shared = _shared_cache(cache_from)
    with debian.renewing(build_lock()) if renew else nullcontext():
        build = _build_with(shared)
        everything = build.default.union(*map(build.of_extra, build.extras if extras else ()))
        _fetch(build, everything, shared)
        wanted = everything - (PROVIDER if provider_without_build(console, build) else frozenset())
        _prepare_host(build, wanted=wanted)
        build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    _advise(build.catalog.root_filesystem(catalog.NODE_FILESYSTEM))


def _advise(filesystem: Path) -> None:
    if advice := debian.age_advice(filesystem):
        console.print(f"  {advice}")


def _fetch(build: Build, wanted: Collection[str], shared: SharedCache | None) -> bool:
    """Take what is missing for `wanted` from the shared cache, if there is one; returns whether it was asked."""
    if shared is None or not build.missing(wanted):
        return False
    with locked(build_lock(), console=console):
        shared.fetch(build.cache, build.entries, wanted)
    return True


def _prepare_host(build: Build, *, node: Node | None = None, wanted: Collection[str] | None = None) -> bool:
    """Refuse a machine with too little room for what is to do; install what it lacks, having said so.

    Returns whether anything is to be built.
    """
    missing = set(build.missing(wanted))
    starts = node is not None and not node.initialised
    disk = host.DISK_TO_RUN if missing or starts else host.DISK_TO_REPAIR
    if missing & {part.name for part in catalog.GO_PARTS}:
        disk = host.DISK_TO_COMPILE
    # A node that is there has its memory already, or had it when it was started.
    there = node is not None and (node.initialised or node.container.pid() is not None)
    memory = 0 if there or not (missing or starts) else host.MEMORY
    host.check_resources(cache=cache_dir(), disk=disk, memory=memory)
    builds_filesystem = any(filesystem.name in missing for filesystem in catalog.ROOT_FILESYSTEMS)
    if packages := debian.missing_host_packages(builds_filesystem=builds_filesystem):
        debian.install_host_packages(packages, console=console)
    return bool(missing)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to: a new folder, or one of an earlier export.")],
    extra: Annotated[list[str] | None, typer.Option(help="Also what `add` builds; can be repeated.")] = None,
    wheels: Annotated[bool, typer.Option(help="Also the Python packages of `make venv`, for this Python.")] = True,
    keep_go_caches: KeepGoCaches = False,
) -> None:
    """Write what other machines need for CACHE_FROM, after building what is missing; prints the index's digest.

    What is there already is kept, and what this version no longer needs is removed. A web server may offer the folder.
    """
    host.check_machine()
    build = _build()
    target = Export(folder=folder, console=console)
    wanted = build.for_any_machine.union(*(build.of_extra(name) for name in _known_extras(build, extra or [])))
    _prepare_host(build, wanted=wanted)
    build.run(console, keep_go_caches=keep_go_caches, wanted=wanted)
    with locked(build_lock(), console=console):
        index = target.write(build.cache, build.keys(sorted(wanted)), wheels=wheels, debian_day=debian.renewed())
    size = sum(archive.size for archive in index.entries.values())
    console.print(f"  [green]✓[/] {len(index.entries)} entries, {size // MIB:,} MiB, in {folder}", soft_wrap=True)
    console.print(
        f"Use it: make up {VARIABLE}={folder.absolute()}, or {VARIABLE}=https://<server>/<path>; with #sha256=<digest> "
        "nothing but this very export is used.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    sys.stdout.write(f"sha256={target.digest}\n")


@app.command()
def down(name: Name = "dev") -> None:
    """End the cluster and remove everything it owns; what was built stays in the cache (see prune)."""
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
    """Say what works; exit status 0 when everything does, else 1."""
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
        str | None, typer.Argument(help="A program of the node or a build; without it, all are listed.")
    ] = None,
    name: Name = "dev",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
) -> None:
    """Show a log: of the node's programs (kubelet, containerd, registry, s3, node) or of a build."""
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

    Those of this machine are used; the provider is fetched from Pulumi; what cannot be had so is compiled.
    """
    environment = _tools()
    _fetch(environment.build, environment.build.tools, _shared_cache(cache_from))
    get_tools(console, environment)


@app.command()
def env(
    name: Name = "dev",
    only_tools: Annotated[bool, typer.Option("--tools", help="Of the tools alone, for a cluster you have.")] = False,
) -> None:
    """Print shell settings for the plain CLIs: eval "$(python -m cluster env)"."""
    environment = _tools() if only_tools else Environment.of(_existing(name), build=_build())
    environment.prepare()
    for variable, value in environment.variables().items():
        sys.stdout.write(f"export {variable}={shlex.quote(value)}\n")


def _tools() -> Environment:
    return Environment(directory=state_dir(TOOLS), build=_build())


@app.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="The whole cache: the next up builds all of it again.")
    ] = False,
) -> None:
    """Give disk back: Go's caches and everything no longer used, or with --all the whole cache."""
    with locked(build_lock(), console=console):
        there = nodes(state_dir(""))
        if everything and there:
            raise ClusterError(
                f"the local cluster {', '.join(node.name for node in there)} runs from the cache",
                hint="First: python -m cluster down --name NAME",
            )
        freed = remove_go_caches()
        freed += remove_tree(downloads()) if downloads().exists() else 0
        if everything:
            freed += remove_tree(cache_dir())
        elif _cache().root.exists():
            build = _build()
            # What only other entries are made from goes, too.
            lasting = build.default.union(*map(build.of_extra, build.extras))
            apart = {IMAGE_STORE: image_store_key(build), **OfficialProvider(build.cache).entries}
            used = [build.keys(lasting), apart, *map(recorded_entries, there)]
            freed += build.cache.prune({entry for entries in used for entry in entries.items()})
    left = disk_usage(cache_dir()) if cache_dir().exists() else 0
    console.print(f"{freed / MIB:,.0f} MiB given back; {left / MIB:,.0f} MiB in use at {cache_dir()}")


def _existing(name: str) -> Node:
    node = _node(name)
    if not node.initialised:
        raise ClusterError(f"there is no local cluster {name}", hint="Start it: make up, or python -m cluster up")
    return node


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends as Ctrl-C does: what was started is ended, too."""
    del number, frame
    raise KeyboardInterrupt


def _complain(text: str) -> None:
    console.print("[red]error:[/]", end=" ")
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line; failures are a message, not a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    os.environ.update(proxy_exceptions())
    try:
        status = app(standalone_mode=False) or 0
    except ClusterError as error:
        _complain(str(error))
        status = 1
    except FAULTS as error:
        said = (error.stderr or "") if isinstance(error, subprocess.CalledProcessError) else ""
        _complain(f"{type(error).__name__}: {error}\n{said}".rstrip())
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
