"""A cluster in AWS GovCloud (US): FIPS nodes and endpoints by default, every ARN in the partition.

This library's pools replace EKS's built-in pools, which cannot run FIPS images.
The same file works in a commercial region: cdk synth -c region=us-east-2.
"""

import aws_cdk as cdk

from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region=app.node.try_get_context("region") or "us-gov-west-1")
cluster = ClusterStack(
    app,
    "Gov",
    cluster_name="gov",
    env=env,
)
AccessStack(app, "GovAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "GovPlatform", cluster=cluster.cluster, env=env)
app.synth()
