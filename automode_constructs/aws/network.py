"""The network of a cluster: what a cluster needs to know of a VPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IDependable

from automode_constructs.aws.address_plan import DEFAULT_CIDR, DEFAULT_POD_CIDR
from automode_constructs.aws.auto_mode_network import (
    DEFAULT_ZONE_COUNT,
    NODE_SUBNET_TAG,
    POD_SUBNET_TAG,
    AutoModeNetwork,
)
from automode_constructs.aws.existing_network import ExistingNetwork, VpcSubnets
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm

__all__ = [
    "DEFAULT_CIDR",
    "DEFAULT_POD_CIDR",
    "DEFAULT_ZONE_COUNT",
    "NODE_SUBNET_TAG",
    "POD_SUBNET_TAG",
    "AutoModeNetwork",
    "ExistingNetwork",
    "Network",
    "VpcSubnets",
]


@runtime_checkable
class Network(Protocol):
    """What a cluster takes as its network: an ``AutoModeNetwork``, an ``ExistingNetwork`` or any object like them.

    An object of your own needs all members below; plain attributes will do for the properties. For a small change,
    derive a class from ``ExistingNetwork`` instead.
    """

    @property
    def vpc(self) -> ec2.IVpc:
        """The VPC."""
        ...

    @property
    def node_subnets(self) -> Sequence[ec2.ISubnet]:
        """The subnets of the control plane, of nodes and of the kubectl Lambda, in at least two zones."""
        ...

    @property
    def public_subnets(self) -> Sequence[ec2.ISubnet]:
        """The subnets of internet-facing load balancers; may be empty."""
        ...

    @property
    def pod_subnets(self) -> Sequence[ec2.ISubnet]:
        """Separate subnets for pods; empty if pods take addresses from the node subnets."""
        ...

    @property
    def node_security_groups(self) -> Sequence[ec2.ISecurityGroup]:
        """Security groups of the nodes, besides the cluster's own."""
        ...

    @property
    def cidrs(self) -> Sequence[str]:
        """The IPv4 blocks of the VPC, as far as they are known."""
        ...

    @property
    def ipv6(self) -> bool:
        """Whether the subnets have IPv6 addresses."""
        ...

    @property
    def internet(self) -> bool | None:
        """Whether nodes reach the internet; ``None`` if it is not known."""
        ...

    @property
    def has_egress(self) -> bool:
        """Whether a route out of the VPC is known or may exist."""
        ...

    @property
    def endpoint_services(self) -> Sequence[str] | None:
        """The services of VPC endpoints created elsewhere, such as ``ecr.api``; ``None`` if they are not known."""
        ...

    @property
    def endpoints_are_known(self) -> bool:
        """Whether the app sees all VPC endpoints of the network, so that a missing one is an error."""
        ...

    @property
    def construct(self) -> Construct | None:
        """The construct that creates the whole network; ``None`` if no construct does."""
        ...

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """What must outlive the objects of a cluster."""
        ...

    def tag_commands(self) -> list[str]:
        """Commands that write the tags load balancers look for; empty if the subnets have them."""
        ...

    def egress_cures(self, *, s3: bool) -> list[str]:
        """What to do where nothing leads out.

        Args:
            s3: whether a VPC endpoint leads to S3.
        """
        ...

    def node_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the node subnets."""
        ...

    def pod_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the pod subnets; empty without pod subnets."""
        ...
