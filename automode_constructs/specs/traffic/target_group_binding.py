"""TargetGroupBinding (``eks.amazonaws.com/v1``): registers a Service's pods or nodes in a target group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import ListOf, TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.annotation_values import LOAD_BALANCER_VALUE, form_problem
from automode_constructs.specs.traffic.ingress_class import PortOrName
from automode_constructs.specs.traffic.label_selector import LabelSelector

__all__ = [
    "NetworkingPeer",
    "NetworkingPort",
    "NetworkingRule",
    "NetworkingSecurityGroup",
    "ServiceReference",
    "TargetGroupBindingSpec",
    "TargetGroupNetworking",
]

_CRD = "CRD targetgroupbindings.eks.amazonaws.com"

TARGET_PORT = rule(
    "automode:TargetPort",
    "TargetGroupBinding",
    severity="error",
    sentence="With target type instance, ports in networking rules are numbers.",
    source=_CRD,
    stricter="The CRD says so in its description only; a node's port has no name.",
)
TARGET_NODE_SELECTOR = rule(
    "automode:TargetNodeSelector",
    "TargetGroupBinding",
    severity="warning",
    sentence="nodeSelector is set only with target type instance; otherwise it has no effect.",
    source=_CRD,
)


class ServiceReference(KubeModel):
    """A Service and one of its ports."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the Service, in the binding's namespace."""
    port: PortOrName
    """Number or name of the Service's port."""


class NetworkingSecurityGroup(KubeModel):
    """A security group that may reach the targets."""

    group_id: TokenOr[Annotated[str, Field(min_length=1)]] = Field(
        validation_alias="groupID", serialization_alias="groupID"
    )
    """Id of the security group."""


class NetworkingPeer(KubeModel):
    """A source of traffic to the targets."""

    wrong_names: ClassVar = {"ipBlock": "name a securityGroup; Auto Mode has load balancers with security groups only"}

    security_group: NetworkingSecurityGroup | None = None
    """The load balancer's security group."""


class NetworkingPort(KubeModel):
    """A port of the targets that may be reached."""

    protocol: Literal["TCP", "UDP"] | None = None
    """Default: ``TCP``, as EKS decides."""
    port: PortOrName | None = None
    """The port's number; with target type ``ip`` also its name. Default: every port."""


class NetworkingRule(KubeModel):
    """Who may reach which ports of the targets.

    AWS's migration table lists ``from`` as unsupported; the CRD requires it, so it is accepted.
    """

    from_: Annotated[ListOf[NetworkingPeer], Field(min_length=1)] = Field(
        validation_alias="from", serialization_alias="from"
    )
    """The sources, at least one."""
    ports: ListOf[NetworkingPort] | None = None
    """The ports. Default: all TCP ports."""


class TargetGroupNetworking(KubeModel):
    """The rules that EKS adds to the targets' security groups."""

    ingress: Annotated[ListOf[NetworkingRule], Field(min_length=1)]
    """Rules, at least one."""


class TargetGroupBindingSpec(KubeModel):
    """Registers a Service's pods or nodes in a target group.

    Your own target group must have the tag ``eks:eks-cluster-name`` with the cluster's name. **Deleting the
    binding or the cluster deletes the target group.**

    Source: EKS User Guide, "Use Service Annotations to configure Network Load Balancers"; CRD
    ``targetgroupbindings.eks.amazonaws.com``.
    """

    wrong_names: ClassVar = {
        "targetGroupName": "write targetGroupARN; Auto Mode does not look target groups up by name"
    }

    service_ref: ServiceReference
    """The Service and its port."""
    target_group_arn: TokenOr[Annotated[str, Field(min_length=1)]] = Field(
        validation_alias="targetGroupARN", serialization_alias="targetGroupARN"
    )
    """ARN of the target group."""
    target_type: Literal["instance", "ip"]
    """Whether nodes or pods are registered."""
    node_selector: LabelSelector | None = None
    """The nodes to register, with target type ``instance``. Default: all."""
    networking: TargetGroupNetworking | None = None
    """The traffic that EKS allows from the load balancer. Default: none."""
    multi_cluster_target_group: bool | None = None
    """Whether EKS leaves targets of other clusters in the group alone. Default: false, as EKS decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        yield from form_problem("target_group_arn", self.target_group_arn, "arn:.+", "the ARN of a target group")
        own = self.service_ref.port
        if isinstance(own, str) and own.isdecimal():
            yield LOAD_BALANCER_VALUE.problem(
                "service_ref.port", f"{shown(own)} is no name of a port, so no target is registered", f"write {own}"
            )
        if self.node_selector is not None and self.target_type == "ip":
            yield TARGET_NODE_SELECTOR.problem("node_selector", "has no effect with target type ip", "remove it")
        if self.target_type != "instance" or self.networking is None:
            return
        for at, opened in enumerate(self.networking.ingress):
            for number, port in enumerate(opened.ports or ()):
                if isinstance(port.port, str):
                    yield TARGET_PORT.problem(
                        f"networking.ingress[{at}].ports[{number}].port",
                        f"{shown(port.port)} is not a number, which target type instance needs",
                        "write the node port",
                    )
