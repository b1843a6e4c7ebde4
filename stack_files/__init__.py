"""Read and write stack files, `Pulumi.<stack>.yaml`, as Pulumi does. Everything that reads one reads it here.

Imports nothing of the project. Pulumi follows YAML 1.2 where PyYAML follows 1.1, and it writes the files that it
changes by the same rules: it turns `0.00001` into `1e-05`, which is text in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = "kserve-multi-model"


class StackFileLoader(yaml.CSafeLoader):
    """Reads unquoted values as Pulumi's YAML library does (go-yaml v3, in its resolve.go).

    So `yes`, `on` and `1:30` are text. A date is text, too: Pulumi only writes it in another form.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


def _integer(loader: StackFileLoader, node: yaml.ScalarNode) -> int:
    digits = str(loader.construct_scalar(node)).replace("_", "")
    return int(digits, 8 if re.fullmatch("[-+]?0[0-7]+", digits) else 0)


# Where two patterns match a value, the first counts.
for _kind, _pattern, _first in (
    ("null", "~|null|Null|NULL|", "~nN"),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", "<<", "<"),
):
    StackFileLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), [*_first, ""])
StackFileLoader.add_constructor("tag:yaml.org,2002:int", _integer)


class StackFileDumper(yaml.CSafeDumper):
    """Quotes text that Pulumi would otherwise read as a number, a boolean or null."""

    yaml_implicit_resolvers = StackFileLoader.yaml_implicit_resolvers


def parse(text: str) -> Any:
    """Read the text of a stack file, or a part of one, as the documentation shows them.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, StackFileLoader)  # noqa: S506 - it is a safe loader


def read(file: Path) -> dict[str, Any]:
    """Read a whole stack file; the result is empty when the file holds no mapping.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: it is not YAML.
    """
    document = parse(file.read_text("utf-8"))
    return document if isinstance(document, dict) else {}


def dump(document: dict[str, Any]) -> str:
    """Give the text of a stack file that Pulumi reads as this document."""
    return str(yaml.dump(document, Dumper=StackFileDumper, sort_keys=False, allow_unicode=True))


def write(file: Path, document: dict[str, Any]) -> None:
    """Write a stack file."""
    file.write_text(dump(document), "utf-8")


def settings(document: dict[str, Any], *, project: str = PROJECT) -> dict[str, Any]:
    """Give the project's settings by name; a name without a project belongs to this one, as for Pulumi."""
    config = document.get("config")
    named = {str(key): value for key, value in config.items()} if isinstance(config, dict) else {}
    return {
        key.removeprefix(f"{project}:"): value
        for key, value in named.items()
        if ":" not in key or key.startswith(f"{project}:")
    }


def encrypted(value: Any, path: str = "") -> Iterator[str]:
    """The paths of the values that Pulumi has encrypted, as `storage.mine.key`: mappings with the one key `secure`."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from encrypted(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from encrypted(inner, f"{path}[{index}]")
