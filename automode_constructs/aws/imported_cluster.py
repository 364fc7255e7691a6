"""ImportedCluster: an Auto Mode cluster created elsewhere, as the target of charts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import IDependable

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws import encryption
from automode_constructs.aws import kubernetes_version as versions
from automode_constructs.aws.access import put_in_kubectl_group
from automode_constructs.aws.cluster_arguments import check_name, missing_egress
from automode_constructs.aws.exports import export_always
from automode_constructs.aws.fips import fips_by_default, fips_endpoints
from automode_constructs.aws.function_logs import keep_function_logs, kubectl_functions, use_fips_endpoints
from automode_constructs.aws.kubectl_role import leave_out_image_rights
from automode_constructs.aws.network import Network
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.vpc_endpoints import endpoint_services_of
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_defaults import NodeDefaults

__all__ = ["ImportedCluster"]


class ImportedCluster(ChartTarget):
    """An EKS Auto Mode cluster that this app did not create, as a target for charts.

    Creates a kubectl provider (two Lambdas) and the access entry with which it administers the cluster. The cluster
    must accept access entries (authentication mode ``API`` or ``API_AND_CONFIG_MAP``). With ``network`` the Lambdas run
    in its node subnets, as a private endpoint requires. In GovCloud, and where ``values`` turn FIPS on, they use FIPS
    endpoints if they reach them.

    If a chart needs something that no chart creates (a NodeClass, the target of an ``add_dependency``), that is a
    warning here and not an error: it may have been created elsewhere.

    Args:
        scope: the stack, or a construct in it, in the cluster's account and region.
        id: the construct's id.
        cluster_name: the cluster's name.
        values: the values that charts need from the cluster, for ``.values``; the Lambdas use its proxy and
            authorities. Default: unknown.
        network: the VPC and subnets of the Lambdas; needs ``cluster_security_group_id``. Default: none; the Lambdas use
            the public endpoint.
        cluster_security_group_id: the security group that EKS created for the cluster. Default: none.
        version: the cluster's Kubernetes minor version, which decides the choice of kubectl. Default: 1.36.
        kubectl_layer: the layer with kubectl. Default: the installed layer nearest to ``version``.
        default_node_class: whether the cluster has a built-in pool and so the NodeClass ``default``. Default: True, as
            EKS has it.
        log_key: KMS key of the Lambdas' log groups. Default: a key that AWS owns; we decide.

    Raises:
        AutoModeError: for an invalid cluster name or version; for ``network`` without
            ``cluster_security_group_id``, or has no route out and lacks a VPC endpoint; when no kubectl layer fits; for
            a key of another region.

    Source: EKS User Guide, "Grant IAM users access to Kubernetes with EKS access entries".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster_name: str,
        values: ClusterValues | None = None,
        network: Network | None = None,
        cluster_security_group_id: str | None = None,
        version: str = versions.DEFAULT_VERSION,
        kubectl_layer: lambda_.ILayerVersion | None = None,
        default_node_class: bool = True,
        log_key: kms.IKey | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        check_name(refusals, cluster_name)
        if re.fullmatch(r"1\.[0-9]{1,3}", version) is None:
            refusals.refuse(
                "version",
                f"'{version}' is not a Kubernetes minor version",
                f"write it like '{versions.DEFAULT_VERSION}'",
            )
        if network is not None and cluster_security_group_id is None:
            refusals.refuse(
                "cluster_security_group_id",
                "is needed beside network: through it the Lambdas reach the private endpoint",
                "take it from: aws eks describe-cluster --name NAME "
                "--query cluster.resourcesVpcConfig.clusterSecurityGroupId",
            )
        # A proxy counts as a route out.
        proxied = values is not None and bool(values.proxy_environment())
        egress = None if network is None or proxied else missing_egress(network, nodes=False)
        if egress is not None and egress.refused:
            refusals.problems.append(egress.problem)
        if log_key is not None:
            encryption.check_key(refusals, "log_key", log_key.key_arn, Stack.of(scope).region)
        refusals.raise_all()
        super().__init__(scope, id)
        if egress is not None:
            egress.warn(self)
        vpc = None if network is None else network.vpc
        # A provider needs a cluster, and a cluster takes manifests only with a provider: import it twice.
        bare = eks.Cluster.from_cluster_attributes(
            self,
            "Bare",
            cluster_name=cluster_name,
            vpc=vpc,
            cluster_security_group_id=cluster_security_group_id,
        )
        self.kubectl_provider = eks.KubectlProvider(
            self,
            "KubectlProvider",
            cluster=bare,
            kubectl_layer=kubectl_layer
            or versions.kubectl_layer(self, "KubectlLayer", eks.KubernetesVersion.of(version)),
            private_subnets=None if network is None else network.node_subnets,
        )
        """The Lambdas that run kubectl."""
        if log_key is not None:
            encryption.allow_log_encryption(self, log_key)
        keep_function_logs(
            self,
            removal_policy=RemovalPolicy.DESTROY,
            functions=kubectl_functions(self.kubectl_provider),
            log_key=log_key,
        )
        self.access_entry = eks.AccessEntry(
            self,
            "KubectlAccess",
            cluster=bare,
            principal=cast(iam.IRole, self.kubectl_provider.role).role_arn,
            access_policies=[
                eks.AccessPolicy.from_access_policy_name(
                    "AmazonEKSClusterAdminPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
                )
            ],
        )
        """The access entry that lets kubectl do its work."""
        put_in_kubectl_group(self.access_entry)
        leave_out_image_rights(self.kubectl_provider)
        self.cluster: eks.ICluster = eks.Cluster.from_cluster_attributes(
            self,
            "Cluster",
            cluster_name=cluster_name,
            vpc=vpc,
            cluster_security_group_id=cluster_security_group_id,
            kubectl_provider=self.kubectl_provider,
            prune=False,
        )
        export_always(self, [self.kubectl_provider.service_token])
        self._network = network
        self._values = values
        self._configure_handler()
        self._default_node_class = default_node_class

    def _configure_handler(self) -> None:
        """Gives the Lambdas the proxy and authorities of the values, and FIPS endpoints."""
        defaults = (None if self._values is None else self._values.node_defaults) or NodeDefaults()
        region = Stack.of(self).region
        on = fips_by_default(region) if defaults.fips is None else defaults.fips
        use_fips_endpoints(self, fips=on)
        if not on and defaults == NodeDefaults():
            return
        # Imported here because it loads the certificate parser.
        from automode_constructs.aws.corporate_egress import configure_handler

        fips = (False, False)
        if on:
            network = self._network
            egress = network is None or network.has_egress or defaults.https_proxy is not None
            services = frozenset[str]() if network is None else endpoint_services_of(network)
            fips = fips_endpoints(region, egress=egress, services=services)
        configure_handler(self, self.kubectl_provider, defaults, fips=fips)

    @property
    def values(self) -> ClusterValues:
        """The values that charts need from the cluster: the argument."""
        if self._values is None:
            raise AutoModeError.of(
                self.node.path, field="values", message="are not known", cure="pass values=ClusterValues(...)"
            )
        return self._values

    @property
    def ip_family(self) -> str | None:
        """The address family of pods and services, if ``values`` are known."""
        return None if self._values is None else self._values.ip_family or "ipv4"

    @property
    def tags(self) -> Mapping[str, str]:
        """The AWS tags of everything that the cluster causes, if ``values`` have them."""
        tags = None if self._values is None else self._values.tags
        return {str(key): str(value) for key, value in (tags or {}).items()}

    @property
    def default_node_class(self) -> bool:
        """Whether the cluster has the NodeClass ``default`` of EKS."""
        return self._default_node_class

    @property
    def charts_are_all_known(self) -> bool:
        """False: other apps may deliver to this cluster, so a missing object is only a warning."""
        return False

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """The kubectl provider, its access, and the subnets and routes that this app creates."""
        network = [] if self._network is None else self._network.delivery_dependencies
        return cast(Sequence[IDependable], [self.kubectl_provider, self.access_entry, *network])
