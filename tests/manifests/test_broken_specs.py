"""No construct writes a spec that holds errors, however the spec was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.gateway_class import GatewayClass
from automode_constructs.manifests.ingress_class import IngressClassParams
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.reserved_capacity import ReservedCapacity
from automode_constructs.manifests.static_node_pools import StaticNodePools
from automode_constructs.manifests.storage_class import StorageClass
from automode_constructs.manifests.target_group_binding import TargetGroupBinding
from automode_constructs.manifests.volume_attributes_class import VolumeAttributesClass
from automode_constructs.manifests.volume_snapshot_class import VolumeSnapshotClass
from automode_constructs.specs import labels
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec
from automode_constructs.specs.storage.storage_class import StorageClassSpec
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes, VolumeAttributesClassSpec
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from automode_constructs.specs.traffic.gateway_class import GATEWAY_ALB_CONTROLLER, GatewayClassSpec
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec
from automode_constructs.specs.traffic.target_group_binding import ServiceReference, TargetGroupBindingSpec
from tests.refusal import refusal

CLASS = NodeClassSpec(
    role="nodes",
    subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
    security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
)
POOL = NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=[labels.INSTANCE_CATEGORY.is_in("m")])))
EKS_OWN = NodeClass.from_name("default")
RESERVATION = CapacityReservation(id="cr-0aaaaaaaaaaaaaaaa", instance_type="m8i.4xlarge", zone="us-east-1a")
BINDING = TargetGroupBindingSpec(
    service_ref=ServiceReference(name="web", port=80),
    target_group_arn="arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/0123456789abcdef",
    target_type="ip",
)

CONSTRUCTS: dict[str, tuple[Callable[[cdk8s.Chart, Any], object], KubeModel, str]] = {
    "NodeClass": (lambda chart, spec: NodeClass(chart, "x", spec=spec), CLASS, "spec"),
    "NodePool": (lambda chart, spec: NodePool(chart, "x", node_class=EKS_OWN, spec=spec), POOL, "spec"),
    "StaticNodePools": (
        lambda chart, spec: StaticNodePools(chart, "x", node_class=EKS_OWN, spec=spec, replicas=1),
        POOL,
        "spec",
    ),
    "ReservedCapacity": (
        lambda chart, spec: ReservedCapacity(chart, "x", reservation=RESERVATION, node_class_spec=CLASS, spec=spec),
        POOL,
        "spec",
    ),
    "ReservedCapacity's class": (
        lambda chart, spec: ReservedCapacity(chart, "x", reservation=RESERVATION, node_class_spec=spec),
        CLASS,
        "node_class_spec",
    ),
    "StorageClass": (
        lambda chart, spec: StorageClass(chart, "x", spec=spec),
        StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com"),
        "spec",
    ),
    "IngressClassParams": (
        lambda chart, spec: IngressClassParams(chart, "x", spec=spec),
        IngressClassParamsSpec(),
        "spec",
    ),
    "GatewayClass": (
        lambda chart, spec: GatewayClass(chart, "x", spec=spec),
        GatewayClassSpec(controller_name=GATEWAY_ALB_CONTROLLER),
        "spec",
    ),
    "TargetGroupBinding": (lambda chart, spec: TargetGroupBinding(chart, "x", spec=spec), BINDING, "spec"),
    "VolumeAttributesClass": (
        lambda chart, spec: VolumeAttributesClass(chart, "x", spec=spec),
        VolumeAttributesClassSpec(driver_name="ebs.csi.eks.amazonaws.com", parameters=VolumeAttributes(iops="6000")),
        "spec",
    ),
    "VolumeSnapshotClass": (
        lambda chart, spec: VolumeSnapshotClass(chart, "x", spec=spec),
        VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete"),
        "spec",
    ),
}


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart")


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_spec_that_was_changed_unjudged_is_refused(chart: cdk8s.Chart, name: str) -> None:
    make, spec, field = CONSTRUCTS[name]
    broken = spec.model_copy(update={"nonsense": 1})
    assert refusal(lambda: make(chart, broken)).startswith(f"chart/x: {field}.nonsense: is not a known field")
    assert chart.node.children == []
    make(chart, spec)


def test_every_rule_that_an_unjudged_copy_breaks_is_told(chart: cdk8s.Chart) -> None:
    broken = CLASS.model_copy(update={"role": None, "tags": {"aws:x": "y"}})
    assert refusal(lambda: NodeClass(chart, "web", spec=broken)) == (
        "chart/web: 2 problems\n"
        "  spec.role: a NodeClass needs exactly one of 'role' and 'instance_profile', got neither\n"
        "  spec.tags: the tag key 'aws:x' is reserved for Auto Mode; remove it"
    )
    assert chart.node.children == []
