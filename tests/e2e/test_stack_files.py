"""What `make up` and `make down` do with stack files, with the real Pulumi in a clone: git sees no change."""

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
FILE = """\
import sys
from pathlib import Path
from lifecycle.deployment import CONFIG_FILE, Deployment
from lifecycle.stack_file import StackFile
file = StackFile(stack=sys.argv[1], folder=Path.cwd())
"""
OPEN = f"{FILE}print(Deployment.open(file, context=sys.argv[2]).stack.workspace.env_vars[CONFIG_FILE])"
CLOSE = f"{FILE}Deployment.find(file).remove(force=False); file.drop_unused_salt()"


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

    def open(self, stack: str, context: str = "") -> Completed:
        """What `make up` does before it deploys."""
        return self.run(sys.executable, "-c", OPEN, stack, context)

    def up(self, stack: str, context: str = "") -> Path:
        """Open the stack; gives the file that Pulumi then works with."""
        done = self.open(stack, context)
        assert done.status == 0, done.text
        return Path(done.stdout.strip())

    def down(self, stack: str) -> None:
        """What `make down` does after it destroyed."""
        self.succeed(sys.executable, "-c", CLOSE, stack)

    def config(self, stack: str, *, file: Path | None = None) -> dict[str, Any]:
        """The settings as Pulumi reads them, from the user's file or another one."""
        option = ["--config-file", str(file)] if file else []
        shown = json.loads(self.succeed("pulumi", "config", "--json", "--show-secrets", "--stack", stack, *option))
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
    for stack in ("dev", "cluster"):  # not what a user made of them
        shutil.copy(ROOT / "tests" / "stacks" / f"{stack}.yaml", folder / f"Pulumi.{stack}.yaml")
    (tmp_path / "state").mkdir()
    (tmp_path / "passphrase").write_text("first")
    (tmp_path / "home").mkdir()
    own = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}?metadata=skip",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    made = Checkout(folder=folder, environment=node | own)
    made.succeed("git", "init", "--quiet")
    made.succeed("git", "add", "--all")
    made.succeed("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=All")
    return made


@pytest.mark.journey
def test_git_sees_nothing_of_a_deployment(checkout: Checkout) -> None:
    copy = checkout.up("dev")
    assert "encryptionsalt:" in copy.read_text()
    assert checkout.changes == ""
    assert checkout.up("dev").read_text() == copy.read_text()
    assert checkout.config("dev", file=copy) == stack_files.settings(stack_files.read(checkout.file("dev")))
    assert checkout.changes == ""
    checkout.down("dev")
    assert checkout.changes == ""


def test_a_context_is_written_into_the_stacks_file(checkout: Checkout) -> None:
    copy = checkout.up("cluster", "a-context")
    for file in (None, copy):
        assert checkout.config("cluster", file=file)["cluster"] == {"context": "a-context"}
    assert checkout.changes == " M Pulumi.cluster.yaml\n"


@pytest.mark.parametrize("stack", ["dev", "cluster"])
def test_pulumi_by_hand_adds_a_salt_and_nothing_else_and_down_takes_it_out(checkout: Checkout, stack: str) -> None:
    before = checkout.file(stack).read_text()
    checkout.succeed("pulumi", "stack", "init", stack)
    *written, salt = checkout.file(stack).read_text().splitlines()
    assert written == before.splitlines()
    assert salt.startswith("encryptionsalt: ")
    assert checkout.config(stack) == stack_files.settings(stack_files.read(checkout.file(stack)))
    checkout.down(stack)
    assert checkout.changes == ""


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
    edited = stack_files.settings(stack_files.read(file))
    assert config == edited
    assert checkout.config("dev", file=checkout.up("dev")) == edited
    checkout.down("dev")
    assert stack_files.settings(stack_files.read(file)) == edited
    assert "encryptionsalt:" not in file.read_text()


def test_secrets_are_encrypted_and_asked_for_again_when_their_cluster_is_gone(checkout: Checkout) -> None:
    checkout.up("dev")
    checkout.succeed("pulumi", "config", "set", "--path", "storage.mine.kind", "s3")
    checkout.succeed("pulumi", "config", "set", "--path", KEY, "AKIDOWN", "--secret")
    assert "AKIDOWN" not in checkout.file("dev").read_text()
    copy = checkout.up("dev")
    assert "AKIDOWN" not in copy.read_text()
    assert checkout.config("dev", file=copy)["storage"]["mine"] == {"kind": "s3", "access_key_id": "AKIDOWN"}
    checkout.down("dev")
    # The passphrase is still there, as for a cluster of the user's.
    assert checkout.config("dev", file=checkout.up("dev"))["storage"]["mine"]["access_key_id"] == "AKIDOWN"
    checkout.down("dev")
    Path(checkout.environment["PULUMI_CONFIG_PASSPHRASE_FILE"]).write_text("second")
    refused = checkout.open("dev")
    assert refused.status == 1
    assert f"take out {KEY} " in refused.stderr
    document = stack_files.read(checkout.file("dev"))
    del document["config"]["kserve-multi-model:storage"]["mine"]
    stack_files.write(checkout.file("dev"), document)
    assert "mine" not in checkout.config("dev", file=checkout.up("dev"))["storage"]
