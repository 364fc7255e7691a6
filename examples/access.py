"""Who may do what: platform engineers, teams in their namespaces, and a break-glass role whose use is an alarm.

People come from IAM Identity Center: permission sets may take roles of this app, whose ARNs last. Platform engineers
change NodePools by a Kubernetes group: no access policy of EKS but that of administrators knows those. The app prints
who may do what. Pods of the shop act as a role of another account.
"""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_sns as sns

from automode_constructs import (
    Access,
    AccessGrant,
    ChartDelivery,
    KubernetesGroup,
    PermissionSetRole,
    PodIdentityRole,
    access_page,
)
from automode_constructs.patterns import ClusterStack, PlatformStack

app = cdk.App()
env = cdk.Environment(account="111122223333", region="eu-central-1")
cluster = ClusterStack(app, "Access", cluster_name="access", env=env).cluster
platform = PlatformStack(app, "AccessPlatform", cluster=cluster, env=env)

TEAMS, RESTRICTED = ("shop", "search"), {"pod-security.kubernetes.io/enforce": "restricted"}
chart = cdk8s.Chart(cdk8s.App(), "groups")
KubernetesGroup(chart, "platform-team", view=["nodes"], edit=["node-pools", "load-balancer-classes"])
for team in TEAMS:
    cdk8s.ApiObject(chart, team, api_version="v1", kind="Namespace", metadata={"name": team, "labels": RESTRICTED})
    KubernetesGroup(chart, f"team-{team}", edit=["gateways", "network-policies"], namespaces=[team])
ChartDelivery(platform, "Groups", cluster=cluster, chart=chart)

people = cdk.Stack(app, "AccessPeople", env=env)
roles = {s: PermissionSetRole(people, s, permission_set=s).role for s in ("break-glass", "platform", *TEAMS)}
EDIT, VIEW, ADMIN = "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSClusterAdminPolicy"
teams = [AccessGrant(role=roles[t], policy=EDIT, namespaces=[t], kubernetes_groups=[f"team-{t}"]) for t in TEAMS]
Access(
    people,
    "Grants",
    cluster=cluster,
    alarm_topic=sns.Topic(people, "Pager", enforce_ssl=True),
    grants=[
        AccessGrant(role=roles["break-glass"], policy=ADMIN, break_glass=True),
        AccessGrant(role=roles["platform"], policy=VIEW, kubernetes_groups=["platform-team"]),
        *teams,
    ],
)
PodIdentityRole(
    people,
    "Prices",
    cluster=cluster,
    namespace="shop",
    service_account="prices",
    role_name="shop-prices",
    target_role=f"arn:{cdk.Aws.PARTITION}:iam::444455556666:role/PriceReader",
)
print(access_page(cluster))
app.synth()
