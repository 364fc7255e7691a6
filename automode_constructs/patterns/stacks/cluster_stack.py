"""The AWS resources of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, Unpack

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_arguments import ClusterArguments
from automode_constructs.aws.cluster_tags import tag_with
from automode_constructs.aws.control_plane import ControlPlaneSettings
from automode_constructs.aws.fleet import check_unique_name, check_unique_roles, stage_of
from automode_constructs.aws.kubernetes_version import DEFAULT_VERSION
from automode_constructs.aws.network import DEFAULT_ZONE_COUNT, AutoModeNetwork, Network
from automode_constructs.aws.roles import ClusterRole, RoleNames
from automode_constructs.aws.scope import AppScope
from automode_constructs.aws.zones import checked_zones, zones_of_region
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.patterns.stacks.created import created_in, is_function
from automode_constructs.patterns.stacks.regulated import (
    REGULATED_LOG_RETENTION,
    check_regulated,
    regulated_node_defaults,
)
from automode_constructs.patterns.stacks.stack_options import ClusterStackOptions
from automode_constructs.specs.pools.node_pool import BUILT_IN_POOL_NAMES
from automode_constructs.tokens import is_token, shell_word

__all__ = ["ClusterStack"]

AwsOwned = Literal["aws-owned"]


class ClusterStack(cdk.Stack):
    """Network, keys, roles and the cluster; outputs show what charts need and what stays after deletion.

    Other stacks deliver charts and admit people (``AccessStack``): a failure in the cluster's first deployment would
    make CloudFormation delete a cluster that refuses deletion. The stack has no termination protection, because after a
    failed first deployment it can only be deleted; a ``GuardStack`` protects it.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster_name: the cluster's name; it cannot change.
        version: Kubernetes minor version. Default: 1.36; we decide.
        admin_role_arns: IAM roles that administer the cluster, admitted in this stack: a role that does not exist rolls
            the whole stack back. An ``AccessStack`` rolls back alone. Default: none; we decide.
        endpoint_cidrs: public CIDRs that may reach the Kubernetes API. Default: none, the API is private.
        wide_endpoint_cidrs: whether ``endpoint_cidrs`` may together hold more addresses than a /8 of IPv4 or a /32 of
            IPv6. Default: False; we decide.
        availability_zones: names or ids of zones, for the cluster's life. Default: the region's first three; by id in
            us-east-1 and ca-central-1; required in us-west-1.
        ephemeral: whether the cluster is disposable: one NAT gateway, no deletion protection, keys and logs are deleted
            with the stack. Default: False; we decide.
        regulated: whether the cluster is one that a regulated company can take as it is: ``SETTINGS`` in
            ``automode_constructs.patterns.stacks.regulated`` lists what that turns on and refuses. Default: False; we
            decide.
        hardened_pools: whether our pools replace EKS's built-in ones, whose nodes have none of your keys and settings.
            Default: True; we decide (EKS would say False).
        network: the cluster's network, or a function of this stack that creates it; VPC and zones cannot change.
            Default: an ``AutoModeNetwork`` by ``availability_zones`` and ``ephemeral``; we decide.
        ip_family: ``ipv4`` or ``ipv6``, which the network must have too; for the cluster's life. Default: ``ipv4``.
        node_defaults: settings of every node: FIPS, proxy, authorities, public addresses. Default: as EKS decides.
        tags: AWS tags of the stack and of everything that the cluster causes, see ``AutoModeCluster``. Default: none.
        node_tags: AWS tags of every node, in addition to ``tags``. Default: none.
        secrets_key: KMS key of Kubernetes secrets, a function of this stack that creates or imports it, or
            ``"aws-owned"``; create-only. Default: a new key; we decide.
        volume_key: the same for the volumes of nodes and workloads; it may change. Default: a new key; we
            decide.
        log_key: the same for all log groups of this stack, flow logs and logs of Lambdas included; it may change.
            Default: a new key, about 1 USD a month; we decide.
        log_retention: how long logs of the control plane and flow logs of the stack's own network are kept. Default:
            one year, two if ``regulated``; we decide.
        auto_mode_logs: whether the logs of Auto Mode's controllers go to CloudWatch too, see ``AutoModeLogs``. Default:
            as ``regulated``; we decide.
        cluster_role: the cluster's role, see ``AutoModeCluster``, or a function of this stack that creates or imports
            it; create-only. Default: a new one; we decide.
        role_names: names of the roles created here, for policies that must name them beforehand. Default:
            CloudFormation generates them.
        instance_profile: whether nodes get an instance profile that this stack creates, instead of one that EKS
            creates. It is deleted only after its charts. Default: False.
        permissions_boundary: the permissions boundary of every role of this stack, or a function of this stack that
            creates or imports it. Default: none.
        support_type: ``STANDARD`` lets EKS upgrade the cluster at the end of its version's standard support; with
            ``EXTENDED`` you pay for another year. Default: ``STANDARD``; we decide (EKS would say ``EXTENDED``).
        control_plane_scaling_tier: a control plane of a fixed size, which costs 1.65 to 13.90 USD an hour more, see
            ``AutoModeCluster``. Default: ``standard``, as EKS decides.
        control_plane: settings of scheduler, API server, autoscaling and rollback. Default: as EKS decides.
        gateway_api: whether EKS installs the kinds of the Gateway API, see ``AutoModeCluster``. Default: not written;
            off, as EKS decides.
        kubectl: whether charts can be delivered; without it, deliver them by GitOps. Default: True; we decide.
        pools_applied_by: without ``kubectl``, who applies our pools: ``"argo-cd"``, or ``"operator"`` for people, whose
            command is then the output ``ApplyPoolsCommand``. A cluster without pools starts no node. Default: none.
        as_of: the day against which support and certificates are checked. Default: the day the support calendar was
            last checked.

    Raises:
        AutoModeError: naming the stack's path, the field, the value and the cure, for all mistakes at once. Mistakes in
            what a function creates are reported after all others.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster_name: str,
        version: str = DEFAULT_VERSION,
        admin_role_arns: Sequence[str] = (),
        endpoint_cidrs: Sequence[str] = (),
        wide_endpoint_cidrs: bool = False,
        availability_zones: Sequence[str] | None = None,
        ephemeral: bool = False,
        regulated: bool = False,
        hardened_pools: bool = True,
        network: Network | Callable[[Construct], Network] | None = None,
        ip_family: Literal["ipv4", "ipv6"] = "ipv4",
        node_defaults: NodeDefaults | None = None,
        node_tags: Mapping[str, str] | None = None,
        secrets_key: kms.IKey | AwsOwned | Callable[[Construct], kms.IKey] | None = None,
        volume_key: kms.IKey | AwsOwned | Callable[[Construct], kms.IKey] | None = None,
        log_key: kms.IKey | AwsOwned | Callable[[Construct], kms.IKey] | None = None,
        log_retention: logs.RetentionDays | None = None,
        auto_mode_logs: bool | None = None,
        cluster_role: ClusterRole | iam.IRole | Callable[[Construct], ClusterRole | iam.IRole] | None = None,
        role_names: RoleNames | None = None,
        instance_profile: bool = False,
        permissions_boundary: iam.IManagedPolicy | Callable[[Construct], iam.IManagedPolicy] | None = None,
        support_type: Literal["STANDARD", "EXTENDED"] | None = None,
        control_plane_scaling_tier: str | None = None,
        control_plane: ControlPlaneSettings | None = None,
        gateway_api: bool | None = None,
        kubectl: bool = True,
        pools_applied_by: Literal["argo-cd", "operator"] | None = None,
        as_of: date | None = None,
        **stack_options: Unpack[ClusterStackOptions],
    ) -> None:
        account, region = _environment(scope, stack_options.get("env"))
        retention = log_retention or (REGULATED_LOG_RETENTION if regulated else logs.RetentionDays.ONE_YEAR)
        removal_policy = cdk.RemovalPolicy.DESTROY if ephemeral else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        options: dict[str, Any] = {
            "version": version,
            "cluster_name": cluster_name,
            "admin_role_arns": admin_role_arns,
            "ip_family": ip_family,
            "endpoint_cidrs": endpoint_cidrs,
            "wide_endpoint_cidrs": wide_endpoint_cidrs,
            "node_defaults": regulated_node_defaults(region, node_defaults) if regulated else node_defaults,
            "tags": stack_options.get("tags"),
            "node_tags": node_tags,
            "log_retention": retention,
            "auto_mode_logs": regulated if auto_mode_logs is None else auto_mode_logs,
            "role_names": role_names,
            "instance_profile": instance_profile,
            "support_type": support_type or "STANDARD",
            "control_plane_scaling_tier": control_plane_scaling_tier,
            "control_plane": control_plane,
            "gateway_api": gateway_api,
            "kubectl": kubectl,
            "built_in_pools": () if hardened_pools else BUILT_IN_POOL_NAMES,
            "deletion_protection": not ephemeral,
            "removal_policy": removal_policy,
            "as_of": as_of,
        }
        existing: dict[str, Any] = {
            name: None if is_function(value) else value
            for name, value in (
                ("network", network),
                ("secrets_key", secrets_key),
                ("volume_key", volume_key),
                ("log_key", log_key),
            )
        }
        # As a function too: only whether there is one matters here.
        existing["cluster_role"] = cluster_role
        arguments = ClusterArguments.with_defaults(AutoModeCluster.__init__, **options, **existing)
        refusals = Refusals(place(scope, id))
        check_unique_name(refusals, scope, cluster_name, account=account, region=region)
        check_unique_roles(refusals, scope, arguments.role_names.by_field(), account=account)
        arguments.check_alone(refusals, region)
        if regulated:
            check_regulated(
                refusals,
                region=region,
                ephemeral=ephemeral,
                hardened_pools=hardened_pools,
                endpoint_cidrs=endpoint_cidrs,
                keys={"secrets_key": secrets_key, "volume_key": volume_key, "log_key": log_key},
                node_defaults=node_defaults,
                log_retention=log_retention,
                support_type=support_type,
            )
        _check_pools_arrive(refusals, kubectl=kubectl, hardened_pools=hardened_pools, applied_by=pools_applied_by)
        if network is not None and availability_zones is not None:
            refusals.refuse("availability_zones", "are set beside network", "name the zones where you create it")
        if arguments.network is not None:
            arguments.check_with_network(refusals, arguments.network)
        elif network is None:
            arguments.check_with_default_network(refusals)
            if availability_zones is None:
                zones_of_region(refusals, region, DEFAULT_ZONE_COUNT)
            else:
                checked_zones(refusals, region, availability_zones)
        refusals.raise_all()

        super().__init__(scope, id, **stack_options)
        tag_with(self, arguments.tags)
        if regulated and is_token(region):
            cdk.Annotations.of(self).add_warning_v2(
                "automode:FipsRegion",
                "regulated: the stack names no region, so its nodes get no FIPS images; name the region in env=",
            )
        if network is None:
            network = AutoModeNetwork(
                self,
                "Network",
                availability_zones=availability_zones,
                nat_gateways=1 if ephemeral else None,
                flow_log_retention=retention,
                removal_policy=removal_policy,
            )
        self.network: Network = created_in(self, "network", network, Network)
        """The network of the cluster."""
        boundary = created_in(self, "permissions_boundary", permissions_boundary, iam.IManagedPolicy)
        self.cluster = AutoModeCluster(
            self,
            "Cluster",
            network=self.network,
            secrets_key=created_in(self, "secrets_key", secrets_key, kms.IKey),
            volume_key=created_in(self, "volume_key", volume_key, kms.IKey),
            log_key=created_in(self, "log_key", log_key, kms.IKey),
            cluster_role=created_in(self, "cluster_role", cluster_role, ClusterRole | iam.IRole),
            **options,
        )
        """The cluster."""
        if boundary is not None:
            # On the stack, because the network and the kubectl provider have roles too.
            iam.PermissionsBoundary.of(self).apply(boundary)
        self._write_outputs(cluster_name, ephemeral=ephemeral, by_people=pools_applied_by == "operator")

    @property
    def availability_zones(self) -> list[str]:
        """The region's zones, always as tokens, so that synthesis does no lookup."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(3)]

    def _write_outputs(self, cluster_name: str, *, ephemeral: bool, by_people: bool) -> None:
        values, region = self.cluster.values, shell_word(self.region)
        control_plane = f"/aws/eks/{cluster_name}/cluster"
        outputs = {
            "ClusterName": (values.cluster_name, "Name of the cluster"),
            "NodeRoleName": (self.cluster.node_role.role_name, "Role of nodes outside the built-in pools"),
            "ClusterValues": (
                self.to_json_string(values.to_manifest()),
                "What charts need to know; ClusterValues.from_outputs reads it",
            ),
            # EKS may write a last line after everything is deleted, which creates the log group again.
            "RemoveControlPlaneLogsCommand": (
                f"aws logs delete-log-group --region {region} --log-group-name {shell_word(control_plane)}",
                "Deletes the control plane's logs, which may stay and then block a new cluster of this name",
            ),
        }
        if by_people:
            outputs["ApplyPoolsCommand"] = (
                "kubectl apply --server-side --filename manifests",
                "Applies the folder that write_yaml_folder writes of platform_charts; until then no node starts",
            )
        if not ephemeral:
            outputs |= self._what_stays()
        for name, (value, description) in outputs.items():
            cdk.CfnOutput(self, name, value=value, description=description)

    def _what_stays(self) -> dict[str, tuple[str, str]]:
        """The commands that remove what remains after the stack is destroyed, except the control plane's logs."""
        control_plane = "" if self.cluster.log_group is None else self.cluster.log_group.node.path
        region = shell_word(self.region)
        keys, groups = [], []
        for construct in self.node.find_all():
            if isinstance(construct, kms.CfnKey):
                keys.append(construct.ref)
            elif isinstance(construct, logs.CfnLogGroup) and construct.node.path.rpartition("/")[0] != control_plane:
                groups.append(construct.ref)
        return {
            name: ("; ".join(f"{command} {resource}" for resource in resources), description)
            for name, command, resources, description in (
                (
                    "RemoveKeysCommand",
                    f"aws kms schedule-key-deletion --region {region} --key-id",
                    keys,
                    "Deletes the keys, which stay when this stack is destroyed; what they encrypt is lost with them",
                ),
                (
                    "RemoveLogsCommand",
                    f"aws logs delete-log-group --region {region} --log-group-name",
                    groups,
                    "Deletes flow logs and logs of Lambdas, which stay when this stack is destroyed",
                ),
            )
            if resources
        }


def _check_pools_arrive(refusals: Refusals, *, kubectl: bool, hardened_pools: bool, applied_by: str | None) -> None:
    """Refuses a cluster that no pool would ever reach, and a word about pools that come by themselves."""
    if applied_by is None and hardened_pools and not kubectl:
        refusals.refuse(
            "pools_applied_by",
            "is required with kubectl=False: nothing here applies the pools, and without them no node starts",
            "write 'argo-cd', or 'operator' for people who run the output ApplyPoolsCommand; or take EKS's own pools "
            "by hardened_pools=False",
        )
    elif applied_by is not None and (kubectl or not hardened_pools):
        reason = "kubectl delivers the pools" if kubectl else "EKS brings its own pools"
        refusals.refuse("pools_applied_by", f"'{applied_by}' contradicts the rest: {reason}", "leave it out")


def _environment(scope: Construct, env: object) -> tuple[str, str]:
    """The account and region of a stack that does not exist yet; tokens where they are not known."""
    values = env if isinstance(env, dict) else {name: getattr(env, name, None) for name in ("account", "region")}
    stage = stage_of(scope)
    account = values.get("account") or (stage and stage.account) or cdk.Aws.ACCOUNT_ID
    region = values.get("region") or (stage and stage.region) or cdk.Aws.REGION
    return account, region
