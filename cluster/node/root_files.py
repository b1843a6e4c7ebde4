"""The node's own files, filled in from `root/` with its addresses and keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

ROOT = Path(__file__).parent / "root"


def write_files(*, root: Path, values: Mapping[str, str]) -> None:
    """Write every file below `root`, private to root because one holds the S3 keys.

    Raises:
        KeyError: a file names a value that is not given.
    """
    for source in sorted(path for path in ROOT.rglob("*") if path.is_file()):
        target = root / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text()).substitute(values)
        target.touch(mode=0o600)
        target.write_text(text)
        public = target.parent == root / "etc"
        target.chmod(0o755 if text.startswith("#!") else 0o644 if public else 0o600)
