"""What is written in doctor/causes/ runs: each function there is reached from `diagnose`, and finds each cause."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import doctor.causes
import doctor.diagnosis
from doctor.findings import Cause

Place = tuple[str, str]  # module and name at its top level

CAUSES = "doctor.causes"


def parsed() -> dict[str, ast.Module]:
    """The modules of doctor/causes/, and the one that runs them."""
    files = {f"{CAUSES}.{file.stem}": file for file in Path(doctor.causes.__path__[0]).glob("*.py")}
    files[doctor.diagnosis.__name__] = Path(doctor.diagnosis.__file__)
    return {name: ast.parse(file.read_text("utf-8")) for name, file in files.items()}


def defined(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """(name, statement) of each function and constant at the top level of a module."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            for node in (node for target in statement.targets for node in ast.walk(target)):
                if isinstance(node, ast.Name):
                    yield node.id, statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement


def imported(module: ast.Module) -> dict[str, Place]:
    """What each name means that a module imports from doctor/causes/; a whole module has the name ""."""
    return {
        alias.asname or alias.name: (f"{CAUSES}.{alias.name}", "")
        if node.module == CAUSES
        else (node.module, alias.name)
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(CAUSES)
        for alias in node.names
    }


def uses(module: str, statement: ast.stmt, names: dict[str, Place]) -> Iterator[Place]:
    """What a statement names: `name` of its module, an imported `name`, or `module.name`."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield names[node.value.id][0], node.attr
        elif isinstance(node, ast.Name):
            yield names.get(node.id, (module, node.id))


def reached() -> tuple[dict[Place, ast.stmt], set[Place]]:
    """All functions and constants, and those that `diagnose` comes to."""
    modules = parsed()
    places = {(name, text): statement for name, module in modules.items() for text, statement in defined(module)}
    names = {name: imported(module) for name, module in modules.items()}
    found: set[Place] = set()
    following: list[Place] = [(doctor.diagnosis.__name__, doctor.diagnosis.diagnose.__name__)]
    while following:
        place = following.pop()
        if place in places and place not in found:
            found.add(place)
            following += uses(place[0], places[place], names[place[0]])
    return places, found


def test_every_function_of_the_causes_is_run_by_diagnose() -> None:
    places, found = reached()
    assert ("doctor.causes.server", "crashed") in found
    functions = {place for place, statement in places.items() if isinstance(statement, ast.FunctionDef)}
    assert functions - found == set(), "register it in FAMILIES (doctor/causes/models.py) or diagnose, or delete it"


def test_every_cause_is_found_by_what_diagnose_runs() -> None:
    """Any other would be a row of the troubleshooting page that never comes."""
    places, found = reached()
    named = {
        node.attr
        for place in found
        for node in ast.walk(places[place])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Cause"
    }
    assert named == {cause.name for cause in Cause}
