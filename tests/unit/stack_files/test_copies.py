"""Users edit a copy of an example; what Pulumi and we write into it goes again, what they wrote stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stack_files.copies import OwnFile, StackFileError

ROOT = Path(__file__).parents[3]
EXAMPLE = "# An example\nconfig:\n  kserve-multi-model:release: local\n"
SALT = "encryptionsalt: v1:a=:v1:b:c==\n"
SECRETS = """\
config:
  aws:token: {secure: v1:a:b}
  kserve-multi-model:storage:
    mine: {kind: s3, access_key_id: {secure: v1:a:b}, secret_access_key: {secure: v1:c:d}}
  kserve-multi-model:models:
    - environment: {SECURE: "secure:", secure: yes, more: 1}
    - {token: {secure: v1:e:f}}
"""


@pytest.fixture
def file(tmp_path: Path) -> OwnFile:
    (tmp_path / "Pulumi.dev.example.yaml").write_text(EXAMPLE)
    (tmp_path / "Pulumi.cluster.example.yaml").write_text(EXAMPLE)
    return OwnFile(stack="dev", folder=tmp_path)


def test_the_example_is_copied_once(file: OwnFile) -> None:
    assert file.make()
    assert file.path.read_text() == EXAMPLE
    assert not file.is_edited
    file.path.write_text("config: {}\n")
    assert not file.make()
    assert file.path.read_text() == "config: {}\n"
    assert file.is_edited


def test_a_stack_without_an_example_needs_a_file_of_the_users(file: OwnFile) -> None:
    own = OwnFile(stack="prod", folder=file.folder)
    with pytest.raises(StackFileError, match=r"no Pulumi\.prod\.yaml; copy .*cluster\.example\.yaml or Pulumi\.dev"):
        own.make()
    own.path.write_text(EXAMPLE)
    assert not own.make()
    assert own.is_edited
    own.clean()
    assert own.path.read_text() == EXAMPLE


def test_secrets_are_named(file: OwnFile) -> None:
    file.path.write_text(SECRETS)
    assert file.secrets == [
        "aws:token",
        "storage.mine.access_key_id",
        "storage.mine.secret_access_key",
        "models[1].token",
    ]


def test_a_file_that_is_no_yaml_is_named(file: OwnFile) -> None:
    file.path.write_text("a: [b")
    with pytest.raises(StackFileError, match=r"Pulumi\.dev\.yaml is not YAML"):
        file.drop_unused_salt()


@pytest.mark.parametrize("text", [EXAMPLE, EXAMPLE + "# mine: secure:\n", "config: {}\n"])
def test_a_salt_goes_where_nothing_is_encrypted(file: OwnFile, text: str) -> None:
    file.path.write_text(text + SALT)
    file.drop_unused_salt()
    assert file.path.read_text() == text


def test_a_salt_stays_with_its_secrets(file: OwnFile) -> None:
    file.path.write_text(SECRETS + SALT)
    for act in (file.drop_unused_salt, file.clean):
        act()
        assert file.path.read_text() == SECRETS + SALT


@pytest.mark.parametrize("left", [EXAMPLE, EXAMPLE + SALT, SALT, ""])
def test_what_nobody_edited_goes_with_the_deployment(file: OwnFile, left: str) -> None:
    file.path.write_text(left)
    file.clean()
    assert not file.path.exists()
    assert file.make()


@pytest.mark.parametrize("edit", ["  kserve-multi-model:mode: Standard\n", "# mine\n"])
def test_what_the_user_wrote_stays(file: OwnFile, edit: str) -> None:
    file.path.write_text(EXAMPLE + edit + SALT)
    file.clean()
    assert file.path.read_text() == EXAMPLE + edit


def test_without_a_file_there_is_nothing_to_do(file: OwnFile) -> None:
    file.drop_unused_salt()
    file.clean()
    assert not file.path.exists()


def test_a_stack_that_there_is_no_file_for_ends_make(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "stack_files", "make", "no-such-stack"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: there is no Pulumi.no-such-stack.yaml; copy one")


def test_without_pulumi_it_is_said_what_is_missing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "stack_files", "open", "no-such-stack"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "error: pulumi cannot be run: No such file or directory\n")
