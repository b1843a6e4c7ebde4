"""Errors in the settings: every problem at once, each with its path and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Location = tuple[str | int, ...]
# In pydantic's paths, a step that begins so is the type that a setting's `kind` chose; users do not write it.
KIND_TAG = "kind="
UNKNOWN_KIND = "unknown_kind"
HINTS = {
    "string_type": "must be text; quote it",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list: one `-` an item",
    "tuple_type": "must be a list: one `-` an item",
    "dict_type": "must be a mapping: `key: value` lines",
    "model_type": "must be a mapping: `key: value` lines",
    "path_type": "must be a path",
}


class SettingsError(pulumi.RunError):
    """The stack's settings are wrong. The message lists every problem as `path: problem`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        count = "a problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"The stack's settings have {count}:", *self.problems]))


def refuse(problems: Mapping[str | Location, str | None]) -> None:
    """Raise problems at their fields, from inside a pydantic validator.

    Args:
        problems: field → what is wrong, None where nothing is. A key may also be a path, as `("steps", 0, "to")`.

    Raises:
        ValidationError: there is at least one problem.

    """
    errors = [
        InitErrorDetails(
            type=PydanticCustomError("setting", "{problem}", {"problem": problem}),
            loc=(field,) if isinstance(field, str) else field,
            input=None,
        )
        for field, problem in problems.items()
        if problem
    ]
    if errors:
        raise ValidationError.from_exception_data("settings", errors, hide_input=True)


def refuse_all(*checks: Callable[[], None]) -> None:
    """Make every check, inside a pydantic validator, and raise the problems of all of them.

    Raises:
        ValidationError: there is at least one problem.

    """
    problems: list[tuple[Location, str]] = []
    for check in checks:
        try:
            check()
        except ValidationError as error:
            problems += [(details["loc"], details["msg"]) for details in error.errors(include_url=False)]
        except ValueError as error:
            problems.append(((), str(error)))
    refuse(dict(problems))


def describe(error: ValidationError, *, model: type[BaseModel]) -> list[str]:
    """The problems of an error, one line each, as `models[0].storage_uri: …`. They contain no secret."""
    return [
        f"{_path(_location(details))}: {_message(details, model=model)}"
        for details in error.errors(include_input=False, include_url=False)
    ]


def _location(details: ErrorDetails) -> Location:
    return (*details["loc"], "kind") if details["type"] == UNKNOWN_KIND else details["loc"]


def _path(location: Location) -> str:
    path = ""
    for step in location:
        # pydantic appends [key] when the key itself is wrong
        if step != "[key]" and not str(step).startswith(KIND_TAG):
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or "settings"


def _message(details: ErrorDetails, *, model: type[BaseModel]) -> str:
    kind, location = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return _unknown(str(location[-1]), known=_keys(model, location[:-1]), kinds=_kinds_with(model, location))
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind == "literal_error":
        return f"must be {details['ctx']['expected']}"
    return HINTS.get(kind) or details["msg"].replace("Input should be", "must be")


def _unknown(key: str, *, known: list[str], kinds: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    listed = f"the settings here are {', '.join(known)}"
    if kinds:
        return f"is a setting of kind {' and '.join(kinds)}; {listed}"
    return f"unknown setting; {f'did you mean {near[0]!r}?' if near else listed}"


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """Names of the settings at a location."""
    section = _section(_annotation(model, location))
    return list(section.model_fields) if section else []


def _kinds_with(model: type[BaseModel], location: Location) -> list[str]:
    """Other kinds of the section at a location that have the setting which the location ends with."""
    *above, tag, key = ("", *location)
    if not str(tag).startswith(KIND_TAG):
        return []
    sections = [s for s in _sections(_annotation(model, tuple(above[1:]))) if key in s.model_fields]
    return [kind for section in sections for kind in get_args(section.model_fields["kind"].annotation)]


def _annotation(model: type[BaseModel], location: Location) -> Any:
    """Type of the setting at a location."""
    annotation: Any = model
    for step in location:
        if str(step).startswith(KIND_TAG):
            annotation = next(found for found in _sections(annotation) if found.__name__ == str(step)[len(KIND_TAG) :])
            continue
        section = _section(annotation)
        annotation = section.model_fields[str(step)].annotation if section else _items(annotation)
    return annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    return next(_sections(annotation), None)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Sections among which a setting's value is: one, none, or one for each kind."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        for choice in get_args(annotation):
            yield from _sections(choice)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _items(annotation: Any) -> Any:
    """Type of the items of a list, a tuple of any length or a mapping, optional or not."""
    if get_origin(annotation) in (Union, UnionType):
        return next((held for choice in get_args(annotation) if (held := _items(choice))), None)
    held = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return held[-1] if held else None
