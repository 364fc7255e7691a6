"""A cluster whose pods and services have IPv6 addresses, so that the VPC's IPv4 blocks cannot run out.

The IP family cannot change later, and EKS chooses the block of the services. By default pods can still leave over IPv4,
which network policies do not cover; enable_v4_egress=False prevents that, and needs pools other than the built-in ones.
"""

import aws_cdk as cdk

from automode_constructs import AutoModeNetwork, NodeDefaults
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(
    app,
    "Six",
    cluster_name="six",
    network=lambda stack: AutoModeNetwork(stack, "Network", ipv6=True),
    ip_family="ipv6",
    node_defaults=NodeDefaults(enable_v4_egress=False),
    env=env,
)
AccessStack(app, "SixAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "SixPlatform", cluster=cluster.cluster, env=env)
app.synth()
