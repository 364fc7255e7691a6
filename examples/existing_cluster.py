"""Charts for an existing cluster that this app does not create, with a node role of their own."""

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_ec2 as ec2

from automode_constructs import (
    ChartDelivery,
    ExistingNetwork,
    ImportedCluster,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClass,
    NodeClassSpec,
    NodePool,
    NodePoolSpec,
    NodeRole,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.labels import ARCH, CAPACITY_TYPE, INSTANCE_CATEGORY

SUBNETS = ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]
SECURITY_GROUP = "sg-0123456789abcdef0"

app = cdk.App()
stack = cdk.Stack(app, "Batch", env=cdk.Environment(region="eu-central-1"))
vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-0123456789abcdef0",
    availability_zones=["eu-central-1a", "eu-central-1b"],
    private_subnet_ids=SUBNETS,
)
cluster = ImportedCluster(
    stack,
    "Cluster",
    cluster_name="prod",
    network=ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets),
    cluster_security_group_id=SECURITY_GROUP,
)
role = NodeRole(stack, "NodeRole", cluster=cluster)

chart = cdk8s.Chart(cdk8s.App(), "batch")
node_class = NodeClass(
    chart,
    "batch",
    spec=NodeClassSpec(
        role=role.role_name,
        subnet_selector_terms=[SubnetSelectorTerm(id=subnet) for subnet in SUBNETS],
        security_group_selector_terms=[SecurityGroupSelectorTerm(id=SECURITY_GROUP)],
    ),
)
requirements = [CAPACITY_TYPE.is_in("spot"), INSTANCE_CATEGORY.is_in("c"), ARCH.is_in("arm64")]
template = NodeClaimTemplate(spec=NodeClaimSpec(requirements=requirements))
NodePool(chart, "batch-pool", name="batch", node_class=node_class, spec=NodePoolSpec(template=template))
ChartDelivery(stack, "Charts", cluster=cluster, chart=chart)
app.synth()
