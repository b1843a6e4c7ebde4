"""Writes container images as OCI layouts. They are reproducible, and a change of one file changes one layer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pathspec import PathSpec

from cluster.artifacts import RECORD, Cache, digest
from cluster.debian import PACKAGES_FILE

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
# Raised when the same files are written differently; part of every key.
FORMAT = 2
# Files about an entry, which are not part of its content.
NOT_CONTENT = {RECORD, PACKAGES_FILE}


@dataclass(frozen=True)
class Layer:
    """The files of one layer.

    Attributes:
        files: (a file or directory on this machine, its absolute path in the image).
        exclude: patterns of files to leave out, in gitignore's syntax.
    """

    files: tuple[tuple[Path, str], ...]
    exclude: tuple[str, ...] = ()

    def key(self, cache: Cache) -> str:
        """A key of the layer: files in the cache count by their path, which has a key, other files by content."""
        parts = [
            (str(source.relative_to(cache.root)) if source.is_relative_to(cache.root) else digest(source), target)
            for source, target in self.files
        ]
        return digest(parts, self.exclude)

    def members(self) -> Iterator[tuple[str, Path]]:
        """(path in the image, file on this machine), sorted, so that the same content gives the same layer."""
        found: dict[str, Path] = {}
        excluded = PathSpec.from_lines("gitignore", self.exclude)
        for source, target in self.files:
            inside = sorted(source.rglob("*")) if source.is_dir() and not source.is_symlink() else []
            for file in [source, *inside]:
                relative = file.relative_to(source).as_posix()
                matched = f"{relative}/" if file.is_dir() else relative
                path = target.strip("/") if relative == "." else f"{target.strip('/')}/{relative}".strip("/")
                if path and file.name not in NOT_CONTENT and not excluded.match_file(matched):
                    found[path] = file
        yield from sorted(found.items())


@dataclass(frozen=True)
class Image:
    """An image under `name:tag` in the local registry.

    Attributes:
        user: a number, because `runAsNonRoot` needs one; "0" only for kube-proxy and the control plane.
        environment: `NAME=value` lines.
    """

    name: str
    tag: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    user: str = "65532"
    environment: tuple[str, ...] = ()

    @property
    def entry(self) -> str:
        """The cache entry's name."""
        return f"image-{self.name.replace('/', '-')}"

    def needs(self, cache: Cache) -> frozenset[str]:
        """Names of the cache entries that its files come from."""
        sources = (source for layer in self.layers for source, _ in layer.files)
        return frozenset(s.relative_to(cache.root).parts[0] for s in sources if s.is_relative_to(cache.root))

    def key(self, cache: Cache) -> str:
        """The key of the cache entry."""
        settings = (self.name, self.tag, self.entrypoint, self.user, self.environment)
        return digest([layer.key(cache) for layer in self.layers], settings, FORMAT)

    def path(self, cache: Cache) -> Path:
        """The directory of the OCI layout, built or not."""
        return cache.path(self.entry, self.key(cache))

    def build(self, cache: Cache) -> Path:
        """The directory of the OCI layout, built if necessary."""
        return cache.get(self.entry, self.key(cache), self._build)

    def _build(self, directory: Path) -> None:
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        layers = [_write_layer(layer, blobs) for layer in self.layers]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": self.user,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *self.environment],
                **({"Entrypoint": list(self.entrypoint)} if self.entrypoint else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _write_json(config, CONFIG, blobs),
            "layers": [descriptor for descriptor, _ in layers],
        }
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [_write_json(manifest, MANIFEST, blobs)]}
        (directory / "index.json").write_text(json.dumps(index))
        (directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def _descriptor(media_type: str, sha256: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256}", "size": size}


def _write_json(document: object, media_type: str, blobs: Path) -> dict[str, object]:
    data = json.dumps(document, sort_keys=True).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    (blobs / sha256).write_bytes(data)
    return _descriptor(media_type, sha256, len(data))


class _HashingWriter(io.RawIOBase):
    """Hashes and counts what is written through it, so that a layer need not be read again."""

    def __init__(self, target: io.BufferedIOBase) -> None:
        self._target = target
        self._hasher = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self._hasher.update(data)
        written = self._target.write(data)
        self._size += written
        return written

    def tell(self) -> int:
        return self._size

    @property
    def sha256(self) -> str:
        return self._hasher.hexdigest()


def _write_layer(layer: Layer, blobs: Path) -> tuple[dict[str, object], str]:
    """The layer's descriptor and the digest of its uncompressed content."""
    partial = blobs / "layer"
    with partial.open("wb") as file:
        compressed = _HashingWriter(file)
        with gzip.GzipFile(filename="", fileobj=compressed, mode="wb", compresslevel=1, mtime=0) as packed:
            content = _HashingWriter(packed)
            with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add_members(archive, layer)
    partial.rename(blobs / compressed.sha256)
    return _descriptor(LAYER, compressed.sha256, compressed.tell()), f"sha256:{content.sha256}"


def _add_members(archive: tarfile.TarFile, layer: Layer) -> None:
    """Add the layer's files, each after the directories above it."""
    directories: set[str] = set()
    for path, file in layer.members():
        for parent in reversed(Path(path).parents):
            if parent != Path() and str(parent) not in directories:
                directories.add(str(parent))
                _add(archive, str(parent), None)
        if path not in directories:
            _add(archive, path, file)
        if file.is_dir() and not file.is_symlink():
            directories.add(path)


def _add(archive: tarfile.TarFile, path: str, file: Path | None) -> None:
    info = tarfile.TarInfo(path)
    if file is None or (file.is_dir() and not file.is_symlink()):
        info.type, info.mode = tarfile.DIRTYPE, 0o1777 if path == "tmp" else 0o755
        archive.addfile(info)
    elif file.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, str(file.readlink())
        archive.addfile(info)
    elif file.is_file():
        info.mode = 0o755 if file.stat().st_mode & 0o111 else 0o644
        info.size = file.stat().st_size
        with file.open("rb") as data:
            archive.addfile(info, data)
