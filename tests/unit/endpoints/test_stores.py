"""What is repeated of the words of a store's client, and where the credentials of a store are set."""

from __future__ import annotations

import pytest

from endpoints.stores import credentials_setting, last_words, without_secrets


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://reader:pa-ss@host/m refused", "https://…@host/m refused"),
        ("https://reader:pa@ss@host/m refused, a@b", "https://…@host/m refused, a@b"),
        ("403 for url: https://b.s3.eu/m?X-Amz-Signature=ab%2Fc&X-Amz-Date=1", "403 for url: https://b.s3.eu/m?…"),
        ("with url: /models/iris?sv=2024&sig=ab%2Bc (Caused by …)", "with url: /models/iris?… (Caused by …)"),
        ("sent Basic cmVhZGVyOnBhc3M= in vain", "sent Basic … in vain"),
        ("sent Bearer hf_7f3aXYZ in vain", "sent Bearer … in vain"),
        ("{'X-Api-Key': 'header-7f3a', 'Accept': '*/*'}", "{'X-Api-Key': …, 'Accept': '*/*'}"),
        ("Authorization: hunter2, Accept: */*", "Authorization: …, Accept: */*"),
        ("reserved character(s) in header value: ' ab c'", "reserved character(s) in header value: …"),
    ],
)
def test_what_may_be_secret_is_left_out(said: str, shown: str) -> None:
    assert without_secrets(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "HuggingFace authentication failed. Set HF_TOKEN or request access to the gated repository.",
        "s3://models/iris at http://10.0.0.1:9000: S3 error [403]: Forbidden: check AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY in the Secret that the predictor's ServiceAccount lists",
        "Basic authentication failed. Bearer token expired? no",
        "GCS error: ('invalid_grant: Invalid JWT Signature.', {'error': 'invalid_grant'})",
        "repository does not exist or may require authorization: authorization failed: no basic auth credentials",
        "HTTP resource not found at 'https://h/m.joblib'.",
    ],
)
def test_other_words_stay(said: str) -> None:
    assert without_secrets(said) == said


@pytest.mark.parametrize("written", [r"a b/'c\\d", "a%20b/%27c%5Cd", "a%20b%2F%27c%5Cd", "a+b%2F%27c%5Cd"])
def test_known_secrets_are_left_out_as_urls_and_lists_write_them(written: str) -> None:
    assert without_secrets(f"refused <{written}>", known=(r"a b/'c\d",)) == "refused <…>"


def test_known_secrets_are_left_out_wherever_they_are() -> None:
    assert without_secrets("refused ab12cd and ab12", known=("ab12", "ab12cd", "ref")) == "refused … and …"


def test_the_last_words_of_a_log() -> None:
    log = "first\nHTTP error for https://h/m?sig=x: SSL: untrusted\nInitialization failed: no connection\n\n"
    assert last_words(log) == "Initialization failed: no connection (SSL: untrusted)"
    assert last_words("one\nS3 error [403]: Forbidden\n") == "S3 error [403]: Forbidden"
    assert last_words("\n") == ""


def test_the_setting_with_the_credentials() -> None:
    assert credentials_setting("hub", uri="hf://a/b") == "storage.hub (token)"
    assert credentials_setting("", uri="oci://r/b:1") == "storage.<name> (username, password)"
    assert credentials_setting("files", uri="pvc://claim") == "storage.files"
