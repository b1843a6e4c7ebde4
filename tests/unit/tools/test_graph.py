from __future__ import annotations

from pathlib import Path

import pytest

from tools.graph import (
    BEGIN,
    END,
    OURS,
    PAGE,
    READMES,
    Deployment,
    Export,
    Graph,
    Resource,
    components_diagram,
    page,
    parts_diagram,
    reduced,
    with_diagram,
)

STACK = "urn:pulumi:dev::kserve-multi-model::pulumi:pulumi:Stack::kserve-multi-model-dev"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::kserve-multi-model::{kind}::{name}"


def resource(kind: str, name: str, *, parent: str = STACK, after: tuple[str, ...] = ()) -> Resource:
    return Resource(urn=urn(kind, name), type=kind, parent=parent, dependencies=after)


CHART = "kubernetes:helm.sh/v4:Chart"
ISTIO = resource(f"{OURS}platform:Istio", "istio")
NAMESPACE = resource("kubernetes:core/v1:Namespace", "istio-system", parent=ISTIO.urn)
BASE = resource("kubernetes:helm.sh/v3:Release", "istio-base", parent=ISTIO.urn, after=(NAMESPACE.urn,))
ISTIOD = resource(CHART, "istiod", parent=ISTIO.urn, after=(BASE.urn,))
# An object of the chart: what it waits for, the chart waits for.
PILOT = resource("kubernetes:apps/v1:Deployment", "istio-system/istiod", parent=ISTIOD.urn)
KSERVE = resource(f"{OURS}platform:KServe", "kserve")
CONTROLLER = resource(CHART, "kserve", parent=KSERVE.urn)
WEBHOOK = resource("kubernetes:apps/v1:Deployment", "kserve/webhook", parent=CONTROLLER.urn, after=(BASE.urn,))
RUNTIMES = resource(CHART, "kserve-runtimes", parent=KSERVE.urn, after=(CONTROLLER.urn,))
MODEL = resource(f"{OURS}serving:InferenceService", "sklearn-model", after=(RUNTIMES.urn, PILOT.urn, CONTROLLER.urn))
SERVICE = resource("kubernetes:serving.kserve.io/v1beta1:InferenceService", "sklearn-model", parent=MODEL.urn)


@pytest.fixture
def graph() -> Graph:
    everything = (ISTIO, NAMESPACE, BASE, ISTIOD, PILOT, KSERVE, CONTROLLER, WEBHOOK, RUNTIMES, MODEL, SERVICE)
    stack = Resource(urn=STACK, type="pulumi:pulumi:Stack")
    return Graph.of(Export(deployment=Deployment(resources=(stack, *everything))))


def test_resources_collapse_into_the_parts_of_components(graph: Graph) -> None:
    assert {component: [part.name for part in parts] for component, parts in graph.parts.items()} == {
        ISTIO.urn: ["istio-base", "istiod"],
        KSERVE.urn: ["kserve", "kserve-runtimes"],
        MODEL.urn: ["sklearn-model"],
    }


def test_parts_wait_for_what_their_objects_wait_for(graph: Graph) -> None:
    assert graph.waits == {
        (BASE.urn, ISTIOD.urn),
        (BASE.urn, CONTROLLER.urn),
        (CONTROLLER.urn, RUNTIMES.urn),
        (RUNTIMES.urn, MODEL.urn),
        (ISTIOD.urn, MODEL.urn),
    }


def test_a_component_that_waits_for_a_part_has_a_dotted_arrow(graph: Graph) -> None:
    whole, partly = graph.component_waits
    assert whole == {(ISTIO.urn, MODEL.urn), (KSERVE.urn, MODEL.urn)}
    assert partly == {(ISTIO.urn, KSERVE.urn)}
    lines = components_diagram(graph).splitlines()
    assert lines[0] == "flowchart LR"
    assert '  c2["sklearn-model<br/>InferenceService"]' in lines
    assert {"  c0 --> c2", "  c1 --> c2", "  c0 -.-> c1"} <= set(lines)


def test_parts_are_drawn_in_their_component(graph: Graph) -> None:
    lines = parts_diagram(graph).splitlines()
    start = lines.index('  subgraph c0["Istio"]')
    assert "istio-base" in lines[start + 1]
    assert "istiod" in lines[start + 2]
    assert lines[start + 3] == "  end"
    assert parts_diagram(graph) in page(graph)


def test_the_order_of_the_export_does_not_show(graph: Graph) -> None:
    assert page(Graph(dict(reversed(list(graph.resources.items()))))) == page(graph)


def test_an_arrow_that_others_imply_is_left_out() -> None:
    assert reduced({("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")}) == {("a", "b"), ("b", "c"), ("a", "d")}


def test_the_diagram_goes_between_the_markers() -> None:
    text = with_diagram(f"above\n{BEGIN}\nold\n{END}\nbelow\n", "flowchart LR")
    assert text == f"above\n{BEGIN}\n\n```mermaid\nflowchart LR\n```\n\n{END}\nbelow\n"
    assert with_diagram(text, "flowchart LR") == text
    with pytest.raises(ValueError, match="no place for the graph"):
        with_diagram("no markers", "flowchart LR")


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readmes_show_the_pages_diagram(readme: Path) -> None:
    diagram = PAGE.read_text("utf-8").split("```mermaid\n")[1].split("\n```")[0]
    text = readme.read_text("utf-8")
    assert with_diagram(text, diagram) == text, "it is stale: run `make docs`"
