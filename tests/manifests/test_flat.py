"""Constructs take the fields of their specs as keywords."""

from __future__ import annotations

import inspect
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin, get_type_hints

import cdk8s
import pytest

from automode_constructs.manifests.flat import fields_at
from automode_constructs.manifests.gateway_class import GatewayClass
from automode_constructs.manifests.ingress_class import IngressClassParams
from automode_constructs.manifests.kubernetes_object import WARNING_METADATA, KubernetesObject
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.storage_class import StorageClass
from automode_constructs.manifests.target_group_binding import TargetGroupBinding
from automode_constructs.manifests.volume_attributes_class import VolumeAttributesClass
from automode_constructs.manifests.volume_snapshot_class import VolumeSnapshotClass
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
from automode_constructs.specs.storage.storage_class import StorageClassSpec, StorageParameters
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes, VolumeAttributesClassSpec
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from automode_constructs.specs.traffic.gateway_class import GatewayClassSpec
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec
from automode_constructs.specs.traffic.target_group_binding import ServiceReference, TargetGroupBindingSpec
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
    own = {"name", "spec", "node_class", "default_class"}
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} - own


def test_every_field_of_a_pool_is_a_keyword() -> None:
    parts: dict[type[KubeModel], list[str]] = {
        NodePoolSpec: ["template"],
        NodeClaimTemplate: ["metadata", "spec"],
        NodeMetadata: [],
        NodeClaimSpec: ["node_class_ref"],
        Disruption: [],
    }
    fields = [name for model, but in parts.items() for name in fields_at("", model, but=but)]
    assert len(fields) == len(set(fields))
    assert _keywords(NodePool) == set(fields)


@pytest.mark.parametrize(
    ("construct", "constant", "parts"),
    [
        (GatewayClass, set(), [GatewayClassSpec]),
        (IngressClassParams, set(), [IngressClassParamsSpec]),
        (NodeClass, set(), [NodeClassSpec]),
        (StorageClass, {"provisioner"}, [StorageParameters, StorageClassSpec]),
        (TargetGroupBinding, set(), [TargetGroupBindingSpec]),
        (VolumeAttributesClass, {"driver_name"}, [VolumeAttributes, VolumeAttributesClassSpec]),
        (VolumeSnapshotClass, {"driver"}, [VolumeSnapshotClassSpec]),
    ],
)
def test_every_field_is_a_keyword_of_its_own_type(
    construct: type[KubernetesObject], constant: set[str], parts: list[type[KubeModel]]
) -> None:
    fields = {name: field for part in parts for name, field in part.model_fields.items() if name not in constant}
    assert len(fields) == sum(len(part.model_fields) for part in parts) - len(constant)
    assert _keywords(construct) == fields.keys()
    keywords = get_type_hints(get_args(get_type_hints(construct.__init__)["fields"])[0])
    assert {name: keywords[name] for name in fields} == {
        name: Optional[_plain(field.annotation)]  # noqa: UP045 - the annotation is a value here
        for name, field in fields.items()
    }
    described = inspect.getdoc(construct) or ""
    assert [name for name in fields if f"\n    {name}: " not in described] == []


def _plain(annotation: Any) -> Any:
    """A type without what pydantic reads beside it."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    arguments = tuple(_plain(one) for one in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return Union[arguments]  # noqa: UP007 - the annotation is a value here
    return annotation if not arguments or get_origin(annotation) is Literal else get_origin(annotation)[arguments]


def test_a_pool_in_keywords_is_the_pool_in_its_spec(chart: cdk8s.Chart) -> None:
    assert OF_A_POOL.keys() == _keywords(NodePool) - {"replicas", "disruption"}
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


def test_a_pool_takes_its_disruption_whole(chart: cdk8s.Chart) -> None:
    disruption = Disruption(consolidation_policy="WhenEmpty", consolidate_after="10m", budgets=[BUDGET])
    whole = _pool(chart, requirements=REQUIREMENTS, disruption=disruption)
    assert whole.spec.disruption == disruption
    assert NodePool(chart, "y", node_class=EKS_OWN, spec=SPEC, disruption=disruption).spec == whole.spec


GP2 = StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com", parameters=StorageParameters(type="gp2"))
OF_A_KIND: list[tuple[type[KubernetesObject], dict[str, Any], KubeModel]] = [
    (
        GatewayClass,
        {"controller_name": "eks.amazonaws.com/alb"},
        GatewayClassSpec(controller_name="eks.amazonaws.com/alb"),
    ),
    (
        IngressClassParams,
        {"scheme": "internet-facing", "inbound_cidrs": ["10.0.0.0/8"]},
        IngressClassParamsSpec(scheme="internet-facing", inbound_cidrs=["10.0.0.0/8"]),
    ),
    (
        StorageClass,
        {"type": "io2", "iops": "4000", "reclaim_policy": "Retain"},
        StorageClassSpec(
            provisioner="ebs.csi.eks.amazonaws.com",
            parameters=StorageParameters(type="io2", iops="4000"),
            reclaim_policy="Retain",
        ),
    ),
    (StorageClass, {}, StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com")),
    (
        TargetGroupBinding,
        {"service_ref": ServiceReference(name="shop", port=80), "target_group_arn": "arn", "target_type": "ip"},
        TargetGroupBindingSpec(
            service_ref=ServiceReference(name="shop", port=80), target_group_arn="arn", target_type="ip"
        ),
    ),
    (
        VolumeAttributesClass,
        {"iops": "6000"},
        VolumeAttributesClassSpec(driver_name="ebs.csi.eks.amazonaws.com", parameters=VolumeAttributes(iops="6000")),
    ),
    (
        VolumeSnapshotClass,
        {"deletion_policy": "Delete", "parameters": {"a": "b"}},
        VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete", parameters={"a": "b"}),
    ),
]


@pytest.mark.parametrize(("construct", "fields", "spec"), OF_A_KIND)
def test_keywords_make_what_the_spec_makes(construct: Any, fields: dict[str, Any], spec: KubeModel) -> None:
    charts = [cdk8s.Chart(cdk8s.App(), "chart", namespace="shop") for _ in range(2)]
    keywords, exact = construct(charts[0], "x", **fields), construct(charts[1], "x", spec=spec)
    assert keywords.to_json() == exact.to_json()


def test_keywords_leave_the_tags_of_a_storage_class(chart: cdk8s.Chart) -> None:
    tagged = StorageParameters(type="gp3").with_tags({"team": "ml"})
    spec = StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com", parameters=tagged)
    parameters = {"type": "gp3", "tagSpecification_1": "team=ml", "encrypted": "true"}
    assert StorageClass(chart, "x", parameters=tagged).to_json()["parameters"] == parameters
    more = StorageClass(chart, "y", spec=spec, throughput="250")
    assert more.to_json()["parameters"] == {**parameters, "throughput": "250"}


@pytest.mark.parametrize(
    ("construct", "fields", "message"),
    [
        (GatewayClass, {}, "controller_name: is required"),
        (IngressClassParams, {"target_type": "pod"}, "target_type: 'pod' is not known; use one of 'instance', 'ip'"),
        (
            IngressClassParams,
            {"inbound_cidrs": ["all"]},
            "inbound_cidrs[0]: 'all' is not a range of addresses such as '10.0.0.0/8'",
        ),
        (StorageClass, {"iops": 3000}, "iops: needs a text, got 3000; write '3000'"),
        (
            StorageClass,
            {"type": "gp2", "throughput": "250"},
            "throughput: only gp3 has a throughput, not gp2; remove it",
        ),
        (
            StorageClass,
            {"type": "gp2", "parameters": StorageParameters(type="gp2")},
            "parameters: stands beside type, which it holds; write all of it in one of the two",
        ),
        (
            StorageClass,
            {
                "type": "gp2",
                "spec": StorageClassSpec(
                    provisioner="ebs.csi.eks.amazonaws.com", parameters=StorageParameters(type="gp2")
                ),
            },
            "type: stands in spec.parameters.type too; write it in one of the two",
        ),
        (
            TargetGroupBinding,
            {"target_type": "ip"},
            "2 problems\n  service_ref: is required\n  target_group",
        ),
        (VolumeAttributesClass, {}, "parameters: is required"),
        (VolumeSnapshotClass, {"deletion_policy": "Keep"}, "deletion_policy: 'Keep' is not known; use one of 'Delete'"),
    ],
)
def test_what_is_wrong_with_a_keyword(chart: cdk8s.Chart, construct: Any, fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: construct(chart, "x", **fields)).startswith(f"chart/x: {message}")
    assert chart.node.children == []


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
        (
            {"requirements": REQUIREMENTS, "disruption": Disruption(), "consolidate_after": "1m", "budgets": [BUDGET]},
            "disruption: stands beside consolidate_after, budgets, which it holds; write all of it in one of the two",
        ),
        (
            {"spec": SPEC.replace(disruption=Disruption()), "disruption": Disruption()},
            "disruption: stands in spec.disruption too; write it in one of the two",
        ),
        (
            {"requirements": REQUIREMENTS, "expire_after": 30, "termination_grace_period": timedelta(hours=2)},
            "2 problems\n"
            "  expire_after: needs a text, got 30; write '30s' for seconds, '30m' for minutes, '30h' for hours\n"
            "  termination_grace_period: needs a text, got datetime.timedelta(seconds=7200); write '2h'",
        ),
        (
            {"requirements": REQUIREMENTS, "consolidate_after": 0.5},
            "consolidate_after: needs a text, got 0.5; write '30s' for minutes, '30m' for hours",
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
