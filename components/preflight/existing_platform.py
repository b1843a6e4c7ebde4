"""Decide which parts of the platform the stack installs, and which existing ones it uses unchanged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import httpx2 as httpx
import pulumi

from components.ownership.stack_identity import Identity
from components.platform.existing import ExistingParts
from components.preflight.existing_gateway import check_class, check_gateway, own_gateway_problems
from components.preflight.platform_checks import check_parts, kserve_ingress
from components.preflight.platform_facts import FoundPart, read_parts
from components.preflight.report import report
from components.settings.gateway_names import GatewayNames
from components.settings.platform_parts import PARTS, TITLES, Choice, Part
from components.settings.stack import Settings
from releases.existing import VersionRange

# The end of the URN of the first resource of each part. If it is in the stack's state, the stack installed the part.
FIRST_RESOURCES: Mapping[Part, str] = {
    "cert_manager": "kserve-multi-model:platform:CertManager$kubernetes:core/v1:Namespace::cert-manager",
    "gateway_api": "kserve-multi-model:platform:GatewayAPI$kubernetes:helm.sh/v3:Release::gateway-api",
    "istio": "kserve-multi-model:platform:Istio$kubernetes:core/v1:Namespace::istio-system",
    "knative": "kserve-multi-model:platform:Knative$kubernetes:core/v1:Namespace::knative-serving",
    "kserve": "kserve-multi-model:platform:KServe$kubernetes:core/v1:Namespace::kserve",
}
USE_IT = (
    "To use what is there as it is, set platform.existing to auto, or to a list: pulumi config set --path "
    "platform.existing auto"
)
TAKE_OUT = "Take it out of the list"
# What an existing part runs on, and what is wrong, and to do, where that is missing.
BELOW: Mapping[Part, tuple[Part, ...]] = {"kserve": ("istio", "knative"), "knative": ("istio",)}
MISSING_BELOW: Mapping[Part, str] = {
    "istio": "the Istio that it runs on is not there. Install it there",
    "knative": (
        "the Knative that models in mode Knative run on is not there. Install it there, or have the models in mode "
        "Standard: pulumi config set mode Standard"
    ),
}
OTHERS = "or have models only, on that stack's platform (setting `platform`)"


class ExistingPlatformError(pulumi.RunError):
    """The cluster has parts of the platform that the stack neither may change nor can use."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the settings ask for.

    Attributes:
        existing: `platform.existing`: the parts that exist already, or `all` or `auto`.
        needed: parts that the models need.

    """

    existing: Choice | tuple[Part, ...]
    needed: frozenset[Part]
    ranges: Mapping[str, VersionRange]

    def uses(self, part: Part) -> bool:
        """Whether a part that is not this stack's is to be used."""
        return self.existing in {"all", "auto"} or part in self.existing or "kserve" in self.existing

    def must_exist(self, part: Part) -> bool:
        """Whether the settings say that the part exists already, so that it is an error if it does not."""
        whole = self.existing == "all" or "kserve" in self.existing
        # An existing KServe has its certificate, and makes routes without Gateway API where the cluster has none.
        return part in self.existing or (whole and part in self.needed and part not in {"cert_manager", "gateway_api"})


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What happens to the parts.

    Attributes:
        used: parts that others installed, and that the stack neither installs nor changes.
        lines: what happens to each part, for the user.
        warnings: about versions that are newer than those known to work.
        problems: why the stack cannot be deployed.

    """

    used: frozenset[Part]
    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def find_existing(client: httpx.Client, settings: Settings, *, identity: Identity, namespace: str) -> ExistingParts:
    """Look for the parts of the platform that are there already, and check those that the stack is to use.

    Prints one line per part. `namespace` is one that exists, for objects that are created in a dry run only.

    Raises:
        ExistingPlatformError: there are parts that are in the way, or that cannot be used; the text names the setting.
        UntoldError: the cluster refuses to answer, or answers with an error.
    """
    if settings.platform_stack:
        if own := own_parts({}, identity):
            remedy = "Leave `platform` out, or destroy this stack first: pulumi destroy"
            raise ExistingPlatformError(f"platform: {_would_delete(own)}. {remedy}")
        return ExistingParts()
    found = read_parts(client)
    wanted = Wanted(existing=settings.existing, needed=needed_parts(settings), ranges=settings.release.existing)
    decision = decide(found, wanted=wanted, own=own_parts(found, identity))
    problems = list(decision.problems)
    gateway = kserve = None
    if not problems and "istio" not in decision.used:
        problems += own_gateway_problems(settings)
    if not problems and decision.used:
        problems += check_parts(client, settings, used=decision.used, found=found, namespace=namespace)
    if not problems and "kserve" in decision.used:
        kserve = kserve_ingress(client, namespace=found["kserve"].namespace)
    if not problems and "istio" in decision.used:
        gateway, problems = check_gateway(client, settings, kserve=kserve)
        if settings.ingress.class_name or (kserve is None and "gateway_api" in decision.used):
            problems = [*check_class(client, settings, kserve=kserve), *problems]
    if problems:
        raise ExistingPlatformError("\n  ".join(["The platform has a problem:", *problems]))
    for warning in decision.warnings:
        pulumi.log.warn(warning)
    for line in decision.lines:
        check, _, text = line.partition(": ")
        report(check, text)
    namespaces = frozenset(found[part].namespace for part in decision.used) - {""}
    return ExistingParts(
        parts=decision.used,
        namespaces=namespaces,
        gateway_url=gateway.url(settings.ingress) if gateway else None,
        gateway_service=gateway.service if gateway else None,
        gateways=kserve.names if kserve else GatewayNames(),
    )


def needed_parts(settings: Settings) -> frozenset[Part]:
    """Parts that the platform of these settings consists of."""
    return frozenset(part for part in PARTS if part != "knative" or settings.needs_knative)


def own_parts(found: Mapping[Part, FoundPart], identity: Identity) -> frozenset[Part]:
    """Parts that this stack has installed: by its own state, or by its mark, which an interrupted run left."""
    in_state = {
        part for part, ending in FIRST_RESOURCES.items() if any(urn.endswith(ending) for urn in identity.in_state)
    }
    return frozenset(in_state | {part for part, one in found.items() if one.stack == identity.text})


def decide(found: Mapping[Part, FoundPart], *, wanted: Wanted, own: frozenset[Part]) -> Decision:
    """Decide what happens to each part. One that this stack has installed stays its own, whatever else is there."""
    lines: list[str] = []
    problems: list[str] = []
    warnings: list[str] = []
    used: set[Part] = set()
    whole = "kserve" in found and "kserve" not in own and wanted.uses("kserve")
    for part in PARTS:
        one = found.get(part)
        if part in own:
            lines.append(f"{TITLES[part]}: {one.version if one else 'not there'}, of this stack")
            if wanted.must_exist(part):
                problems.append(_own(part))
        elif one is None:
            installs = part in wanted.needed and not whole
            lines.append(f"{TITLES[part]}: not there{', installed by this stack' if installs else ''}")
            # What an existing KServe runs on and lacks is named below, with another remedy: nothing is installed there.
            if wanted.must_exist(part) and not (whole and part in BELOW["kserve"] and part in wanted.needed):
                remedy = "Set it to auto to have what is missing installed" if wanted.existing == "all" else TAKE_OUT
                problems.append(f"platform.existing: {TITLES[part]} is not there. {remedy}")
        elif not wanted.uses(part) and part in wanted.needed:
            problems.append(f"{one} is there already ({one.whose}). This stack neither changes nor deletes it.")
        else:
            used.add(part)
            is_used = part in wanted.needed and wanted.uses(part)
            lines.append(f"{TITLES[part]}: {one.version}, {one.whose}, {'used as it is' if is_used else 'not used'}")
            if is_used:
                problems += _unfit(one, wanted.ranges[part])
                warnings += _untried(one, wanted.ranges[part])
    if any("is there already" in problem for problem in problems):
        with_stack = any(one.stack for part, one in found.items() if part not in own)
        problems.append(f"{USE_IT}{f'; {OTHERS}' if with_stack else ''}")
    problems += _split(used, own=own, needed=wanted.needed)
    # Where the program finds KServe, it declares nothing that KServe runs on.
    if whole and own and not problems:
        problems.append(
            f"{found['kserve']} is there already ({found['kserve'].whose}), and nothing is installed beside it, but "
            f"{_would_delete(own)}. Take that KServe away; or have Pulumi forget those parts, which then stay: pulumi "
            "state delete --target-dependents <URN> (pulumi stack --show-urns lists them)"
        )
    return Decision(used=frozenset(used), lines=tuple(lines), warnings=tuple(warnings), problems=tuple(problems))


def _own(part: Part) -> str:
    return (
        f"platform.existing: this stack has installed {TITLES[part]} itself and would delete it. Leave it out: a part "
        "stays with the stack that has installed it"
    )


def _would_delete(own: Collection[Part]) -> str:
    """What a stack that no longer installs these parts of its own would do."""
    names = ", ".join(TITLES[part] for part in PARTS if part in own)
    return f"this stack has installed {names} itself and would delete that, with all objects that need its definitions"


def _unfit(one: FoundPart, known: VersionRange) -> Iterator[str]:
    """Why a part cannot be used."""
    if not one.running:
        yield f"{one} is there ({one.whose}), but its controller does not run. Repair it, or take it away"
    elif one.minor is None:
        yield f"{one} is there ({one.whose}), but its version cannot be read; this release works with {known}"
    elif one.minor < known.oldest:
        yield f"{one} is there ({one.whose}), which is too old: this release works with {known}. Update it there"


def _untried(one: FoundPart, known: VersionRange) -> Iterator[str]:
    if one.minor and one.minor > known.newest:
        yield f"{one} is newer than what this release is known to work with: {known}"


def _split(used: set[Part], *, own: frozenset[Part], needed: frozenset[Part]) -> Iterator[str]:
    """Problems of existing parts that run on parts which do not exist, or which the stack itself has installed."""
    for upper, parts in BELOW.items():
        if upper not in used or upper not in needed:
            continue
        for part in parts:
            if part in needed and part not in used:
                if part in own:
                    yield f"{TITLES[upper]} is there already, but the {TITLES[part]} that it runs on is this stack's"
                else:
                    yield f"{TITLES[upper]} is there already, but {MISSING_BELOW[part]}"
