"""Where a stack's platform comes from: how `platform` is written, and what it means for other settings."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.platform_parts import PARTS
from components.settings.stack import parse
from tests.unit.components.settings.stack_settings import problems, settings, sklearn, the_problem

FORMS = "write all, auto, or a list of cert_manager, gateway_api, istio, knative, kserve"


def test_left_out_the_stack_has_a_platform_of_its_own() -> None:
    own = parse(settings())
    assert (own.platform_stack, own.existing, own.uses_whole_platform) == (None, (), False)


def test_a_text_is_another_stack() -> None:
    for name in ("platform", "organization/project/platform", "123"):
        other = parse(settings(platform=name))
        assert (other.platform_stack, other.existing) == (name, ())


@pytest.mark.parametrize(
    ("existing", "read", "whole"),
    [
        ("all", "all", True),
        ("auto", "auto", False),
        (["gateway_api", "cert_manager"], ("cert_manager", "gateway_api"), False),
        (["knative", "istio"], ("istio", "knative"), False),
        ([*PARTS], PARTS, True),
    ],
)
def test_parts_that_are_there(existing: object, read: object, whole: bool) -> None:
    found = parse(settings(platform={"existing": existing}))
    assert (found.platform_stack, found.existing, found.uses_whole_platform) == (None, read, whole)


@pytest.mark.parametrize(
    ("platform", "problem"),
    [
        (
            "a b",
            "platform: 'a b' is not a valid stack: write its name, or organization/project/stack; or",
        ),
        (3, "platform: 3 is not a valid stack"),
        (["istio"], "platform: ['istio'] is not a valid stack"),
        ({}, "platform.existing: is missing"),
        ({"existing": "some"}, f"platform.existing: 'some' is not a choice; {FORMS}"),
        ({"existing": []}, f"platform.existing: [] is not a choice; {FORMS}"),
        ({"existing": ["istio", "envoy"]}, f"platform.existing: 'envoy': there is no such part; {FORMS}"),
        ({"existing": ["knative"]}, "platform.existing: knative needs the istio that is there; add istio to the list"),
        ({"existing": ["kserve"]}, "platform.existing: kserve needs the istio that is there; add istio to the list"),
    ],
)
def test_what_is_refused(platform: object, problem: str) -> None:
    assert the_problem(settings(platform=platform)).startswith(problem)


def test_an_unknown_setting_of_the_section() -> None:
    found = problems(settings(platform={"exsting": "all"}))
    assert "platform.exsting: unknown setting; did you mean 'existing'?" in found


def test_a_mirror_is_needed_only_where_something_is_installed_from_it() -> None:
    local = settings(sklearn("iris"), release="local")
    assert problems(local | {"platform": {"existing": "all"}}) == ()
    assert the_problem(local | {"platform": {"existing": "auto"}}).startswith("mirror: is required")
    assert the_problem(local | {"platform": {"existing": "all"}, "monitoring": True}).startswith("mirror: is required")


NAMED = {"namespace": "ingress", "name": "web"}


@pytest.mark.parametrize("platform", [{"existing": "all"}, {"existing": "auto"}, {"existing": ["istio"]}, "shared"])
def test_a_gateway_that_is_there_can_be_named_where_istio_is(platform: object) -> None:
    found = parse(settings(platform=platform, ingress={"gateway": NAMED, "class_name": "corp"})).ingress
    assert found.gateway
    assert (found.gateway.namespace, found.gateway.name, found.gateway.port) == ("ingress", "web", 80)
    assert found.gateway_class == "corp"
    plain = parse(settings(platform=platform)).ingress
    assert (plain.gateway, plain.gateway_class) == (None, "istio")


@pytest.mark.parametrize("more", [{}, {"platform": {"existing": ["cert_manager", "gateway_api"]}}])
@pytest.mark.parametrize(("field", "value"), [("gateway", NAMED), ("class_name", "corp")])
def test_a_gateway_beside_an_istio_of_the_stacks_own_is_refused(
    more: dict[str, Any], field: str, value: object
) -> None:
    assert the_problem(settings(**more, ingress={field: value})) == (
        f"ingress.{field}: names what is there already, but the stack installs Istio with a gateway of its own; add "
        "istio to platform.existing, or drop it"
    )


@pytest.mark.parametrize(
    ("ingress", "problem"),
    [
        ({"gateway": {}}, "ingress.gateway: names no Service; give its name, or the labels of its pods as selector"),
        ({"gateway": {"namespace": "a", "port": 80}}, "ingress.gateway: names no Service; "),
        ({"gateway": {"name": "a.b"}}, "ingress.gateway.name: 'a.b' is not a valid Kubernetes name"),
        ({"gateway": {"name": "a", "port": 0}}, "ingress.gateway.port: "),
        ({"gateway": {"selector": {"a": "b c"}}}, "ingress.gateway.selector.a: 'b c' is not a valid label value"),
        ({"gateway": NAMED, "annotations": {"a": "b"}}, "ingress.annotations: has no effect with ingress.gateway, "),
        ({"gateway": NAMED, "service_type": "ClusterIP"}, "ingress.service_type: has no effect with ingress.gateway"),
        ({"gateway": NAMED, "load_balancer_class": "c"}, "ingress.load_balancer_class: has no effect with ingress."),
        ({"class_name": "Corp"}, "ingress.class_name: 'Corp' is not a valid name of an object"),
    ],
)
def test_a_gateway_that_names_nothing_is_refused(ingress: dict[str, object], problem: str) -> None:
    assert the_problem(settings(platform={"existing": "all"}, ingress=ingress)).startswith(problem)


def test_all_that_describes_a_service_beside_a_gateway_that_is_there_is_refused_at_once() -> None:
    """Also what would be wrong with the Service without a gateway: there, too, the remedy is to drop it."""
    ingress = {
        "gateway": NAMED,
        "service_type": "NodePort",
        "node_port": 80,
        "client_port": 8080,
        "annotations": {"a": "b"},
        "load_balancer_class": "c",
    }
    why = "has no effect with ingress.gateway, whose Service is there already; drop it"
    fields = ("service_type", "node_port", "annotations", "load_balancer_class")
    refused = problems(settings(platform={"existing": "all"}, ingress=ingress))
    assert refused == tuple(f"ingress.{field}: {why}" for field in fields)


@pytest.mark.parametrize("existing", ["all", ["istio"]])
def test_what_describes_a_service_has_no_effect_where_istio_is_there(existing: object) -> None:
    ingress = {"annotations": {"a": "b"}, "load_balancer_class": "c"}
    why = "has no effect with platform.existing: Istio's gateway and its Service are there already; drop it"
    refused = problems(settings(platform={"existing": existing}, ingress=ingress))
    assert refused == (f"ingress.annotations: {why}", f"ingress.load_balancer_class: {why}")
    assert not problems(settings(platform={"existing": "auto"}, ingress=ingress))


def test_what_several_settings_decide_is_refused_at_once() -> None:
    ingress = {"gateway": NAMED, "class_name": "corp"}
    found = problems(settings(release="local", ingress=ingress))
    assert [problem.partition(":")[0] for problem in found] == ["mirror", "ingress.gateway", "ingress.class_name"]


def test_what_a_platforms_stack_passes_on_of_its_gateway_is_valid_for_a_stack_on_it() -> None:
    given = parse(settings(platform={"existing": "all"}, ingress={"gateway": NAMED}))
    assert parse({"models": [], "platform": "shared", **given.shared}).ingress == given.ingress
