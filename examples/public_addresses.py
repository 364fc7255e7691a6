"""A cluster under an organization's policy that refuses instances unless they say "no public address".

Nodes in private subnets have no public address anyway, but such a policy (a service control policy on ec2:RunInstances)
requires the setting, and EKS's built-in pools do not have it. associate_public_ip=True would give every node a public
address, with a warning; without the argument the field is not written.
"""

import aws_cdk as cdk

from automode_constructs import NodeDefaults
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-west-1")
cluster = ClusterStack(
    app,
    "Private",
    cluster_name="private",
    node_defaults=NodeDefaults(associate_public_ip=False),
    env=env,
)
AccessStack(app, "PrivateAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "PrivatePlatform", cluster=cluster.cluster, env=env)
app.synth()
