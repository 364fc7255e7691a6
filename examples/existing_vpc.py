"""A cluster in an existing VPC and its subnets, with one of the company's security groups on every node.

The VPC is not changed. Synthesis cannot see the tags of imported subnets: without tagged=True, a warning has the exact
command that writes them. NodeClasses select the subnets by id.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs import ExistingNetwork
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack


def company_network(stack: Construct) -> ExistingNetwork:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    inspected = ec2.SecurityGroup.from_security_group_id(stack, "Inspected", "sg-0123456789abcdef0")
    return ExistingNetwork(
        vpc=vpc, node_subnets=vpc.private_subnets, node_security_groups=[inspected], internet=True, tagged=True
    )


app = cdk.App()
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/Admin"
env = cdk.Environment(region="eu-central-1")
cluster = ClusterStack(
    app,
    "Company",
    cluster_name="company",
    network=company_network,
    env=env,
).cluster
AccessStack(app, "CompanyAccess", cluster=cluster, admin_role_arns=[ADMIN], env=env)
PlatformStack(app, "CompanyPlatform", cluster=cluster, env=env)
app.synth()
