"""The doctor's results in words."""

from __future__ import annotations

from itertools import pairwise

from doctor.checks import CheckResult, Name, Section
from doctor.facts import Unread
from doctor.findings import Cause
from doctor.words import headline
from locales.language import load


def test_what_was_not_looked_at_is_said() -> None:
    missed = (Unread(what="nodes", where="", why="nodes is forbidden"),)
    check = CheckResult(section=Section.CLUSTER, name=Name.NODES, unread=missed)
    assert headline(check, language=load("en")) == "not checked: nodes could not be read"
    assert headline(check, language=load("zh")) == "未检查：无法读取 nodes"


def test_causes_of_a_kind_are_together() -> None:
    """The page's groups go by the order of the causes."""
    kinds = [cause.partition("-")[0] for cause in Cause if cause.startswith(("storage", "runtime", "gateway"))]
    changes = sum(one != other for one, other in pairwise(kinds))
    assert changes == len(set(kinds)) - 1
