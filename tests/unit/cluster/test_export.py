"""`python -m cluster export`: a folder that stays right and is cheap to renew, and what `make venv` takes from it."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pip
import pytest
from rich.console import Console

from cluster import archives, host
from cluster import export as export_module
from cluster.artifacts import Cache
from cluster.errors import ClusterError
from cluster.export import Export
from cluster.python_packages import ROOT
from cluster.shared_cache import Index, archive_path
from tests.unit.cluster.shared_cache_server import WebServer, serving

pytestmark = pytest.mark.usefixtures("own_directories")
KEYS = {"kubernetes": "a1", "registry": "b2"}


def write_one_file(directory: Path) -> None:
    (directory / "binary").write_bytes(b"x" * 5000)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "entries")
    for name, key in {**KEYS, "other": "c3"}.items():
        cache.get(name, key, write_one_file)
    return cache


@pytest.fixture
def export(tmp_path: Path) -> Export:
    return Export(folder=tmp_path / "shared", console=Console(file=io.StringIO()))


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below `folder`, with what changes when it is written again."""
    found = {path.relative_to(folder).as_posix(): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {name: (facts.st_ino, facts.st_mtime_ns) for name, facts in found.items()}


def archive(export: Export, name: str) -> Path:
    return export.folder / archive_path(name, KEYS[name])


def test_what_is_there_is_kept(export: Export, cache: Cache) -> None:
    export.write(cache, KEYS, wheels=False)
    before, digest = files(export.folder), export.digest
    export.write(cache, KEYS, wheels=False)
    after = files(export.folder)
    assert {name for name in before if name != "index.json"} == {
        "entries/kubernetes-a1.tar.gz",
        "entries/registry-b2.tar.gz",
    }
    assert all(after[name] == facts for name, facts in before.items() if name != "index.json")
    assert export.digest == digest
    assert digest == hashlib.sha256((export.folder / "index.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"x"), Path.unlink], ids=["changed", "deleted"])
def test_what_is_damaged_is_written_again(export: Export, cache: Cache, damage: object) -> None:
    export.write(cache, KEYS, wheels=False)
    digest, other = export.digest, archive(export, "registry").stat().st_mtime_ns
    assert callable(damage)
    damage(archive(export, "kubernetes"))
    export.write(cache, KEYS, wheels=False)
    assert export.digest == digest
    assert archive(export, "registry").stat().st_mtime_ns == other


def test_what_is_no_longer_needed_goes(export: Export, cache: Cache) -> None:
    export.write(cache, {**KEYS, "other": "c3"}, wheels=False)
    (export.folder / "entries" / ".partial-of-a-killed-run").touch()
    index = export.write(cache, KEYS, wheels=False)
    assert set(index.entries) == {"kubernetes/a1", "registry/b2"}
    assert set(files(export.folder)) == {"index.json", "entries/kubernetes-a1.tar.gz", "entries/registry-b2.tar.gz"}


def test_a_damaged_index_is_made_anew(export: Export, cache: Cache) -> None:
    export.write(cache, KEYS, wheels=False)
    digest = export.digest
    (export.folder / "index.json").write_text("{")
    export.write(cache, KEYS, wheels=False)
    assert export.digest == digest


def test_nothing_of_others_is_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ClusterError, match="not empty, and not an earlier export"):
        Export(folder=tmp_path, console=Console())
    with pytest.raises(ClusterError, match="is not a folder"):
        Export(folder=tmp_path / "thesis.txt", console=Console())


@pytest.mark.parametrize(
    "index", ['{"my": "own"}', "{}", '{"format": 2, "entries": {}}', "[1]", "notes"], ids=lambda text: text[:10]
)
def test_a_folder_with_an_index_of_something_else_is_refused(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(ClusterError, match="not an earlier export"):
        Export(folder=tmp_path, console=Console())


@pytest.mark.parametrize("names", [("thesis.txt",), ("kubernetes-0123456789abcdef.tar.gz", "thesis.txt"), ()])
def test_an_index_that_was_cut_off_counts_only_beside_archives(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "index.json").write_text('{"format": 1, "ent')
    (tmp_path / "entries").mkdir()
    for name in names:
        (tmp_path / "entries" / name).touch()
    with pytest.raises(ClusterError, match="not an earlier export"):
        Export(folder=tmp_path, console=Console())
    (tmp_path / "entries" / "thesis.txt").unlink(missing_ok=True)
    (tmp_path / "entries" / "kubernetes-0123456789abcdef.tar.gz").touch()
    Export(folder=tmp_path, console=Console())


@pytest.mark.parametrize("name", ["entries", "wheels"])
def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path, export: Export, cache: Cache, name: str) -> None:
    export.write(cache, KEYS, wheels=False)
    (export.folder / "entries").rename(tmp_path / "real")
    (export.folder / name).symlink_to(tmp_path / "real")
    with pytest.raises(ClusterError, match=f"{name} is a link or a file"):
        Export(folder=export.folder, console=Console())


def test_what_others_keep_in_an_export_stays(export: Export, cache: Cache, tmp_path: Path) -> None:
    export.write(cache, {**KEYS, "other": "c3"}, wheels=False)
    kept = ["thesis.txt", "entries/thesis.txt", "entries/backup-2024.tar.gz", "entries/sub/file", "wheels/notes.txt"]
    gone = ["entries/old-0123456789abcdef.tar.gz", "entries/.partial-x.tar.gz", "wheels/a.whl", "wheels/index.html"]
    for name in (*kept, *gone):
        (export.folder / name).parent.mkdir(exist_ok=True)
        (export.folder / name).touch()
    # Through a link under the name of an unfinished file, something else would be overwritten.
    (tmp_path / "thesis.txt").write_text("precious")
    for unfinished in ("index.json", "entries/kubernetes-a1.tar.gz"):
        path = export.folder / unfinished
        path.with_name(f".partial-{path.name}").symlink_to(tmp_path / "thesis.txt")
    archive(export, "kubernetes").unlink()
    Export(folder=export.folder, console=export.console).write(cache, KEYS, wheels=False)
    ours = {"index.json", "entries/kubernetes-a1.tar.gz", "entries/registry-b2.tar.gz"}
    assert set(files(export.folder)) == {*kept, *ours}
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_is_said_in_words(
    export: Export, cache: Cache, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(archives, "pack", fail)
    with pytest.raises(ClusterError, match=f"shared cannot be written: .*{os.strerror(number)}\nName another folder"):
        export.write(cache, KEYS, wheels=False)


def test_too_little_disk_is_said_before_a_first_export(
    export: Export, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_free", lambda _: 1 << 20)
    with pytest.raises(ClusterError, match=r"shared cannot be written:\n.*0 GiB free; 1 GiB are needed"):
        export.prepare()
    # Nothing may have to be written to a folder of an earlier one.
    export.write(cache, KEYS, wheels=False)
    export.prepare()


def test_an_interrupted_export_is_continued(export: Export, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(entry: Path, target: Path, **_: object) -> int:
        target.write_text("half")
        if entry.parent.name == "registry":
            raise KeyboardInterrupt
        return 4

    with monkeypatch.context() as patch:
        patch.setattr(archives, "pack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export.write(cache, KEYS, wheels=False)
    assert set(files(export.folder)) == {"index.json", "entries/kubernetes-a1.tar.gz"}
    assert set(Index.parse((export.folder / "index.json").read_bytes()).entries) == {"kubernetes/a1"}
    kept = archive(export, "kubernetes").stat().st_mtime_ns
    export.write(cache, KEYS, wheels=False)
    assert archive(export, "kubernetes").stat().st_mtime_ns == kept
    assert archive(export, "registry").is_file()


def test_whoever_serves_the_folder_can_read_it(export: Export, cache: Cache) -> None:
    export.write(cache, KEYS, wheels=False)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in export.folder.rglob("*"))


# Python packages, of a small project in place of this one's ninety.


def wheel(folder: Path, name: str, *, script: str | None = None) -> str:
    """Make a package with a module, and perhaps a program; returns its SHA-256."""
    contents = {
        f"{name}.py": "ANSWER = 42\n",
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        contents[f"{name}-1.0.data/scripts/{name}"] = script
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for path, text in contents.items()
    )
    contents[f"{name}-1.0.dist-info/RECORD"] = record + f"{name}-1.0.dist-info/RECORD,,\n"
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in contents.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            archive.writestr(info, text)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@dataclass
class Project:
    """A small project with this one's Makefile, and the index of packages it was locked with.

    Its package `uv` is a program that calls the real one.
    """

    folder: Path
    index: WebServer

    @property
    def python(self) -> Path:
        """A Python whose `venv` takes over this environment's pip, which is faster than to install it."""
        program = self.folder.parent / "python3"
        packages = ".venv/lib/python3.*/site-packages/"
        program.write_text(
            f"#!/bin/sh\n"
            f'[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
            f"{sys.executable} -m venv --without-pip .venv && ln -s {Path(pip.__file__).parent} {packages}\n"
        )
        program.chmod(0o755)
        return program

    def lock(self, *packages: str) -> None:
        (self.folder / "pyproject.toml").write_text(
            '[project]\nname = "small"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f"dependencies = {json.dumps(packages)}\n[tool.uv]\npackage = false\n"
        )
        subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet"], cwd=self.folder, check=True)

    def make_venv(self, cache_from: object) -> subprocess.CompletedProcess[str]:
        """`make venv` with that CACHE_FROM."""
        self.index.requests.clear()
        command = ["make", "venv", f"CACHE_FROM={cache_from}", f"PYTHON3={self.python}"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)

    def answer(self) -> str:
        """What the installed package says."""
        command = [str(self.folder / ".venv" / "bin" / "python"), "-c", "import answers; print(answers.ANSWER)"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    target = tmp_path / "project"
    (target / "cluster").mkdir(parents=True)
    real = Path(sys.executable).with_name("uv")
    for name, script in {"uv": f'#!/bin/sh\nexec {real} "$@"\n', "answers": None}.items():
        folder = tmp_path / "pypi" / "simple" / name
        folder.mkdir(parents=True)
        sha256 = wheel(folder, name, script=script)
        (folder / "index.html").write_text(f'<a href="{name}-1.0-py3-none-any.whl#sha256={sha256}">{name}</a>')
        if name == "uv":
            (target / "requirements-uv.txt").write_text(f"uv==1.0 --hash=sha256:{sha256}\n")
    shutil.copy(ROOT / "Makefile", target)
    for name in ("__init__.py", "cache_from.py", "errors.py"):
        shutil.copy(ROOT / "cluster" / name, target / "cluster")
    monkeypatch.setattr(export_module, "ROOT", target)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    with serving(tmp_path / "pypi") as server:
        for name, value in {
            "PIP_INDEX_URL": f"{server.url}/simple",
            "PIP_RETRIES": "0",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "UV_DEFAULT_INDEX": f"{server.url}/simple",
            "UV_HTTP_RETRIES": "0",
            "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
            "UV_NO_CONFIG": "1",
        }.items():
            monkeypatch.setenv(name, value)
        project = Project(folder=target, index=server)
        project.lock("answers", "uv")
        shutil.rmtree(tmp_path / "uv-cache", ignore_errors=True)
        yield project


@pytest.mark.parametrize("web", [False, True])
def test_make_venv_takes_its_packages_from_there(project: Project, export: Export, cache: Cache, *, web: bool) -> None:
    index = export.write(cache, {}, wheels=True)
    assert index.wheels is not None
    assert set(index.wheels.files) == {"answers-1.0-py3-none-any.whl", "uv-1.0-py3-none-any.whl"}
    with serving(export.folder) as server:
        done = project.make_venv(f"{server.url}/#sha256={export.digest}" if web else export.folder)
    assert done.returncode == 0, done.stderr
    assert project.index.requests == []
    assert project.answer() == "42"


@pytest.mark.parametrize("name", ["uv", "answers"])
def test_make_venv_refuses_a_package_with_another_hash_than_the_locks(
    project: Project, export: Export, cache: Cache, tmp_path: Path, name: str
) -> None:
    """Also where the folder's own lists have its hash."""
    export.write(cache, {}, wheels=True)
    file = export.folder / "wheels" / f"{name}-1.0-py3-none-any.whl"
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    evil = wheel(file.parent, name, script=f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    for listing in (export.folder / "index.json", file.parent / "index.html"):
        listing.write_text(listing.read_text().replace(right, evil))
    done = project.make_venv(export.folder)
    assert done.returncode == 0, done.stderr
    assert "hash" in done.stderr.lower()
    assert "are taken from PyPI instead" in done.stderr
    assert f"/simple/{name}/{file.name}" in [path for path, _ in project.index.requests]
    assert not (tmp_path / "ran").exists()


def test_make_venv_asks_pypi_where_the_packages_are_not_there(project: Project, export: Export, cache: Cache) -> None:
    export.write(cache, {}, wheels=False)
    done = project.make_venv(export.folder)
    assert done.returncode == 0, done.stderr
    assert "are taken from PyPI instead" in done.stderr
    assert project.answer() == "42"


def test_make_venv_without_a_cache_from_is_silent(project: Project) -> None:
    done = project.make_venv("")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert project.answer() == "42"


def test_a_wrong_cache_from_ends_make_with_its_reason(project: Project) -> None:
    done = project.make_venv("http://example.com")
    assert done.returncode != 0
    assert "error: CACHE_FROM=http://example.com: plain HTTP does not prove who answers" in done.stderr


@pytest.mark.parametrize(
    "text", ["https://me:hunter2@h.invalid/x#sha=1", "http:/me:hunter2@h.invalid/x", "me:hunter2@h.invalid/x"]
)
def test_make_does_not_print_the_password_of_a_wrong_cache_from(project: Project, text: str) -> None:
    done = project.make_venv(text)
    assert done.returncode != 0
    assert "error: CACHE_FROM=" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_packages_are_fetched_again_only_for_another_lock(project: Project, export: Export, cache: Cache) -> None:
    export.write(cache, {}, wheels=True)
    before = files(export.folder / "wheels")
    export.write(cache, {}, wheels=True)
    assert files(export.folder / "wheels") == before
    project.lock("answers")
    index = export.write(cache, {}, wheels=True)
    assert index.wheels is not None
    assert set(files(export.folder / "wheels")) == {"answers-1.0-py3-none-any.whl", "index.html"}
    assert export.write(cache, {}, wheels=False).wheels is None
    assert not (export.folder / "wheels").exists()
