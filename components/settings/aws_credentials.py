"""Access keys from the shared credentials file of the AWS tools."""

from __future__ import annotations

import os
import re
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

# What goes with a temporary key; the second is the name that older tools give it.
SESSION_TOKENS = ("aws_session_token", "aws_security_token")
# What is wrong with a temporary key, and what to do.
NO_SESSION = (
    "and KServe cannot pass the session token that belongs to it; use the keys of an IAM user, or instead of `storage` "
    "a `service_account` with a role"
)


@dataclass(frozen=True, kw_only=True)
class AccessKeys:
    """An S3 access key and its secret."""

    access_key_id: SecretStr
    secret_access_key: SecretStr


def keys_of_profile(profile: str) -> AccessKeys:
    """Read a profile's keys from $AWS_SHARED_CREDENTIALS_FILE, or else from ~/.aws/credentials.

    Raises:
        ValueError: the file, the profile or one of its keys is missing, or the keys are temporary. The text has no key
            in it.

    """
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    profiles = ConfigParser(interpolation=None)
    try:
        profiles.read_string(file.read_text())
    except OSError as problem:
        raise ValueError(
            f"{file} cannot be read ({problem.strerror}); create it with `aws configure --profile {profile}`, "
            "or point AWS_SHARED_CREDENTIALS_FILE at it"
        ) from problem
    except Error as problem:  # its text would quote the file
        raise ValueError(f"{file} is not a credentials file: {type(problem).__name__}") from None
    if profile not in profiles:
        raise ValueError(f"no profile {profile!r} in {file}; it has {', '.join(profiles.sections()) or 'none'}")
    found = profiles[profile]
    missing = [key for key in ("aws_access_key_id", "aws_secret_access_key") if not found.get(key)]
    if missing:
        raise ValueError(f"profile {profile!r} in {file} has no {' and no '.join(missing)}")
    if any(found.get(token) for token in SESSION_TOKENS) or is_temporary(found["aws_access_key_id"]):
        raise ValueError(f"profile {profile!r} in {file} has a temporary key, {NO_SESSION}")
    return AccessKeys(
        access_key_id=SecretStr(found["aws_access_key_id"]),
        secret_access_key=SecretStr(found["aws_secret_access_key"]),
    )


def is_temporary(access_key_id: str) -> bool:
    """Whether Amazon gave out the key for a session only."""
    return bool(re.fullmatch("ASIA[A-Z0-9]{12,}", access_key_id))
