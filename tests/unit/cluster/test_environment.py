"""Locks of Pulumi runs: a killed run's is removed, a running one's is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cluster.environment import remove_stale_locks


def lock(state: Path, name: str, content: str) -> Path:
    file = state / ".pulumi" / "locks" / "organization" / "project" / "dev" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_only_the_lock_of_a_run_that_ended_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = lock(tmp_path, "stale.json", json.dumps({"pid": ended.pid, "hostname": "here"}))
    held = lock(tmp_path, "held.json", json.dumps({"pid": os.getpid(), "hostname": "here"}))
    unread = lock(tmp_path, "unread.json", "")
    remove_stale_locks(tmp_path)
    assert not stale.exists()
    assert held.exists()
    assert unread.exists()


def test_no_locks_are_fine(tmp_path: Path) -> None:
    remove_stale_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
