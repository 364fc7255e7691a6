"""A cluster that is watched: logs, managed Prometheus, Container Insights, alarms to a topic, one dashboard, and tags.

The add-on runs agents on every node and keeps one node alive; all else runs outside the cluster. docs/observability.md
says what each part costs and what to do when an alarm rings, docs/tags.md what carries the tags. The topic's address is
yours to subscribe. In GovCloud leave ManagedPrometheus out.
"""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from automode_constructs import CloudWatchObservability, ClusterAlarms, ClusterDashboard, ManagedPrometheus
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
home = ClusterStack(
    app,
    "Watched",
    cluster_name="watched",
    auto_mode_logs=True,
    tags={"team": "platform", "cost-centre": "4711"},
    env=env,
)
cluster = home.cluster
AccessStack(app, "WatchedAccess", cluster=cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "WatchedPlatform", cluster=cluster, env=env)
watch = cdk.Stack(app, "WatchedWatch", env=env)
CloudWatchObservability(watch, "Insights", cluster=cluster, cluster_name="watched")
prometheus = ManagedPrometheus(watch, "Prometheus", cluster=cluster, destination="cloudwatch")
topic = sns.Topic(watch, "Alarms", enforce_ssl=True, master_key=kms.Key(watch, "Key", enable_key_rotation=True))
alarms = ClusterAlarms(
    watch, "ClusterAlarms", cluster=cluster, topic=topic, container_insights=True, prometheus=prometheus
)
ClusterDashboard(
    watch,
    "Dashboard",
    cluster=cluster,
    container_insights=True,
    priced_instance_types=["c7i.large", "m7i.large", "m7g.large", "g6.xlarge"],
    alarms=alarms,
)
app.synth()
