"""The cluster's access entries, in a stack of their own, so that a typo rolls back nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Unpack

import aws_cdk as cdk

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.access import AdminAccess
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.tokens import shell_word

__all__ = ["AccessStack"]


class AccessStack(cdk.Stack):
    """Access entries for people, with the ``aws eks update-kubeconfig`` command as an output.

    Creates an access entry for each role, and a wait condition handle, which does nothing: it keeps the stack valid for
    CloudFormation and the CDK CLI, and importable by other stacks, when there are no roles.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        admin_role_arns: ARNs of IAM roles that administer the cluster, each with its path. Default: none, with a
            warning if nobody is admitted.

    Raises:
        AutoModeError: for a value that is not the ARN of an IAM role that a person can assume.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        admin_role_arns: Sequence[str] = (),
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        self.admins = AdminAccess(self, "Admins", cluster=cluster, admin_role_arns=admin_role_arns)
        # A role's path may hold shell metacharacters.
        role = f" --role-arn {shlex.quote(admin_role_arns[0])}" if admin_role_arns else ""
        cdk.CfnOutput(
            self,
            "KubeconfigCommand",
            value=f"aws eks update-kubeconfig --name {shell_word(cluster.cluster.cluster_name)} "
            f"--region {shell_word(self.region)}{role}",
            description="Points kubectl at the cluster",
        )
