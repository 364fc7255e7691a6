"""Node settings that EKS's built-in pools cannot have, on this library's pools in their place.

The NodeClass of the built-in pools belongs to EKS. A ClusterStack turns these pools off unless hardened_pools=False,
and PlatformStack delivers "critical" and "general" with the cluster's node settings. With network_policy="DefaultDeny"
a pod reaches nothing until a policy in its namespace allows it.
"""

import aws_cdk as cdk

from automode_constructs import NodeDefaults
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
env = cdk.Environment(region="eu-central-1")
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
cluster = ClusterStack(
    app,
    "Hardened",
    cluster_name="hardened",
    node_tags={"cost-center": "4711"},
    node_defaults=NodeDefaults(
        kernel_lockdown="integrity", network_policy="DefaultDeny", network_policy_event_logs="Enabled"
    ),
    env=env,
)
AccessStack(app, "HardenedAccess", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "HardenedPlatform", cluster=cluster.cluster, env=env)
app.synth()
