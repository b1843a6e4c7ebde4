"""Images that are built on demand: refused at preview while the registry has them not, with the command that builds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from components.extra_images import require_extra_images
from components.problems import SettingsError
from components.settings import Settings, parse
from tests.unit.predict.server import Reply, serving

ONNX = {"name": "a", "format": "onnx", "storage_uri": "gs://models/a"}
SKLEARN = ONNX | {"format": "sklearn"}


def settings(address: str, **stated: Any) -> Settings:
    mirror = {"charts": f"oci://{address}/charts", "images": "localhost:5000", "plain_http": True}
    return parse({"release": "local", "mirror": mirror} | stated)


def registry(*there: str) -> AbstractContextManager[str]:
    """A registry with these images; gives its address."""
    return serving({f"/v2/{name}/tags/list": Reply() for name in there})
