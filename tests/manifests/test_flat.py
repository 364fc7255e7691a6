"""NodePool and NodeClass take the fields of their specs as keywords."""

from __future__ import annotations

import inspect
from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.flat import fields_at
from automode_constructs.manifests.kubernetes_object import WARNING_METADATA, KubernetesObject
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs import labels as on
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.kubelet import Kubelet
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeMetadata,
    NodePoolSpec,
    Taint,
)
from tests.refusal import refusal

EKS_OWN = NodeClass.from_name("default")
REQUIREMENTS = [on.INSTANCE_CATEGORY.is_in("m")]
SPEC = NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=REQUIREMENTS)))
BUDGET, TAINT = Budget(nodes="10%"), Taint(key="team", value="ml", effect="NoSchedule")
OF_A_POOL: dict[str, Any] = {
    "requirements": REQUIREMENTS,
    "taints": [TAINT],
    "startup_taints": [TAINT.replace(key="starting")],
    "labels": {"team": "ml"},
    "annotations": {"why": "tests"},
    "expire_after": "240h",
    "termination_grace_period": "1h",
    "limits": {"cpu": 100, "memory": "400Gi"},
    "weight": 10,
    "consolidation_policy": "WhenEmpty",
    "consolidate_after": "10m",
    "budgets": [BUDGET],
}
OF_A_CLASS: dict[str, Any] = {
    "role": "nodes",
    "subnet_selector_terms": [SubnetSelectorTerm(id="subnet-1")],
    "security_group_selector_terms": [SecurityGroupSelectorTerm(id="sg-1")],
}


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart")


def _pool(chart: cdk8s.Chart, **fields: Any) -> NodePool:
    return NodePool(chart, "x", **{"node_class": EKS_OWN, **fields})


def _keywords(construct: type[KubernetesObject]) -> set[str]:
    parameters = inspect.signature(construct.__init__).parameters.values()
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} - {"name", "spec", "node_class"}


def test_every_field_of_a_pool_is_a_keyword() -> None:
    parts: dict[type[KubeModel], list[str]] = {
        NodePoolSpec: ["template", "disruption"],
        NodeClaimTemplate: ["metadata", "spec"],
        NodeMetadata: [],
        NodeClaimSpec: ["node_class_ref"],
        Disruption: [],
    }
    fields = [name for model, but in parts.items() for name in fields_at("", model, but=but)]
    assert len(fields) == len(set(fields))
    assert _keywords(NodePool) == set(fields)


def test_every_field_of_a_class_is_a_keyword() -> None:
    assert _keywords(NodeClass) == NodeClassSpec.model_fields.keys()


def test_a_pool_in_keywords_is_the_pool_in_its_spec(chart: cdk8s.Chart) -> None:
    assert OF_A_POOL.keys() == _keywords(NodePool) - {"replicas"}
    spec = NodePoolSpec(
        template=NodeClaimTemplate(
            metadata=NodeMetadata(labels={"team": "ml"}, annotations={"why": "tests"}),
            spec=NodeClaimSpec(
                requirements=REQUIREMENTS,
                taints=[TAINT],
                startup_taints=OF_A_POOL["startup_taints"],
                expire_after="240h",
                termination_grace_period="1h",
            ),
        ),
        disruption=Disruption(consolidation_policy="WhenEmpty", consolidate_after="10m", budgets=[BUDGET]),
        limits={"cpu": 100, "memory": "400Gi"},
        weight=10,
    )
    flat = _pool(chart, **OF_A_POOL)
    assert flat.to_json() == NodePool(chart, "y", name="x", node_class=EKS_OWN, spec=spec).to_json()
    static = NodePool(chart, "z", node_class=EKS_OWN, requirements=REQUIREMENTS, replicas=2)
    assert (static.spec.replicas, static.spec.disruption) == (2, None)


def test_a_class_in_keywords_is_the_class_in_its_spec(chart: cdk8s.Chart) -> None:
    more: dict[str, Any] = {"advanced_compute": AdvancedCompute(kubelet=Kubelet(max_pods=60)), "tags": {"team": "ml"}}
    flat = NodeClass(chart, "x", **OF_A_CLASS, **more)
    spec = NodeClassSpec(**OF_A_CLASS, **more)
    assert flat.to_json() == NodeClass(chart, "y", name="x", spec=spec).to_json()


def test_keywords_complete_a_spec(chart: cdk8s.Chart) -> None:
    spec = SPEC.replace(disruption=Disruption(consolidate_after="5m"))
    made = _pool(chart, spec=spec, taints=[TAINT], consolidation_policy="WhenEmpty", limits={"cpu": 8})
    assert made.spec.template.spec.requirements == tuple(REQUIREMENTS)
    assert made.spec.template.spec.taints == (TAINT,)
    assert made.spec.disruption == Disruption(consolidate_after="5m", consolidation_policy="WhenEmpty")
    assert made.spec.limits == {"cpu": 8}
    assert spec.template.spec.taints is None
    node_class = NodeClass(chart, "c", spec=NodeClassSpec(**OF_A_CLASS), snat_policy="Disabled")
    assert node_class.spec == NodeClassSpec(**OF_A_CLASS, snat_policy="Disabled")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "requirements: is required"),
        ({"limits": {"cpu": 1}}, "requirements: is required"),
        (
            {"spec": SPEC, "requirements": REQUIREMENTS},
            "requirements: stands in spec.template.spec.requirements too; write it in one of the two",
        ),
        (
            {"spec": SPEC.replace(weight=1, disruption=Disruption(consolidate_after="1m")), **OF_A_POOL},
            "3 problems\n"
            "  requirements: stands in spec.template.spec.requirements too; write it in one of the two\n"
            "  weight: stands in spec.weight too; write it in one of the two\n"
            "  consolidate_after: stands in spec.disruption.consolidate_after too; write it in one of the two",
        ),
        (
            {"requirements": REQUIREMENTS, "weight": 101, "expire_after": "Never", "limits": {"cpu": "many"}},
            "3 problems\n"
            "  expire_after: 'Never' cannot work: Auto Mode replaces every node within 21 days; with "
            "termination_grace_period it may be at most 504h\n"
            "  limits.cpu: 'many' is not a quantity such as 1000, '500m' or '64Gi'\n"
            "  weight: must be at most 100, got 101",
        ),
        (
            {"requirements": REQUIREMENTS, "labels": {"karpenter.sh/x": "y"}},
            "labels['karpenter.sh/x']: 'karpenter.sh/x' is set by Karpenter itself; remove it",
        ),
        (
            {"spec": SPEC.replace(replicas=2), "weight": 3, "limits": {"nodes": 1}},
            "2 problems\n  weight: a static pool (with replicas) has no weight; remove one of the two\n"
            "  limits.nodes: 1 is less than the 2 nodes of the static pool; set it above replicas, with room for nodes "
            "that are being replaced",
        ),
        (
            {"spec": SPEC, "termination_grace_period": "480h"},
            "spec.template.spec.expire_after: the sum of expire_after (336h) and termination_grace_period (480h) is "
            "over 21 days (504h); shorten one of them",
        ),
        ({"requirements": "m"}, "requirements: needs a list, got the text 'm'; write ['m']"),
        ({"spec": {"template": {}}}, "spec: needs a NodePoolSpec, got a mapping; write NodePoolSpec(template=...)"),
        ({"requirement": REQUIREMENTS}, "requirement: is not a known argument; did you mean 'requirements'? Use one"),
        ({"node_class": "default", "spec": SPEC}, "node_class: needs a NodeClass or a NamedNodeClass, got the text"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(chart: cdk8s.Chart, fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: _pool(chart, **fields)).startswith(f"chart/x: {message}")
    assert chart.node.children == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"role": "nodes"},
            "2 problems\n  subnet_selector_terms: is required\n  security_group_selector_terms: is required",
        ),
        (
            {**OF_A_CLASS, "role": None},
            "role: a NodeClass needs exactly one of 'role' and 'instance_profile', got neither",
        ),
        (
            {**OF_A_CLASS, "spec": NodeClassSpec(**OF_A_CLASS)},
            "3 problems\n  role: stands in spec.role too; write it in one of the two\n",
        ),
        ({"spec": {"role": "nodes"}}, "spec: needs a NodeClassSpec, got a mapping; write NodeClassSpec(role='nodes')"),
    ],
)
def test_so_it_is_for_a_class(chart: cdk8s.Chart, fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: NodeClass(chart, "x", **fields)).startswith(f"chart/x: {message}")
    assert chart.node.children == []


def test_warnings_name_the_keywords_too(chart: cdk8s.Chart) -> None:
    risky = [on.ARCH.is_in("amd64")]
    flat = _pool(chart, requirements=risky)
    exact = NodePool(chart, "y", node_class=EKS_OWN, spec=_spec(risky))
    (of_keywords,), (of_spec,) = (
        [entry.data["message"] for entry in made.node.metadata if entry.type == WARNING_METADATA]
        for made in (flat, exact)
    )
    assert of_keywords.startswith("requirements: admit accelerated instances")
    assert of_spec == f"template.spec.{of_keywords}"


def _spec(requirements: Any) -> NodePoolSpec:
    return NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=requirements)))


def test_a_class_of_a_larger_volume_is_one_keyword_away(chart: cdk8s.Chart) -> None:
    made = NodeClass(chart, "x", **OF_A_CLASS, ephemeral_storage=EphemeralStorage(size="200Gi"))
    assert made.to_json()["spec"]["ephemeralStorage"] == {"size": "200Gi"}
