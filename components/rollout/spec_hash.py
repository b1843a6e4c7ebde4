"""Parts that what is declared of KServe's objects has in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.settings.server import Toleration


def said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def digest(stated: object) -> str:
    """Short text that changes with everything in it."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:16]


def toleration_spec(toleration: Toleration) -> dict[str, Any]:
    """A toleration as Kubernetes writes it."""
    return said(
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
            "tolerationSeconds": toleration.seconds,
        }
    )
