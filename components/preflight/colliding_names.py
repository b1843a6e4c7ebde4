"""Models and graphs of others whose names collide with those of the stack: KServe would make one object for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.objects import STACK_ANNOTATION
from components.settings.made_names import PREDICTOR, Named, name_problems
from components.settings.stack import Settings
from kube.views.kserve import InferenceService, Served

STANDARD_MODES = ("Standard", "RawDeployment")


def colliding_names(settings: Settings, running: Mapping[str, Mapping[str, Served]], *, owner: str) -> list[str]:
    """Where a name of the stack, or of something made for it, is that of something made for others in a namespace.

    Those of the same name are not looked at. `running` has the models and graphs of each namespace by name.
    """
    declared = names_of(settings)
    names = {(named.namespace, named.name) for named in declared}
    others = [named for named in _others(running, owner=owner) if (named.namespace, named.name) not in names]
    # Others who collide with each other are none of the stack's business.
    theirs = {*name_problems(others)}
    found = (problem for problem in name_problems([*declared, *others]) if problem not in theirs)
    return [f"{problem.rpartition(';')[0]}; use another name or namespace in this stack" for problem in found]


def names_of(settings: Settings) -> list[Named]:
    """The models and graphs of the settings."""
    sections = settings.model_dump(mode="json", include={"models", "graphs"}, exclude_none=True)
    return Named.all_of(sections, namespace=settings.cluster.namespace, mode=settings.mode)


def _others(running: Mapping[str, Mapping[str, Served]], *, owner: str) -> Iterator[Named]:
    for namespace, found in running.items():
        for one in found.values():
            stack = one.metadata.annotations.get(STACK_ANNOTATION, "")
            if stack == owner:
                continue
            is_model = isinstance(one, InferenceService)
            # A canary needs a second version, and a model of another stack may have a bandit with it.
            split = isinstance(one, InferenceService) and one.canary_percent is not None
            yield Named(
                place=f"{one.name} in namespace {namespace}, {f'of stack {stack}' if stack else 'not of this stack'}",
                key=one.name,
                kind="model" if is_model else "graph",
                name=one.name,
                namespace=namespace,
                is_standard=one.mode in STANDARD_MODES,
                components=(PREDICTOR,) if is_model else (),
                split=split,
                bandit=split and bool(stack),
            )
