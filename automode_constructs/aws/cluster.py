"""AutoModeCluster: an EKS Auto Mode cluster that is private, encrypted, logged and protected by default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, cast

from aws_cdk import (
    Annotations,
    Aspects,
    CfnResource,
    Fn,
    RemovalPolicy,
    Stack,
)
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws import encryption
from automode_constructs.aws import kubernetes_version as versions
from automode_constructs.aws.access import admin_ids, admin_policy, put_in_kubectl_group
from automode_constructs.aws.auto_mode_logs import AutoModeLogs
from automode_constructs.aws.cluster_arguments import (
    LOG_TYPES,
    SCALING_TIERS,
    CheckedArguments,
    ClusterArguments,
    endpoint_cidrs_within_others,
)
from automode_constructs.aws.cluster_tags import tag_with
from automode_constructs.aws.control_plane import ControlPlaneSettings, set_control_plane, set_gateway_api, warn_of_tier
from automode_constructs.aws.exports import export_always, weakly
from automode_constructs.aws.fips import fips_endpoints, with_fips
from automode_constructs.aws.fleet import NoAdmin, register_name, register_roles
from automode_constructs.aws.function_logs import keep_function_logs, kubectl_functions, use_fips_endpoints
from automode_constructs.aws.kubectl_role import leave_out_image_rights
from automode_constructs.aws.network import AutoModeNetwork, Network, VpcSubnets
from automode_constructs.aws.partition_types import refuse_missing_types
from automode_constructs.aws.roles import BuiltInNodeRole, ClusterRole, NodeRole, RoleNames, cluster_policies
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.vpc_endpoints import endpoint_services_of
from automode_constructs.aws.zones import warn_of_refused_zones
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import BUILT_IN_POOL_NAMES

__all__ = ["LOG_TYPES", "SCALING_TIERS", "AutoModeCluster"]

AwsOwned = Literal["aws-owned"]
"""In place of a customer key: AWS encrypts with a key that it owns."""


class AutoModeCluster(ChartTarget):
    """An EKS Auto Mode cluster: EKS runs compute, storage and load balancing; a new one has no nodes and no pods.

    Creates an ``AWS::EKS::Cluster`` (through the CDK's ``aws_eks_v2.Cluster``, see ``.cluster``), its role, the role of
    nodes outside the built-in pools with its access entry, the role of the built-in pools, KMS keys for secrets,
    volumes and logs, the control plane's log group, and a kubectl provider that delivers charts. Without ``network`` it
    also creates a VPC.

    Some arguments are fixed for the life of the cluster: ``cluster_name``, ``ip_family``, ``service_ipv4_cidr``,
    ``secrets_key``, ``cluster_role``, ``creator_admin``, and the VPC and zones of ``network``. If the cluster has a
    name, a change is refused; without a name, CloudFormation would create a second cluster. All other arguments can
    change after charts are delivered.

    Args:
        scope: the stack, or a construct in it.
        id: the construct's id; do not change it, since logical ids derive from it.
        version: Kubernetes minor version, 1.29 or newer as EKS supports it. Default: 1.36; we decide.
        cluster_name: 1 to 100 letters, digits, ``-`` and ``_``. Default: CloudFormation generates one, with a warning:
            the library then cannot set the log group's retention and key, and a replacement is not refused.
        network: the network of the cluster. Default: the VPC of ``vpc``, or a new ``AutoModeNetwork``; we decide.
        vpc: a VPC that exists or is created elsewhere, instead of ``network``; ``ExistingNetwork`` takes more details.
            Default: none.
        vpc_subnets: the subnets of ``vpc`` for control plane and nodes, in at least two zones: a selection, or a list
            of selections and subnets. Default: the VPC's private subnets, or the isolated ones of a VPC without them.
        endpoint_cidrs: at most 40 public CIDRs that may reach the API from the internet, together never all addresses;
            IPv6 CIDRs for IPv6 clusters only. Default: none, the API is private; we decide (EKS would open it to
            everyone).
        wide_endpoint_cidrs: whether ``endpoint_cidrs`` may together hold more addresses than a /8 of IPv4 or a /32 of
            IPv6. Default: False; we decide.
        ip_family: ``ipv6`` gives pods and services IPv6 addresses; the network needs them too. Default: ``ipv4``, as
            EKS decides.
        service_ipv4_cidr: private block of /12 to /24 for services, outside the VPC's blocks; not with IPv6. Default:
            172.20.0.0/16; we decide.
        built_in_pools: the NodePools that EKS manages: ``system``, ``general-purpose``, both or none. Default: both, as
            EKS has it.
        admin_role_arns: IAM roles that administer the cluster (policy ``AmazonEKSClusterAdminPolicy``). EKS refuses a
            role that does not exist, and then the whole stack rolls back; an ``AdminAccess`` in a separate stack rolls
            back alone. Default: none, with a warning if nobody has access; we decide.
        creator_admin: whether the deploying identity also administers the cluster. Default: False; we decide (EKS would
            say True).
        cluster_role: the cluster's role; a role that is not a ``ClusterRole`` is left unchanged, with a warning that
            lists what it needs. Default: a new ``ClusterRole``; we decide.
        role_names: names of the roles created here, for policies that must name them beforehand. Default:
            CloudFormation generates them.
        permissions_boundary: permissions boundary of every role created here. Default: none.
        secrets_key: KMS key of Kubernetes secrets, or ``"aws-owned"``. Default: a new key; we decide.
        volume_key: KMS key of the volumes of nodes outside the built-in pools and of workloads, or ``"aws-owned"``. A
            later change of the key replaces nodes and creates a StorageClass with another name; existing volumes keep
            their key. Default: a new key; we decide.
        log_key: KMS key of the stack's log groups, or ``"aws-owned"``: of the control plane, the Lambdas that run
            kubectl, those that the CDK has added so far, and the flow logs of an ``AutoModeNetwork`` of the stack. It
            may change; logs keep the key they were written with. Default: a new key, about 1 USD a month for all of
            them, because CloudWatch Logs has no other key that you can withdraw; we decide.
        log_types: which control-plane logs go to CloudWatch. Default: all five; we decide (EKS would send none).
        log_retention: how long the logs of the control plane are kept, which needs ``cluster_name``, and the flow logs
            of a network created here. Default: one year; we decide.
        auto_mode_logs: whether the logs of Auto Mode's controllers (nodes, volumes, load balancers, addresses) go to
            CloudWatch too, see ``AutoModeLogs``; needs ``cluster_name``. Default: False, as EKS decides.
        deletion_protection: whether the cluster is protected from deletion. Default: True; we decide.
        support_type: ``STANDARD`` upgrades automatically at the end of standard support; with ``EXTENDED`` you pay for
            another year. Default: ``STANDARD``; we decide (EKS would say ``EXTENDED``).
        zonal_shift: whether ARC may move traffic out of a failing zone. Default: True; we decide.
        control_plane_scaling_tier: one of ``SCALING_TIERS``, for more API requests and pods at a time. Each adds to
            the cluster's price an hour: ``tier-xl`` 1.65 USD, ``tier-2xl`` 3.40, ``tier-4xl`` 6.90, ``tier-8xl`` 13.90
            (us-east-1, 27 November 2026). ``tier-ultra`` is a warning: the EKS API does not name it, and its price is
            not known. There is no way back to ``standard`` with more than 8 GB in the cluster's database. Default:
            ``standard``, as EKS decides.
        tags: AWS tags of everything that the cluster causes: the resources of this construct, the nodes, volumes,
            network interfaces and launch templates of own pools, the volumes of the default StorageClass, Application
            Load Balancers; ``aws.cluster_tags.COVERAGE`` lists what carries them. At most 40, no tokens. A later change
            replaces nodes and creates a StorageClass with another name. Default: none.
        node_tags: AWS tags of every node launched through a NodeClass of this cluster, in addition to ``tags``.
            Default: none.
        control_plane: settings of scheduler, API server, autoscaling and rollback. Default: as EKS decides.
        gateway_api: whether EKS installs the kinds of the Gateway API and keeps them up to date, for ``Gateway``,
            ``HttpRoute`` and ``GrpcRoute``. False turns that off again. CloudFormation has had the property since
            November 2026: for an older CDK its validator's finding F3002 is acknowledged on the cluster, and an older
            cfn-lint reports E3002. Default: not written; off, as EKS decides.
        node_defaults: further settings of every node launched through a NodeClass of this cluster: FIPS, proxy,
            certificate authorities, public addresses, network policy. The kubectl handler uses the proxy and
            authorities too. Traffic to VPC endpoints that the app has created so far bypasses the proxy. Default: as
            EKS decides, except FIPS in GovCloud.
        instance_profile: whether NodeClasses name an instance profile created here instead of a role. It is deleted
            only after its charts. Default: False.
        kubectl: whether charts can be delivered, through a Lambda in the node subnets with its own security group.
            Default: True; we decide.
        helm_charts_from_ecr: whether that Lambda may pull from ECR, which only ``add_helm_chart`` of the CDK's cluster
            needs, for a chart that lies there (``oci://``). Default: False; we decide (the CDK would say True).
        kubectl_layer: the layer with that Lambda's kubectl. Default: the installed layer nearest to ``version``.
        removal_policy: what happens to keys and logs when they leave the stack. ``RETAIN`` is refused: it would also
            keep the control plane's log group after a failed first deployment, and the next deployment needs that name.
            Default: ``RETAIN_ON_UPDATE_OR_DELETE``, so that a failed first deployment leaves nothing that blocks the
            next; we decide.
        as_of: the day for which the support calendar and certificates are checked. Default: the day the calendar was
            last checked.

    Raises:
        AutoModeError: naming the construct path, the field, the value and the cure.

    Source: EKS User Guide, "Automate cluster infrastructure with EKS Auto Mode"; ``AWS::EKS::Cluster``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        version: str | eks.KubernetesVersion = versions.DEFAULT_VERSION,
        cluster_name: str | None = None,
        network: Network | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: VpcSubnets | None = None,
        endpoint_cidrs: Sequence[str] = (),
        wide_endpoint_cidrs: bool = False,
        ip_family: Literal["ipv4", "ipv6"] = "ipv4",
        service_ipv4_cidr: str | None = None,
        built_in_pools: Sequence[str] = BUILT_IN_POOL_NAMES,
        admin_role_arns: Sequence[str] = (),
        creator_admin: bool = False,
        cluster_role: ClusterRole | iam.IRole | None = None,
        role_names: RoleNames | None = None,
        permissions_boundary: iam.IManagedPolicy | None = None,
        secrets_key: kms.IKey | AwsOwned | None = None,
        volume_key: kms.IKey | AwsOwned | None = None,
        log_key: kms.IKey | AwsOwned | None = None,
        log_types: Sequence[str] = LOG_TYPES,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        auto_mode_logs: bool = False,
        deletion_protection: bool = True,
        support_type: Literal["STANDARD", "EXTENDED"] = "STANDARD",
        zonal_shift: bool = True,
        control_plane_scaling_tier: str | None = None,
        tags: Mapping[str, str] | None = None,
        control_plane: ControlPlaneSettings | None = None,
        gateway_api: bool | None = None,
        node_tags: Mapping[str, str] | None = None,
        node_defaults: NodeDefaults | None = None,
        instance_profile: bool = False,
        kubectl: bool = True,
        helm_charts_from_ecr: bool = False,
        kubectl_layer: lambda_.ILayerVersion | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        as_of: date | None = None,
    ) -> None:
        arguments = ClusterArguments(
            version=version,
            cluster_name=cluster_name,
            network=network,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            endpoint_cidrs=endpoint_cidrs,
            wide_endpoint_cidrs=wide_endpoint_cidrs,
            ip_family=ip_family,
            service_ipv4_cidr=service_ipv4_cidr,
            built_in_pools=built_in_pools,
            admin_role_arns=admin_role_arns,
            creator_admin=creator_admin,
            cluster_role=cluster_role,
            role_names=role_names or RoleNames(),
            permissions_boundary=permissions_boundary,
            secrets_key=secrets_key,
            volume_key=volume_key,
            log_key=log_key,
            log_types=log_types,
            log_retention=log_retention,
            auto_mode_logs=auto_mode_logs,
            deletion_protection=deletion_protection,
            support_type=support_type,
            zonal_shift=zonal_shift,
            control_plane_scaling_tier=control_plane_scaling_tier,
            tags=tags or {},
            control_plane=control_plane or ControlPlaneSettings(),
            gateway_api=gateway_api,
            node_tags=node_tags or {},
            node_defaults=node_defaults or NodeDefaults(),
            instance_profile=instance_profile,
            kubectl=kubectl,
            helm_charts_from_ecr=helm_charts_from_ecr,
            kubectl_layer=kubectl_layer,
            removal_policy=removal_policy,
            as_of=as_of,
        )
        checked = arguments.checked(scope, id)
        super().__init__(scope, id)
        names, self._tags = arguments.role_names, dict(arguments.tags)
        self.network = self._create_network(checked.network, arguments)
        """The network of the cluster."""
        self._warn(arguments, checked)
        custom_tags = bool(tags or node_tags)
        role = cluster_role or ClusterRole(
            self, "ClusterRole", role_name=names.cluster, path=names.cluster_path, custom_tags=custom_tags
        )
        self.cluster_role: iam.IRole = role.role if isinstance(role, ClusterRole) else role
        """The cluster's role."""
        self.custom_tags = role.custom_tags if isinstance(role, ClusterRole) else None
        """Whether it may put custom tags on what Auto Mode creates; ``None`` if that is not known."""
        if not isinstance(role, ClusterRole):
            self._warn_of_foreign_role(custom_tags=custom_tags)
        self.built_in_node_role = (
            BuiltInNodeRole(self, "BuiltInNodeRole", role_name=names.built_in_node) if built_in_pools else None
        )
        """The role of nodes in EKS's built-in pools; ``None`` without such pools."""
        self.secrets_key, self.volume_key = self._keys(arguments)
        self.log_key = self._log_key(arguments)
        """The key of the stack's log groups; ``None`` for a key that AWS owns."""
        self.log_group = self._create_log_group(cluster_name, log_types, log_retention, removal_policy)
        """The control plane's log group; ``None`` if EKS creates it."""
        self.log_types: tuple[str, ...] = tuple(log_types)
        """The control-plane logs that go to CloudWatch."""
        self.kubectl_security_group = self._create_kubectl_security_group(arguments)
        """The security group of the Lambdas that run kubectl; ``None`` if they use the cluster's."""
        self.cluster: eks.Cluster = self._create_cluster(arguments)
        """The CDK's cluster."""
        self._provider = cast(eks.KubectlProvider, self.cluster.kubectl_provider) if kubectl else None
        self._keep_kubectl(arguments)
        self._harden(arguments)
        self.admin_role_arns: tuple[str, ...] = tuple(admin_role_arns)
        """The roles that administer the cluster through access entries in its own stack."""
        self.creator_admin = creator_admin
        """Whether whoever created the cluster administers it."""
        self._admit(arguments)
        self.auto_mode_logs: AutoModeLogs | None = None
        """The logs of Auto Mode's controllers; ``None`` if they are off."""
        if auto_mode_logs and cluster_name is not None:
            self.auto_mode_logs = AutoModeLogs(
                self,
                "AutoModeLogs",
                cluster_name=cluster_name,
                cluster_arn=self.cluster.cluster_arn,
                retention=log_retention,
                log_key=self.log_key,
                removal_policy=removal_policy,
            )
        self.node_role = NodeRole(
            self, "NodeRole", cluster=self, role_name=names.node, instance_profile=instance_profile
        )
        """The role of nodes outside EKS's built-in pools, with its access entry."""
        if permissions_boundary is not None:
            iam.PermissionsBoundary.of(self).apply(permissions_boundary)
        self._built_in_pools = tuple(built_in_pools)
        self._kubectl = kubectl
        self._log_types = tuple(log_types)
        self._ipv6 = ip_family == "ipv6"
        self._gateway_api = bool(gateway_api)
        self._node_defaults = self._completed(arguments.node_defaults, arguments.service_cidr)
        self._warn_of_built_in_pools()
        self._node_tags = {**self._tags, **(node_tags or {})}
        self._storage_class = _storage_class(self.volume_key, own_key=volume_key is not None, tags=self._tags)
        tag_with(self, self._tags)
        refuse_missing_types(self)
        self._export(ip_family)
        register_name(self, cluster_name)
        register_roles(self, names.by_field())

    def _create_network(self, network: Network | None, arguments: ClusterArguments) -> Network:
        if network is not None:
            return network
        return AutoModeNetwork(
            self,
            "Network",
            flow_log_retention=arguments.log_retention,
            removal_policy=arguments.removal_policy,
        )

    def _warn(self, arguments: ClusterArguments, checked: CheckedArguments) -> None:
        """Adds warnings for what works but is risky."""
        version = arguments.version if isinstance(arguments.version, str) else arguments.version.version
        versions.warn_of_version(self, version, support_type=arguments.support_type, as_of=arguments.as_of)
        if arguments.cluster_name is None:
            Annotations.of(self).add_warning_v2(
                "automode:ClusterName",
                "cluster_name: is not set, so that CloudFormation answers a change of what a cluster keeps for life "
                "(such as ip_family or secrets_key) with a second cluster; give cluster_name, and it refuses",
            )
        for cidr, other in endpoint_cidrs_within_others(arguments.endpoint_cidrs):
            Annotations.of(self).add_warning_v2(
                "automode:EndpointCidrOverlap",
                f"endpoint_cidrs: '{cidr}' is part of '{other}' and opens nothing more; leave out one of the two",
            )
        warn_of_tier(self, arguments.control_plane_scaling_tier)
        if checked.egress is not None:
            checked.egress.warn(self)
        warn_of_refused_zones(self, self.network.node_subnets)
        if commands := self.network.tag_commands():
            Annotations.of(self).add_warning_v2(
                "automode:SubnetTags",
                "network: load balancers find subnets by their tags, which cannot be seen here; pass tagged=True where "
                f"they are, else run: {'; '.join(commands)}",
            )

    def _keys(self, arguments: ClusterArguments) -> tuple[kms.IKey | None, kms.IKey | None]:
        """The keys of secrets and of volumes."""
        options: dict[str, Any] = {"cluster_role": self.cluster_role, "removal_policy": arguments.removal_policy}
        secrets = self._key(
            arguments.secrets_key,
            lambda: encryption.secrets_key(self, "SecretsKey", **options),
            encryption.allow_secrets_encryption,
        )
        volumes = self._key(
            arguments.volume_key,
            lambda: encryption.volume_key(self, "VolumeKey", **options),
            encryption.allow_volume_encryption,
        )
        return secrets, volumes

    def _log_key(self, arguments: ClusterArguments) -> kms.IKey | None:
        """The key of log groups, which the flow logs of a network in the same stack get too, unless they have one."""
        key = arguments.log_key
        unused = not arguments.kubectl and not (
            arguments.cluster_name and (arguments.log_types or arguments.auto_mode_logs)
        )
        if isinstance(key, str) or (key is None and unused and not isinstance(self.network, AutoModeNetwork)):
            return None
        if key is None:
            key = encryption.log_key(self, "LogKey", removal_policy=arguments.removal_policy)
        else:
            encryption.allow_log_encryption(self, key)
        flow_logs = self.network.flow_log_group if isinstance(self.network, AutoModeNetwork) else None
        if flow_logs is not None and Stack.of(flow_logs).node.addr == Stack.of(self).node.addr:
            resource = cast(logs.CfnLogGroup, flow_logs.node.default_child)
            resource.kms_key_id = resource.kms_key_id or key.key_arn
        return key

    def _create_kubectl_security_group(self, arguments: ClusterArguments) -> ec2.SecurityGroup | None:
        # The Lambdas that run kubectl are created before the cluster if they do not need it: once a cluster with
        # deletion protection exists, a failure cannot be rolled back. The cluster's own security group would come too
        # late for them.
        ipv6_proxy = arguments.ip_family == "ipv6" and arguments.node_defaults.https_proxy is not None
        if not arguments.kubectl or arguments.cluster_name is None or ipv6_proxy:
            return None
        return ec2.SecurityGroup(
            self,
            "KubectlSecurityGroup",
            vpc=self.network.vpc,
            description="The Lambdas that run kubectl on an EKS cluster",
        )

    def _create_cluster(self, arguments: ClusterArguments) -> eks.Cluster:
        version = arguments.version if isinstance(arguments.version, eks.KubernetesVersion) else None
        version = version or eks.KubernetesVersion.of(cast(str, arguments.version))
        # The L2 would attach the older block-storage policy and a second trust statement to a mutable role.
        role = self.cluster_role
        role = role.without_policy_updates() if isinstance(role, iam.Role) else role
        endpoint_access = eks.EndpointAccess.PRIVATE
        if arguments.endpoint_cidrs:
            endpoint_access = eks.EndpointAccess.PUBLIC_AND_PRIVATE.only_from(*arguments.endpoint_cidrs)
        kubectl = None
        if arguments.kubectl:
            group = self.kubectl_security_group
            kubectl = eks.KubectlProviderOptions(
                kubectl_layer=arguments.kubectl_layer or versions.kubectl_layer(self, "KubectlLayer", version),
                security_groups=None if group is None else [group],
            )
        node_role = None if self.built_in_node_role is None else self.built_in_node_role.role
        return eks.Cluster(
            self,
            "Cluster",
            version=version,
            cluster_name=arguments.cluster_name,
            role=role,
            vpc=self.network.vpc,
            vpc_subnets=[ec2.SubnetSelection(subnets=self.network.node_subnets)],
            endpoint_access=endpoint_access,
            ip_family=eks.IpFamily.IP_V6 if arguments.ip_family == "ipv6" else None,
            service_ipv4_cidr=arguments.service_cidr,
            compute=eks.ComputeConfig(node_pools=list(arguments.built_in_pools), node_role=node_role),
            secrets_encryption_key=self.secrets_key,
            cluster_logging=[getattr(eks.ClusterLoggingTypes, _LOG_ENUM[name]) for name in arguments.log_types] or None,
            # A new Auto Mode cluster runs nothing: networking add-ons come from EKS, outside the cluster.
            bootstrap_self_managed_addons=False,
            bootstrap_cluster_creator_admin_permissions=arguments.creator_admin,
            prune=False,
            output_config_command=False,
            kubectl_provider_options=kubectl,
        )

    def _keep_kubectl(self, arguments: ClusterArguments) -> None:
        provider, group = self._provider, self.kubectl_security_group
        functions = () if provider is None else kubectl_functions(provider)
        keep_function_logs(self, removal_policy=arguments.removal_policy, functions=functions, log_key=self.log_key)
        if provider is not None:
            self.helm_charts_from_ecr = arguments.helm_charts_from_ecr
            if not arguments.helm_charts_from_ecr:
                leave_out_image_rights(provider)
            put_in_kubectl_group(cast(eks.AccessEntry, self.cluster.node.find_child("ClusterAdminRoleAccess")))
        if provider is not None and arguments.cluster_name is not None and group is not None:
            self._put_kubectl_first(provider, arguments.cluster_name, group)

    def _harden(self, arguments: ClusterArguments) -> None:
        """Sets what the CDK's cluster has no argument for."""
        # By name, because the L2's resource class differs between versions of aws-cdk-lib.
        resource = cast(CfnResource, self.cluster.node.default_child)
        resource.add_property_override("UpgradePolicy.SupportType", arguments.support_type)
        resource.add_property_override("DeletionProtection", arguments.deletion_protection)
        resource.add_property_override("ZonalShiftConfig.Enabled", arguments.zonal_shift)
        if arguments.control_plane_scaling_tier is not None:
            resource.add_property_override("ControlPlaneScalingConfig.Tier", arguments.control_plane_scaling_tier)
        set_control_plane(resource, arguments.control_plane)
        if arguments.gateway_api is not None:
            set_gateway_api(resource, managed=arguments.gateway_api)
        if self.log_group is not None:
            # If EKS finds no group, it creates one without retention and key.
            resource.node.add_dependency(self.log_group)
        if self.network.construct is not None:
            # Resources that an account may refuse, such as an Elastic IP, come before the one that cannot be deleted.
            resource.node.add_dependency(self.network.construct)

    def _admit(self, arguments: ClusterArguments) -> None:
        for entry_id, arn in admin_ids(arguments.admin_role_arns):
            self.cluster.grant_access(entry_id, arn, [admin_policy()])
        if not arguments.admin_role_arns and not arguments.creator_admin:
            # Late, because others may have access by then; on a construct without children, so that it runs once.
            path = f"{self.cluster.node.path}/ClusterAdminRoleAccess"
            aspect = NoAdmin(self, name=self.cluster.cluster_name, own_access=path)
            Aspects.of(cast(CfnResource, self.cluster.node.default_child)).add(aspect)

    def _export(self, ip_family: str) -> None:
        """Exports what other stacks may read for the life of the cluster."""
        export_always(self, self._lasting_values())
        vpc = self.network.vpc
        if self.network.construct is not None:
            export_always(self.network.construct, [vpc.vpc_id])
        if ip_family == "ipv6" and isinstance(vpc, ec2.Vpc):
            export_always(vpc, [vpc.vpc_ipv6_cidr_blocks])

    @property
    def values(self) -> ClusterValues:
        """The values that charts need from the cluster, as tokens."""
        security_groups = [SecurityGroupSelectorTerm(id=self.cluster.cluster_security_group_id)]
        own = [
            SecurityGroupSelectorTerm(id=weakly(group.security_group_id)) for group in self.network.node_security_groups
        ]
        pod_subnets = _terms(self.network.pod_subnet_selector_terms())
        profile = self.node_role.instance_profile_name
        return ClusterValues(
            cluster_name=self.cluster.cluster_name,
            region=Stack.of(self).region,
            node_role=None if profile else self.node_role.role_name,
            instance_profile=profile,
            node_subnets=_terms(self.network.node_subnet_selector_terms()),
            node_security_groups=[*security_groups, *own],
            pod_subnets=pod_subnets or None,
            pod_security_groups=security_groups if pod_subnets else None,
            volume_key_arn=weakly(self.volume_key.key_arn) if self.volume_key is not None else None,
            storage_class=self._storage_class,
            tags=self._tags or None,
            node_tags=self._node_tags or None,
            node_defaults=self._node_defaults,
            built_in_pools=bool(self._built_in_pools),
            ip_family="ipv6" if self._ipv6 else None,
            network_cidrs=self.network_cidrs or None,
        )

    @property
    def has_audit_log(self) -> bool:
        """Whether the audit log of the control plane goes to ``log_group``."""
        return self.log_group is not None and "audit" in self._log_types

    @property
    def tags(self) -> Mapping[str, str]:
        """The AWS tags of everything that the cluster causes."""
        return self._tags

    @property
    def ip_family(self) -> str:
        """The address family of pods and services, ``ipv4`` or ``ipv6``."""
        return "ipv6" if self._ipv6 else "ipv4"

    @property
    def node_defaults(self) -> NodeDefaults:
        """The settings of every node launched through a NodeClass of this cluster."""
        return self._node_defaults or NodeDefaults()

    @property
    def gateway_api(self) -> bool:
        """Whether EKS installs the kinds of the Gateway API."""
        return self._gateway_api

    @property
    def internet(self) -> bool | None:
        """Whether nodes reach the internet, as the network states it."""
        return self.network.internet

    @property
    def default_node_class(self) -> bool:
        """Whether EKS creates the NodeClass ``default``: it does if there is a built-in pool."""
        return bool(self._built_in_pools)

    @property
    def built_in_pools(self) -> tuple[str, ...]:
        """The built-in pools that EKS manages."""
        return self._built_in_pools

    @property
    def other_nodes(self) -> bool:
        """Whether the app adds node groups or Fargate profiles to this cluster or any other."""
        return any(
            isinstance(construct, CfnResource) and construct.cfn_resource_type in _OTHER_NODES
            for construct in self.node.root.node.find_all()
        )

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """Network, keys and roles: nodes and the kubectl handler use them, so they must outlive the objects."""
        return [*self.network.delivery_dependencies, self.cluster_role, self.cluster]

    def check_deliverable(self, where: str) -> None:
        """Refuses a delivery without a kubectl provider."""
        if not self._kubectl:
            raise AutoModeError.of(
                where,
                field="cluster",
                message=f"'{self.node.path}' was created with kubectl=False and receives no charts",
                cure="leave kubectl on, or write the chart as YAML for GitOps",
            )

    def _lasting_values(self) -> list[str]:
        """What other stacks read from this one and what is fixed for the life of the cluster."""
        values = [self.cluster.cluster_name, self.cluster.cluster_security_group_id, self.node_role.role_name]
        if self.node_role.instance_profile_name is not None:
            values.append(self.node_role.instance_profile_name)
        if self._provider is not None:
            values.append(self._provider.service_token)
        return values

    def _completed(self, defaults: NodeDefaults, service_cidr: str | None) -> NodeDefaults | None:
        """The node defaults completed with what the cluster knows; they also configure the kubectl handler."""
        region = Stack.of(self).region
        defaults = with_fips(self, defaults)
        use_fips_endpoints(self, fips=bool(defaults.fips))
        if defaults == NodeDefaults():
            return None
        # Imported here because it loads the certificate parser.
        from automode_constructs.aws.corporate_egress import complete_no_proxy, configure_handler

        services = endpoint_services_of(self.network)
        if defaults.https_proxy is not None:
            resource = cast(CfnResource, self.cluster.node.default_child)
            if not self.network_cidrs:
                Annotations.of(self).add_warning_v2(
                    "automode:ProxyNetwork",
                    "node_defaults.no_proxy: the network's blocks are not known, so that traffic inside the VPC would "
                    "take the proxy; give ExistingNetwork(cidrs=[...])",
                )
            defaults = complete_no_proxy(
                self.node.path,
                defaults,
                region=region,
                cidrs=[
                    service_cidr or weakly(resource.get_att("KubernetesNetworkConfig.ServiceIpv6Cidr").to_string()),
                    *self.network_cidrs,
                ],
                services=services,
                ipv6=service_cidr is None,
                in_lambda=self._kubectl,
            )
        if self._provider is not None:
            egress = self.network.has_egress or defaults.https_proxy is not None
            fips = fips_endpoints(region, egress=egress, services=services) if defaults.fips else (False, False)
            configure_handler(self, self._provider, defaults, fips=fips)
        return defaults

    @property
    def network_cidrs(self) -> list[str]:
        """The blocks of the network's VPC, with its IPv6 block for an IPv6 cluster; empty if they are not known."""
        vpc = self.network.vpc
        cidrs = list(self.network.cidrs)
        if not cidrs:
            try:
                cidrs = [weakly(vpc.vpc_cidr_block)]
            except RuntimeError:  # An imported VPC without a known CIDR block raises when its block is read.
                return []
        if self._ipv6 and isinstance(vpc, ec2.Vpc):
            cidrs.append(Fn.select(0, vpc.vpc_ipv6_cidr_blocks))
        return cidrs

    def _key(
        self,
        key: kms.IKey | str | None,
        create: Callable[[], kms.Key],
        allow: Callable[[Construct, kms.IKey, iam.IRole], None],
    ) -> kms.IKey | None:
        """A new key, the user's key with its policy taken care of, or none."""
        if key is None:
            return create()
        if isinstance(key, str):
            return None
        allow(self, key, self.cluster_role)
        return key

    def _warn_of_foreign_role(self, *, custom_tags: bool) -> None:
        tags = ", and the statements of ClusterRole(custom_tags=True) for the tags" if custom_tags else ""
        Annotations.of(self).add_warning_v2(
            "automode:ClusterRoleNotOurs",
            "cluster_role: is used as it is; it must trust eks.amazonaws.com for sts:AssumeRole and sts:TagSession and "
            f"hold {', '.join(cluster_policies(Stack.of(self).region))}{tags}",
        )

    def _warn_of_built_in_pools(self) -> None:
        """Says what nodes of EKS's own NodeClass do not get of what the cluster has by default."""
        if not self._built_in_pools:
            return
        lost = []
        fips = self._node_defaults is not None and self._node_defaults.fips
        if self.volume_key is not None:
            lost.append("volume_key on their root and data volumes")
        if fips:
            lost.append(f"FIPS images, which are the default in '{Stack.of(self).region}'")
        if self._tags:
            lost.append("tags")
        if lost:
            Annotations.of(self).add_warning_v2(
                "automode:FipsBuiltInPools" if fips else "automode:BuiltInPoolsDefaults",
                f"built_in_pools: EKS's own NodeClass 'default' launches the nodes of {list(self._built_in_pools)}, "
                f"without {' and without '.join(lost)}; set built_in_pools=[] and deliver your own pools (ClusterStack "
                "does so unless hardened_pools=False)",
            )

    def _create_log_group(
        self, cluster_name: str | None, log_types: Sequence[str], retention: logs.RetentionDays, removal: RemovalPolicy
    ) -> logs.LogGroup | None:
        if not log_types:
            return None
        if cluster_name is None:
            Annotations.of(self).add_warning_v2(
                "automode:LogRetention",
                "log_retention: without cluster_name EKS makes the control plane's log group itself and keeps the logs "
                "for ever, without a key of yours; give cluster_name",
            )
            return None
        return logs.LogGroup(
            self,
            "ControlPlaneLogs",
            log_group_name=f"/aws/eks/{cluster_name}/cluster",
            retention=retention,
            encryption_key=self.log_key,
            removal_policy=removal,
        )

    def _put_kubectl_first(
        self, provider: eks.KubectlProvider, cluster_name: str, security_group: ec2.SecurityGroup
    ) -> None:
        """Makes CloudFormation create the Lambdas that run kubectl, and all they need, before the cluster."""
        handler, _ = kubectl_functions(provider)
        policy = cast(iam.Role, handler.role).node.find_child("DefaultPolicy").node.default_child
        # The CDK refers to the cluster by its attribute, which is known only after creation.
        cast(iam.CfnPolicy, policy).add_property_override(
            "PolicyDocument.Statement.0.Resource",
            Stack.of(self).format_arn(service="eks", resource="cluster", resource_name=cluster_name),
        )
        for construct in provider.node.find_all():
            # They call nothing before the first object is delivered, and that object already waits for the network.
            if isinstance(construct, CfnResource):
                construct.add_deletion_override("DependsOn")
        control_plane = cast(ec2.SecurityGroup, self.cluster.node.find_child("ControlPlaneSecurityGroup"))
        control_plane.add_ingress_rule(security_group, ec2.Port.HTTPS, "kubectl of the deliveries")
        cast(CfnResource, self.cluster.node.default_child).node.add_dependency(provider)
        # The CDK's own manifests wait for this, without outliving any of it.
        ways = [subnet.internet_connectivity_established for subnet in self.network.node_subnets]
        self.cluster.node.find_child("KubectlReadyBarrier").node.add_dependency(control_plane, *ways)


_OTHER_NODES = ("AWS::EKS::Nodegroup", "AWS::EKS::FargateProfile")


def _terms(terms: Sequence[SubnetSelectorTerm]) -> list[SubnetSelectorTerm]:
    """Terms whose ids are read weakly; the tags that our network puts on its subnets never change."""
    return [term if term.id is None else term.replace(id=weakly(term.id)) for term in terms]


def _storage_class(volume_key: kms.IKey | None, *, own_key: bool, tags: Mapping[str, str]) -> str | None:
    """The name of the default StorageClass, whose parameters cannot change: another key or other tags, another name."""
    text = ""
    if own_key:
        if volume_key is None and not tags:
            return "gp3-aws-owned"
        text = "" if volume_key is None else json.dumps(Stack.of(volume_key).resolve(volume_key.key_arn))
    if tags:
        text += json.dumps([own_key, *sorted(tags.items())])
    return f"gp3-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if text else None


_LOG_ENUM = {
    "api": "API",
    "audit": "AUDIT",
    "authenticator": "AUTHENTICATOR",
    "controllerManager": "CONTROLLER_MANAGER",
    "scheduler": "SCHEDULER",
}
