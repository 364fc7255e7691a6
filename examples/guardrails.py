"""Guard rails inside the cluster: what its API server refuses, whoever sends it.

Two tenants have tainted pools of their own, which no pod of the other may tolerate. Images come from the account's own
registry and from public ECR, only the namespace "edge" has load balancers with public addresses, and NodePools are
changed by this app or by the platform team. Pods without requests are only warned of until everybody has them.
"""

import aws_cdk as cdk
import cdk8s

from automode_constructs import ChartDelivery, NodeClass, NodePool, Taint
from automode_constructs.patterns import AccessStack, ClusterStack, Guardrails, GuardrailsStack, PlatformStack, Tenant
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY

app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(app, "Guarded", cluster_name="guarded", env=env).cluster
AccessStack(
    app, "GuardedAccess", cluster=cluster, admin_role_arns=[ADMIN], kubernetes_groups=["platform-team"], env=env
)
platform = PlatformStack(app, "GuardedPlatform", cluster=cluster, env=env)

chart = cdk8s.Chart(cdk8s.App(), "tenants")
node_class = NodeClass(chart, "tenants", spec=cluster.values.node_class_spec())
tenants = []
for team in ("checkout", "search"):
    taint = Taint(key="example.com/tenant", value=team, effect="NoSchedule")
    NodePool(
        chart,
        team,
        node_class=node_class,
        requirements=[INSTANCE_CATEGORY.is_in("c", "m", "r"), ARCH.is_in("amd64")],
        taints=[taint],
        limits={"cpu": "100"},
    )
    tenants.append(Tenant(taint=taint, namespaces=[team, f"{team}-test"]))
ChartDelivery(platform, "Tenants", cluster=cluster, chart=chart)

GuardrailsStack(
    app,
    "GuardedRails",
    cluster=cluster,
    guardrails=Guardrails(
        image_registries=["public.ecr.aws", f"{cdk.Aws.ACCOUNT_ID}.dkr.ecr.eu-central-1.{cdk.Aws.URL_SUFFIX}"],
        tenants=tenants,
        public_namespaces=["edge"],
        node_pool_groups=["platform-team"],
        only_warn=["requests"],
    ),
    env=env,
)
app.synth()
