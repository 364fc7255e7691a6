from __future__ import annotations

from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClassReference,
    NodePoolSpec,
)
from tests.refusal import refusal

REQUIREMENTS = [labels.INSTANCE_CATEGORY.is_in("m")]
EKS_OWN = NodeClass.from_name("default")


def _template(**nodes: Any) -> NodeClaimTemplate:
    return NodeClaimTemplate(spec=NodeClaimSpec(requirements=REQUIREMENTS, **nodes))


SPEC = NodePoolSpec(template=_template())


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart", namespace="team")


def _spec(made: NodePool) -> dict[str, Any]:
    spec: dict[str, Any] = made.to_json()["spec"]
    return spec


def test_our_defaults_are_written_out(chart: cdk8s.Chart) -> None:
    assert NodePool(chart, "spot", node_class=EKS_OWN, spec=SPEC).to_json() == {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "spot"},
        "spec": {
            "template": {
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                    "requirements": [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": ["m"]}],
                    "expireAfter": "336h",
                    "terminationGracePeriod": "24h",
                }
            },
            "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "30s"},
        },
    }


def test_what_the_user_says_is_kept(chart: cdk8s.Chart) -> None:
    given = NodePoolSpec(
        template=_template(expire_after="1h", termination_grace_period="0s"),
        disruption=Disruption(consolidation_policy="Balanced", consolidate_after="Never", budgets=[Budget(nodes="1")]),
        weight=7,
        limits={"cpu": 1},
    )
    spec = _spec(NodePool(chart, "spot", node_class=EKS_OWN, spec=given))
    assert spec["disruption"] == given.to_manifest()["disruption"]
    assert spec["template"]["spec"]["expireAfter"] == "1h"
    assert spec["template"]["spec"]["terminationGracePeriod"] == "0s"
    assert (spec["weight"], spec["limits"]) == (7, {"cpu": 1})
    assert given.template.spec.node_class_ref is None


def test_half_a_disruption_is_completed(chart: cdk8s.Chart) -> None:
    given = NodePoolSpec(template=_template(), disruption=Disruption(budgets=[Budget(nodes="1")]))
    assert _spec(NodePool(chart, "spot", node_class=EKS_OWN, spec=given))["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "30s",
        "budgets": [{"nodes": "1"}],
    }


def test_a_static_pool_says_nothing_of_disruption(chart: cdk8s.Chart) -> None:
    static = NodePoolSpec(template=_template(), replicas=2)
    assert "disruption" not in _spec(NodePool(chart, "fixed", node_class=EKS_OWN, spec=static))
    budgeted = NodePoolSpec(template=_template(), replicas=0, disruption=Disruption(budgets=[Budget(nodes="1")]))
    assert "disruption" in _spec(NodePool(chart, "empty", node_class=EKS_OWN, spec=budgeted))


def test_a_pool_points_at_the_node_class_it_is_given(chart: cdk8s.Chart) -> None:
    gpu = NodeClass(
        chart,
        "Gpu",
        name="gpu",
        spec=NodeClassSpec(
            role="nodes",
            subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
            security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
        ),
    )
    pool = NodePool(chart, "spot", node_class=gpu, spec=SPEC)
    assert _spec(pool)["template"]["spec"]["nodeClassRef"]["name"] == "gpu"
    assert pool.spec.template.spec.node_class_ref is not None


def test_a_spec_that_names_another_node_class_is_refused(chart: cdk8s.Chart) -> None:
    reference = NodeClassReference(group="eks.amazonaws.com", kind="NodeClass", name="gpu")
    given = NodePoolSpec(template=_template(node_class_ref=reference))
    assert refusal(lambda: NodePool(chart, "spot", node_class=EKS_OWN, spec=given)) == (
        "chart/spot: spec.template.spec.node_class_ref: names 'gpu', but node_class is 'default'; "
        "leave node_class_ref out: node_class writes it"
    )
    assert chart.node.children == []
    assert NodePool(chart, "spot", node_class=NodeClass.from_name("gpu"), spec=given).name == "spot"


@pytest.mark.parametrize(("id", "name"), [("system", None), ("x", "general-purpose"), ("x", "system")])
def test_the_names_of_the_built_in_pools_belong_to_eks(chart: cdk8s.Chart, id: str, name: str | None) -> None:
    assert refusal(lambda: NodePool(chart, id, name=name, node_class=EKS_OWN, spec=SPEC)) == (
        f"chart/{id}: name: '{name or id}' is a NodePool that EKS makes and reverts; choose another name"
    )
    assert chart.node.children == []


def test_a_name_fits_into_a_node_label(chart: cdk8s.Chart) -> None:
    assert "use at most 63 lower-case letters" in refusal(
        lambda: NodePool(chart, "x", name="a" * 64, node_class=EKS_OWN, spec=SPEC)
    )


def test_a_node_class_made_elsewhere_is_noted_for_the_whole_tree_checks(chart: cdk8s.Chart) -> None:
    known = NodePool(chart, "a", node_class=NodeClass.from_name("gpu", made_elsewhere=True), spec=SPEC)
    unknown = NodePool(chart, "b", node_class=NodeClass.from_name("gpu"), spec=SPEC)
    assert [(entry.type, entry.data) for entry in known.node.metadata] == [("automode:external-node-class", "gpu")]
    assert unknown.node.metadata == []
