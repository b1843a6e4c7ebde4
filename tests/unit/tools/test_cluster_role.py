from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tools.cluster_role import render


@pytest.mark.parametrize("file", render(), ids=lambda file: file.name)
def test_the_cluster_roles_are_fresh(file: Path) -> None:
    assert file.read_text("utf-8") == render()[file], "renew them: python -m tools.cluster_role"


def test_a_stack_of_models_needs_less_than_a_platform() -> None:
    (platform,), models = (
        [
            {
                (group, kind, verb)
                for rule in role["rules"]
                for group in rule["apiGroups"]
                for kind in rule["resources"]
                for verb in rule["verbs"]
            }
            for role in yaml.safe_load_all(text)
        ]
        for text in render().values()
    )
    for role in models:
        assert role < platform
        assert not {verb for _, _, verb in role} & {"escalate", "*"}
        # The Role of a bandit.
        assert {kind for _, kind, verb in role if verb == "bind"} <= {"roles"}
    kinds = {kind for role in models for _, kind, verb in role if verb != "get"}
    assert not kinds & {"clusterroles", "customresourcedefinitions", "validatingwebhookconfigurations"}
