"""Nodes of an inference graph and their steps: the four ways in which KServe's router combines models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.settings.errors import Location, refuse
from components.settings.fields import HOST_PORT, Section, without_keys


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
