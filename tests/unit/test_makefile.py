"""The Makefile finds a Python that the project runs on, or says which one to install; then it only names commands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Claims another version than it has, and says where it would make a venv instead of making it.
STUB = """#!/bin/sh
if [ "$1" = -c ]; then
  exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[1])' "$2"
fi
echo "chosen: $0 $*"
exit 9
"""
MAKE = shutil.which("make") or "make"
VENV_MODULES = "-m venv --clear .venv"


def installed(folder: Path, *pythons: str) -> None:
    """Put Pythons into a folder of PATH: their names, and `name=version` where the name does not tell the version."""
    for python in pythons:
        name, _, claimed = python.partition("=")
        version = tuple(map(int, (claimed or name.removeprefix("python")).split(".")))
        (folder / name).write_text(STUB.format(python=sys.executable, version=version))
        (folder / name).chmod(0o755)


def make(folder: Path, *arguments: str) -> str:
    """Make .venv in a folder of its own, which is all of PATH; gives what was written."""
    shutil.copy(ROOT / "Makefile", folder)
    command = [MAKE, ".venv/bin/uv", *arguments]
    done = subprocess.run(command, cwd=folder, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        (["python3=3.11", "python3.13"], "python3"),
        (["python3=3.14", "python3.12"], "python3"),
        (["python3=3.10", "python3.11", "python3.12"], "python3.12"),
        (["python3=3.15", "python3.14", "python3.15"], "python3.14"),
        (["python3.13"], "python3.13"),
    ],
)
def test_python3_or_the_newest_in_range_is_taken(tmp_path: Path, pythons: list[str], chosen: str) -> None:
    installed(tmp_path, *pythons)
    assert f"chosen: {tmp_path / chosen} {VENV_MODULES}\n" in make(tmp_path)


def test_the_python_that_is_named_is_taken(tmp_path: Path) -> None:
    installed(tmp_path, "python3=3.13", "python3.11")
    assert f"chosen: {tmp_path}/python3.11 {VENV_MODULES}\n" in make(tmp_path, "PYTHON3=python3.11")


@pytest.mark.parametrize("pythons", [[], ["python3=3.10"], ["python3=3.15", "python3.15"]])
def test_without_a_fitting_python_the_range_and_a_package_are_named(tmp_path: Path, pythons: list[str]) -> None:
    installed(tmp_path, *pythons)
    text = make(tmp_path)
    assert "error: Python 3.11 to 3.14 is needed, and python3 is not one" in text
    assert "apt-get install python3.11 python3.11-venv" in text
    assert "make PYTHON3=/path/to/python3.11" in text


def test_a_named_python_out_of_range_is_not_replaced_by_another(tmp_path: Path) -> None:
    installed(tmp_path, "python3=3.13", "python3.10")
    assert "Python 3.11 to 3.14 is needed, and python3.10 is not one" in make(tmp_path, "PYTHON3=python3.10")


def with_venv(folder: Path, *, of: str, runs: str) -> None:
    """A .venv made with the Python version `of`, whose Python now is of version `runs`."""
    for inside in (f"lib/python{of}", "bin"):
        (folder / ".venv" / inside).mkdir(parents=True)
    installed(folder / ".venv/bin", f"python={runs}")
    (folder / ".venv/bin/uv").touch()


def test_a_venv_stays_until_another_python_is_named(tmp_path: Path) -> None:
    installed(tmp_path, "python3.12", "python3.13")
    with_venv(tmp_path, of="3.13", runs="3.13")
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = [MAKE, "--question", ".venv/bin/uv"]
    for arguments in ([], ["PYTHON3=python3.13"]):
        asked = subprocess.run([*command, *arguments], cwd=tmp_path, env={"PATH": str(tmp_path)}, check=False)
        assert asked.returncode == 0
    assert f"chosen: {tmp_path}/python3.12 {VENV_MODULES}\n" in make(tmp_path, "PYTHON3=python3.12")


def test_a_venv_is_made_again_after_an_upgrade_of_the_machine(tmp_path: Path) -> None:
    installed(tmp_path, "python3=3.13")
    with_venv(tmp_path, of="3.11", runs="3.13")
    assert f"chosen: {tmp_path}/python3 {VENV_MODULES}\n" in make(tmp_path)


def test_the_range_is_that_of_the_lock_file() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    accepted = re.search(r"not \(3, (\d+)\) <= sys.version_info\[:2\] <= \(3, (\d+)\)", (ROOT / "Makefile").read_text())
    assert accepted
    assert declared == f">=3.{accepted[1]},<3.{int(accepted[2]) + 1}"


# Makes a venv of itself, gives two options for the packages at CACHE_FROM, and says what pip gets.
WITH_CACHE = """#!/bin/bash
case "$1 $2" in
  "-c import"*) exit 0 ;;
  "-m cluster.cache_from") printf '%s\\n' --no-index "--find-links=/a b" ;;
  "-m venv") /bin/mkdir -p .venv/bin && /bin/cp "$0" .venv/bin/python ;;
  "-m pip") printf '<%s>' "$@"; echo ;;
esac
"""


@pytest.mark.parametrize(("cache", "options"), [("", ""), ("/cache", "<--no-index><--find-links=/a b>")])
def test_the_venv_is_made_by_bash_3(tmp_path: Path, cache: str, options: str) -> None:
    """It is the bash of macOS; BASH_ENV takes away from this one what that lacks."""
    (tmp_path / "python3").write_text(WITH_CACHE)
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "bash-3").write_text("enable -n mapfile readarray\n")
    shutil.copy(ROOT / "Makefile", tmp_path)
    made = subprocess.run(
        [MAKE, ".venv/bin/uv"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "BASH_ENV": str(tmp_path / "bash-3"), "CACHE_FROM": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert f"<requirements-uv.txt>{options}\n" in made.stdout


def test_no_recipe_has_what_bash_3_lacks() -> None:
    newer = r"\b(mapfile|readarray|coproc|globstar)\b|(declare|local) -[An]|\|&|&>>|;;?&|\$\$\{\w+(,|\^|@)"
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in recipes if re.search(newer, line)]


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["up"], "up"),
        (["up", "CONTEXT=kind"], "up --context 'kind'"),
        (["down", "STACK=mine", "CONTEXT=kind"], "down --stack 'mine' --context 'kind'"),
        (["up", "CONTEXT=kind", "YES=1"], "up --context 'kind' --yes"),
        (["down", "CONTEXT=kind", "YES=1"], "down --context 'kind' --yes"),
        (["up", "CONTEXT=kind", "YES=0"], "up --context 'kind'"),
        (["predict", "STACK=mine"], "predict --stack 'mine'"),
        (["doctor", "CONTEXT=kind", "STACK=mine"], "doctor --context 'kind'"),
    ],
)
def test_what_is_done_with_a_stack_is_left_to_python(arguments: list[str], command: str) -> None:
    shown = subprocess.run(
        [MAKE, "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert " ".join(shown.stdout.splitlines()[-1].split()) == f".venv/bin/python -m lifecycle {command}"


@pytest.mark.parametrize(("features", "option"), [("oneshell", ""), ("oneshell output-sync", "--output-sync")])
def test_lint_uses_only_options_that_this_make_has(features: str, option: str) -> None:
    """Those of make 3.82, which has no --output-sync, are given as its features."""
    show = "--eval=show: ; @echo 'options: $(output_sync).'"
    command = [MAKE, "--file", str(ROOT / "Makefile"), show, "show", f".FEATURES={features}"]
    assert f"options: {option}.\n" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "$(MAKE) --jobs $(output_sync) types" in (ROOT / "Makefile").read_text()
