"""`python -m cluster`: the local cluster's life from a shell."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from cluster import debian, demo_models, host
from cluster.artifacts import Cache, disk_usage, locked, remove_tree
from cluster.build import Build
from cluster.catalog import Catalog
from cluster.environment import Environment
from cluster.errors import ClusterError
from cluster.locations import cache_dir, logs_dir, state_dir
from cluster.node.lifecycle import S3_REGION, Node
from cluster.node.network import DEFAULT_SUBNET, Network
from cluster.toolchain import Toolchain, go_caches

MIB = 1 << 20
# What typer makes of a KeyboardInterrupt, as shells do.
INTERRUPTED = 130
app = typer.Typer(
    help="A real single-node Kubernetes on this machine, with a registry and an S3 store, built from pinned sources.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)

Name = Annotated[str, typer.Option(help="Which local cluster; each has its own subnet.")]
KeepGoCaches = Annotated[
    bool, typer.Option(help="Keep Go's build and module caches (27 GB) for the next change of a pin.")
]
Subnet = Annotated[str, typer.Option(help="Its /18 of 198.18.0.0/15.")]


def _node(name: str, subnet: str = DEFAULT_SUBNET) -> Node:
    cache = Cache(cache_dir() / "entries")
    build = Build(Catalog(cache=cache, toolchain=Toolchain(cache=cache)))
    saved = state_dir(name) / "subnet"
    network = Network(name=name, subnet=saved.read_text() if saved.exists() else subnet)
    return Node(name=name, directory=state_dir(name), network=network, build=build)


@app.command()
def up(
    name: Name = "dev",
    subnet: Subnet = DEFAULT_SUBNET,
    keep_go_caches: KeepGoCaches = False,
) -> None:
    """Build what is missing, start the cluster, upload the demo's models. Nothing to do is said and costs seconds."""
    node = _node(name, subnet)
    _prepare_host(node.build)
    with locked(cache_dir() / "locks" / f"node-{name}"):
        built = bool(node.build.missing())
        node.build.run(console, keep_go_caches=keep_go_caches)
        started = node.up(console)
        (node.directory / "subnet").write_text(node.network.subnet)
        Environment.of(node).prepare()
        models = demo_models.train(node.build.cache)
        client = demo_models.s3_client(endpoint=node.s3_endpoint, credentials=node.credentials, region=S3_REGION)
        uploaded = demo_models.upload(models, client=client)
    if uploaded:
        console.print(f"  [green]✓[/] {uploaded} model files at {node.s3_endpoint}/{demo_models.BUCKET}")
    if not (built or started or uploaded):
        console.print(f"the local cluster {name} is up already: nothing to do")


@app.command("build")
def build_all(keep_go_caches: KeepGoCaches = False) -> None:
    """Build what is missing and start nothing."""
    build = _node("build").build
    _prepare_host(build)
    build.run(console, keep_go_caches=keep_go_caches)
    demo_models.train(build.cache)


def _prepare_host(build: Build) -> None:
    """Refuse an unsuitable machine; install what it lacks, having said so."""
    compile_first = {part.name for part in build.parts} & set(build.missing())
    host.check(cache=cache_dir(), to_compile=bool(compile_first))
    if packages := debian.missing_host_packages():
        console.print(f"installing with apt: {' '.join(packages)}")
        debian.install_host_packages(packages)


@app.command()
def down(name: Name = "dev") -> None:
    """End the cluster and remove everything it owns; what was built stays in the cache (see prune)."""
    node = _node(name)
    if not node.directory.exists():
        console.print(f"there is no local cluster {name}: nothing to do")
        return
    with locked(cache_dir() / "locks" / f"node-{name}"):
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
    missing = node.build.missing()
    table.add_row("cache", f"{cache_dir()}: {f'{len(missing)} parts to build' if missing else 'complete'}")
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
def tools() -> None:
    """Build Pulumi and its Kubernetes provider alone, for a cluster you have; then: eval "$(… env --tools)"."""
    build = _node("tools").build
    build.run(console, keep_go_caches=False, only=build.tools)
    Environment(directory=state_dir("tools"), build=build).prepare()


@app.command()
def env(
    name: Name = "dev",
    only_tools: Annotated[bool, typer.Option("--tools", help="Of the tools alone, for a cluster you have.")] = False,
) -> None:
    """Print shell settings for the plain CLIs: eval "$(python -m cluster env)"."""
    if only_tools:
        environment = Environment(directory=state_dir("tools"), build=_node("tools").build)
    else:
        environment = Environment.of(_existing(name))
    environment.prepare()
    for variable, value in environment.variables().items():
        sys.stdout.write(f"export {variable}={shlex.quote(value)}\n")


@app.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="The whole cache: the next up builds all of it again.")
    ] = False,
) -> None:
    """Give disk back: Go's caches and everything no longer used, or with --all the whole cache."""
    if everything and (used := sorted(p.parent.name for p in state_dir("").glob("*/initialised"))):
        raise ClusterError(
            f"the local cluster {', '.join(used)} runs from the cache", hint="First: python -m cluster down --name NAME"
        )
    if everything:
        freed = remove_tree(cache_dir()) if cache_dir().exists() else 0
    else:
        node = _node("dev")
        kept = node.build.entries | node.stored_entries() | {demo_models.ENTRY: demo_models.key()}
        freed = node.build.cache.prune(kept) + sum(remove_tree(path) for path in go_caches() if path.exists())
    left = disk_usage(cache_dir()) if cache_dir().exists() else 0
    console.print(f"{freed / MIB:,.0f} MiB given back; {left / MIB:,.0f} MiB in use at {cache_dir()}")


def _existing(name: str) -> Node:
    node = _node(name)
    if not node.kubeconfig.exists():
        raise ClusterError(f"there is no local cluster {name}", hint="Start it: make up, or python -m cluster up")
    return node


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends as Ctrl-C does: what was started is ended, too."""
    del number, frame
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; failures are a message, not a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(standalone_mode=False) or 0
    except ClusterError as error:
        console.print("[red]error:[/]", end=" ")
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
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
