"""A control plane for GPU fleets: fixed capacity, nodes filled by GPU, short-lived events, a faster autoscaler."""

import aws_cdk as cdk

from automode_constructs import ControlPlaneSettings
from automode_constructs.patterns import ClusterStack, PlatformStack

app = cdk.App()
cluster = ClusterStack(
    app,
    "Fleet",
    cluster_name="fleet",
    env=cdk.Environment(region="eu-central-1"),
    control_plane_scaling_tier="tier-xl",
    control_plane=ControlPlaneSettings(
        scoring="MostAllocated",
        scoring_weights={"nvidia.com/gpu": 5, "cpu": 1, "memory": 1},
        event_ttl_minutes=30,
        autoscaler_sync_seconds=10,
        rollback_timeout_minutes=1440,
    ),
).cluster
PlatformStack(app, "Platform", cluster=cluster, env=cdk.Environment(region="eu-central-1"))
app.synth()
