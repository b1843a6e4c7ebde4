"""Draws the resource graph of a deployed stack: `pulumi stack export | python -m tools.graph`.

A part is a child of one of the project's components, together with everything below that child. The graph shows
components and parts. An arrow goes from a dependency to what waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "graph.md"
READMES = (ROOT / "README.md", ROOT / "README.zh.md")
BEGIN, END = "<!-- graph: made by `make docs` -->", "<!-- graph: end -->"
OURS = "kserve-multi-model:"
# Types that are left out, such as namespaces and keys: they do not explain the order.
PLAIN = ("kubernetes:core/v1:", "pulumi-python:")


class Resource(BaseModel):
    """A resource in a stack's export; `dependencies` are URNs."""

    urn: str
    type: str
    parent: str | None = None
    dependencies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name the program gave it."""
        return self.urn.rpartition("::")[2]

    @property
    def kind(self) -> str:
        """The last part of its type: `InferenceService`."""
        return self.type.rpartition(":")[2]


class Deployment(BaseModel):
    """The deployment in a stack's export."""

    resources: tuple[Resource, ...]


class Export(BaseModel):
    """The output of `pulumi stack export`."""

    deployment: Deployment


Edges = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Graph:
    """The project's components and their parts, by URN.

    Attributes:
        resources: by URN.
    """

    resources: Mapping[str, Resource]

    @classmethod
    def of(cls, export: Export) -> Graph:
        """The graph of an export."""
        return cls({resource.urn: resource for resource in export.deployment.resources})

    @cached_property
    def components(self) -> list[Resource]:
        """The project's components, without those that consist of other ones."""
        ours = [resource for resource in self.resources.values() if resource.type.startswith(OURS)]
        parents = {resource.parent for resource in ours}
        return [resource for resource in ours if resource.urn not in parents]

    @cached_property
    def parts(self) -> dict[str, list[Resource]]:
        """Component → its parts, without plain objects; a component with fewer than two parts is its own part."""
        parts = {
            component.urn: [
                resource
                for resource in self.resources.values()
                if resource.parent == component.urn and not resource.type.startswith(PLAIN)
            ]
            for component in self.components
        }
        return {urn: found if len(found) > 1 else [self.resources[urn]] for urn, found in parts.items()}

    @cached_property
    def component_of(self) -> dict[str, str]:
        """Part → component."""
        return {part.urn: component for component, parts in self.parts.items() for part in parts}

    def _part_of(self, urn: str | None) -> str | None:
        while urn is not None and urn not in self.component_of:
            urn = self.resources[urn].parent
        return urn

    @cached_property
    def waits(self) -> Edges:
        """(dependency, dependent) pairs of parts, without those that others imply."""
        pairs = {
            (self._part_of(dependency), self._part_of(resource.urn))
            for resource in self.resources.values()
            for dependency in resource.dependencies
        }
        return reduced({(before, after) for before, after in pairs if before and after and before != after})

    @cached_property
    def component_waits(self) -> tuple[Edges, Edges]:
        """The same for components: pairs that wait for the whole dependency, and pairs that wait for a part of it."""
        whole, partly = set[tuple[str, str]](), set[tuple[str, str]]()
        followers = _followers(self.waits)
        for before, parts in self.parts.items():
            for after in self.parts:
                waiting = {part.urn for part in self.parts[after]}
                done_first = [part for part in parts if followers.get(part.urn, set()) & waiting]
                if before != after and done_first:
                    (whole if len(done_first) == len(parts) else partly).add((before, after))
        least = reduced(whole)
        return least, frozenset(edge for edge in partly if edge[1] not in _followers(least).get(edge[0], ()))


def _next(edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    after: dict[str, set[str]] = {}
    for source, target in edges:
        after.setdefault(source, set()).add(target)
    return after


def _followers(edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Node → everything that waits for it, directly or through others."""
    after = _next(edges)

    def reach(node: str, seen: set[str]) -> set[str]:
        for target in after.get(node, set()) - seen:
            seen.add(target)
            reach(target, seen)
        return seen

    return {node: reach(node, set()) for node in after}


def reduced(edges: set[tuple[str, str]]) -> Edges:
    """The edges without those that a longer path implies (the transitive reduction)."""
    after, followers = _next(edges), _followers(edges)
    return frozenset(
        (source, target)
        for source, target in edges
        if not any(target in followers.get(between, ()) for between in after[source] - {target})
    )


def in_order(resources: Iterable[Resource], *, edges: Edges) -> list[Resource]:
    """Dependencies first, then by name, because the order in a stack's export changes from run to run."""
    followers = _followers(edges)
    return sorted(resources, key=lambda item: (sum(item.urn in found for found in followers.values()), item.name))


def components_diagram(graph: Graph) -> str:
    """A Mermaid diagram of the components; a dotted arrow waits for a part."""
    whole, partly = graph.component_waits
    components = in_order(graph.components, edges=whole)
    ids = {component.urn: f"c{number}" for number, component in enumerate(components)}
    lines = [f'  {ids[component.urn]}["{_label(component)}"]' for component in components]
    lines += _arrows(whole, ids=ids, arrow="-->") + _arrows(partly, ids=ids, arrow="-.->")
    return "\n".join(["flowchart LR", *lines])


def parts_diagram(graph: Graph) -> str:
    """A Mermaid diagram of the components and their parts."""
    ids: dict[str, str] = {}
    lines = []
    for number, component in enumerate(in_order(graph.components, edges=graph.component_waits[0])):
        parts = in_order(graph.parts[component.urn], edges=graph.waits)
        ids |= {part.urn: f"p{len(ids) + place}" for place, part in enumerate(parts)}
        boxes = [f'  {ids[part.urn]}["{_label(part)}"]' for part in parts]
        alone = parts == [component]
        lines += boxes if alone else [f'  subgraph c{number}["{_label(component)}"]', *boxes, "  end"]
    return "\n".join(["flowchart LR", *lines, *_arrows(graph.waits, ids=ids, arrow="-->")])


def _arrows(edges: Edges, *, ids: Mapping[str, str], arrow: str) -> list[str]:
    order = list(ids)
    in_order = sorted(edges, key=lambda edge: (order.index(edge[0]), order.index(edge[1])))
    return [f"  {ids[source]} {arrow} {ids[target]}" for source, target in in_order]


def _label(resource: Resource) -> str:
    same = resource.name.replace("-", "").lower() == resource.kind.lower()
    return resource.kind if same else f"{resource.name}<br/>{resource.kind}"


def page(graph: Graph) -> str:
    """The text of `docs/graph.md`."""
    return f"""\
# The resource graph

Made by `make docs` from a deployed stack. An arrow goes from what is waited for to what waits; arrows that others imply
are left out. `destroy` goes the other way.

## Components

A dotted arrow waits for a part only, as KServe's controller for the kinds that Istio and Knative define, not for them
to run.

{_block(components_diagram(graph))}

## Components with their parts

Namespaces, keys, and the objects of a chart lie within the part they belong to.

{_block(parts_diagram(graph))}
"""


def _block(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


def with_diagram(text: str, diagram: str) -> str:
    """`text` with the diagram between the markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the graph: it goes between the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{_block(diagram)}\n\n{END}{after}"


def main() -> None:
    """Read an export from standard input, and write the page and the diagram in the READMEs."""
    graph = Graph.of(Export.model_validate_json(sys.stdin.buffer.read()))
    if not graph.components:
        sys.exit("The export has none of this project's components: deploy the stack first, with make up.")
    PAGE.write_text(page(graph), encoding="utf-8")
    for readme in READMES:
        readme.write_text(with_diagram(readme.read_text("utf-8"), components_diagram(graph)), encoding="utf-8")


if __name__ == "__main__":
    main()
