"""Software that EKS or Helm installs in a cluster: metrics for autoscalers, certificates, the state of NodePools.

Nothing of it is there by default: each keeps a node alive in a cluster that runs nothing else. All of it comes after
the pools, and goes before them.
"""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_iam as iam

from automode_constructs import AddOn, ChartDelivery, HelmRelease, MetricsServer
from automode_constructs.patterns import ClusterStack, KubeStateMetricsChart, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(
    app, "Cluster", cluster_name="add-ons", admin_role_arns=[ADMIN], hardened_pools=True, env=env
).cluster
platform = PlatformStack(app, "Platform", cluster=cluster, env=env)

MetricsServer(platform, "MetricsServer", cluster=cluster)
AddOn(platform, "CertManager", cluster=cluster, name="cert-manager")
AddOn(
    platform,
    "Observability",
    cluster=cluster,
    name="amazon-cloudwatch-observability",
    version="v6.3.0-eksbuild.1",
    service_accounts={
        "cloudwatch-agent": [iam.ManagedPolicy.from_aws_managed_policy_name("CloudWatchAgentServerPolicy")]
    },
)
HelmRelease(
    platform,
    "Policies",
    cluster=cluster,
    chart="policy-reporter",
    repository="https://charts.example.com",
    version="3.1.4",
    namespace="policies",
    values={"ui": {"enabled": True}},
)
IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/kube-state-metrics:v2.19.1"
metrics = KubeStateMetricsChart(cdk8s.App(), "object-metrics", image=IMAGE)
ChartDelivery(platform, "ObjectMetrics", cluster=cluster, chart=metrics)
app.synth()
