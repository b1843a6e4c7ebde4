"""Settings of one inference graph: several models behind one address."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.settings.errors import Location, refuse
from components.settings.fields import HOST_PORT, Key, LabelValue, Matching, Name, Section, without_keys
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


class Step(Section):
    """Where a request goes next. A step with nothing but `to` can be written as that text."""

    to: str = Field(
        min_length=1, description="a model of the stack, a node of the graph, or the URL of another service"
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        description="its name in an ensemble's response and in logs; the value of `to` when left out",
    )

    @model_validator(mode="before")
    @classmethod
    def _expand_text(cls, value: object) -> object:
        return {"to": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        definition = handler.resolve_ref_schema(handler(schema))
        mapping = dict(definition)
        if mapping["required"] == ["to"]:
            definition.clear()
            definition["anyOf"] = [{"type": "string"}, mapping]
        return definition

    @field_validator("to")
    @classmethod
    def _is_well_formed(cls, to: str) -> str:
        if "://" in to and not re.fullmatch(rf"https?://{HOST_PORT}(/\S*)?", to):
            raise ValueError(f"{without_keys(to)!r} is not an HTTP URL; write http://host:port/path")
        return to

    @property
    def is_a_url(self) -> bool:
        """Whether it leads out of the stack."""
        return "://" in self.to

    @property
    def label(self) -> str | None:
        """Its name in responses; None for a URL without a name, which KServe numbers."""
        return self.name or (None if self.is_a_url else self.to)


class Case(Step):
    """A step of a switch. It gets the requests that meet its condition and no condition before it."""

    condition: str | None = Field(
        default=None, min_length=1, description="a GJSON path into the request; optional in the last step"
    )


class Share(Step):
    """A step of a splitter."""

    weight: int = Field(ge=0, le=100, description="per cent of the requests; all steps together have 100")


class Part(Step):
    """A step of an ensemble."""

    dependency: Literal["hard", "soft"] = Field(
        default="hard",
        description="hard: its error fails the request; soft: its error becomes its part of the response",
    )


class Stage(Step):
    """A step of a sequence."""

    data: Literal["$predictions", "$response", "$request"] | None = Field(
        default=None,
        description="what it gets: the predictions of the step before as instances (default), the response of the step "
        "before as it is, or the request, which the first step always gets",
    )
    condition: str | None = Field(
        default=None,
        min_length=1,
        description="a GJSON path into the response of the step before; where it finds nothing, that response is final",
    )
    dependency: Literal["hard", "soft"] = Field(
        default="hard", description="hard: its error ends the sequence; soft: its error goes to the next step"
    )


class Node(Section):
    """One of the four ways to combine steps."""

    KINDS: ClassVar[tuple[str, ...]] = ("sequence", "ensemble", "switch", "splitter")

    sequence: tuple[Stage, ...] | None = Field(
        default=None, description="steps one after the other, each with the response of the step before"
    )
    ensemble: tuple[Part, ...] | None = Field(
        default=None, description="all steps at once; the response has each step's response under its name"
    )
    switch: tuple[Case, ...] | None = Field(
        default=None, description="the first step whose condition the request meets"
    )
    splitter: tuple[Share, ...] | None = Field(default=None, description="one step, chosen at random by weight")

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(kind for kind in self.KINDS if getattr(self, kind) is not None)

    @property
    def steps(self) -> Sequence[Step]:
        """Its steps, in order."""
        steps: Sequence[Step] = getattr(self, self.kind)
        return steps

    @model_validator(mode="after")
    def _is_one_of_four(self) -> Self:
        given = [kind for kind in self.KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.KINDS)}; it has {' and '.join(given) or 'none'}")
        refuse({self.kind: self._steps_problem(), **dict(self._step_problems())})
        return self

    def _steps_problem(self) -> str | None:
        if not self.steps:
            return "has no step; give it at least one"
        total = sum(share.weight for share in self.splitter or ())
        return f"has weights that add up to {total}; make them 100" if self.splitter and total != 100 else None

    def _step_problems(self) -> Iterator[tuple[Location, str]]:
        labels = [step.label for step in self.steps]
        for index, label in enumerate(labels):
            if label is not None and label in labels[:index]:
                yield (
                    (self.kind, index, "name"),
                    f"{label!r} is the name of an earlier step; give each step its own name",
                )
        for index, case in enumerate(self.switch or ()):
            if case.condition is None and case is not self.steps[-1]:
                yield (self.kind, index, "condition"), "is missing: without it, no step after this one gets a request"
        for field in ("condition", "data"):
            if self.sequence and getattr(self.sequence[0], field) is not None:
                yield (self.kind, 0, field), "has no effect in the first step: there is no response yet; drop it"


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
