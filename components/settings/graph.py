"""Settings of one inference graph: several models behind one address."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, model_validator

from components.settings.errors import Location, refuse
from components.settings.fields import Key, LabelValue, Matching, Name, Section
from components.settings.graph_nodes import Node
from components.settings.model import LONGEST_HOST, OwnMode, ValidationContext
from components.settings.modes import Replicas, Scale, scaling_problems
from components.settings.server import Resources, Toleration
from components.settings.v2_answers import V2Answers
from endpoints.endpoint import GraphCheck

# Knative puts a graph's name into the name of a Deployment, and Kubernetes allows 63 characters there.
LONGEST_GRAPH_NAME = 63 - len("-00001-deployment")
# KServe's name for the first node.
ROOT = "root"
# Protocols that KServe's router uses with models.
ROUTER_PROTOCOLS = ("v1", "v2")
# Default of KServe's router, in seconds.
ROUTER_TIMEOUT = 60


class GraphCheckSettings(GraphCheck, Section):
    """A request with a known response, sent after a deployment."""


class Graph(Node):
    """An address behind which several models answer. Its own step lists are those of its first node."""

    name: Annotated[
        str,
        Matching(
            pattern=r"[a-z]([-a-z0-9]*[a-z0-9])?",
            what=f"graph name: start with a letter, use up to {LONGEST_GRAPH_NAME} of a-z, 0-9 and -, not - at the end",
            longest=LONGEST_GRAPH_NAME,
        ),
    ]
    nodes: dict[Name, Node] = Field(default_factory=dict, description="more nodes, which steps can lead to")
    mode: OwnMode = Field(
        default=None, validate_default=True, description="how KServe runs it; the stack's `mode` when left out"
    )
    replicas: Replicas = Replicas()
    scale: Scale = Scale()
    request_timeout: int | None = Field(
        default=None, ge=1, le=600, description=f"seconds for a whole request; {ROUTER_TIMEOUT} when left out"
    )
    resources: Resources | None = None
    node_selector: dict[Key, LabelValue] = Field(
        default_factory=dict, description="labels that the nodes of its pods must have"
    )
    tolerations: tuple[Toleration, ...] = ()
    timeout: int = Field(default=600, ge=30, le=3600, description="seconds in which it must become ready")
    check: GraphCheckSettings | None = None

    @property
    def service(self) -> str:
        """Name of its InferenceGraph."""
        return self.name

    @property
    def all_nodes(self) -> Mapping[str, Node]:
        """Its nodes by name, with the first one under KServe's name for it."""
        return {ROOT: self, **self.nodes}

    @property
    def targets(self) -> frozenset[str]:
        """Names of the models that some step leads to."""
        steps = (step for node in self.all_nodes.values() for step in node.steps)
        return frozenset(step.to for step in steps if not step.is_a_url) - self.nodes.keys()

    @model_validator(mode="after")
    def _fits_the_other_settings(self, info: ValidationInfo) -> Self:
        context = ValidationContext.of(info)
        refuse(
            {
                "name": self._name_problem(context),
                **scaling_problems(self.mode, replicas=self.replicas, scale=self.scale),
                **dict(self._node_problems(context)),
                **dict(self._target_problems(context)),
                **dict(self._unmapped_answers(context)),
            }
        )
        return self

    def _name_problem(self, context: ValidationContext) -> str | None:
        host = f"{self.name}.{context.namespace}.{context.domain}"
        if len(host) > LONGEST_HOST:
            return f"makes a host name of {len(host)} characters, {host}; {LONGEST_HOST} are allowed"
        if self.name in (context.models or ()):
            return f"{self.name!r} is also the name of a model and its address; give the graph another name"
        return None

    def _node_problems(self, context: ValidationContext) -> Iterator[tuple[Location, str]]:
        reached = self._reached(ROOT, ())
        for name in self.nodes:
            where = ("nodes", name)
            if name == ROOT:
                yield where, f"{ROOT} is KServe's name for the first node, whose steps stand in the graph itself"
            elif name in (context.models or ()):
                yield where, "is also the name of a model; give the node another name"
            elif name not in reached:
                yield where, "is never reached: no path of steps from the first node leads to it; drop it"

    def _reached(self, name: str, path: tuple[str, ...]) -> frozenset[str]:
        """Names of a node and of all nodes below it. Raises ValueError where a path leads back to its node."""
        if name in path:
            raise ValueError(f"has a cycle of nodes: {' → '.join((*path[path.index(name) :], name))}")
        below = (step.to for step in self.all_nodes[name].steps if step.to in self.nodes and step.to != ROOT)
        return frozenset({name}).union(*(self._reached(node, (*path, name)) for node in below))

    def _target_problems(self, context: ValidationContext) -> Iterator[tuple[Location, str]]:
        models = context.models
        if models is None:
            return
        for name, node in self.all_nodes.items():
            place: Location = () if name == ROOT else ("nodes", name)
            for index, step in enumerate(node.steps):
                inside = step.is_a_url or step.to in self.nodes
                problem = None if inside else _model_problem(step.to, models=models, nodes=self.nodes)
                if problem:
                    yield (*place, node.kind, index), problem

    def _unmapped_answers(self, context: ValidationContext) -> Iterator[tuple[Location, str]]:
        answers = V2Answers(
            nodes=self.all_nodes,
            protocols=context.models or {},
            transformed=context.transformed,
            contained=context.contained,
        )
        for name, node in self.all_nodes.items():
            place: Location = () if name == ROOT else ("nodes", name)
            for index, problem in answers.problems(node):
                yield (*place, node.kind, index), problem


def _model_problem(name: str, *, models: Mapping[str, str], nodes: Mapping[str, Any]) -> str | None:
    if name not in models:
        near = difflib.get_close_matches(name, [*models, *nodes], n=1, cutoff=0.5)
        known = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join([*models, *nodes]) or 'none'}"
        return f"{name!r} is not a model of the stack, a node of the graph or a URL; {known}"
    if models[name] not in ROUTER_PROTOCOLS:
        return f"{name!r} has protocol {models[name]}; KServe's router supports {' and '.join(ROUTER_PROTOCOLS)} only"
    return None
