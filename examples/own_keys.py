"""Your own keys: for Kubernetes secrets, and for the root and data volumes of nodes and the volumes of pods.

The secrets key is imported by its ARN, the volume key by an alias of a multi-Region key. The stack changes no policy of
an imported key: the warnings automode:KeyPolicyNotOurs say what the policy must contain. A cluster's secrets key cannot
change. EKS's built-in pools use the account's EBS key, so this library's pools take their place.
"""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
KEY = f"arn:{cdk.Aws.PARTITION}:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
cluster = ClusterStack(
    app,
    "OwnKeys",
    cluster_name="own-keys",
    secrets_key=lambda stack: kms.Key.from_key_arn(stack, "SecretsKey", KEY),
    volume_key=lambda stack: kms.Alias.from_alias_name(stack, "VolumeKey", "alias/volumes"),
    env=env,
)
AccessStack(app, "OwnKeysAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "OwnKeysPlatform", cluster=cluster.cluster, env=env)
app.synth()
