"""Images: the same files give the same bytes, whoever owned them and whenever they were written."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from cluster.artifacts import Cache
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


def test_content_and_settings_are_part_of_the_key(tmp_path: Path, program: Path) -> None:
    cache = Cache(tmp_path / "cache")
    before = image(program).key(cache)
    assert image(program, user="1000").key(cache) != before
    (program / "data.txt").write_text("other")
    assert image(program).key(cache) != before
