"""TorchServe's image, and the model to try it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import JAVA_HOME, TORCH_FILESYSTEM, TORCH_UNUSED, Catalog
from cluster.demo_models import EXTRAS, DemoModels
from cluster.images import Image, Layer
from releases.more_formats import MLSERVER, TENSORFLOW, TORCHSERVE
from releases.types import DeclaredRuntime


@pytest.fixture
def image(tmp_path: Path) -> Image:
    (image,) = Catalog(Cache(tmp_path)).extra_images()[TORCHSERVE.extra]
    return image


def test_it_is_debians_pytorch_with_java_and_the_program(image: Image, tmp_path: Path) -> None:
    assert (image.name, image.tag, image.user) == (TORCHSERVE.image, TORCHSERVE.tag, "1000")
    assert image.entrypoint == ("/usr/bin/python3", "-m", "torchserve_image")
    assert f"JAVA_HOME={JAVA_HOME}" in image.environment
    assert image.layers[0].files == ((Cache(tmp_path).path(TORCH_FILESYSTEM.name, TORCH_FILESYSTEM.key), "/"),)
    names = {path.rpartition("/")[2] for path, _ in image.layers[-2].members()}
    assert {"__main__.py", "api.py", "configuration.py", "torchserve.py", "log4j2.xml"} <= names


@pytest.mark.parametrize("runtime", [MLSERVER, TENSORFLOW, TORCHSERVE], ids=lambda runtime: runtime.extra)
def test_a_server_with_a_project_of_its_own_has_what_all_containers_share(
    runtime: DeclaredRuntime, tmp_path: Path
) -> None:
    (image,) = Catalog(Cache(tmp_path)).extra_images()[runtime.extra]
    shared = {path for path, _ in image.layers[-1].members()}
    assert {"opt/app/serving/__init__.py", "opt/app/serving/container.py"} <= {path.lstrip("/") for path in shared}
    assert "PYTHONPATH=/opt/app" in image.environment[0]


def test_pytorch_keeps_the_program_that_it_looks_for(tmp_path: Path) -> None:
    programs = tmp_path / "usr/lib/python3/dist-packages/torch/bin"
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    for folder in (programs, libraries, tmp_path / "usr/lib/libtorch-test"):
        folder.mkdir(parents=True)
    for name in ("torch_shm_manager", "test_api", "FileStoreTest", "aot_model_compiler_test"):
        (programs / name).touch()
    for name in ("libtorch_cpu.so.2.6.0", "libz3.so.4", "libLLVM-17.so.1", "libamdhip64.so.5"):
        (libraries / name).touch()
    (tmp_path / "usr/lib/libtorch-test/test_jit").touch()
    layer = Layer(files=((tmp_path, "/"),), exclude=TORCH_UNUSED)
    files = {Path(path).name for path, file in layer.members() if file.is_file()}
    assert files == {"torch_shm_manager", "libtorch_cpu.so.2.6.0", "libz3.so.4"}


def test_the_model_is_trained_where_pytorch_is(tmp_path: Path) -> None:
    models = EXTRAS[TORCHSERVE.extra]
    entry = Build(Catalog(Cache(tmp_path))).entries[models.entry]
    assert entry.needs == {TORCH_FILESYSTEM.name, "python-torchserve-training"}


def test_a_changed_handler_makes_another_archive(tmp_path: Path) -> None:
    program, handler = tmp_path / "train_pytorch.py", tmp_path / "handler.py"
    program.touch()
    keys = set()
    for text in ("", "# changed"):
        handler.write_text(text)
        keys.add(DemoModels(name="pytorch", packages=(), program=(program, handler)).key)
    assert len(keys) == 2
