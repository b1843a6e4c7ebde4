"""Pulumi writes into a copy of the stack's file; in the user's file, only the salt of the user's own secrets stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.stack_file import StackFile, StackFileError
from tests.lifecycle_project import DEMO

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
def file(tmp_path: Path) -> StackFile:
    made = StackFile(stack="dev", folder=tmp_path)
    made.path.write_text(DEMO)
    return made


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.yaml"


def test_the_copy_follows_the_users_file(file: StackFile, copy: Path) -> None:
    for text in (DEMO, "config: {}\n"):
        file.path.write_text(text)
        file.renew_copy(copy)
        assert copy.read_text() == text


def test_a_new_stacks_salt_goes_into_the_copy_and_stays_there(file: StackFile, copy: Path) -> None:
    file.path.write_text(DEMO + SALT)
    file.move_salt(copy, before=DEMO)
    assert file.path.read_text() == DEMO
    edited = DEMO + "  kserve-multi-model:mode: Standard"
    file.path.write_text(edited)
    file.renew_copy(copy)
    assert copy.read_text() == f"{edited}\n{SALT}"
    assert file.path.read_text() == edited


def test_a_salt_in_the_users_file_replaces_the_copys(file: StackFile, copy: Path) -> None:
    file.path.write_text(SECRETS + SALT)
    copy.write_text("encryptionsalt: v1:old=:v1:b:c==\n")
    file.renew_copy(copy)
    assert copy.read_text() == SECRETS + SALT


def test_a_stack_needs_a_file(file: StackFile) -> None:
    file.require()
    other = StackFile(stack="prod", folder=file.folder)
    with pytest.raises(StackFileError, match=r"no Pulumi\.prod\.yaml; copy one that fits to it: Pulumi\.dev\.yaml"):
        other.require()


def test_the_file_has_the_last_part_of_a_stacks_full_name(file: StackFile) -> None:
    full = StackFile(stack="organization/kserve-multi-model/dev", folder=file.folder)
    assert full.path == file.path


def test_secrets_are_named(file: StackFile) -> None:
    file.path.write_text(SECRETS)
    assert file.secrets == [
        "aws:token",
        "storage.mine.access_key_id",
        "storage.mine.secret_access_key",
        "models[1].token",
    ]


def test_a_file_that_is_not_yaml_is_named(file: StackFile) -> None:
    file.path.write_text("a: [b")
    with pytest.raises(StackFileError, match=r"Pulumi\.dev\.yaml is not YAML"):
        file.drop_unused_salt()


@pytest.mark.parametrize("text", [DEMO, DEMO + "# mine: secure:\n", "config: {}\n"])
def test_a_salt_that_encrypts_nothing_is_removed(file: StackFile, text: str) -> None:
    file.path.write_text(text + SALT)
    file.drop_unused_salt()
    assert file.path.read_text() == text


def test_a_salt_that_encrypts_secrets_stays(file: StackFile) -> None:
    file.path.write_text(SECRETS + SALT)
    file.drop_unused_salt()
    assert file.path.read_text() == SECRETS + SALT


def test_dropping_a_salt_does_not_need_a_file(file: StackFile) -> None:
    file.path.unlink()
    file.drop_unused_salt()
    assert not file.path.exists()
