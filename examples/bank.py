"""A bank: a regulated cluster with three teams, two agents, logs, alarms, backups, Argo CD, add-ons, access and tags.

It is an app for one region: us-east-1, or ``cdk synth -c region=us-gov-west-1``. AWS GovCloud (US) has no managed
scrapers of Prometheus and no EKS Capabilities, so both are left out there: the alarms and the dashboard do without,
and ``kubectl`` or a pipeline brings what Argo CD would. docs/bank.md says who reads what and what it costs.
"""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns

from automode_constructs import (
    AccessGrant,
    ArgoCdCapability,
    BackupRule,
    CapabilityRole,
    ChartDelivery,
    CloudWatchObservability,
    ClusterAlarms,
    ClusterBackup,
    ClusterBackupVault,
    ClusterDashboard,
    ClusterValues,
    GovernanceLock,
    ManagedPrometheus,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClass,
    NodePool,
    NodePoolSpec,
    PodNetworkPolicy,
    SsoGroup,
    Taint,
    https_to,
    patterns,
)
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY, INSTANCE_TYPE

ACCOUNT, VPC = "111122223333", "10.0.0.0/16"
ROLE = f"arn:{cdk.Aws.PARTITION}:iam::{ACCOUNT}:role"
app = cdk.App()
region = app.node.try_get_context("region") or "us-east-1"
GOVCLOUD = region.startswith("us-gov-")
home = cdk.Environment(account=ACCOUNT, region=region)
refuge = cdk.Environment(account=ACCOUNT, region="us-gov-east-1" if GOVCLOUD else "us-west-2")
CERTIFICATE = f"arn:{cdk.Aws.PARTITION}:acm:{region}:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"

# Two agents: the guard is ready before anything else runs on a node, the shipper comes to every node without that.
GUARD = patterns.NodeAgent(
    name="runtime-guard",
    purpose="security",
    image=f"{REGISTRY}/runtime-guard",
    versions={"canary": "7.21.0", "rest": "7.20.3"},
    cpu="100m",
    memory="256Mi",
    user=0,
    host_pid=True,
    capabilities=["BPF", "PERFMON", "SYS_RESOURCE"],
    host_paths=[patterns.HostPath(path="/var/lib/runtime-guard", writable=True, kind="DirectoryOrCreate")],
    reads=["pods", "nodes"],
    health_port=8765,
    startup_taint="agents.example.com/runtime-guard-not-ready",
)
SHIPPER = patterns.NodeAgent(
    name="log-shipper",
    purpose="logging",
    image=f"{REGISTRY}/log-shipper",
    versions={"canary": "4.2.1", "rest": "4.2.0"},
    cpu="50m",
    memory="128Mi",
    user=0,
    host_paths=[patterns.HostPath(path="/var/log/pods"), patterns.HostPath(path="/var/log/containers")],
    scratch=["/buffer"],
)

# Three teams. "search" has GPUs of its own; "payments" and "shop" share a load balancer.
SMALL = patterns.TeamQuota(cpu=8, memory="32Gi")
GPU_NODES = NodeClaimSpec(
    requirements=[INSTANCE_TYPE.is_in("g6.xlarge", "g6.2xlarge")],
    taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
    startup_taints=GUARD.startup_taints,
)
TEAMS = [
    patterns.Team(
        name="payments",
        namespaces={"payments": patterns.TeamQuota(cpu=32, memory="128Gi"), "payments-test": SMALL},
        pod_security="restricted",
        editors=[f"{ROLE}/Payments"],
        service_accounts={"payments": ["ledger"]},
        egress=[https_to(domain_names=[f"sqs.{region}.amazonaws.com"])],
        ingress_group="web",
        tags={"cost-centre": "4711"},
    ),
    patterns.Team(
        name="shop",
        namespaces={"shop": SMALL},
        pod_security="restricted",
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


def insights_policies() -> cdk8s.Chart:
    """What the pods of the CloudWatch add-on may reach: without a policy, nothing on a regulated cluster."""
    chart = cdk8s.Chart(cdk8s.App(), "insights")
    levels = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}
    metadata = {"name": "amazon-cloudwatch", "labels": levels}
    cdk8s.ApiObject(chart, "namespace", api_version="v1", kind="Namespace", metadata=metadata)
    PodNetworkPolicy(
        cdk8s.Chart(chart, "inside", namespace="amazon-cloudwatch"),
        "insights",
        pod_labels={},
        clients=[{"ipBlock": {"cidr": VPC}}],
        ports=[4315, 9443],  # the agents' own calls, and the webhook of the controller
        egress=[
            DNS,
            POD_IDENTITY,
            https_to(cidrs=["0.0.0.0/0"]),
            *(https_to(cidrs=[VPC], port=port) for port in (4315, 10250)),
        ],
    )
    return chart


def charts(app: cdk8s.App, values: ClusterValues) -> list[cdk8s.Chart]:
    """One pool for all, whose nodes wait for the guard, and the classes of storage and traffic."""
    pools = cdk8s.Chart(app, "node-pools")
    NodePool(
        pools,
        "standard",
        node_class=NodeClass(pools, "standard", spec=values.node_class_spec()),
        requirements=[INSTANCE_CATEGORY.is_in("c", "m", "r"), ARCH.is_in("amd64", "arm64")],
        startup_taints=GUARD.startup_taints,
        limits={"cpu": 256},
    )
    balancers = values.ingress_class_params_spec(certificate_arns=[CERTIFICATE])
    return [pools, patterns.PlatformChart(app, "platform", values=values, load_balancers=balancers)]


# The cluster, and what everybody needs.
bank = patterns.ClusterStack(
    app,
    "Bank",
    cluster_name="bank",
    regulated=True,
    support_type="STANDARD",
    tags={"platform": "bank"},
    env=home,
)
cluster = bank.cluster
patterns.PlatformStack(app, "BankPlatform", cluster=cluster, charts=charts, env=home)
agents = [GUARD, SHIPPER]
patterns.NodeAgentsStack(app, "BankAgents", cluster=cluster, agents=agents, ring="rest", env=home)

# Who hears of what: one topic for all alarms, in a stack of its own, because access waits for it and for nothing else.
paging = cdk.Stack(app, "BankPager", env=home)
key = kms.Key(paging, "Key", enable_key_rotation=True)
pager = sns.Topic(paging, "Pager", enforce_ssl=True, master_key=key)

# Who watches: logs, metrics, alarms, a dashboard.
watch = cdk.Stack(app, "BankWatch", env=home)
insights = CloudWatchObservability(
    watch,
    "Insights",
    cluster=cluster,
    cluster_name="bank",
    retention=logs.RetentionDays.TWO_YEARS,
    log_key=cluster.log_key,
)
policies = ChartDelivery(watch, "Policies", cluster=cluster, chart=insights_policies())
insights.add_on.node.add_dependency(policies)
prometheus = None if GOVCLOUD else ManagedPrometheus(watch, "Prometheus", cluster=cluster, destination="cloudwatch")
alarms = ClusterAlarms(
    watch, "ClusterAlarms", cluster=cluster, topic=pager, container_insights=True, prometheus=prometheus
)
ClusterDashboard(watch, "Dashboard", cluster=cluster, container_insights=True, alarms=alarms)

# Who may do what. One entry for each role, whose grants add up, because Payments works for two teams.
patterns.AccessStack(
    app,
    "BankAccess",
    cluster=cluster,
    grants=[
        AccessGrant(role=f"{ROLE}/BreakGlass", policy="AmazonEKSClusterAdminPolicy", break_glass=True),
        AccessGrant(role=f"{ROLE}/Platform", policy="AmazonEKSAdminViewPolicy"),
        *(grant for team in TEAMS for grant in patterns.team_grants(team)),
    ],
    alarm_topic=pager,
    env=home,
)
balancers = cluster.values.ingress_class_params_spec(certificate_arns=[CERTIFICATE])
for team in TEAMS:
    patterns.TeamStack(
        app,
        f"BankTeam{team.name.title()}",
        cluster=cluster,
        team=team,
        load_balancers=balancers if team.ingress_group else None,
        access=False,
        env=home,
    )

# Backups, with copies in another region.
lock = GovernanceLock(min_retention_days=7, max_retention_days=400)
copies = ClusterBackupVault(cdk.Stack(app, "BankCopies", env=refuge), "Vault", vault_name="bank-copies", lock=lock)
backups = cdk.Stack(app, "BankBackup", env=home)
ClusterBackup(
    backups,
    "Backup",
    cluster=cluster,
    vault=ClusterBackupVault(backups, "Vault", vault_name="bank", lock=lock),
    alarm_topic=pager,
    rules=[BackupRule(keep_days=35, copy_keep_days=90)],
    copy_to=[copies],
)

# The teams' workloads come by Argo CD, which the guard rails bind as everybody else.
if not GOVCLOUD:
    delivery = cdk.Stack(app, "BankArgoCd", env=home)
    argo_cd = ArgoCdCapability(
        delivery,
        "ArgoCd",
        cluster=cluster,
        role=CapabilityRole(bank, "ArgoCdRole"),
        identity_center_arn=f"arn:{cdk.Aws.PARTITION}:sso:::instance/ssoins-1234567890abcdef",
        roles={"ADMIN": [SsoGroup(id="a1b2c3d4-5678-90ab-cdef-111111111111")]},
        sources=[f"arn:{cdk.Aws.PARTITION}:codecommit:{region}:{ACCOUNT}:workloads"],
        namespaces=[namespace for team in TEAMS for namespace in team.namespaces],
        vpc_endpoints=[
            ec2.InterfaceVpcEndpoint(
                delivery,
                "Endpoint",
                vpc=bank.network.vpc,
                service=ec2.InterfaceVpcEndpointAwsService("eks-capabilities"),
            )
        ],
    )
    argo = patterns.ArgoCdChart(
        cdk8s.App(),
        "argo-cd",
        cluster_arn=delivery.format_arn(service="eks", resource="cluster", resource_name="bank"),
        repository=f"https://git-codecommit.{region}.amazonaws.com/v1/repos/workloads",
        platform=False,
    )
    ChartDelivery(delivery, "Charts", cluster=cluster, chart=argo, retain_namespaces=True).node.add_dependency(argo_cd)

# Last: what the API server refuses.
rails = patterns.Guardrails(
    tenants=patterns.tenants_of(TEAMS),
    image_registries=[REGISTRY, "public.ecr.aws"],
    agent_namespaces=["node-agents"],
    privileged_namespaces=["node-agents", "amazon-cloudwatch"],
)
patterns.GuardrailsStack(app, "BankRails", cluster=cluster, guardrails=rails, env=home)
patterns.GuardStack(app, "BankGuard", guarded=[bank], env=home)
app.synth()
