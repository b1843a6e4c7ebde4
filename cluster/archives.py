"""Packs and unpacks cache entries. Modes, owners and links are kept exactly; names in an archive are not trusted."""

from __future__ import annotations

import errno
import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from cluster.artifacts import RECORD
from cluster.errors import ClusterError

BLOCK = 1 << 20
# Small, because tarfile copies the rest of its buffer at each read: larger reads take twice the time.
READ = 1 << 16
KINDS = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
# An attribute that tarfile does not keep.
CAPABILITIES = "security.capability"
# Content that does not get smaller than this share, such as the compressed layers of images, is stored as it is.
WORTH_COMPRESSING = 0.95


class ArchiveError(Exception):
    """An archive was not written by `pack`; the text names the wrong member."""


FAULTS = (ArchiveError, tarfile.TarError, EOFError, zlib.error)
# What tarfile and the system calls also raise for a damaged header, such as a path that is too long.
_OF_HEADERS = (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError)
# Errors of this machine, which no other archive would avoid.
_OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR),
}


def pack(entry: Path, archive: Path, *, prefix: str, advance: Callable[[int], object]) -> int:
    """Write the content of `entry` to a new archive, below the folder `prefix`; returns the bytes of its files.

    `advance` is called with the size of each file before it is read.

    Raises:
        ClusterError: `entry` has something that an archive cannot keep exactly.
    """
    sizes: list[int] = []

    def member(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = entry / PurePosixPath(info.name).relative_to(prefix)
        if path == entry / RECORD:
            return None
        if info.type not in KINDS or CAPABILITIES in os.listxattr(path, follow_symlinks=False):
            raise ClusterError(f"{path} cannot be exported: it is a device, a pipe or a file with capabilities")
        info.uname = info.gname = ""
        advance(info.size)
        sizes.append(info.size)
        return info

    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_level(entry), mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.add(entry, arcname=prefix, filter=member)
    return sum(sizes)


def _level(entry: Path) -> int:
    """The compression level: 1 (fast), or 0 when the largest file cannot be compressed."""
    files = (path for path in entry.rglob("*") if path.is_file() and not path.is_symlink())
    largest = max(files, key=lambda path: path.stat().st_size, default=None)
    if largest is None:
        return 1
    with largest.open("rb") as file:
        sample = file.read(BLOCK)
    return 1 if len(zlib.compress(sample, 1)) < WORTH_COMPRESSING * len(sample) else 0


def unpack(archive: Path, directory: Path, *, prefix: str, limit: int) -> None:
    """Unpack what the archive has below the folder `prefix` into `directory`, at most `limit` bytes.

    Raises:
        ArchiveError, tarfile.TarError, EOFError, zlib.error: the archive is damaged, or would write elsewhere.
        OSError: the disk is full, or another fault of this machine.
    """
    try:
        _unpack(archive, directory, prefix=PurePosixPath(prefix), limit=limit)
    except _OF_HEADERS as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            raise
        raise ArchiveError(f"{type(error).__name__}: {error}") from error


def _unpack(archive: Path, directory: Path, *, prefix: PurePosixPath, limit: int) -> None:
    with tarfile.open(archive, "r|gz", bufsize=READ, errorlevel=2) as tar:
        # Python's own filters remove setuid bits and owners, and refuse absolute symbolic links, all of which root
        # filesystems need. The members are checked below instead.
        tar.extraction_filter = lambda member, _: member
        tar.extractall(directory, members=_checked(tar, prefix=prefix, limit=limit), numeric_owner=True)  # noqa: S202


def _checked(tar: tarfile.TarFile, *, prefix: PurePosixPath, limit: int) -> Iterator[tarfile.TarInfo]:
    """The members, renamed to their paths below `prefix`; raises ArchiveError for one that would write elsewhere."""
    files: set[PurePosixPath] = set()
    links: set[PurePosixPath] = set()
    directories: set[PurePosixPath] = set()
    for member in tar:
        path = _inside(member.name, prefix)
        if path == PurePosixPath(RECORD):
            raise ArchiveError(f"{member.name!r} is the cache's own file, which no archive has")
        if path == PurePosixPath() and member.type != tarfile.DIRTYPE:
            raise ArchiveError(f"{member.name!r} is not a folder")
        if path in files or path in links or path in directories:
            raise ArchiveError(f"{member.name!r} occurs twice")
        if not links.isdisjoint(path.parents) or not files.isdisjoint(path.parents):
            raise ArchiveError(f"{member.name!r} lies behind a link or a file")
        if member.type == tarfile.SYMTYPE:
            links.add(path)
        elif member.type == tarfile.DIRTYPE:
            directories.add(path)
        elif member.type in {tarfile.REGTYPE, tarfile.LNKTYPE}:
            if member.type == tarfile.LNKTYPE:
                target = _inside(member.linkname, prefix)
                if target not in files:
                    raise ArchiveError(f"{member.name!r} links to {member.linkname!r}, which is not a file before it")
                member.linkname = str(target)
            files.add(path)
        else:
            raise ArchiveError(f"{member.name!r} is not a file, folder or link")
        limit -= member.size
        if limit < 0:
            raise ArchiveError("it unpacks to more than the index says")
        member.name = str(path)
        yield member


def _inside(name: str, prefix: PurePosixPath) -> PurePosixPath:
    path = PurePosixPath(name)
    if ".." in path.parts or not path.is_relative_to(prefix):
        raise ArchiveError(f"{name!r} lies outside of {str(prefix)!r}")
    return path.relative_to(prefix)
