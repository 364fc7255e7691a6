"""User code that is only type-checked: constructs beside the CDK's own types. Checked by mypy."""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from automode_constructs import (
    GPT_OSS_20B,
    AdvancedCompute,
    AutoModeCluster,
    AutoModeNetwork,
    Budget,
    CapacityReservation,
    ChartDelivery,
    ClusterRole,
    ClusterValues,
    ExistingNetwork,
    GatewayClass,
    GatewayClassSpec,
    Kubelet,
    KubernetesObject,
    ModelBucket,
    ModelServer,
    Network,
    NodeClass,
    NodePool,
    NodePoolSpec,
    NodeRole,
    PodIdentityRole,
    ReservedCapacity,
    S3Weights,
    SecretKey,
    ServiceReference,
    TargetGroupBinding,
    TargetGroupBindingSpec,
    VolumeAttributes,
    VolumeAttributesClass,
    VolumeAttributesClassSpec,
    VolumeSnapshotClass,
    VolumeSnapshotClassSpec,
    WeightStaging,
    labels,
)


def cluster(stack: cdk.Stack, vpc: ec2.IVpc, key: kms.IKey, boundary: iam.IManagedPolicy) -> AutoModeCluster:
    return AutoModeCluster(
        stack,
        "Cluster",
        version=eks.KubernetesVersion.V1_36,
        network=ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets),
        cluster_role=ClusterRole(stack, "Role"),
        secrets_key=key,
        volume_key="aws-owned",
        built_in_pools=["system"],
        permissions_boundary=boundary,
    )


def pools(stack: cdk.Stack, target: AutoModeCluster, spec: NodePoolSpec) -> ChartDelivery:
    values: ClusterValues = target.values
    chart = cdk8s.Chart(cdk8s.App(), "pools")
    NodePool(chart, "own", node_class=NodeClass(chart, "own-class", spec=values.node_class_spec()), spec=spec)
    large = NodeClass(
        chart,
        "large",
        spec=values.node_class_spec(advanced_compute=AdvancedCompute(kubelet=Kubelet(max_pods=60)), role="nodes"),
        snat_policy="Disabled",
    )
    NodePool(
        chart,
        "large",
        node_class=large,
        requirements=[labels.INSTANCE_CPU.at_least(16)],
        limits={"cpu": 100},
        budgets=[Budget(nodes=1)],
        consolidation_policy="WhenEmpty",
    )
    NodePool(chart, "built-in", node_class=NodeClass.from_name("default"), spec=spec)
    return ChartDelivery(stack, "Pools", cluster=target, chart=chart)


def classes(chart: cdk8s.Chart, target_group: str) -> list[KubernetesObject]:
    changed = VolumeAttributesClassSpec(
        driver_name="ebs.csi.eks.amazonaws.com", parameters=VolumeAttributes(iops="6000")
    )
    snapshots = VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete")
    binding = TargetGroupBindingSpec(
        service_ref=ServiceReference(name="web", port=80), target_group_arn=target_group, target_type="ip"
    )
    return [
        GatewayClass(chart, "alb", spec=GatewayClassSpec(controller_name="eks.amazonaws.com/gateway-alb")),
        VolumeAttributesClass(chart, "fast", spec=changed),
        VolumeSnapshotClass(chart, "snapshots", spec=snapshots, default_class=True),
        TargetGroupBinding(chart, "web", spec=binding),
    ]


def model(stack: cdk.Stack, chart: cdk8s.Chart, target: AutoModeCluster, pool: NodePool) -> ModelServer:
    bucket = ModelBucket(stack, "Weights")
    identity = PodIdentityRole(stack, "Server", cluster=target, namespace="models", service_account="gpt-oss-20b")
    bucket.grant_read(identity.role, "gpt-oss-20b")
    weights = S3Weights(bucket=bucket.bucket_name, prefix="gpt-oss-20b")
    names: list[str] = [one.name for one in pool.instance_types() if one.gpu is not None]
    server = ModelServer(
        chart,
        "gpt-oss-20b",
        model=GPT_OSS_20B,
        image="vllm/vllm-openai:v0.33.0",
        weights=weights,
        staging=WeightStaging(chart, "stage", model=GPT_OSS_20B, weights=weights),
        node_pool=pool,
        api_key=SecretKey(name="api", key="key"),
        arguments=["--seed=1"],
        environment={"TYPES": ",".join(names)},
    )
    server.deployment.add_override("spec.minReadySeconds", 10)
    return server


def reserved(chart: cdk8s.Chart, target: AutoModeCluster) -> NodePool:
    reservation = CapacityReservation(id="cr-0aaaaaaaaaaaaaaaa", instance_type="m8i.4xlarge", zone="us-east-1a")
    return ReservedCapacity(chart, "web", reservation=reservation, node_class_spec=target.values.node_class_spec()).pool


def escape_hatches(target: AutoModeCluster, stack: cdk.Stack) -> None:
    target.cluster.connections.allow_default_port_from(ec2.Peer.ipv4("10.0.0.0/8"))
    role: NodeRole = NodeRole(stack, "Gpu", cluster=target)
    name: str = role.role_name
    network: AutoModeNetwork = AutoModeNetwork(stack, name, pod_cidr="100.64.0.0/16")
    either: Network = network
    del either
    subnets: list[ec2.ISubnet] = network.pod_subnets
    del subnets
