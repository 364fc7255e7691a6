"""FIPS 140 validated modules on every node, in a commercial region of the United States or Canada.

EKS's built-in pools cannot use them, so this library's pools take their place. kubectl's Lambdas use the FIPS endpoints
of EKS and Lambda where the region has them. A region without FIPS images is a warning.
"""

import aws_cdk as cdk

from automode_constructs import NodeDefaults
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="us-east-1")
cluster = ClusterStack(
    app,
    "Fips",
    cluster_name="fips",
    node_defaults=NodeDefaults(fips=True),
    env=env,
)
AccessStack(app, "FipsAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "FipsPlatform", cluster=cluster.cluster, env=env)
app.synth()
