"""The AWS resources of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.kubernetes_version import DEFAULT_VERSION
from automode_constructs.aws.network import AutoModeNetwork
from automode_constructs.specs.node_pool import BUILT_IN_POOL_NAMES

__all__ = ["ClusterStack"]


class ClusterStack(cdk.Stack):
    """Network, keys, roles and the cluster, with the commands that use it as outputs.

    Charts are delivered by other stacks: an object that fails beside the cluster's own first deployment would have
    CloudFormation delete a cluster that refuses to be deleted.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster_name: the cluster's name.
        version: Kubernetes minor version. Default: 1.36; we decide.
        admin_role_arns: roles that administer the cluster. Default: none, with a warning.
        endpoint_cidrs: public CIDRs that may reach the Kubernetes API. Default: none, the API is private.
        availability_zones: names of zones. Default: the region's first three.
        ephemeral: whether the cluster is a throw-away: one NAT gateway, no deletion protection, keys and logs go with
            the stack. Default: False; we decide.
        hardened_pools: whether pools of ours take the place of EKS's built-in ones. Default: False; we decide.
        as_of: the day the support calendar is held against. Default: the day it was last checked.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster_name: str,
        version: str = DEFAULT_VERSION,
        admin_role_arns: Sequence[str] = (),
        endpoint_cidrs: Sequence[str] = (),
        availability_zones: Sequence[str] | None = None,
        ephemeral: bool = False,
        hardened_pools: bool = False,
        as_of: date | None = None,
        **stack_options: Any,
    ) -> None:
        super().__init__(scope, id, termination_protection=not ephemeral, **stack_options)
        removal_policy = cdk.RemovalPolicy.DESTROY if ephemeral else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        self.network = AutoModeNetwork(
            self,
            "Network",
            availability_zones=availability_zones,
            nat_gateways=1 if ephemeral else None,
            removal_policy=removal_policy,
        )
        self.cluster = AutoModeCluster(
            self,
            "Cluster",
            version=version,
            cluster_name=cluster_name,
            network=self.network,
            endpoint_cidrs=endpoint_cidrs,
            admin_role_arns=admin_role_arns,
            built_in_pools=() if hardened_pools else BUILT_IN_POOL_NAMES,
            deletion_protection=not ephemeral,
            removal_policy=removal_policy,
            as_of=as_of,
        )
        self._write_outputs(admin_role_arns)

    @property
    def availability_zones(self) -> list[str]:
        """The region's zones as tokens in every environment, so that synthesis looks nothing up."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(3)]

    def _write_outputs(self, admin_role_arns: Sequence[str]) -> None:
        values = self.cluster.values
        role = f" --role-arn {admin_role_arns[0]}" if admin_role_arns else ""
        command = f"aws eks update-kubeconfig --name {values.cluster_name} --region {self.region}{role}"
        outputs = {
            "ClusterName": (values.cluster_name, "Name of the cluster"),
            "KubeconfigCommand": (command, "Makes kubectl talk to the cluster"),
            "NodeRoleName": (self.cluster.node_role.role_name, "Role of nodes outside the built-in pools"),
            "ClusterValues": (
                self.to_json_string(values.to_manifest()),
                "What charts need to know, for: make manifests OUTPUTS=outputs.json",
            ),
        }
        for name, (value, description) in outputs.items():
            cdk.CfnOutput(self, name, value=value, description=description)
