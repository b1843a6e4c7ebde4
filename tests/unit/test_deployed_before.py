"""What is declared for stacks that are deployed already: a change here would update, roll or replace what users run.

`deployed_before.json` has a digest of every input of every resource. Where a change is meant, write it anew and say in
the commit what users will see: `python -m tests.unit.test_deployed_before`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.components.kubernetes import answering
from tests.unit.components.recording import Recording, Resource
from tests.unit.components.registry import serving
from tests.unit.test_program import ROOT, run

BEFORE = Path(__file__).with_name("deployed_before.json")
STACKS = ("dev", "cluster", "everything")
# Of the machine that deploys: a chart's archive and its post-renderer, a kubeconfig, Python's form of a provider. What
# they do is tested where they are.
OF_THE_MACHINE = {"chart", "postRenderer", "postrender", "kubeconfig", "__provider"}
# Of the machine or the run, wherever they stand in a text.
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")

Declared = dict[str, dict[str, Any]]


def declared(stack: str, folder: Path) -> Declared:
    """What a stack's program declares, by type and name."""
    (folder / "credentials").write_text("[kserve-multi-model]\naws_access_key_id=A\naws_secret_access_key=S\n")
    with pytest.MonkeyPatch.context() as patch, serving() as registry, answering(folder) as kubeconfig:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.chdir(folder)
        recording = run(stack, registry=registry)
    return {f"{r.type} {r.name}": _resource(r, recording) for r in recording.resources.values()}


def _resource(resource: Resource, recording: Recording) -> dict[str, Any]:
    known = {urn: f"{other.type} {other.name}" for urn, other in recording.resources.items()}
    inputs = {key: value for key, value in resource.plain.items() if key not in OF_THE_MACHINE}
    return {
        "parent": known.get(resource.parent, ""),
        "after": sorted(known[urn] for urn in resource.dependencies if urn in known),
        "inputs": {key: _digest(value) for key, value in sorted(inputs.items())},
        "options": _digest(
            [
                [resource.retained, resource.deleted_first, sorted(resource.ignored), sorted(resource.replaced_by)],
                [known.get(resource.deleted_with, ""), sorted(resource.bounds.items())],
            ]
        ),
    }


def _digest(value: Any) -> str:
    text = PORT.sub("PORT", json.dumps(value, sort_keys=True))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize("stack", STACKS)
def test_a_deployed_stack_sees_no_change(stack: str, tmp_path: Path) -> None:
    before: Declared = json.loads(BEFORE.read_text())[stack]
    now = declared(stack, tmp_path)
    assert sorted(now) == sorted(before)
    changed = {name: (before[name], now[name]) for name in before if before[name] != now[name]}
    assert changed == {}


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    found: dict[str, Declared] = {}
    for named in STACKS:
        with TemporaryDirectory() as temporary:
            found[named] = declared(named, Path(temporary))
    BEFORE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"written: {BEFORE.relative_to(ROOT)}")
