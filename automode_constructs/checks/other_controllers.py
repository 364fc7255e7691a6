"""Objects of other controllers where Auto Mode has its own: not wrong, but seldom intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.object_changes import refused_by_existing
from automode_constructs.specs.rule import rule

__all__ = ["has_driver_of_add_on", "is_auto_mode_controller", "is_auto_mode_driver", "other_controller_problems"]

OPEN_SOURCE_LOAD_BALANCER = rule(
    "automode:OpenSourceLoadBalancer",
    "GatewayClass",
    "IngressClass",
    "IngressClassParams",
    "Service",
    "TargetGroupBinding",
    severity="warning",
    sentence="Auto Mode runs its own load balancer controllers, not the open-source one.",
    source="EKS User Guide, 'Migration reference'; it may run beside Auto Mode",
)
ADD_ON_STORAGE = rule(
    "automode:AddOnStorage",
    "StorageClass",
    "VolumeAttributesClass",
    "VolumeSnapshotClass",
    severity="warning",
    sentence="Auto Mode's nodes run the driver ebs.csi.eks.amazonaws.com, not that of the EBS CSI add-on.",
    source="EKS User Guide, 'Create a storage class'; the add-on may run on other nodes",
)
POD_NETWORKING = rule(
    "automode:PodNetworking",
    "ENIConfig",
    "SecurityGroupPolicy",
    severity="warning",
    sentence="Subnets and security groups of pods on Auto Mode's nodes come from the NodeClass.",
    source="EKS User Guide, 'Learn about VPC networking and load balancing in EKS Auto Mode'",
)

_EKS = "eks.amazonaws.com"
_CONTROLLERS = {
    ("networking.k8s.io", "IngressClass"): (("spec", "controller"), "ingress.k8s.aws/alb", f"{_EKS}/alb"),
    ("gateway.networking.k8s.io", "GatewayClass"): (
        ("spec", "controllerName"),
        "gateway.k8s.aws/",
        f"{_EKS}/gateway-alb or {_EKS}/gateway-nlb",
    ),
    ("", "Service"): (("spec", "loadBalancerClass"), "service.k8s.aws/nlb", f"{_EKS}/nlb"),
}
_DRIVERS = {
    ("storage.k8s.io", "StorageClass"): "provisioner",
    ("storage.k8s.io", "VolumeAttributesClass"): "driverName",
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"): "driver",
}
_POD_NETWORKING = {
    ("vpcresources.k8s.aws", "SecurityGroupPolicy"): "podSecurityGroupSelectorTerms and podSubnetSelectorTerms",
    ("crd.k8s.amazonaws.com", "ENIConfig"): "podSubnetSelectorTerms and podSecurityGroupSelectorTerms",
}


def other_controller_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The parts of a document that name another controller where Auto Mode has its own."""
    kind = _kind(document)
    if kind[0] == "elbv2.k8s.aws" and kind[1] in {"IngressClassParams", "TargetGroupBinding"}:
        yield OPEN_SOURCE_LOAD_BALANCER.problem(
            "apiVersion", f"Auto Mode does not read this {kind[1]}, so it has no effect", f"write {_EKS}/v1"
        )
    if kind in _CONTROLLERS:
        path, others, ours = _CONTROLLERS[kind]
        controller = mapping_at(document, *path[:-1]).get(path[-1])
        if isinstance(controller, str) and controller.startswith(others):
            yield OPEN_SOURCE_LOAD_BALANCER.problem(
                ".".join(path),
                f"{shown(controller)} is not Auto Mode's controller, so Auto Mode makes no load balancer",
                f"write {ours}. {refused_by_existing(kind[1])}",
            )
    if kind in _DRIVERS and has_driver_of_add_on(document):
        yield ADD_ON_STORAGE.problem(
            _DRIVERS[kind],
            f"{shown(document[_DRIVERS[kind]])} does not run on Auto Mode's nodes, so the class serves no pod there",
            f"write ebs.csi.{_EKS}" + (f". {refused_by_existing(kind[1])}" if kind[1] != "VolumeSnapshotClass" else ""),
        )
    if kind in _POD_NETWORKING:
        yield POD_NETWORKING.problem(
            "kind", f"{kind[1]} has no effect on Auto Mode's nodes", f"set {_POD_NETWORKING[kind]} in a NodeClass"
        )


def has_driver_of_add_on(document: Mapping[str, Any]) -> bool:
    """Whether a class names the driver of the EBS CSI add-on, by its present or its old name."""
    field = _DRIVERS.get(_kind(document), "")
    return document.get(field) in ("ebs.csi.aws.com", "kubernetes.io/aws-ebs")


def is_auto_mode_controller(document: Mapping[str, Any]) -> bool:
    """Whether a class names one of Auto Mode's controllers, one spelt like it, or no readable one."""
    path, _, _ = _CONTROLLERS[_kind(document)]
    controller = mapping_at(document, *path[:-1]).get(path[-1])
    return not isinstance(controller, str) or controller.lower().startswith(("eks.amazon", "eks.aws", "eks/"))


def is_auto_mode_driver(document: Mapping[str, Any]) -> bool:
    """Whether a class names Auto Mode's driver, one spelt like it, or no readable one."""
    driver = document.get(_DRIVERS[_kind(document)])
    return not isinstance(driver, str) or _EKS in driver or "csi.eks" in driver.lower()


def _kind(document: Mapping[str, Any]) -> tuple[str, str]:
    return str(document.get("apiVersion", "")).rpartition("/")[0], str(document.get("kind", ""))
