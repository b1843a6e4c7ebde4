"""Pulumi writes into a copy; the user's file stays as it is, but for a salt of secrets that the user encrypted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stack_files.copies import StackFile, StackFileError

ROOT = Path(__file__).parents[3]
DEMO = "# A demo\nconfig:\n  kserve-multi-model:release: local\n"
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
    (tmp_path / "copies").mkdir()
    made = StackFile(stack="dev", folder=tmp_path, copies=tmp_path / "copies")
    made.path.write_text(DEMO)
    return made


def test_the_copy_says_what_the_file_says_now(file: StackFile) -> None:
    assert file.renew_copy().read_text() == DEMO
    file.path.write_text("config: {}\n")
    assert file.renew_copy().read_text() == "config: {}\n"


def test_a_new_stacks_salt_goes_into_the_copy_and_stays_there(file: StackFile) -> None:
    file.path.write_text(DEMO + SALT)
    file.move_salt(before=DEMO)
    assert file.path.read_text() == DEMO
    edited = DEMO + "  kserve-multi-model:mode: Standard"
    file.path.write_text(edited)
    assert file.renew_copy().read_text() == f"{edited}\n{SALT}"
    assert file.path.read_text() == edited


def test_the_files_own_salt_counts(file: StackFile) -> None:
    file.path.write_text(SECRETS + SALT)
    file.copy.write_text("encryptionsalt: v1:old=:v1:b:c==\n")
    assert file.renew_copy().read_text() == SECRETS + SALT


def test_a_stack_needs_a_file(file: StackFile) -> None:
    file.require()
    other = StackFile(stack="prod", folder=file.folder, copies=file.copies)
    with pytest.raises(StackFileError, match=r"no Pulumi\.prod\.yaml; copy one that fits to it: Pulumi\.dev\.yaml"):
        other.require()


def test_secrets_are_named(file: StackFile) -> None:
    file.path.write_text(SECRETS)
    assert file.secrets == [
        "aws:token",
        "storage.mine.access_key_id",
        "storage.mine.secret_access_key",
        "models[1].token",
    ]


def test_a_file_that_is_no_yaml_is_named(file: StackFile) -> None:
    file.path.write_text("a: [b")
    with pytest.raises(StackFileError, match=r"Pulumi\.dev\.yaml is not YAML"):
        file.drop_unused_salt()


@pytest.mark.parametrize("text", [DEMO, DEMO + "# mine: secure:\n", "config: {}\n"])
def test_a_salt_goes_where_nothing_is_encrypted(file: StackFile, text: str) -> None:
    file.path.write_text(text + SALT)
    file.drop_unused_salt()
    assert file.path.read_text() == text


def test_a_salt_stays_with_its_secrets(file: StackFile) -> None:
    file.path.write_text(SECRETS + SALT)
    file.drop_unused_salt()
    assert file.path.read_text() == SECRETS + SALT


def test_without_a_file_there_is_nothing_to_drop(file: StackFile) -> None:
    file.path.unlink()
    file.drop_unused_salt()
    assert not file.path.exists()


def stack_files(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m stack_files`, where no program is on PATH."""
    return subprocess.run(
        [sys.executable, "-m", "stack_files", *arguments],
        cwd=ROOT,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stack_that_there_is_no_file_for_ends_make() -> None:
    ended = stack_files("check", "no-such-stack")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: there is no Pulumi.no-such-stack.yaml; copy one")


def test_without_pulumi_it_is_said_what_is_missing(tmp_path: Path) -> None:
    ended = stack_files("open", "dev", PULUMI_HOME=str(tmp_path / "home"))
    assert (ended.returncode, ended.stderr) == (1, "error: pulumi cannot be run: No such file or directory\n")


def test_outside_of_the_environment_it_is_said_how_to_get_there() -> None:
    ended = stack_files("open", "dev")
    assert ended.returncode == 1
    assert 'eval "$(python -m cluster env)"' in ended.stderr
