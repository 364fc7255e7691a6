"""The default app's resources written by hand with nothing but the CDK: the yardstick of ``benchmarks.synth``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.lambda_layer_kubectl_v36 import KubectlV36Layer

NAME = "automode"


def _managed(*names: str) -> list[iam.IManagedPolicy]:
    return [iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in names]


def _statement(role: iam.Role, *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(principals=[iam.ArnPrincipal(role.role_arn)], actions=list(actions), resources=["*"])


def _entry_policy(name: str) -> eks.IAccessPolicy:
    return eks.AccessPolicy.from_access_policy_name(name, access_scope_type=eks.AccessScopeType.CLUSTER)


class HandWrittenCluster(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/16"),
            availability_zones=[cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(3)],
            restrict_default_security_group=True,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Node", cidr_mask=19, subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
                ec2.SubnetConfiguration(
                    name="Public", cidr_mask=24, subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
            ],
        )
        for subnet in self.vpc.private_subnets:
            cdk.Tags.of(subnet).add("kubernetes.io/role/internal-elb", "1")
            cdk.Tags.of(subnet).add(
                "automode-constructs/node-subnet", self.vpc.vpc_id, include_resource_types=["AWS::EC2::Subnet"]
            )
        for subnet in self.vpc.public_subnets:
            cdk.Tags.of(subnet).add("kubernetes.io/role/elb", "1")
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        flow_logs = logs.LogGroup(self, "FlowLogGroup", retention=logs.RetentionDays.THREE_MONTHS)
        flow_log = ec2.FlowLog(
            self,
            "FlowLog",
            resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(flow_logs),
        )
        restriction = self.node.find_child("Custom::VpcRestrictDefaultSGCustomResourceProvider")
        restriction_logs = logs.LogGroup(self, "RestrictionLogs", retention=logs.RetentionDays.THREE_MONTHS)
        cast(cdk.CfnResource, restriction.node.find_child("Handler")).add_property_override(
            "LoggingConfig.LogGroup", restriction_logs.log_group_name
        )
        role = iam.Role(
            self,
            "ClusterRole",
            assumed_by=iam.ServicePrincipal("eks.amazonaws.com").with_session_tags(),
            managed_policies=_managed(
                "AmazonEKSClusterPolicy",
                "AmazonEKSComputePolicy",
                "AmazonEKSBlockStoragePolicyV2",
                "AmazonEKSLoadBalancingPolicy",
                "AmazonEKSNetworkingPolicy",
            ),
        )
        node_policies = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
        ec2_principal = iam.ServicePrincipal("ec2.amazonaws.com")
        secrets = kms.Key(self, "SecretsKey", enable_key_rotation=True)
        secrets.add_to_resource_policy(
            _statement(role, "kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey")
        )
        self.volumes = kms.Key(self, "VolumeKey", enable_key_rotation=True)
        self.volumes.add_to_resource_policy(
            _statement(role, "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
        )
        grants = _statement(role, "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
        grants.add_condition("Bool", {"kms:GrantIsForAWSResource": "true"})
        self.volumes.add_to_resource_policy(grants)
        log_key = kms.Key(self, "LogKey", enable_key_rotation=True)
        log_key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{cdk.Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
            )
        )
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/eks/{NAME}/cluster",
            retention=logs.RetentionDays.ONE_YEAR,
            encryption_key=log_key,
        )
        kubectl = ec2.SecurityGroup(self, "KubectlSecurityGroup", vpc=self.vpc)
        types = eks.ClusterLoggingTypes
        self.cluster = eks.Cluster(
            self,
            "Cluster",
            version=eks.KubernetesVersion.V1_36,
            cluster_name=NAME,
            role=role.without_policy_updates(),
            vpc=self.vpc,
            vpc_subnets=[ec2.SubnetSelection(subnets=self.vpc.private_subnets)],
            endpoint_access=eks.EndpointAccess.PRIVATE,
            service_ipv4_cidr="172.20.0.0/16",
            compute=eks.ComputeConfig(node_pools=[]),
            secrets_encryption_key=secrets,
            cluster_logging=[
                types.API,
                types.AUDIT,
                types.AUTHENTICATOR,
                types.CONTROLLER_MANAGER,
                types.SCHEDULER,
            ],
            bootstrap_self_managed_addons=False,
            bootstrap_cluster_creator_admin_permissions=False,
            prune=False,
            output_config_command=False,
            kubectl_provider_options=eks.KubectlProviderOptions(
                kubectl_layer=KubectlV36Layer(self, "KubectlLayer"), security_groups=[kubectl]
            ),
        )
        resource = self.cluster.node.default_child
        assert isinstance(resource, eks.CfnCluster)
        resource.deletion_protection = True
        resource.upgrade_policy = eks.CfnCluster.UpgradePolicyProperty(support_type="STANDARD")
        resource.zonal_shift_config = eks.CfnCluster.ZonalShiftConfigProperty(enabled=True)
        resource.node.add_dependency(log_group, flow_log)
        self._make_kubectl_first(resource, kubectl)
        self.node_role = iam.Role(self, "NodeRole", assumed_by=ec2_principal, managed_policies=_managed(*node_policies))
        self.cluster.grant_access(
            "Nodes",
            self.node_role.role_arn,
            [_entry_policy("AmazonEKSAutoNodePolicy")],
            access_entry_type=eks.AccessEntryType.EC2,
        )
        for name in (
            "ClusterName",
            "NodeRoleName",
            "ClusterValues",
            "RemoveControlPlaneLogsCommand",
            "RemoveKeysCommand",
            "RemoveLogsCommand",
        ):
            cdk.CfnOutput(self, name, value=self.cluster.cluster_name)

    def _make_kubectl_first(self, cluster: eks.CfnCluster, security_group: ec2.SecurityGroup) -> None:
        """Makes the Lambdas that run kubectl before the cluster, and beside the network."""
        control_plane = cast(ec2.SecurityGroup, self.cluster.node.find_child("ControlPlaneSecurityGroup"))
        control_plane.add_ingress_rule(security_group, ec2.Port.HTTPS)
        self.cluster.node.find_child("KubectlReadyBarrier").node.add_dependency(control_plane)
        provider = self.cluster.node.find_child("KubectlProvider")
        cluster.node.add_dependency(provider)
        for each in provider.node.find_all():
            if isinstance(each, cdk.CfnResource):
                each.add_deletion_override("DependsOn")
        policy = provider.node.find_child("Handler").node.find_child("ServiceRole").node.find_child("DefaultPolicy")
        cast(iam.CfnPolicy, policy.node.default_child).add_property_override(
            "PolicyDocument.Statement.0.Resource",
            self.format_arn(service="eks", resource="cluster", resource_name=NAME),
        )


class HandWrittenAccess(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, home: HandWrittenCluster) -> None:
        super().__init__(scope, id)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        cdk.CfnOutput(self, "KubeconfigCommand", value=home.cluster.cluster_name)


class HandWrittenGuard(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, guarded: Sequence[cdk.Stack]) -> None:
        super().__init__(scope, id, termination_protection=True)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        names = [stack.export_value(stack.stack_name, name=f"{stack.stack_name}:guard") for stack in guarded]
        cdk.CfnOutput(self, "Guarded", value=cdk.Fn.join(" ", names))
        for stack in guarded:
            self.add_stack_dependency(stack)


class HandWrittenPlatform(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, home: HandWrittenCluster) -> None:
        super().__init__(scope, id)
        cluster = cast(eks.ICluster, home.cluster)
        crds = [
            eks.KubernetesObjectValue(
                self,
                crd.split(".")[0],
                cluster=cluster,
                object_type="crd",
                object_name=crd,
                json_path=".metadata.name",
                timeout=cdk.Duration.minutes(14),
            )
            for crd in (
                "nodeclasses.eks.amazonaws.com",
                "nodepools.karpenter.sh",
                "ingressclassparams.eks.amazonaws.com",
            )
        ]
        made: list[eks.KubernetesManifest] = []
        for manifest in _manifests(home):
            name = f"{manifest['kind']}-{manifest['metadata']['name']}"  # type: ignore[index]
            resource = eks.KubernetesManifest(
                self, name, cluster=cluster, manifest=[manifest], overwrite=True, prune=False
            )
            # Three at a time, and the pools after their class.
            resource.node.add_dependency(*crds, *made[:1], *made[-3:-2])
            made.append(resource)


def _manifests(home: HandWrittenCluster) -> list[dict[str, object]]:
    def pool(name: str, capacity: str, archs: list[str], *taints: dict[str, str]) -> dict[str, object]:
        return {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "metadata": {"name": name},
            "spec": {
                "template": {
                    "spec": {
                        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "standard"},
                        "requirements": [
                            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity]},
                            {
                                "key": "eks.amazonaws.com/instance-category",
                                "operator": "In",
                                "values": ["c", "m", "r"],
                            },
                            {"key": "eks.amazonaws.com/instance-generation", "operator": "Gt", "values": ["4"]},
                            {"key": "kubernetes.io/arch", "operator": "In", "values": archs},
                        ],
                        **({"taints": list(taints)} if taints else {}),
                        "expireAfter": "336h",
                        "terminationGracePeriod": "24h",
                    }
                },
                "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "30s"},
            },
        }

    return [
        {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "NodeClass",
            "metadata": {"name": "standard"},
            "spec": {
                "role": home.node_role.role_name,
                "subnetSelectorTerms": [{"tags": {"automode-constructs/node-subnet": home.vpc.vpc_id}}],
                "securityGroupSelectorTerms": [{"id": home.cluster.cluster_security_group_id}],
                "ephemeralStorage": {"kmsKeyID": home.volumes.key_arn},
            },
        },
        pool("general", "on-demand", ["amd64"]),
        pool("critical", "on-demand", ["amd64", "arm64"], {"key": "CriticalAddonsOnly", "effect": "NoSchedule"}),
        pool("spot", "spot", ["amd64"], {"key": "karpenter.sh/capacity-type", "value": "spot", "effect": "NoSchedule"}),
        pool(
            "graviton", "on-demand", ["arm64"], {"key": "kubernetes.io/arch", "value": "arm64", "effect": "NoSchedule"}
        ),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "gp3",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "ebs.csi.eks.amazonaws.com",
            "parameters": {"type": "gp3", "encrypted": "true", "kmsKeyId": home.volumes.key_arn},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
            "allowedTopologies": [
                {"matchLabelExpressions": [{"key": "eks.amazonaws.com/compute-type", "values": ["auto"]}]}
            ],
        },
        {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "IngressClassParams",
            "metadata": {"name": "alb"},
            "spec": {"scheme": "internal"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "alb", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {
                "controller": "eks.amazonaws.com/alb",
                "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "alb"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
            "data": {"enable-network-policy-controller": "true"},
        },
    ]


def build(app: cdk.App) -> None:
    """The four stacks."""
    home = HandWrittenCluster(app, f"{NAME}-cluster")
    access = HandWrittenAccess(app, f"{NAME}-access", home=home)
    platform = HandWrittenPlatform(app, f"{NAME}-platform", home=home)
    HandWrittenGuard(app, f"{NAME}-guard", guarded=[home, access, platform])


if __name__ == "__main__":
    made = cdk.App()
    build(made)
    made.synth()
