"""What `make venv` installs before uv checks hashes: uv itself, by the hashes of uv.lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements-uv.txt"


def test_uv_is_installed_at_the_version_and_hashes_of_the_lock_file() -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = next(package for package in packages if package["name"] == "uv")
    hashes = {file["hash"] for file in [locked["sdist"], *locked["wheels"]]}
    made = "uv.lock has another uv: make requirements-uv.txt again, as its first lines say"
    assert lines[0].split()[0] == f"uv=={locked['version']}", made
    assert set(re.findall(r"--hash=(\S+)", "\n".join(lines))) == hashes, made


def test_pip_installs_nothing_without_a_hash() -> None:
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-m pip install" in line]
    assert installs
    assert all("--require-hashes" in line and REQUIREMENTS.name in line for line in installs)
