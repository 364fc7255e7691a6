"""Nodes that exist before their pods do: twelve, four in each of three zones, replaced but never removed.

They cost money even when nothing runs on them. Pods use them through the label and the toleration
``automode-constructs/static-pool=warm``. Each zone's pool may have one extra node while it replaces another.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import ChartDelivery
from automode_constructs.patterns import ClusterStack, StaticPoolsChart

app = cdk.App()
environment = cdk.Environment(region="us-east-1")
cluster = ClusterStack(app, "Cluster", cluster_name="static", hardened_pools=False, env=environment).cluster
chart = StaticPoolsChart(
    cdk8s.App(),
    "static",
    values=cluster.values,
    name="warm",
    instance_types=["m8i.2xlarge", "m7i.2xlarge"],
    replicas=12,
    zones=["us-east-1a", "us-east-1b", "us-east-1c"],  # the region's first three, as the cluster has them
)
ChartDelivery(cdk.Stack(app, "Pools", env=environment), "Static", cluster=cluster, chart=chart)
app.synth()
