"""How pytest-xdist, with `-n`, divides the tests among its workers, and what those make once for all of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from xdist.scheduler import LoadScopeScheduling

SERVING = "tests/unit/cluster/serving"
# Tests of several files that share what takes long to start, or, the end-to-end tests, a cluster and an order.
TOGETHER = {
    "tests/e2e/": "end-to-end",
    f"{SERVING}/test_clients.py": "model servers",
    f"{SERVING}/test_feature_importance.py": "model servers",
    f"{SERVING}/test_named_fields.py": "model servers",
    f"{SERVING}/test_predictions.py": "model servers",
    "tests/unit/test_program": "whole programs",
}
# Tests that take long and share nothing, so that any worker can take the next of them.
APART = (
    f"{SERVING}/test_loading.py",
    "tests/unit/cluster/tfserving/test_loading.py",
    "tests/unit/predict/test_command_line.py",
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Give a worker one group of tests after the other; those of most tests come first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(test: str) -> str:
    """The tests that one worker runs with this one: those of TOGETHER, or of its file, or none of APART."""
    file = test.partition("::")[0]
    if file in APART:
        return test
    return next((group for start, group in TOGETHER.items() if file.startswith(start)), file)


class Factory(Protocol):
    """The part of pytest's `tmp_path_factory` that is needed here."""

    def getbasetemp(self) -> Path:
        """The folder of this process's temporary files."""


def made_once(name: str, make: Callable[[Path], object], *, factory: Factory) -> Path:
    """A folder for all workers of a run; the first to need it fills it, while the others wait."""
    run = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    folder, partial = run / name, run / f"{name}.partial"
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder
