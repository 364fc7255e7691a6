from __future__ import annotations

from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.node_class import NamedNodeClass, NodeClass
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from tests.refusal import refusal

SPEC = NodeClassSpec(
    role="nodes",
    subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
    security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
)


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart", namespace="team")


def test_a_node_class_is_its_spec_and_nothing_else(chart: cdk8s.Chart) -> None:
    made = NodeClass(chart, "standard", spec=SPEC)
    assert made.to_json() == {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "NodeClass",
        "metadata": {"name": "standard"},
        "spec": SPEC.to_manifest(),
    }
    assert made.spec is SPEC


@pytest.mark.parametrize(("id", "name"), [("default", None), ("standard", "default")])
def test_the_name_default_belongs_to_eks(chart: cdk8s.Chart, id: str, name: str | None) -> None:
    assert refusal(lambda: NodeClass(chart, id, name=name, spec=SPEC)) == (
        f"chart/{id}: name: 'default' is the NodeClass that EKS makes and reverts; "
        "choose another name, or use NodeClass.from_name('default') to refer to EKS's own"
    )
    assert chart.node.children == []


def test_an_id_default_is_fine_under_another_name(chart: cdk8s.Chart) -> None:
    assert NodeClass(chart, "default", name="standard", spec=SPEC).name == "standard"


def test_a_name_fits_into_a_node_label(chart: cdk8s.Chart) -> None:
    assert NodeClass(chart, "a" * 63, spec=SPEC).name == "a" * 63
    assert "use at most 63 lower-case letters" in refusal(lambda: NodeClass(chart, "a" * 64, spec=SPEC))


def test_a_node_class_may_be_known_by_name_only() -> None:
    assert NodeClass.from_name("default") == NamedNodeClass(name="default", made_elsewhere=False)
    assert NodeClass.from_name("gpu", made_elsewhere=True) == NamedNodeClass(name="gpu", made_elsewhere=True)


@pytest.mark.parametrize("name", ["", "GPU", "a" * 64], ids=repr)
def test_a_name_no_node_class_can_have_is_refused(name: Any) -> None:
    assert refusal(lambda: NodeClass.from_name(name)).startswith(
        f"NodeClass.from_name: name: {name!r} cannot be the name of this object; use at most 63 lower-case letters"
    )
