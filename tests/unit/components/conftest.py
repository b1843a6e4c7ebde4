from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import components.rollout.wait
import components.teardown.leftovers
import components.teardown.others_objects
import components.teardown.part_guard
import kube.retry
from components.charts.deploy import Charts
from components.charts.helm_records import ReleaseMark
from components.charts.sources import ChartMirror, ChartStore, ImageMirror
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.platform.context import CHARTS_FOLDER, InstallContext
from components.settings.resource_profiles import FOOTPRINTS
from components.teardown.part_guard import PartGuards
from tests.unit.components import pulumi_project
from tests.unit.components.pulumi_project import Cluster
from tests.unit.components.registry import Registry, serving
from tests.unit.predict import server

PROFILE = "demo-keys"
ACCESS_KEY = "AKIDDEMO"
SECRET_KEY = "wJalr-demo-secret"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as registry:
        yield registry


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A Kubernetes API for the real provider."""
    with pulumi_project.running() as server:
        yield server


@pytest.fixture(autouse=True)
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run programs in, with an AWS profile and nothing else of whoever runs the tests."""
    credentials = tmp_path / "aws-credentials"
    credentials.write_text(
        f"[{PROFILE}]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        "[half]\naws_access_key_id = AKIDHALF\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    for name in ("KUBECONFIG", "PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "PULUMI_OPTION_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def install(registry: Registry) -> InstallContext:
    """Install from a mirror, on a small footprint."""
    registry.any_chart = True
    mirror = ChartMirror(repository=f"{registry.address}/charts", plain_http=True)
    return InstallContext(
        charts=Charts(
            store=ChartStore(folder=CHARTS_FOLDER, mirror=mirror),
            mark=ReleaseMark(identity="organization/kserve-multi-model/dev", deployed_before=False),
        ),
        guards=PartGuards(
            identity=Identity(
                text="organization/kserve-multi-model/dev",
                deployed_before=False,
                cluster=ClusterIdentity(uid="0c4a7b1e", name="of context 'here'"),
            ),
            context="here",
        ),
        images=ImageMirror(repository="registry.example:5000"),
        footprint=FOOTPRINTS["small"],
    )


@pytest.fixture
def api() -> Iterator[server.Server]:
    """A Kubernetes API on the loopback that answers nothing yet."""
    with server.serving() as answering:
        yield answering


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each pause of a wait; no pause is taken. Other threads of the tests go on to pause."""
    made: list[float] = []
    clock = SimpleNamespace(sleep=made.append, monotonic=time.monotonic)
    for module in (
        components.rollout.wait,
        components.teardown.leftovers,
        components.teardown.others_objects,
        components.teardown.part_guard,
        kube.retry,
    ):
        monkeypatch.setattr(module, "time", clock)
    return made
