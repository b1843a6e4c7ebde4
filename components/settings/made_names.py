"""Names that KServe and Knative make of those of models and graphs, and where two of them are the same.

KServe 0.20 takes an object that it finds by name for its own, and changes it: two models would share a Service or a
route. Knative refuses to, and then the later of the two never becomes ready.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, Self

from components.settings.server import COMPONENT_TYPES

# Kind and name of an object, or a host name with its domain left out. A `*` is the number of a revision.
Made = tuple[str, str]
HOST = "host name"
PREDICTOR = "predictor"
COMPONENTS = (PREDICTOR, *COMPONENT_TYPES)
BANDIT = "bandit"
# Tags of a model's newest revision, which it always has in mode Knative, and of the one before, which a canary needs.
LATEST, PREVIOUS = "latest", "prev"
# Number of a revision in a name, which `Named.made` calls "*".
REVISION = re.compile(r"-\d{5,}(?=(-private|-deployment)?$)")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A model or a graph, as far as it can be read in settings that need not be valid.

    Attributes:
        place: its path in the settings, as `models[0].name`.
        key: its name in the settings; `name` is that of its object.
        components: KServe's components of a model.
        split: whether requests are divided between two versions of a model.

    """

    place: str
    key: str
    kind: Literal["model", "graph"]
    name: str
    namespace: str
    is_standard: bool
    components: tuple[str, ...] = ()
    split: bool = False
    bandit: bool = False

    @classmethod
    def all_of(cls, document: Mapping[str, Any], *, namespace: str, mode: str) -> list[Self]:
        """Those of a stack's settings.

        Args:
            document: the settings.
            namespace: of those that set none.
            mode: of those that set none.

        """
        kinds: tuple[Literal["model", "graph"], ...] = ("model", "graph")
        listed = [(kind, document.get(f"{kind}s")) for kind in kinds]
        return [
            cls._of(entry, kind=kind, place=f"{kind}s[{index}]", namespace=namespace, mode=mode)
            for kind, entries in listed
            if isinstance(entries, list)
            for index, entry in enumerate(entries)
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
        ]

    @classmethod
    def _of(
        cls, entry: Mapping[str, Any], *, kind: Literal["model", "graph"], place: str, namespace: str, mode: str
    ) -> Self:
        is_model = kind == "model"
        named_by = "service_name" if is_model and isinstance(entry.get("service_name"), str) else "name"
        canary = entry.get("canary") if is_model else None
        versions = canary if isinstance(canary, Mapping) else {"traffic": 100}
        components = (PREDICTOR, *(component for component in COMPONENT_TYPES if entry.get(component)))
        return cls(
            place=f"{place}.{named_by}",
            key=entry["name"],
            kind=kind,
            name=entry[named_by],
            namespace=str(entry.get("namespace") or namespace) if is_model else namespace,
            is_standard=entry.get("mode", mode) == "Standard",
            components=components if is_model else (),
            split=versions.get("traffic") != 100,
            bandit=versions.get("bandit") is not None,
        )

    def part(self, name: str) -> str | None:
        """Which part of the model has this name: a component of KServe's, or its bandit; None for no part.

        The names of a transformer and an explainer are KServe's for a model without them, too: it may get them later.
        """
        parts = (*(COMPONENTS if self.kind == "model" else ()), *([BANDIT] if self.bandit else ()))
        return next((part for part in parts if name == f"{self.name}-{part}"), None)

    def made(self) -> Iterator[Made]:
        """Names of the objects made for it by KServe, Knative and this program that could collide with others."""
        if self.kind == "graph":
            yield from _standard_server(self.name) if self.is_standard else _knative_service(self.name)
        else:
            yield from [("HTTPRoute", self.name)] if self.is_standard else self._knative_routes()
            for component in self.components:
                server = f"{self.name}-{component}"
                yield from _standard_server(server) if self.is_standard else _knative_service(server)
        if self.bandit:
            bandit = f"{self.name}-{BANDIT}"
            yield from ((kind, bandit) for kind in ("Service", "Deployment", "VirtualService", HOST))
        yield HOST, self.name

    def _knative_routes(self) -> Iterator[Made]:
        yield from (("Service", self.name), ("VirtualService", self.name))
        tagged = [f"{LATEST}-{self.name}-{component}" for component in self.components]
        for name in (*tagged, *([f"{PREVIOUS}-{self.name}-{PREDICTOR}"] if self.split else ())):
            yield from (("Service", name), (HOST, name))


def _standard_server(name: str) -> Iterator[Made]:
    yield from ((kind, name) for kind in ("Service", "Deployment", "HTTPRoute", HOST))


def _knative_service(name: str) -> Iterator[Made]:
    yield from (("Service", name), (HOST, name))
    yield from (("VirtualService", f"{name}-ingress"), ("VirtualService", f"{name}-mesh"))
    yield from (("Service", f"{name}-*"), ("Service", f"{name}-*-private"), ("Deployment", f"{name}-*-deployment"))


def name_problems(served: Iterable[Named]) -> list[str]:
    """Where the name of one model or graph, or something made of it, is that of something made for another one."""
    problems: dict[Named, str] = {}
    makers: dict[tuple[str, Made], Named] = {}
    ordered = sorted(served, key=lambda one: len(one.name))
    for named in ordered:
        for problem in chain(_parts(named, ordered), _shared(named, makers)):
            problems.setdefault(named, problem)
        for made in named.made():
            makers.setdefault((named.namespace, made), named)
    return [f"{named.place}: {problem}" for named, problem in problems.items()]


def _parts(named: Named, others: Iterable[Named]) -> Iterator[str]:
    for other in others:
        part = other.part(named.name) if other.namespace == named.namespace else None
        if part == BANDIT:
            yield f"{named.name!r} is the name of another model's bandit; give the {named.kind} another name"
        elif part:
            owner = f"a part of the model {other.name!r}"
            yield f"{named.name!r} is KServe's name for {owner}; give the {named.kind} another name"


def _shared(named: Named, makers: Mapping[tuple[str, Made], Named]) -> Iterator[str]:
    for kind, name in named.made():
        for key in (name, REVISION.sub("-*", name)):
            other = makers.get((named.namespace, (kind, key)))
            if other and (other.name, other.key) != (named.name, named.key):
                owner = f"the {kind} {name!r} is made for the {other.kind} {other.name!r}, too"
                yield f"{named.name!r} collides: {owner}; give the {named.kind} another name"


def host_problem(name: str, *, suffix: str, component: str) -> str | None:
    """What is wrong with the host name of a model in mode Knative; None where KServe makes it as it should be.

    KServe 0.20 takes it from the host name of the model's predictor or transformer, by leaving out the first
    `-predictor`, or `-predictor-default` where `-default` is anywhere in it.

    Args:
        name: of the model.
        suffix: the rest of its host name.
        component: the one that gets its requests first, `predictor` or `transformer`.

    """
    host, server = f"{name}{suffix}", f"{name}-{component}{suffix}"
    ending = "-default" if "-default" in server else f"-{component}"
    left_out = f"-{component}{ending}" if ending == "-default" else ending
    if server.replace(left_out, "", 1) == host:
        return None
    where = "name, namespace and ingress.domain" if ending == "-default" else "name"
    return (
        f"does not give the model the host name {host}: KServe takes {ending!r} for an ending of its own; "
        f"choose another {where} without it, or mode Standard"
    )
