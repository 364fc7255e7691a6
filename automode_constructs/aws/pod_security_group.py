"""PodSecurityGroup: a separate security group for pods in pod subnets."""

from __future__ import annotations

from typing import Final

from aws_cdk import Tags
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm

__all__ = ["PodSecurityGroup"]

_TO_THE_CLUSTER = (
    ("tcp", 443, "Kubernetes API"),
    ("udp", 53, "DNS on the nodes"),
    ("tcp", 53, "DNS on the nodes"),
    ("tcp", 10250, "Metrics of the kubelet"),
)


class PodSecurityGroup(Construct):
    """A security group for pods in pod subnets; without it they share the cluster's group with the nodes.

    Creates a security group in the cluster's VPC and rules in it and in the cluster's own group. Pods reach each other
    and everything outside. Nodes and control plane reach every port of pods (probes, webhooks, metrics). On nodes and
    control plane, pods reach only the Kubernetes API (TCP 443), DNS (53) and the kubelet's metrics (TCP 10250). A pod
    that needs another port of a node, such as that of a host-network pod, needs a rule in the cluster's group. The
    group has the tag ``eks:eks-cluster-name``: EKS may admit load balancer traffic to pods only with it (not tried on a
    live cluster).

    To use it in charts, build them from ``values`` of this construct instead of the cluster's.

    Traffic from pods that leaves the VPC uses the nodes' addresses and security groups, unless the NodeClass sets
    ``snat_policy="Disabled"``. It then uses the pods' own addresses and group, and the other side needs a route back to
    the pods' block. NAT gateways work with either.

    Args:
        scope: where the group is created; use the cluster's stack, so that charts in other stacks are deleted before
            the group.
        id: the construct's id.
        cluster: the cluster, in a network with pod subnets.

    Attributes:
        security_group: the group, to which you can add your own rules.

    Raises:
        AutoModeError: if the cluster's network has no pod subnets.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS", section "Separate subnets and security groups for
    Pods"; managed policy ``AmazonEKSLoadBalancingPolicy`` (the tag).
    """

    @checked_arguments
    def __init__(self, scope: StackScope, id: str, *, cluster: AutoModeCluster) -> None:
        if not cluster.network.pod_subnets:
            raise AutoModeError.of(
                f"{scope.node.path}/{id}",
                field="cluster",
                message=(
                    f"'{cluster.node.path}' has no pod subnets, and EKS accepts a security group for pods only with "
                    "pod subnets"
                ),
                cure="give its network pod subnets: AutoModeNetwork(..., pod_cidr=DEFAULT_POD_CIDR)",
            )
        super().__init__(scope, id)
        clusters = cluster.cluster.cluster_security_group_id
        self.security_group: Final = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=cluster.network.vpc, description="Pods of an EKS cluster"
        )
        Tags.of(self.security_group).add("eks:eks-cluster-name", cluster.cluster.cluster_name)
        pods = self.security_group.security_group_id
        # Separate rules: a group cannot refer to itself, and the cluster's group is not ours.
        self._admit("FromPods", pods, pods, "-1", None, "Pods to pods")
        self._admit("FromCluster", pods, clusters, "-1", None, "Nodes and control plane to pods")
        for protocol, port, what in _TO_THE_CLUSTER:
            self._admit(f"ToCluster{protocol.capitalize()}{port}", clusters, pods, protocol, port, f"Pods to: {what}")
        self._cluster = cluster

    @property
    def values(self) -> ClusterValues:
        """The values that charts need from the cluster, with this group for the pods."""
        groups = [SecurityGroupSelectorTerm(id=self.security_group.security_group_id)]
        return self._cluster.values.replace(pod_security_groups=groups)

    def _admit(self, id: str, group: str, source: str, protocol: str, port: int | None, description: str) -> None:
        ec2.CfnSecurityGroupIngress(
            self,
            id,
            group_id=group,
            source_security_group_id=source,
            ip_protocol=protocol,
            from_port=port,
            to_port=port,
            description=description,
        )
