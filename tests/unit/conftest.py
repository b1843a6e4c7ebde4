"""The fast tests see nothing of the user's settings: `make` exports some, and `python -m cluster env` prints others."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

NAMES = {"CACHE_FROM", "CONTEXT", "STACK", "HELM_CACHE_HOME", "PREDICT_PROBA", "ONNX_OUTPUT", "KUBECONFIG"}
PREFIXES = ("PULUMI_", "AWS_", "KUBERNETES_SERVICE_")
# components/charts/deploy.py sets it when it is imported.
OWN = "PULUMI_DISABLE_RESOURCE_REFERENCES"
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


def is_the_users(name: str) -> bool:
    """Whether the project, or a program that it calls, reads this variable from the user's environment."""
    return name != OWN and (name in NAMES or name.startswith(PREFIXES) or name.lower() in PROXIES)


# Not for the whole session: the end-to-end tests that follow may take parts from CACHE_FROM.
@pytest.fixture(scope="package", autouse=True)
def _without_the_users_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(is_the_users, [*os.environ]):
            patch.delenv(name)
        yield
