"""AdminAccess: roles that administer a cluster, in a separate stack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster_arguments import check_admins
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.tokens import is_token

__all__ = ["AdminAccess", "admin_ids", "admin_policy", "put_in_kubectl_group"]


class AdminAccess(Construct):
    """IAM roles that administer a cluster, outside the cluster's own stack.

    Creates an access entry with ``AmazonEKSClusterAdminPolicy`` for each role. EKS refuses a role that does not exist.
    In a separate stack such an entry rolls back alone; in the cluster's first deployment, CloudFormation would try to
    delete a cluster that is protected from deletion.

    Args:
        scope: a stack in the cluster's account and region, other than the cluster's own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        admin_role_arns: ARNs of IAM roles, each with its path, in any order; may be empty.

    Attributes:
        entries: the access entries, keyed by role ARN.

    Raises:
        AutoModeError: for a value that is not the ARN of an IAM role that a person can assume; for a role that is
            listed twice or already has an entry in this app; for a stack in another environment.

    Source: EKS User Guide, "Create access entries".
    """

    @checked_arguments
    def __init__(
        self, scope: StackScope, id: str, *, cluster: ChartTarget, admin_role_arns: Sequence[str] = ()
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(
                refusals.where, scope, "a cluster's access entries are created in its own account and region"
            )
        check_admins(refusals, admin_role_arns, Stack.of(scope).region)
        _check_single(refusals, cluster, admin_role_arns)
        refusals.raise_all()

        super().__init__(scope, id)
        self.cluster = cluster
        self.entries = {
            arn: eks.AccessEntry(
                self,
                entry_id,
                cluster=cast(eks.ICluster, cluster.cluster),
                principal=arn,
                access_policies=[admin_policy()],
            )
            for entry_id, arn in admin_ids(admin_role_arns)
        }
        _BY_CLUSTER.add(cluster.node.root, cluster, self)


def admin_ids(arns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The roles, keyed by the id of their access entry."""
    for position, arn in enumerate(arns):
        # The id must not depend on the position. An entry's principal cannot change, and EKS refuses a second entry for
        # the same principal, so a reordered list would fail to deploy.
        mark = str(position) if is_token(arn) else hashlib.sha256(arn.encode()).hexdigest()[:8]
        yield f"Admin{mark}", arn


def admin_policy() -> eks.IAccessPolicy:
    """EKS's administrator access policy, for the whole cluster."""
    return eks.AccessPolicy.from_access_policy_name(
        "AmazonEKSClusterAdminPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
    )


def put_in_kubectl_group(entry: eks.AccessEntry) -> None:
    """Makes the access entry of a kubectl handler one that admission policies recognise, in every cluster alike."""
    cast(CfnResource, entry.node.default_child).add_property_override("KubernetesGroups", [KUBECTL_GROUP])


def _check_single(refusals: Refusals, cluster: ChartTarget, arns: Sequence[str]) -> None:
    """Refuses roles that have an access entry of the cluster already."""
    homes = dict.fromkeys(getattr(cluster, "admin_role_arns", ()), cluster.node.path)
    for other in _BY_CLUSTER.find(cluster.node.root, cluster):
        homes |= dict.fromkeys(other.entries, other.node.path)
    for position, arn in enumerate(arns):
        if arn in homes:
            refusals.refuse(
                f"admin_role_arns[{position}]",
                f"'{arn}' has an access entry of '{homes[arn]}' already",
                "name it in one place; EKS takes one access entry for a role",
            )


_BY_CLUSTER: Register[ChartTarget, AdminAccess] = Register()
