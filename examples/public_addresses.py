"""A cluster under an organization's policy that launches nothing without the words "no public address".

Nodes in private subnets have no public address anyway, but such a policy (a service control policy on ec2:RunInstances)
wants it written, and EKS's built-in pools do not write it. associate_public_ip=True would give every node an address,
with a warning; leave it out, and nothing is written.
"""

import aws_cdk as cdk

from automode_constructs import NodeDefaults
from stacks.cluster_stack import ClusterStack
from stacks.platform_stack import PlatformStack

app = cdk.App()
env = cdk.Environment(region="eu-west-1")
cluster = ClusterStack(
    app,
    "Private",
    cluster_name="private",
    admin_role_arns=[f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"],
    hardened_pools=True,
    node_defaults=NodeDefaults(associate_public_ip=False),
    env=env,
)
PlatformStack(app, "PrivatePlatform", cluster=cluster.cluster, env=env)
app.synth()
