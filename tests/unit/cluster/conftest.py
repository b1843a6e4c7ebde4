"""A cache and a state directory of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import host
from cluster.node import network


@pytest.fixture
def own_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory with both, and the user's home; no proxy is set, no interface can be removed, no module loaded."""
    root = tmp_path_factory.mktemp("xdg")
    monkeypatch.setattr(network, "INTERFACES", root / "interfaces")
    monkeypatch.setattr(host, "KERNEL_MODULES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(root / "state"))
    # Where the user's own Pulumi keeps its plugins.
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return root
