"""Images: the same files give the same bytes, whoever owned them and whenever they were written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from cluster.artifacts import RECORD, Cache
from cluster.debian import PACKAGES_FILE
from cluster.images import Image, Layer


@pytest.fixture
def program(tmp_path: Path) -> Path:
    directory = tmp_path / "program"
    (directory / "tests").mkdir(parents=True)
    (directory / "server").write_text("#!/bin/sh\n")
    (directory / "server").chmod(0o700)
    (directory / "data.txt").write_text("data")
    (directory / "tests" / "test_server.py").write_text("# left out of the image")
    (directory / "link").symlink_to("server")
    return directory


def image(directory: Path, user: str = "65532") -> Image:
    layer = Layer(files=((directory, "/opt/app"),), exclude=("tests/",))
    return Image(name="a/b", tag="v1", layers=(layer,), entrypoint=("/opt/app/server",), user=user)


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def test_the_layout_says_what_the_image_is(tmp_path: Path, program: Path) -> None:
    layout = image(program).build(Cache(tmp_path / "cache"))
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(layout, index["manifests"][0]["digest"]))
    config = json.loads(blob(layout, manifest["config"]["digest"]))
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["config"]["User"] == "65532"
    assert config["config"]["Entrypoint"] == ["/opt/app/server"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layout, manifest["layers"][0]["digest"])))) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert list(members) == ["opt", "opt/app", "opt/app/data.txt", "opt/app/link", "opt/app/server"]
    assert members["opt/app/server"].mode == 0o755
    assert members["opt/app/data.txt"].mode == 0o644
    assert members["opt/app/link"].linkname == "server"
    assert {(m.uid, m.gid, m.mtime) for m in members.values()} == {(0, 0, 0)}


def test_the_same_files_give_the_same_image(tmp_path: Path, program: Path) -> None:
    first = image(program).build(Cache(tmp_path / "first"))
    os.utime(program / "data.txt", (1, 1))
    second = image(program).build(Cache(tmp_path / "second"))
    assert (first / "index.json").read_bytes() == (second / "index.json").read_bytes()


def test_digests_and_sizes_are_those_of_what_was_written(tmp_path: Path, program: Path) -> None:
    (program / "library").write_bytes(os.urandom(3 << 20))
    layout = image(program).build(Cache(tmp_path / "cache"))
    manifest = json.loads(blob(layout, json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]))
    for described in [manifest["config"], *manifest["layers"]]:
        data = blob(layout, described["digest"])
        assert described["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert described["size"] == len(data)
    content = gzip.decompress(blob(layout, manifest["layers"][0]["digest"]))
    config = json.loads(blob(layout, manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]


def test_the_same_files_give_the_bytes_they_always_gave(tmp_path: Path, program: Path) -> None:
    layout = image(program).build(Cache(tmp_path / "cache"))
    manifest = json.loads(blob(layout, json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]))
    config = json.loads(blob(layout, manifest["config"]["digest"]))
    # A change here is one of `images.FORMAT`, too.
    assert config["rootfs"]["diff_ids"] == ["sha256:01cf8330707f9d7578b11bc61ec27e46ad8dd7ecc55b813140b20ccafa4eaef9"]


def test_what_the_cache_keeps_about_an_entry_is_not_in_the_image(tmp_path: Path, program: Path) -> None:
    before = image(program).build(Cache(tmp_path / "before"))
    for name in (RECORD, PACKAGES_FILE):
        (program / name).write_text("{}")
    after = image(program).build(Cache(tmp_path / "after"))
    assert (before / "index.json").read_bytes() == (after / "index.json").read_bytes()


def test_content_and_settings_are_part_of_the_key(tmp_path: Path, program: Path) -> None:
    cache = Cache(tmp_path / "cache")
    before = image(program).key(cache)
    assert image(program, user="1000").key(cache) != before
    (program / "data.txt").write_text("other")
    assert image(program).key(cache) != before
