"""What a stack says of one graph: several models behind one address."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.settings.companion import COMPANIONSHIPS
from components.settings.errors import Location, refuse
from components.settings.fields import HOST_PORT, Key, LabelValue, Name, Section, matching, without_keys
from components.settings.model import LONGEST_HOST, OwnMode, Surroundings
from components.settings.modes import scaling_problems
from components.settings.server import Replicas, Resources, Scale, Toleration

# Knative names a graph's Deployment after it, and Kubernetes allows 63 characters.
LONGEST_NAME = 63 - len("-00001-deployment")
# KServe's name for the node that gets the request.
ROOT = "root"
# What KServe's router speaks with models.
PROTOCOLS = ("v1", "v2")
# What KServe's router gives a request that says nothing itself, in seconds.
REQUEST_TIMEOUT = 60


class Step(Section):
    """Where a request goes next; alone, `to` may stand for all of it."""

    to: str = Field(
        min_length=1, description="a model of the stack, a node of the graph, or a URL that requests are posted to"
    )
    name: str | None = Field(
        default=None, min_length=1, description="its name in an ensemble's answer and in logs; that of `to` if left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _may_be_short(cls, stated: object) -> object:
        return {"to": stated} if isinstance(stated, str) else stated

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler.resolve_ref_schema(handler(schema))
        whole = dict(described)
        if whole["required"] == ["to"]:
            described.clear()
            described["anyOf"] = [{"type": "string"}, whole]
        return described

    @field_validator("to")
    @classmethod
    def _is_well_formed(cls, to: str) -> str:
        if "://" in to and not re.fullmatch(rf"https?://{HOST_PORT}(/\S*)?", to):
            raise ValueError(f"{without_keys(to)!r} is no URL to post to; write http://host:port/path")
        return to

    @property
    def is_a_url(self) -> bool:
        """Whether it is outside of the stack."""
        return "://" in self.to

    @property
    def label(self) -> str | None:
        """Its name; None for a URL without one, which KServe numbers."""
        return self.name or (None if self.is_a_url else self.to)


class Case(Step):
    """A step of a switch: it gets the requests that have what its condition asks for, and no step before it does."""

    condition: str | None = Field(
        default=None, min_length=1, description="a GJSON path into the request; the last step needs none"
    )


class Share(Step):
    """A step of a splitter."""

    weight: int = Field(ge=0, le=100, description="per cent of the requests; those of all steps make 100")


class Part(Step):
    """A step of an ensemble."""

    dependency: Literal["hard", "soft"] = Field(
        default="hard", description="whether its error is the whole request's, or a part of the answer like another"
    )


class Stage(Step):
    """A step of a sequence."""

    data: Literal["$predictions", "$response", "$request"] | None = Field(
        default=None,
        description="what it gets: the last step's predictions as instances, its answer as it is, or the request; "
        "predictions when left out, and the first step always the request",
    )
    condition: str | None = Field(
        default=None, min_length=1, description="a GJSON path into the last step's answer; without it, that is the end"
    )
    dependency: Literal["hard", "soft"] = Field(
        default="hard", description="whether its error ends the sequence, or is the next step's to deal with"
    )


class Node(Section):
    """One of four ways to answer a request by others."""

    KINDS: ClassVar[tuple[str, ...]] = ("sequence", "ensemble", "switch", "splitter")

    sequence: tuple[Stage, ...] | None = Field(
        default=None, description="one after the other, each with what the last one answered"
    )
    ensemble: tuple[Part, ...] | None = Field(
        default=None, description="all of them at once; the answer has each one's under its name"
    )
    switch: tuple[Case, ...] | None = Field(default=None, description="the first whose condition the request meets")
    splitter: tuple[Share, ...] | None = Field(default=None, description="one of them by chance")

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
        said = [kind for kind in self.KINDS if getattr(self, kind) is not None]
        if len(said) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.KINDS)}; it has {' and '.join(said) or 'none'}")
        refuse({self.kind: self._steps_problem(), **dict(self._step_problems())})
        return self

    def _steps_problem(self) -> str | None:
        if not self.steps:
            return "has no step; give it one at least"
        total = sum(share.weight for share in self.splitter or ())
        return f"has weights that make {total}; make them 100" if self.splitter and total != 100 else None

    def _step_problems(self) -> Iterator[tuple[Location, str]]:
        labels = [step.label for step in self.steps]
        for index, label in enumerate(labels):
            if label is not None and label in labels[:index]:
                yield (self.kind, index, "name"), f"{label!r} is there before; give each step a name of its own"
        for index, case in enumerate(self.switch or ()):
            if case.condition is None and case is not self.steps[-1]:
                yield (self.kind, index, "condition"), "is missing: without one, no step after it gets a request"
        for field in ("condition", "data"):
            if self.sequence and getattr(self.sequence[0], field) is not None:
                yield (self.kind, 0, field), "has no effect on the first step: no answer is there yet; drop it"


class GraphCheck(Section):
    """A request with a known answer, asked after a deployment."""

    request: JsonValue = Field(description="what to send: any JSON")
    response: JsonValue = Field(description="what must come back; an object may come back with more than these fields")
    tolerance: float = Field(default=1e-6, ge=0, allow_inf_nan=False, description="how far a number may be off")


class Graph(Node):
    """An address that answers by several models; what stands here is its first node."""

    name: Annotated[
        str,
        matching(
            r"[a-z]([-a-z0-9]*[a-z0-9])?",
            what=f"graph name: start with a letter, use up to {LONGEST_NAME} of a-z, 0-9 and -, not - at the end",
            longest=LONGEST_NAME,
        ),
    ]
    nodes: dict[Name, Node] = Field(default_factory=dict, description="further nodes, for steps to lead to")
    mode: OwnMode = Field(
        default=None, validate_default=True, description="how KServe runs it; as the stack's `mode` says when left out"
    )
    replicas: Replicas = Replicas()
    scale: Scale = Scale()
    request_timeout: int | None = Field(
        default=None, ge=1, le=600, description=f"seconds a request may take in all; {REQUEST_TIMEOUT} when left out"
    )
    resources: Resources | None = None
    node_selector: dict[Key, LabelValue] = Field(default_factory=dict, description="labels its nodes must have")
    tolerations: tuple[Toleration, ...] = ()
    timeout: int = Field(default=600, ge=30, le=3600, description="seconds it may take to become ready")
    check: GraphCheck | None = None

    @property
    def all_nodes(self) -> Mapping[str, Node]:
        """Its nodes by name, the first one under KServe's name for it."""
        return {ROOT: self, **self.nodes}

    @property
    def targets(self) -> frozenset[str]:
        """The models that some step leads to."""
        steps = (step for node in self.all_nodes.values() for step in node.steps)
        return frozenset(step.to for step in steps if not step.is_a_url) - self.nodes.keys()

    @model_validator(mode="after")
    def _fits_its_surroundings(self, info: ValidationInfo) -> Self:
        around = info.context
        if not isinstance(around, Surroundings):
            raise TypeError("a graph is checked against its surroundings: pass them as the validation's context")
        refuse(
            {
                "name": self._name_problem(around),
                **dict(self._scaling_problems()),
                **dict(self._node_problems(around)),
                **dict(self._target_problems(around)),
            }
        )
        return self

    def _scaling_problems(self) -> Iterator[tuple[str, str | None]]:
        yield from scaling_problems(self.mode, replicas=self.replicas, scale=self.scale).items()

    def _name_problem(self, around: Surroundings) -> str | None:
        host = f"{self.name}.{around.namespace}.{around.domain}"
        if len(host) > LONGEST_HOST:
            return f"makes a host name of {len(host)} characters, {host}; {LONGEST_HOST} are allowed"
        for model in around.models or ():
            if self.name == model:
                return f"{self.name!r} is a model's, too, and would be at the same address; give the graph another"
            if self.name in {f"{model}-{part}" for part in ("predictor", *COMPANIONSHIPS)}:
                return f"{self.name!r} is what KServe calls a part of the model {model!r}; give the graph another"
        return None

    def _node_problems(self, around: Surroundings) -> Iterator[tuple[Location, str]]:
        reached = self._reached(ROOT, ())
        for name in self.nodes:
            where = ("nodes", name)
            if name == ROOT:
                yield where, f"{ROOT} is KServe's name for the first node, which stands beside the graph's name"
            elif name in (around.models or ()):
                yield where, "is a model's name, too; give the node another"
            elif name not in reached:
                yield where, "is never reached: no step on the way from the first node leads to it; drop it"

    def _reached(self, name: str, path: tuple[str, ...]) -> frozenset[str]:
        """The node and those below it. Raises ValueError where one leads back to itself."""
        if name in path:
            raise ValueError(f"has nodes in a circle: {' → '.join((*path[path.index(name) :], name))}")
        below = (step.to for step in self.all_nodes[name].steps if step.to in self.nodes and step.to != ROOT)
        return frozenset({name}).union(*(self._reached(node, (*path, name)) for node in below))

    def _target_problems(self, around: Surroundings) -> Iterator[tuple[Location, str]]:
        models = around.models
        if models is None:
            return
        for name, node in self.all_nodes.items():
            place: Location = () if name == ROOT else ("nodes", name)
            for index, step in enumerate(node.steps):
                inside = step.is_a_url or step.to in self.nodes
                problem = None if inside else _model_problem(step.to, models=models, nodes=self.nodes)
                if problem:
                    yield (*place, node.kind, index), problem


def _model_problem(name: str, *, models: Mapping[str, str], nodes: Mapping[str, Any]) -> str | None:
    if name not in models:
        near = difflib.get_close_matches(name, [*models, *nodes], n=1, cutoff=0.5)
        known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join([*models, *nodes]) or 'none'}"
        return f"{name!r} is no model of the stack, no node of the graph and no URL; {known}"
    if models[name] not in PROTOCOLS:
        return f"{name!r} speaks {models[name]}; KServe's router asks with {' or '.join(PROTOCOLS)} alone"
    return None
