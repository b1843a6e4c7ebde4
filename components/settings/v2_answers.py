"""Where a sequence hands the answer of a v2 model, or of an ensemble, to another model.

KServe's router maps v1 answers only: it makes `instances` of `predictions`. It passes a v2 answer on as it is, and no
serving runtime takes the `outputs` in it for `inputs` or `instances`. An ensemble's answer has its steps' answers under
their names, of whichever protocol, and no runtime looks for a request below these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from components.settings.graph_nodes import Node, Step

REQUEST = "$request"


@dataclass(frozen=True, kw_only=True)
class V2Answers:
    """Follows answers through a graph.

    Attributes:
        nodes: the graph's nodes by name.
        protocols: model name → protocol.
        transformed: models with a transformer, which may convert any request and any answer.
        contained: models with a container of their own, which may take any request.

    """

    nodes: Mapping[str, Node]
    protocols: Mapping[str, str]
    transformed: frozenset[str]
    contained: frozenset[str]

    def problems(self, node: Node) -> Iterator[tuple[int, str]]:
        """Steps of a sequence that get an answer which they cannot read: index of the step and problem."""
        stages = node.sequence or ()
        for index, (before, stage) in enumerate(pairwise(stages), start=1):
            takers = sorted(self._takers(stage.to, ())) if stage.data != REQUEST else []
            givers, ensembles = sorted(self._givers(before.to, ())), sorted(self._ensembles(before.to, ()))
            if takers and ensembles:
                yield (
                    index,
                    f"hands the answer of the ensemble {ensembles[0]!r}, which has the answers of its steps by their "
                    f"names, to {takers[0]!r} as it is, which reads no such request; use `data: {REQUEST}`, a "
                    f"transformer in {takers[0]!r}, or a step between them to a URL that maps it",
                )
            elif takers and givers:
                yield (
                    index,
                    f"hands the answer of {givers[0]!r}, which has protocol v2, to {takers[0]!r} as it is: KServe maps "
                    f"answers of v1 only; use `data: {REQUEST}`, a transformer in either model, or a step between them "
                    "to a URL that maps it",
                )

    def _givers(self, target: str, seen: tuple[str, ...]) -> frozenset[str]:
        """Models whose v2 answer can be the answer of a step to this target. An ensemble's is no model's."""
        node = self._node(target, seen)
        if node is None:
            return frozenset({target} if self.protocols.get(target) == "v2" else ()) - self.transformed
        return frozenset().union(*(self._givers(step.to, (*seen, target)) for step in _answering(node)))

    def _ensembles(self, target: str, seen: tuple[str, ...]) -> frozenset[str]:
        """Ensembles whose answer can be the answer of a step to this target."""
        node = self._node(target, seen)
        if node is None:
            return frozenset()
        if node.ensemble:
            return frozenset({target})
        return frozenset().union(*(self._ensembles(step.to, (*seen, target)) for step in _answering(node)))

    def _takers(self, target: str, seen: tuple[str, ...]) -> frozenset[str]:
        """Models that get the request of a step to this target."""
        node = self._node(target, seen)
        if node is None:
            return frozenset({target} if target in self.protocols else ()) - self.transformed - self.contained
        sequence = node.sequence or ()
        steps = (
            *sequence[:1],
            *(stage for stage in sequence[1:] if stage.data == REQUEST),
            *(node.ensemble or ()),
            *(node.switch or ()),
            *(node.splitter or ()),
        )
        return frozenset().union(*(self._takers(step.to, (*seen, target)) for step in steps))

    def _node(self, target: str, seen: tuple[str, ...]) -> Node | None:
        return None if target in seen else self.nodes.get(target)


def _answering(node: Node) -> Iterator[Step]:
    """The steps of a node whose answer can be the node's own; those of an ensemble are only parts of it."""
    sequence = node.sequence or ()
    # Where a step's condition is not met, the answer before it is the sequence's.
    yield from (stage for stage, after in pairwise(sequence) if after.condition)
    yield from (*sequence[-1:], *(node.switch or ()), *(node.splitter or ()))
