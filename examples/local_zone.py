"""Nodes in two Local Zones of a cluster whose control plane is in the parent region.

Nodes there cost more than in the region, and traffic between them and the region is charged like traffic between zones.
The account must have opted in to the zones. Look up their instance families beforehand.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import AutoModeNetwork, ChartDelivery, LocalZoneSubnets
from automode_constructs.patterns import ClusterStack, LocalZoneChart, PlatformStack

FAMILIES = {"us-west-2-lax-1a": ["c5", "m5", "r5"], "us-west-2-den-1a": ["c6i", "m6i"]}

app = cdk.App()
env = cdk.Environment(region="us-west-2")
stack = ClusterStack(
    app, "Cluster", cluster_name="edge", network=lambda stack: AutoModeNetwork(stack, "Network"), env=env
)
assert isinstance(stack.network, AutoModeNetwork)
edge = LocalZoneSubnets(
    stack,
    "Edge",
    network=stack.network,
    cidrs={"us-west-2-lax-1a": "10.0.192.0/20", "us-west-2-den-1a": "10.0.208.0/20"},
)
PlatformStack(app, "Platform", cluster=stack.cluster, env=env)
chart = LocalZoneChart(
    cdk8s.App(),
    "local-zones",
    values=stack.cluster.values,
    subnet_ids={zone: subnet.subnet_id for zone, subnet in edge.subnets.items()},
    instance_families=FAMILIES,
)
ChartDelivery(cdk.Stack(app, "Edge", env=env), "LocalZones", cluster=stack.cluster, chart=chart)
app.synth()
