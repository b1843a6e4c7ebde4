"""Access keys from the shared credentials file of the AWS tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.settings.aws_credentials import keys_of_profile
from tests.unit.components.conftest import ACCESS_KEY, PROFILE, SECRET_KEY
from tests.unit.components.settings.stack_settings import settings, sklearn, the_problem


def test_the_keys_of_a_profile_are_read() -> None:
    keys = keys_of_profile(PROFILE)
    assert keys.access_key_id.get_secret_value() == ACCESS_KEY
    assert keys.secret_access_key.get_secret_value() == SECRET_KEY
    assert SECRET_KEY not in repr(keys)


def test_the_default_file_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / "aws-credentials").rename(tmp_path / ".aws" / "credentials")
    assert keys_of_profile(PROFILE).access_key_id.get_secret_value() == ACCESS_KEY


def test_a_missing_file_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    with pytest.raises(ValueError, match=r"nowhere cannot be read .* `aws configure --profile demo-keys`"):
        keys_of_profile(PROFILE)


def test_the_error_for_a_missing_profile_lists_the_profiles() -> None:
    with pytest.raises(ValueError, match=r"no profile 'other' in .*; it has demo-keys, half"):
        keys_of_profile("other")


def test_a_profile_without_a_secret_key_is_refused() -> None:
    with pytest.raises(ValueError, match="has no aws_secret_access_key"):
        keys_of_profile("half")


def test_the_error_for_a_broken_file_does_not_quote_it(tmp_path: Path) -> None:
    (tmp_path / "aws-credentials").write_text("aws_secret_access_key = loose-secret\n")
    with pytest.raises(ValueError, match="is not a credentials file") as refused:
        keys_of_profile(PROFILE)
    assert "loose-secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_can_contain_percent_signs(tmp_path: Path) -> None:
    (tmp_path / "aws-credentials").write_text("[p]\naws_access_key_id=a%b\naws_secret_access_key=c%(x)s/+=\n")
    assert keys_of_profile("p").secret_access_key.get_secret_value() == "c%(x)s/+="


@pytest.mark.parametrize("token", ["aws_session_token", "aws_security_token"])
def test_a_profile_with_a_session_token_is_refused(token: str, tmp_path: Path) -> None:
    (tmp_path / "aws-credentials").write_text(
        f"[p]\naws_access_key_id=AKIA1\naws_secret_access_key=loose-secret\n{token}=loose-token\n"
    )
    with pytest.raises(ValueError, match=r"profile 'p' in .* has a temporary key, and KServe cannot pass") as refused:
        keys_of_profile("p")
    assert "loose" not in str(refused.value)


def test_a_profile_with_a_temporary_key_is_refused_without_its_token_too(tmp_path: Path) -> None:
    (tmp_path / "aws-credentials").write_text(
        "[p]\naws_access_key_id=ASIAIOSFODNN7EXAMPLE\naws_secret_access_key=s\naws_session_token=\n"
    )
    with pytest.raises(ValueError, match="use the keys of an IAM user, or instead of `storage` a `service_account`"):
        keys_of_profile("p")


def test_a_temporary_key_in_the_settings_is_refused() -> None:
    keys = {"kind": "s3", "access_key_id": "ASIAIOSFODNN7EXAMPLE", "secret_access_key": "typed-secret"}
    found = the_problem(settings(sklearn("a", storage="demo"), storage={"demo": keys}))
    assert found.startswith("storage.demo.access_key_id: is a temporary key, and KServe cannot pass the session token")
    assert "ASIA" not in found


def test_a_permanent_key_of_an_empty_session_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "aws-credentials").write_text(
        "[p]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=s\naws_session_token=\n"
    )
    assert keys_of_profile("p").access_key_id.get_secret_value() == "AKIAIOSFODNN7EXAMPLE"
