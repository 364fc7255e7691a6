"""One team creates all roles, in one stack and inside a boundary; the team that deploys pools creates none.

The cluster stack creates every role and the nodes' instance profile, so EKS creates nothing in IAM at run time either.
The pools stack holds only Kubernetes objects: docs/least-privilege.md has the policy of the team that deploys it, and
the boundary, which limits iam:PassRole to the node roles.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(
    app,
    "Least",
    cluster_name="least",
    instance_profile=True,
    permissions_boundary=lambda stack: iam.ManagedPolicy.from_managed_policy_name(
        stack, "Boundary", "cluster-boundary"
    ),
    env=env,
)
AccessStack(app, "LeastAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
# The pools team bootstraps with its own qualifier, whose execution role has no IAM permissions.
pools = cdk.DefaultStackSynthesizer(qualifier="pools")
PlatformStack(app, "LeastPools", cluster=cluster.cluster, synthesizer=pools, env=env)
app.synth()
