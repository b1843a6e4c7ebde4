"""What the page on storage shows is what a stack may say, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trustme

import stack_files
from components.settings.stack import parse
from components.settings.stores.union import KINDS

PAGES = sorted((Path(__file__).parents[3] / "docs").glob("storage*.md"))


def examples(page: Path) -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [stack_files.parse(block) for block in blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_valid(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    (tmp_path / "credentials").write_text("[models]\naws_access_key_id=A\naws_secret_access_key=S\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.chdir(tmp_path)
    first, second = examples(page)
    first["storage"]["lake"]["key"] = '{"type": "service_account"}'  # the secret that the page sets by a command
    assert parse({"release": "0.20", **first}).models[0].storage == "lake"
    assert parse({"release": "0.20", **second}).storage.keys() == second["storage"].keys()


def test_both_languages_show_the_same() -> None:
    english, chinese = map(examples, PAGES)
    assert english == chinese


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_kind_is_in_the_table(page: Path) -> None:
    rows = re.findall(r"^\| (`.*?) \|", page.read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) - {"kind", "storage_uri"} == KINDS.keys()
