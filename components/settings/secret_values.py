"""Pulumi secrets in a stack's settings: which values are secrets, and which of them would not stay secret.

Pulumi only knows whether a whole setting contains a secret, so the stack file itself is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pulumi

import stack_files
from components.settings.stores.union import SECRETS

# Fields that are kept secret in the cluster and in the state, by the setting whose entries have them. One may be a
# mapping of secrets.
SECRET_FIELDS: Mapping[str, tuple[str, ...]] = {"storage": SECRETS, "registries": ("password",)}
CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"
KEPT = "|".join(rf"{setting}\.[^.]+\.({'|'.join(fields)})(\.[^.].*)?" for setting, fields in SECRET_FIELDS.items())
KIND = r"storage\.[^.]+\.kind"
REVEALED = (
    "is a secret, but only the keys of a store and the passwords of registries are kept secret: this would be in plain "
    "text in the cluster and in the stack's state; leave it out, or set it again with pulumi config set --plaintext"
)
# The organization of every stack whose backend is not Pulumi Cloud.
NO_ORGANIZATION = "organization"


@dataclass(frozen=True, kw_only=True)
class StoredSettings:
    """The running stack's settings as its file has them, with secrets encrypted.

    Attributes:
        file: where it is, or would be.
        settings: empty where there is no file.
        only_in_cloud: whether there is no file, and Pulumi Cloud may have the settings instead.

    """

    file: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    only_in_cloud: bool = False

    @classmethod
    def read(cls) -> Self:
        """Read the file of the running stack. Another one by `--config-file` is not known to the program."""
        file = Path(os.environ.get(CONFIG_FILE) or f"Pulumi.{pulumi.get_stack()}.yaml")
        if not file.is_file():
            return cls(file=file, only_in_cloud=pulumi.get_organization() not in {NO_ORGANIZATION, None})
        return cls(file=file, settings=stack_files.settings(stack_files.read(file), project=pulumi.get_project()))


def secret_problems(document: Mapping[str, Any], *, stored: StoredSettings, is_secret: Mapping[str, bool]) -> list[str]:
    """Keys and passwords in plain text, and other values that are secrets and would be in plain text elsewhere.

    Warns where Pulumi Cloud has the settings, and which of them are secrets cannot be told.

    Args:
        document: the settings.
        stored: the settings as the stack file has them.
        is_secret: whether each setting contains some secret, which need not be in the file.

    """
    in_file = {path: value for setting in SECRET_FIELDS for path, value in _secrets(stored.settings, setting)}
    plain = [
        path
        for setting in SECRET_FIELDS
        for path, value in _secrets(document, setting)
        if value and (not is_secret[setting] or (isinstance(in_file.get(path), str) and in_file[path] == value))
    ]
    revealed = [path for path in stack_files.encrypted(stored.settings) if not re.fullmatch(KEPT, path)]
    # A secret that is not in the file is from the command line or from one of Pulumi's environments.
    named = {re.split(r"[.[]", path)[0] for path in revealed}
    revealed += [name for name, has_some in is_secret.items() if has_some and name not in {*SECRET_FIELDS, *named}]
    untold: dict[str, list[str]] = {}
    for setting in SECRET_FIELDS:
        if is_secret[setting] and setting not in named:
            if not any(value for _, value in _secrets(document, setting)):
                revealed.append(setting)
            elif others := _not_in_file(document.get(setting), stored.settings.get(setting), setting=setting):
                untold[setting] = others
    if stored.only_in_cloud:
        for setting, paths in untold.items():
            pulumi.log.warn(
                f"{setting}: has a secret; without a stack file, the program cannot tell which of its values that is. "
                f"Only {_fields(setting)} are kept secret; in plain text are {', '.join(paths)}"
            )
        untold = {}
    return [
        *(f"{path}: is in plain text; make it a secret: pulumi config set --secret --path {path}" for path in plain),
        *(f"{path}: {REVEALED}" for path in revealed),
        *(
            f"{setting}: has a secret, and the program cannot tell which of its values that is: {stored.file} does not "
            f"have {', '.join(paths)} with the value that is used. Only {_fields(setting)} are kept secret. Where "
            f"another file is used, name it by the variable {CONFIG_FILE} instead of the option --config-file; else "
            "write these values into this file"
            for setting, paths in untold.items()
        ),
    ]


def _not_in_file(value: object, stored: object, *, setting: str) -> list[str]:
    """Paths of values that would be in plain text, and that the stack file does not have as they are.

    Not of switches, and not of a store's kind: nobody keeps those secret.
    """
    in_file = dict(_values(stored, setting))
    return [
        path
        for path, one in _values(value, setting)
        if not re.fullmatch(f"{KEPT}|{KIND}", path) and not isinstance(one, bool) and str(in_file.get(path)) != str(one)
    ]


def _values(value: object, path: str) -> Iterator[tuple[str, object]]:
    """The single values in a value, by their paths."""
    if isinstance(value, Mapping) and set(value) != {"secure"}:
        for key, inner in value.items():
            yield from _values(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, f"{path}[{index}]")
    else:
        yield path, value


def _fields(setting: str) -> str:
    return ", ".join(SECRET_FIELDS[setting])


def _secrets(document: Mapping[str, Any], setting: str) -> Iterator[tuple[str, object]]:
    """Each field of a setting's entries that is kept secret, by its path; of a mapping of secrets, each of them."""
    for name, entry in _mapping(document.get(setting)).items():
        for key, value in _mapping(entry).items():
            if key not in SECRET_FIELDS[setting]:
                continue
            if isinstance(value, Mapping) and set(value) != {"secure"}:
                yield from ((f"{setting}.{name}.{key}.{inner}", one) for inner, one in value.items())
            else:
                yield f"{setting}.{name}.{key}", value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
