"""A security group for nodes that talk to each other over EFA."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.scope import StackScope
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm

__all__ = ["EfaSecurityGroup"]


class EfaSecurityGroup(Construct):
    """A security group that admits all traffic from itself and to itself, and nothing else.

    Creates an ``AWS::EC2::SecurityGroup`` and its two rules. EFA traffic passes only between interfaces in the same
    group with both rules. The nodes also need the cluster's group, or they never join; ``TrainingChart`` adds this
    group to it.

    EKS gives the cluster's own group both rules too. Use this group if the cluster's group has lost them, or if you
    want EFA's rules in your own template. It has no tag ``kubernetes.io/cluster``, which only one group of a node may
    have.

    Args:
        scope: the stack, or a construct in it.
        id: the construct's id.
        vpc: the cluster's VPC.

    Source: Amazon EC2 User Guide, "Get started with EFA and MPI", step 1; EKS User Guide, "View Amazon EKS security
    group requirements for clusters".
    """

    @checked_arguments
    def __init__(self, scope: StackScope, id: str, *, vpc: ec2.IVpc) -> None:
        super().__init__(scope, id)
        self.security_group: ec2.ISecurityGroup = ec2.SecurityGroup(
            self, "Group", vpc=vpc, description="EFA between nodes", allow_all_outbound=False
        )
        """The group."""
        self.security_group.connections.allow_internally(ec2.Port.all_traffic(), "EFA")

    @property
    def selector_term(self) -> SecurityGroupSelectorTerm:
        """The term with which a NodeClass selects the group."""
        return SecurityGroupSelectorTerm(id=self.security_group.security_group_id)
