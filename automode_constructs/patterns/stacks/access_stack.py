"""The cluster's access entries, in a stack of their own, so that a typo rolls back nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Unpack

import aws_cdk as cdk
from aws_cdk import aws_sns as sns

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.access import Access, AccessGrant, AdminAccess
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.tokens import shell_word

__all__ = ["AccessStack"]


class AccessStack(cdk.Stack):
    """Access entries for people, with the ``aws eks update-kubeconfig`` command as an output.

    Creates an access entry for each role (see ``Access``), and a wait condition handle, which does nothing: it keeps
    the stack valid for CloudFormation and the CDK CLI, and importable by other stacks, when there are no roles.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        admin_role_arns: ARNs of IAM roles that administer the cluster, each with its path. Default: none, with a
            warning if nobody is admitted.
        grants: what other roles may do. Default: none.
        kubernetes_groups: groups that the roles of ``admin_role_arns`` are in as well. Default: none.
        alarm_topic: where uses of break-glass roles are reported; required if there are any. Default: none.

    Raises:
        AutoModeError: for everything that ``Access`` and ``AdminAccess`` refuse.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        admin_role_arns: Sequence[str] = (),
        grants: Sequence[AccessGrant] = (),
        kubernetes_groups: Sequence[str] = (),
        alarm_topic: sns.ITopic | None = None,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        self.admins = AdminAccess(
            self, "Admins", cluster=cluster, admin_role_arns=admin_role_arns, kubernetes_groups=kubernetes_groups
        )
        """The administrators."""
        self.access = Access(self, "Access", cluster=cluster, grants=grants, alarm_topic=alarm_topic)
        """The other roles."""
        # A role's path may hold shell metacharacters.
        role = f" --role-arn {shlex.quote(admin_role_arns[0])}" if admin_role_arns else ""
        cdk.CfnOutput(
            self,
            "KubeconfigCommand",
            value=f"aws eks update-kubeconfig --name {shell_word(cluster.cluster.cluster_name)} "
            f"--region {shell_word(self.region)}{role}",
            description="Points kubectl at the cluster",
        )
