"""Pods in their own subnets, on 100.64.0.0/16, with their own security group.

Nodes keep scarce company addresses, and pods use none of them. Traffic from pods leaves the VPC under the nodes'
addresses; with ``NodeDefaults(snat_policy="Disabled")`` it would show the pods' own, to which company networks have no
route. The second block and its subnets cost nothing; a node holds fewer pods, because its first interface carries none.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import AutoModeNetwork, ChartDelivery, PodSecurityGroup
from automode_constructs.aws.network import DEFAULT_POD_CIDR
from automode_constructs.patterns import ClusterStack, platform_charts

app = cdk.App()
env = cdk.Environment(region="eu-central-1")
stack = ClusterStack(
    app,
    "PodSubnets",
    cluster_name="pod-subnets",
    network=lambda stack: AutoModeNetwork(stack, "Network", pod_cidr=DEFAULT_POD_CIDR),
    env=env,
)
pods = PodSecurityGroup(stack, "PodSecurityGroup", cluster=stack.cluster)

platform = cdk.Stack(app, "PodSubnetsPlatform", env=env)
for chart in platform_charts(cdk8s.App(), pods.values):
    ChartDelivery(platform, chart.node.id, cluster=stack.cluster, chart=chart)
app.synth()
