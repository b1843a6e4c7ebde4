"""Gets Pulumi and its Kubernetes provider for a cluster the user has: installed, else downloaded, else compiled."""

from __future__ import annotations

from rich.console import Console

from cluster import host
from cluster.build import Build
from cluster.catalog import GO_PARTS, PROVIDER_PART, PULUMI, PULUMI_KUBERNETES, PULUMI_PART
from cluster.environment import Environment
from cluster.locations import cache_dir
from cluster.programs import usable_pulumi
from cluster.provider import OfficialProvider

PROVIDER = frozenset({PROVIDER_PART.name})
OWN_TOOLS = (
    f"Or install Pulumi {PULUMI} or newer (https://www.pulumi.com/docs/install) and its provider "
    f"(pulumi plugin install resource kubernetes {PULUMI_KUBERNETES}): what is installed is used"
)


def get_tools(console: Console, environment: Environment) -> None:
    """Get what is missing of both, compiling only as a last resort, and prepare `environment`.

    Raises:
        ClusterError: something must be compiled, and that failed or is not possible on this machine.
    """
    build = environment.build
    wanted = build.tools
    if environment.has_provider() or provider_without_build(console, build):
        wanted -= PROVIDER
    if wanted:
        _compile(console, build, wanted)
    environment.prepare()


def provider_without_build(console: Console, build: Build) -> bool:
    """Whether the published provider is on this machine, after trying to download it with the machine's Pulumi."""
    official = OfficialProvider(build.cache)
    if official.find():
        return True
    pulumi = usable_pulumi()
    return pulumi is not None and bool(build.missing(PROVIDER)) and official.fetch(console, pulumi=pulumi)


def _compile(console: Console, build: Build, wanted: frozenset[str]) -> None:
    """Compile Pulumi, and the provider if this Pulumi cannot download it."""
    host.check_platform(what="Pulumi can be compiled", platforms=host.TOOLS_PLATFORMS, hint=OWN_TOOLS)
    to_make = build.missing(wanted)
    if missing := [part for part in GO_PARTS if part.name in to_make]:
        names = ", ".join(part.name for part in missing)
        disk = host.DISK_TO_COMPILE_TOOLS
        refusal = f"{names} cannot be compiled on this machine"
        host.check_resources(cache=cache_dir(), disk=disk, refusal=refusal, hint=OWN_TOOLS)
        seconds = sum(part.seconds for part in missing) + sum(module.seconds for module in {p.module for p in missing})
        console.print(
            f"compiling {names}: at most {round(seconds / 60)} min on 2 cores, and {disk // host.GIB} GiB of disk at"
            f" {cache_dir()} while it lasts",
            highlight=False,
            soft_wrap=True,
        )
    if PROVIDER_PART in missing and not usable_pulumi():
        build.run(console, keep_go_caches=True, wanted=wanted - PROVIDER)
        pulumi = build.catalog.part(PULUMI_PART) / "pulumi"
        if OfficialProvider(build.cache).fetch(console, pulumi=pulumi):
            wanted -= PROVIDER
    build.run(console, keep_go_caches=False, wanted=wanted)
