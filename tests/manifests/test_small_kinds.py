"""GatewayClass, VolumeSnapshotClass, VolumeAttributesClass and TargetGroupBinding against stored manifests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdk8s
import pytest
import yaml

from automode_constructs.checks.document import judge_document
from automode_constructs.manifests.gateway_class import GatewayClass
from automode_constructs.manifests.kubernetes_object import WARNING_METADATA, KubernetesObject
from automode_constructs.manifests.target_group_binding import TargetGroupBinding
from automode_constructs.manifests.volume_attributes_class import VolumeAttributesClass
from automode_constructs.manifests.volume_snapshot_class import VolumeSnapshotClass
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributes, VolumeAttributesClassSpec
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from automode_constructs.specs.traffic.gateway_class import GATEWAY_ALB_CONTROLLER, GatewayClassSpec
from automode_constructs.specs.traffic.target_group_binding import (
    NetworkingPeer,
    NetworkingPort,
    NetworkingRule,
    NetworkingSecurityGroup,
    ServiceReference,
    TargetGroupBindingSpec,
    TargetGroupNetworking,
)

STORED: dict[str, dict[str, Any]] = {
    document["kind"]: document
    for document in yaml.safe_load_all(Path(__file__).with_name("small_kinds.yaml").read_text("utf-8"))
}
BINDING = TargetGroupBindingSpec(
    service_ref=ServiceReference(name="web", port=80),
    target_group_arn="arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/0123456789abcdef",
    target_type="ip",
    networking=TargetGroupNetworking(
        ingress=[
            NetworkingRule(
                from_=[NetworkingPeer(security_group=NetworkingSecurityGroup(group_id="sg-0123456789abcdef0"))],
                ports=[NetworkingPort(protocol="TCP", port=8080)],
            )
        ]
    ),
)
MAKE: dict[str, Callable[[cdk8s.Chart], KubernetesObject]] = {
    "GatewayClass": lambda chart: GatewayClass(
        chart, "alb", spec=GatewayClassSpec(controller_name=GATEWAY_ALB_CONTROLLER)
    ),
    "VolumeSnapshotClass": lambda chart: VolumeSnapshotClass(
        chart,
        "snapshots",
        spec=VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete"),
        default_class=True,
    ),
    "VolumeAttributesClass": lambda chart: VolumeAttributesClass(
        chart,
        "class",
        name="fast",
        spec=VolumeAttributesClassSpec(
            driver_name="ebs.csi.eks.amazonaws.com",
            parameters=VolumeAttributes(type="gp3", iops="6000", throughput="500"),
        ),
    ),
    "TargetGroupBinding": lambda chart: TargetGroupBinding(chart, "web", spec=BINDING),
}


@pytest.mark.parametrize("kind", MAKE)
def test_each_is_the_stored_manifest_which_has_no_finding(kind: str) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart", namespace="shop")
    assert MAKE[kind](chart).to_json() == STORED[kind]
    assert judge_document(STORED[kind]) == []


def test_only_what_a_spec_warns_of_is_noted() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    fine = MAKE["GatewayClass"](chart)
    odd = GatewayClass(chart, "odd", spec=GatewayClassSpec(controller_name="eks.amazonaws.com/gateway"))
    assert [item.type for item in fine.node.metadata] == []
    (note,) = [item.data for item in odd.node.metadata if item.type == WARNING_METADATA]
    assert note["rule"] == "automode:GatewayController"
    assert note["message"].startswith(
        "controller_name: 'eks.amazonaws.com/gateway' is not known, so no controller serves its Gateways; "
    )


def test_a_snapshot_class_is_no_default_unless_said() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    spec = VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Retain")
    assert VolumeSnapshotClass(chart, "kept", spec=spec).to_json()["metadata"] == {"name": "kept"}
