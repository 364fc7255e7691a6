"""Three teams that share a cluster: a loop over records.

Each has namespaces with ceilings, policies that deny by default, its people's rights, and tags for its costs. "search"
has GPUs in a pool that the guard rails keep for it; "payments" and "shop" share an Application Load Balancer.
"""

import aws_cdk as cdk

from automode_constructs import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint, https_to, patterns
from automode_constructs.specs.labels import INSTANCE_TYPE

app = cdk.App()
env = cdk.Environment(region="eu-central-1")
ROLE = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role"
GPU_NODES = NodeClaimSpec(
    requirements=[INSTANCE_TYPE.is_in("g6.xlarge", "g6.2xlarge")],
    taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
)
SMALL = patterns.TeamQuota(cpu=8, memory="32Gi")
teams = [
    patterns.Team(
        name="payments",
        namespaces={"payments": patterns.TeamQuota(cpu=32, memory="128Gi"), "payments-test": SMALL},
        pod_security="restricted",
        editors=[f"{ROLE}/Payments"],
        service_accounts={"payments": ["ledger"]},
        egress=[https_to(domain_names=["sqs.eu-central-1.amazonaws.com"])],
        ingress_group="web",
        tags={"cost-centre": "4711"},
    ),
    patterns.Team(
        name="shop",
        namespaces={"shop": SMALL},
        editors=[f"{ROLE}/Shop"],
        viewers=[f"{ROLE}/Payments"],
        ingress_group="web",
        tags={"cost-centre": "4712"},
    ),
    patterns.Team(
        name="search",
        namespaces={"search": patterns.TeamQuota(cpu=64, memory="256Gi", devices={"nvidia.com/gpu": 4})},
        editors=[f"{ROLE}/Search"],
        nodes=NodePoolSpec(template=NodeClaimTemplate(spec=GPU_NODES), limits={"nvidia.com/gpu": 4}),
        tags={"cost-centre": "4713"},
    ),
]
# node_tags let the cluster's role write tags, so those of the teams as well.
cluster = patterns.ClusterStack(app, "Bank", cluster_name="bank", node_tags={"platform": "bank"}, env=env).cluster
patterns.PlatformStack(app, "BankPlatform", cluster=cluster, env=env)
# One entry for each role, whose grants add up, because Payments works for two teams.
grants = [grant for team in teams for grant in patterns.team_grants(team)]
patterns.AccessStack(app, "BankAccess", cluster=cluster, grants=grants, env=env)
for team in teams:
    patterns.TeamStack(app, f"BankTeam{team.name.title()}", cluster=cluster, team=team, access=False, env=env)
rails = patterns.Guardrails(tenants=patterns.tenants_of(teams), image_registries=["public.ecr.aws"])
patterns.GuardrailsStack(app, "BankRails", cluster=cluster, guardrails=rails, env=env)
app.synth()
