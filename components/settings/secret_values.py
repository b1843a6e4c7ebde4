"""Pulumi secrets in a stack's settings: which values are secrets, and which of them would not stay secret.

Pulumi only knows whether a whole setting contains a secret, so the stack file itself is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi

import stack_files
from components.settings.stores.union import SECRETS

# Fields that are kept secret in the cluster and in the state, by the setting whose entries have them. One may be a
# mapping of secrets.
SECRET_FIELDS: Mapping[str, tuple[str, ...]] = {"storage": SECRETS, "registries": ("password",)}
KEPT = "|".join(rf"{setting}\.[^.]+\.({'|'.join(fields)})(\.[^.].*)?" for setting, fields in SECRET_FIELDS.items())
REVEALED = (
    "is a secret, but only the keys of a store and the passwords of registries are kept secret: this would be in plain "
    "text in the cluster and in the stack's state; leave it out, or set it again with pulumi config set --plaintext"
)


def stored_settings() -> Mapping[str, Any]:
    """The running stack's settings as its file has them, with secrets encrypted; empty where there is no file."""
    file = Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE") or f"Pulumi.{pulumi.get_stack()}.yaml")
    return stack_files.settings(stack_files.read(file), project=pulumi.get_project()) if file.is_file() else {}


def secret_problems(
    document: Mapping[str, Any], *, stored: Mapping[str, Any], is_secret: Mapping[str, bool]
) -> list[str]:
    """Keys and passwords in plain text, and other values that are secrets and would be in plain text elsewhere.

    Args:
        document: the settings.
        stored: the settings as the stack file has them.
        is_secret: whether each setting contains some secret, which need not be in the file.

    """
    in_file = {path: value for setting in SECRET_FIELDS for path, value in _secrets(stored, setting)}
    plain = [
        path
        for setting in SECRET_FIELDS
        for path, value in _secrets(document, setting)
        if value and (not is_secret[setting] or isinstance(in_file.get(path), str))
    ]
    revealed = [path for path in stack_files.encrypted(stored) if not re.fullmatch(KEPT, path)]
    # A secret that is not in the file is from the command line or from one of Pulumi's environments.
    named = {re.split(r"[.[]", path)[0] for path in revealed}
    revealed += [name for name, has_some in is_secret.items() if has_some and name not in {*SECRET_FIELDS, *named}]
    return [
        *(f"{path}: is in plain text; make it a secret: pulumi config set --secret --path {path}" for path in plain),
        *(f"{path}: {REVEALED}" for path in revealed),
    ]


def _secrets(document: Mapping[str, Any], setting: str) -> Iterator[tuple[str, object]]:
    """Each field of a setting's entries that is kept secret, by its path; of a mapping of secrets, each of them."""
    for name, entry in _mapping(document.get(setting)).items():
        for field, value in _mapping(entry).items():
            if field not in SECRET_FIELDS[setting]:
                continue
            if isinstance(value, Mapping) and set(value) != {"secure"}:
                yield from ((f"{setting}.{name}.{field}.{key}", one) for key, one in value.items())
            else:
                yield f"{setting}.{name}.{field}", value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
