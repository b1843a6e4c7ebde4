"""Engine events become times of components."""

from __future__ import annotations

import json

from benchmarks.engine_events import component_steps, deletions
from benchmarks.results import Wait

URN = "urn:pulumi:bench::kserve-multi-model::"
ISTIO = f"{URN}kserve-multi-model:platform:Istio"
CHART = "kubernetes:helm.sh/v4:Chart"


def event(timestamp: int, kind: str, urn: str) -> str:
    return json.dumps({"timestamp": timestamp, kind: {"metadata": {"urn": urn, "op": "create"}}})


def resource(urn: str, *, start: int, end: int) -> list[str]:
    return [event(start, "resourcePreEvent", urn), event(end, "resOutputsEvent", urn)]


def test_times_count_from_the_first_event_and_gaps_stay_gaps() -> None:
    log = [
        json.dumps({"timestamp": 100, "preludeEvent": {}}),
        *resource(f"{ISTIO}$kubernetes:core/v1:Namespace::istio-system", start=101, end=102),
        *resource(f"{ISTIO}${CHART}$kubernetes:apps/v1:Deployment::istiod", start=110, end=120),
        *resource(f"{ISTIO}${CHART}$kubernetes:core/v1:Service::istiod", start=112, end=113),
        *resource(f"{ISTIO}${CHART}$kubernetes:apps/v1:Deployment::gateway", start=121, end=130),
    ]
    (istio,) = component_steps(log)
    assert istio.name == "Istio"
    assert istio.intervals == ((1, 2), (10, 30))
    assert (istio.start_s, istio.end_s, istio.busy_s) == (1, 30, 21)


def test_components_charts_and_providers_take_no_time_of_their_own() -> None:
    log = [
        *resource(f"{URN}pulumi:pulumi:Stack::bench", start=0, end=90),
        *resource(f"{URN}pulumi:providers:kubernetes::cluster", start=0, end=1),
        *resource(f"{ISTIO}::istio", start=0, end=90),
        *resource(f"{ISTIO}${CHART}::istiod", start=0, end=90),
    ]
    assert component_steps(log) == ()


def test_models_go_by_name_and_the_first_to_be_done_is_first() -> None:
    model = f"{URN}kserve-multi-model:serving:InferenceService$kubernetes:serving.kserve.io/v1beta1:InferenceService"
    log = [
        *resource(f"{model}::xgboost-model", start=5, end=40),
        *resource(f"{model}::sklearn-model", start=5, end=30),
    ]
    names = [step.name for step in component_steps(log)]
    assert names == ["InferenceService sklearn-model", "InferenceService xgboost-model"]


def test_a_resource_that_is_tried_again_counts_from_its_first_try() -> None:
    urn = f"{ISTIO}$kubernetes:helm.sh/v3:Release::istio-base"
    log = [event(0, "resourcePreEvent", urn), event(4, "resourcePreEvent", urn), event(9, "resOutputsEvent", urn)]
    assert component_steps(log)[0].intervals == ((0, 9),)


def test_what_a_destroy_waited_for_in_its_order_without_what_took_no_time() -> None:
    chart = f"{ISTIO}${CHART}$kubernetes:apps/v1:Deployment"
    log = [
        json.dumps({"timestamp": 100, "preludeEvent": {}}),
        *resource(f"{URN}kubernetes:core/v1:Namespace::istio-system", start=110, end=117),
        *resource(f"{chart}::istiod", start=101, end=104),
        *resource(f"{chart}::gateway", start=101, end=103),
    ]
    assert deletions(log) == (
        Wait(name="Deployment istiod", start_s=1, end_s=4),
        Wait(name="Namespace istio-system", start_s=10, end_s=17),
    )
