"""Node settings that EKS's built-in pools cannot carry, on pools of ours in their place.

The NodeClass of the built-in pools is EKS's own. hardened_pools=True turns them off, and PlatformStack delivers
"critical" and "general" with the settings that the cluster was given once; leave it out, and the error says so. With
network_policy="DefaultDeny" a pod reaches nothing until a policy of its namespace lets it.
"""

import aws_cdk as cdk

from automode_constructs import NodeDefaults
from stacks.cluster_stack import ClusterStack
from stacks.platform_stack import PlatformStack

app = cdk.App()
cluster = ClusterStack(
    app,
    "Hardened",
    cluster_name="hardened",
    admin_role_arns=[f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"],
    hardened_pools=True,
    node_tags={"cost-center": "4711"},
    node_defaults=NodeDefaults(
        kernel_lockdown="integrity", network_policy="DefaultDeny", network_policy_event_logs="Enabled"
    ),
    env=cdk.Environment(region="eu-central-1"),
)
PlatformStack(app, "HardenedPlatform", cluster=cluster.cluster, env=cdk.Environment(region="eu-central-1"))
app.synth()
