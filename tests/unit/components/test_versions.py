"""Versions of a model: what chooses one, and in which order models that change their name or place come and go."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.endpoint import Endpoint
from tests.unit.components.test_models import served

HEADERS = {"latest": {"Knative-Serving-Tag": "latest"}, "prev": {"Knative-Serving-Tag": "prev"}}


@pytest.mark.parametrize("traffic", [0, 10, 99])
def test_with_a_canary_a_header_chooses_the_version(traffic: int) -> None:
    _, endpoint = served(canary={"traffic": traffic})
    assert Endpoint.model_validate(endpoint).versions == HEADERS


@pytest.mark.parametrize("stated", [{}, {"canary": {"traffic": 100}}], ids=str)
def test_without_a_canary_there_is_one_version(stated: dict[str, Any]) -> None:
    _, endpoint = served(**stated)
    assert Endpoint.model_validate(endpoint).versions == {}


def test_a_canary_that_comes_or_goes_starts_no_new_server() -> None:
    """KServe puts this annotation into the revision: it must be there before the canary, and stay after it."""
    tags = [served(**stated)[0]["metadata"]["annotations"] for stated in ({}, {"canary": {"traffic": 10}})]
    assert tags[0] == tags[1]
    assert tags[0]["serving.kserve.io/enable-tag-routing"] == "true"
