"""Names of others that collide with those of the stack, by what the objects of others say."""

from __future__ import annotations

from components.objects import STACK_ANNOTATION
from components.preflight.colliding_names import colliding_names
from components.settings.stack import parse
from kube.views.kserve import InferenceService
from tests.unit.components.settings.stack_settings import settings, sklearn

OWNER = "org/project/mine:1"


def problems(
    own: str, theirs: str, *, stack: str | None = "org/project/other:2", canary: int | None = None
) -> list[str]:
    annotations = {STACK_ANNOTATION: stack} if stack else {}
    found = InferenceService.model_validate(
        {
            "metadata": {"name": theirs, "namespace": "default", "annotations": annotations},
            "spec": {"predictor": {"canaryTrafficPercent": canary}},
            "status": {"deploymentMode": "Knative"},
        }
    )
    running = {"default": {theirs: found}}
    return colliding_names(parse(settings(sklearn(own))), running, owner=OWNER)


def test_a_model_with_the_name_of_a_bandit_that_a_model_of_another_stack_may_have_is_refused() -> None:
    assert problems("iris-bandit", "iris", canary=20) == [
        "models[0].name: 'iris-bandit' is the name of another model's bandit; use another name or namespace in this "
        "stack"
    ]


def test_no_bandit_is_seen_where_there_can_be_none() -> None:
    assert problems("iris-bandit", "iris") == []
    assert problems("iris-bandit", "iris", stack=None, canary=20) == []
    assert problems("iris-bandit", "iris", stack=OWNER, canary=20) == []


def test_a_model_with_the_name_of_a_version_before_of_others_is_refused() -> None:
    (problem,) = problems("prev-iris", "iris", stack=None, canary=20)
    assert problem.startswith("models[0].name: 'prev-iris' collides: the Service 'prev-iris-predictor' is made for")
    assert problems("prev-iris", "iris") == []
