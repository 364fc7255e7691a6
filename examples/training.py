"""Nodes for distributed training: four p5.48xlarge with 32 EFA interfaces each, in one zone and one placement group.

Nodes start when pods wait for them and go ten minutes after the last pod: each costs some tens of dollars an hour.
You install the EFA device plugin, with a toleration of nvidia.com/gpu; then pass efa_device_plugin=True.
"""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_ec2 as ec2

from automode_constructs import ChartDelivery, EfaSecurityGroup, PlacementGroupSelector
from automode_constructs.patterns import ClusterStack, TrainingChart

app = cdk.App()
environment = cdk.Environment(region="us-east-1")
cluster = ClusterStack(app, "Cluster", cluster_name="training", hardened_pools=False, env=environment).cluster
stack = cdk.Stack(app, "Training", env=environment)
# An existing group: PlacementGroupSelector(id="pg-...") or PlacementGroupSelector(name="...").
group = ec2.PlacementGroup(stack, "PlacementGroup", strategy=ec2.PlacementGroupStrategy.CLUSTER)
efa = EfaSecurityGroup(stack, "Efa", vpc=cluster.network.vpc)
chart = TrainingChart(
    cdk8s.App(),
    "training",
    values=cluster.values,
    instance_type="p5.48xlarge",
    zone="us-east-1a",
    nodes=4,
    placement_group=PlacementGroupSelector(name=group.placement_group_name),
    security_groups=[efa.selector_term],
)
ChartDelivery(stack, "Pool", cluster=cluster, chart=chart)
app.synth()
