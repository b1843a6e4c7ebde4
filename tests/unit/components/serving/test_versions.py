"""Headers that choose one of a model's versions."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.endpoint import Endpoint
from tests.unit.components.serving.test_inference_service import served

HEADERS = {"latest": {"Knative-Serving-Tag": "latest"}, "prev": {"Knative-Serving-Tag": "prev"}}


@pytest.mark.parametrize("traffic", [0, 10, 99])
def test_header_chooses_the_version_with_a_canary(traffic: int) -> None:
    _, endpoint = served(canary={"traffic": traffic})
    assert Endpoint.model_validate(endpoint).versions == HEADERS


@pytest.mark.parametrize("settings", [{}, {"canary": {"traffic": 100}}], ids=str)
def test_no_headers_without_a_canary(settings: dict[str, Any]) -> None:
    _, endpoint = served(**settings)
    assert Endpoint.model_validate(endpoint).versions == {}


def test_adding_or_removing_a_canary_starts_no_new_server() -> None:
    """KServe copies this annotation to the revision, so it must be there before the canary and stay after it."""
    tags = [served(**settings)[0]["metadata"]["annotations"] for settings in ({}, {"canary": {"traffic": 10}})]
    assert tags[0] == tags[1]
    assert tags[0]["serving.kserve.io/enable-tag-routing"] == "true"
