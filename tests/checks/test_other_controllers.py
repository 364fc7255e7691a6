from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import Manifest, judge_document


def _object(api_version: str, kind: str, **body: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **body}


@pytest.mark.parametrize(
    ("document", "rule", "text"),
    [
        (
            _object("elbv2.k8s.aws/v1beta1", "IngressClassParams"),
            "automode:OpenSourceLoadBalancer",
            "apiVersion: Auto Mode does not read this IngressClassParams, so it has no effect; write "
            "eks.amazonaws.com/v1",
        ),
        (
            _object("elbv2.k8s.aws/v1beta1", "TargetGroupBinding"),
            "automode:OpenSourceLoadBalancer",
            "apiVersion: Auto Mode does not read this TargetGroupBinding, so it has no effect; write "
            "eks.amazonaws.com/v1",
        ),
        (
            _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "ingress.k8s.aws/alb"}),
            "automode:OpenSourceLoadBalancer",
            "spec.controller: 'ingress.k8s.aws/alb' is not Auto Mode's controller, so Auto Mode makes no load "
            "balancer; write eks.amazonaws.com/alb. "
            "An existing IngressClass refuses this change: delete it and create it again",
        ),
        (
            _object("gateway.networking.k8s.io/v1", "GatewayClass", spec={"controllerName": "gateway.k8s.aws/alb"}),
            "automode:OpenSourceLoadBalancer",
            "spec.controllerName: 'gateway.k8s.aws/alb' is not Auto Mode's controller, so Auto Mode makes no load "
            "balancer; write eks.amazonaws.com/gateway-alb or eks.amazonaws.com/gateway-nlb. "
            "An existing GatewayClass refuses this change: delete it and create it again",
        ),
        (
            _object(
                "v1",
                "Service",
                spec={"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb", "ports": [{"port": 80}]},
            ),
            "automode:OpenSourceLoadBalancer",
            "spec.loadBalancerClass: 'service.k8s.aws/nlb' is not Auto Mode's controller, so Auto Mode makes no load "
            "balancer; write eks.amazonaws.com/nlb. "
            "An existing Service refuses this change: delete it and create it again; its address changes",
        ),
        (
            _object("storage.k8s.io/v1", "StorageClass", provisioner="ebs.csi.aws.com"),
            "automode:AddOnStorage",
            "provisioner: 'ebs.csi.aws.com' does not run on Auto Mode's nodes, so the class serves no pod there; "
            "write ebs.csi.eks.amazonaws.com. "
            "An existing StorageClass refuses this change: delete it and create it again",
        ),
        (
            _object("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", driver="ebs.csi.aws.com"),
            "automode:AddOnStorage",
            "driver: 'ebs.csi.aws.com' does not run on Auto Mode's nodes, so the class serves no pod there; write "
            "ebs.csi.eks.amazonaws.com",
        ),
        (
            _object("storage.k8s.io/v1", "VolumeAttributesClass", driverName="ebs.csi.aws.com"),
            "automode:AddOnStorage",
            "driverName: 'ebs.csi.aws.com' does not run on Auto Mode's nodes, so the class serves no pod there; "
            "write ebs.csi.eks.amazonaws.com. "
            "An existing VolumeAttributesClass refuses this change: delete it and create it again",
        ),
        (
            _object("vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy"),
            "automode:PodNetworking",
            "kind: SecurityGroupPolicy has no effect on Auto Mode's nodes; "
            "set podSecurityGroupSelectorTerms and podSubnetSelectorTerms in a NodeClass",
        ),
        (
            _object("crd.k8s.amazonaws.com/v1alpha1", "ENIConfig"),
            "automode:PodNetworking",
            "kind: ENIConfig has no effect on Auto Mode's nodes; "
            "set podSubnetSelectorTerms and podSecurityGroupSelectorTerms in a NodeClass",
        ),
    ],
)
def test_objects_of_other_controllers_are_warned_of(document: dict[str, Any], rule: str, text: str) -> None:
    findings = judge_document(document)
    assert findings is not None
    assert [(one.severity, one.rule, str(one)) for one in findings] == [("warning", rule, text)]


@pytest.mark.parametrize(
    "document",
    [
        _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "k8s.io/ingress-nginx"}),
        _object("gateway.networking.k8s.io/v1", "GatewayClass", spec={"controllerName": "example.com/gateway"}),
        _object("storage.k8s.io/v1", "StorageClass", provisioner="efs.csi.aws.com"),
        _object("elbv2.k8s.aws/v1beta1", "Other"),
    ],
)
def test_what_has_no_match_in_auto_mode_is_passed_by(document: dict[str, Any]) -> None:
    assert judge_document(document) is None


@pytest.mark.parametrize(
    "document",
    [
        _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "eks.amazonaws.com/alb"}),
        *(
            _object(
                f"gateway.networking.k8s.io/{version}",
                "GatewayClass",
                spec={"controllerName": f"eks.amazonaws.com/{controller}"},
                status={"conditions": []},
            )
            for version in ("v1", "v1beta1")
            for controller in ("gateway-alb", "gateway-nlb")
        ),
        _object(
            "storage.k8s.io/v1",
            "StorageClass",
            provisioner="ebs.csi.eks.amazonaws.com",
            volumeBindingMode="WaitForFirstConsumer",
            parameters={"type": "gp3", "tagSpecification_1": "team=web"},
        ),
        _object(
            "storage.k8s.io/v1beta1",
            "VolumeAttributesClass",
            driverName="ebs.csi.eks.amazonaws.com",
            parameters={"type": "gp3"},
        ),
        _object(
            "snapshot.storage.k8s.io/v1",
            "VolumeSnapshotClass",
            driver="ebs.csi.eks.amazonaws.com",
            deletionPolicy="Delete",
        ),
    ],
)
def test_auto_modes_own_have_no_finding_and_come_back_whole(document: dict[str, Any]) -> None:
    assert judge_document(document) == []
    assert Manifest.from_manifest(document).to_manifest() == document


def test_a_class_that_names_nothing_is_judged() -> None:
    findings = judge_document(_object("networking.k8s.io/v1", "IngressClass"))
    assert findings is not None
    assert [str(finding) for finding in findings] == ["spec: is required"]
