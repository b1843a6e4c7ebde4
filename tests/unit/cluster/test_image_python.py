"""The images' Python on this machine: the same bytecode every time, and nothing of this machine's Python in it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from cluster import image_python
from cluster.artifacts import Cache
from cluster.build import Build
from cluster.catalog import BANDIT_PACKAGES, ENVOY_PACKAGES, PYTHON_FILESYSTEM, SERVER_PACKAGES, Catalog
from cluster.demo_models import DEMO
from cluster.locations import cache_dir
from cluster.processes import output

UNCHECKED_HASH = (1).to_bytes(4, "little")


@pytest.fixture(scope="module")
def cache() -> Cache:
    cache = Cache(cache_dir() / "entries")
    there = cache.has(PYTHON_FILESYSTEM.name, PYTHON_FILESYSTEM.key)
    if not there and not (os.geteuid() == 0 and shutil.which("mmdebstrap")):
        pytest.skip("the root filesystem is not built, and cannot be here: python -m cluster build")
    return cache


@pytest.fixture(scope="module")
def root(cache: Cache) -> Path:
    return PYTHON_FILESYSTEM.build(cache)


@pytest.fixture
def steered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user whose settings would change what a Python does."""
    (tmp_path / "json.py").write_text("raise AssertionError('imported from PYTHONPATH')")
    said = {"HOME": sys.prefix, "PATH": str(tmp_path), "OPTIMIZE": "2", "HASHSEED": "7", "DONTWRITEBYTECODE": ""}
    for name, value in said.items():
        monkeypatch.setenv(f"PYTHON{name}", value)


@pytest.mark.usefixtures("steered")
def test_it_is_that_of_the_root_filesystem_whatever_the_user_set(root: Path) -> None:
    seen = "sys.version_info[:2], sys.prefix, sys.flags.optimize, 'site' in sys.modules"
    program = f"import sys, json, ssl, ctypes; print({seen})"
    said = output(image_python.command(root, "-c", program), env=image_python.environment(root))
    assert said == f"(3, 11) {root}/usr 0 False\n"


@pytest.mark.usefixtures("steered")
def test_the_same_modules_give_the_same_bytecode(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[dict[str, bytes]] = []
    for name in ("here", "at another place"):
        monkeypatch.setenv("PYTHONHASHSEED", str(len(name)))
        directory = tmp_path / name
        for package in ("email", "json", "logging"):
            source = root / "usr/lib/python3.11" / package
            shutil.copytree(source, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
        image_python.compile_bytecode(directory, image_path="/opt/site", root=root)
        files = directory.rglob("*.cpython-311.pyc")
        compiled.append({file.relative_to(directory).as_posix(): file.read_bytes() for file in files})
    assert len(compiled[0]) == len(list((tmp_path / "here").rglob("*.py")))
    assert compiled[0] == compiled[1]
    assert {data[4:8] for data in compiled[0].values()} == {UNCHECKED_HASH}


def test_bytecode_names_the_modules_by_their_place_in_the_image(root: Path, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    image_python.compile_bytecode(tmp_path, image_path="/opt/site", root=root)
    data = (tmp_path / "__pycache__/module.cpython-311.pyc").read_bytes()
    assert b"/opt/site/module.py" in data
    assert str(tmp_path).encode() not in data


def test_a_link_out_of_the_image_is_not_followed(root: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "of_the_machine.py").write_text("")
    (site / "link.py").symlink_to(tmp_path / "of_the_machine.py")
    (site / "module.py").write_text("")
    image_python.compile_bytecode(site, image_path="/opt/site", root=root)
    assert [file.name for file in (site / "__pycache__").iterdir()] == ["module.cpython-311.pyc"]


def test_running_it_leaves_the_cache_as_it_was(cache: Cache, root: Path) -> None:
    output(image_python.command(root, "-c", "import asyncio, sqlite3"), env=image_python.environment(root))
    assert cache.has(PYTHON_FILESYSTEM.name, PYTHON_FILESYSTEM.key)


def test_what_it_makes_waits_for_it(tmp_path: Path) -> None:
    python = PYTHON_FILESYSTEM.name
    cache = Cache(tmp_path)
    entries = Build(Catalog(cache)).entries
    for name in (SERVER_PACKAGES.name, BANDIT_PACKAGES.name, DEMO.entry):
        assert python in entries[name].needs
    assert python not in entries[ENVOY_PACKAGES.name].needs
