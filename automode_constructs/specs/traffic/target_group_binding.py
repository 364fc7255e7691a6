"""TargetGroupBinding (``eks.amazonaws.com/v1``): registers a Service's pods or nodes in a target group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import ListOf, TokenOr
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
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
    sentence="With target type instance, the ports of networking rules are numbers.",
    source=_CRD,
    stricter="The CRD says so in its description only; a node's port has no name.",
)
TARGET_NODE_SELECTOR = rule(
    "automode:TargetNodeSelector",
    "TargetGroupBinding",
    severity="warning",
    sentence="A nodeSelector has an effect with target type instance only.",
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
    """Who may reach the targets."""

    wrong_names: ClassVar = {"ipBlock": "name a securityGroup; Auto Mode has load balancers with security groups only"}

    security_group: NetworkingSecurityGroup | None = None
    """The load balancer's security group."""


class NetworkingPort(KubeModel):
    """A port that may be reached."""

    protocol: Literal["TCP", "UDP"] | None = None
    """Default: ``TCP``, as EKS decides."""
    port: PortOrName | None = None
    """Number, or with target type ``ip`` also the name, of the port. Default: every port."""


class NetworkingRule(KubeModel):
    """Who may reach which ports of the targets.

    AWS's migration table calls ``from`` unsupported as a whole; the CRD requires it, so it is taken.
    """

    from_: Annotated[ListOf[NetworkingPeer], Field(min_length=1)] = Field(
        validation_alias="from", serialization_alias="from"
    )
    """Who, at least one."""
    ports: ListOf[NetworkingPort] | None = None
    """Which ports. Default: all, with TCP."""


class TargetGroupNetworking(KubeModel):
    """What EKS opens in the targets' security groups."""

    ingress: Annotated[ListOf[NetworkingRule], Field(min_length=1)]
    """Rules, at least one."""


class TargetGroupBindingSpec(KubeModel):
    """Registers a Service's pods or nodes in a target group.

    A target group that you made must carry the tag ``eks:eks-cluster-name`` with the cluster's name. **Deleting the
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
    """What EKS opens for the load balancer. Default: nothing."""
    multi_cluster_target_group: bool | None = None
    """Whether targets of other clusters in the group are left alone. Default: false, as EKS decides."""

    def _broken_rules(self) -> Iterator[Problem]:
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
