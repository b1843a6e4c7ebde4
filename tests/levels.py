"""Two levels of tests: `make test` runs the journeys of the end-to-end tests, `make test-all` runs all of them.

A journey is what most users do, from an empty machine to an empty machine: deploy, ask, change, look for what is wrong,
repair, remove. It is checked by value, in one case of its kind, and needs no more than the demo's parts of the local
cluster. The other cases, and what fewer users need, run with `make test-all` alone. Mark one: `@pytest.mark.journey`.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.feature_table import Claim

WIDTH = 120


def claims_of(item: pytest.Item) -> list[Claim]:
    """What a test says that it proves."""
    return [Claim.of(*mark.args, **mark.kwargs) for mark in item.iter_markers("feature")]


def left_to_test_all(deselected: Iterable[pytest.Item], *, journeys: Iterable[pytest.Item]) -> list[str]:
    """Lines that say what the end-to-end tests would have shown that were left out; none when none were.

    The fast tests are deselected because `make test` runs them on their own.
    """
    fast: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in deselected:
        (left if item.get_closest_marker("e2e") else fast).append(item)
    if not left:
        return []
    modules = Counter(item.path.stem.removeprefix("test_") for item in left)
    counts = ", ".join(f"{module} {count}" for module, count in sorted(modules.items()))
    features = _only_in(_proven(left), _proven([*fast, *journeys]))
    lines = [f"left to `make test-all`, which a change needs before it is finished: {len(left)} end-to-end tests"]
    lines += _wrapped(counts)
    if features:
        lines += ["features that only those prove:", *_wrapped("; ".join(features))]
    return lines


def _proven(items: Iterable[pytest.Item]) -> set[tuple[str, str]]:
    """Features with their modes."""
    return {(claim.feature, mode) for item in items for claim in claims_of(item) for mode in claim.modes}


def _only_in(left: set[tuple[str, str]], run: set[tuple[str, str]]) -> list[str]:
    """Features that `run` does not prove; with the mode where it proves them in the other one."""
    proven = {feature for feature, _ in run}
    return sorted({f"{feature} ({mode})" if feature in proven else feature for feature, mode in left - run})


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
