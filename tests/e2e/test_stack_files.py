"""What `make up` and `make down` do with stack files, by the real Pulumi in a clone: git sees no change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stack_files
from tests.e2e.machine import ROOT, Completed

FLOWERS = """\
    - name: flowers
      format: xgboost
      storage_uri: s3://models/xgboost-json
      storage: demo
      check: {instances: [[6.5, 3, 5.5, 2]], predictions: [0.8319113]}
"""
KEY = "storage.mine.access_key_id"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A clone of the project, and a backend of its own."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> Completed:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Completed(done.returncode, done.stdout, done.stderr)

    def succeed(self, *command: str) -> str:
        done = self.run(*command)
        assert done.status == 0, done.text
        return done.stdout

    def stack_files(self, *arguments: str) -> Completed:
        return self.run(sys.executable, "-m", "stack_files", *arguments)

    def up(self, stack: str, *arguments: str) -> None:
        """What `make up` does before it deploys."""
        for command in (("make", stack), ("open", stack, *arguments)):
            done = self.stack_files(*command)
            assert done.status == 0, done.text

    def down(self, stack: str) -> None:
        """What `make down` does after it destroyed."""
        self.succeed("pulumi", "stack", "rm", "--yes", "--preserve-config", stack)
        done = self.stack_files("clean", stack)
        assert done.status == 0, done.text

    def config(self, stack: str) -> dict[str, Any]:
        """The settings as Pulumi reads them."""
        shown = json.loads(self.succeed("pulumi", "config", "--json", "--show-secrets", "--stack", stack))
        values = {name.partition(":")[2]: said.get("objectValue", said["value"]) for name, said in shown.items()}
        return dict(values)

    def file(self, stack: str) -> Path:
        return self.folder / f"Pulumi.{stack}.yaml"

    @property
    def changes(self) -> str:
        return self.succeed("git", "status", "--porcelain")


@pytest.fixture
def checkout(node: dict[str, str], tmp_path: Path) -> Checkout:
    folder = tmp_path / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (tmp_path / "state").mkdir()
    (tmp_path / "passphrase").write_text("first")
    own = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    made = Checkout(folder=folder, environment=node | own)
    made.succeed("git", "init", "--quiet")
    made.succeed("git", "add", "--all")
    made.succeed("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=All")
    return made


@pytest.mark.journey
@pytest.mark.parametrize(("stack", "arguments"), [("dev", ()), ("cluster", ("--context", "a-context"))])
def test_git_sees_nothing_of_a_deployment(checkout: Checkout, stack: str, arguments: tuple[str, ...]) -> None:
    checkout.up(stack, *arguments)
    assert "encryptionsalt:" in checkout.file(stack).read_text()
    assert checkout.changes == ""
    checkout.up(stack, *arguments)
    config = checkout.config(stack)
    assert config.get("cluster") == ({"context": "a-context"} if arguments else None)
    checkout.down(stack)
    assert checkout.changes == ""
    # What was written with the context is the user's; a copy that is as it was goes.
    assert checkout.file(stack).exists() == bool(arguments)


@pytest.mark.parametrize("stack", ["dev", "cluster"])
def test_pulumi_reads_the_examples_as_the_tests_do_and_writes_them_as_they_are(checkout: Checkout, stack: str) -> None:
    example = stack_files.example_of(stack, folder=checkout.folder)
    assert example.read_text() == stack_files.example_of(stack, folder=ROOT).read_text()
    checkout.up(stack)
    assert checkout.config(stack) == stack_files.settings(stack_files.read(example))
    *written, salt = checkout.file(stack).read_text().splitlines()
    assert written == example.read_text().splitlines()
    assert salt.startswith("encryptionsalt: ")


@pytest.mark.journey
def test_edits_are_read_and_kept(checkout: Checkout) -> None:
    checkout.up("dev")
    file = checkout.file("dev")
    file.write_text(
        file.read_text().replace("  kserve-multi-model:graphs:\n", f"{FLOWERS}  kserve-multi-model:graphs:\n")
    )
    checkout.succeed("pulumi", "config", "set", "--path", "models[0].check.predictions[0]", "0")
    config = checkout.config("dev")
    assert [model["name"] for model in config["models"]] == ["sklearn-model", "xgboost-model", "flowers"]
    assert config["models"][0]["check"]["predictions"] == [0, 0]
    assert config == stack_files.settings(stack_files.read(file))
    assert checkout.changes == ""
    checkout.up("dev")
    checkout.down("dev")
    assert stack_files.settings(stack_files.read(file)) == config
    assert "encryptionsalt:" not in file.read_text()


def test_secrets_are_encrypted_and_asked_for_again_when_their_cluster_is_gone(checkout: Checkout) -> None:
    checkout.up("dev")
    checkout.succeed("pulumi", "config", "set", "--path", "storage.mine.kind", "s3")
    checkout.succeed("pulumi", "config", "set", "--path", KEY, "AKIDOWN", "--secret")
    assert "AKIDOWN" not in checkout.file("dev").read_text()
    checkout.up("dev")
    assert checkout.config("dev")["storage"]["mine"] == {"kind": "s3", "access_key_id": "AKIDOWN"}
    checkout.down("dev")
    # The passphrase is still there, as for a cluster of the user's.
    checkout.up("dev")
    assert checkout.config("dev")["storage"]["mine"]["access_key_id"] == "AKIDOWN"
    checkout.down("dev")
    Path(checkout.environment["PULUMI_CONFIG_PASSPHRASE_FILE"]).write_text("second")
    refused = checkout.stack_files("open", "dev")
    assert refused.status == 1
    assert f"take out {KEY} " in refused.stderr
    document = stack_files.read(checkout.file("dev"))
    del document["config"]["kserve-multi-model:storage"]["mine"]
    stack_files.write(checkout.file("dev"), document)
    checkout.up("dev")
    assert "mine" not in checkout.config("dev")["storage"]
