"""A network of the user's own: any object with the members of ``Network`` serves a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template
from constructs import Construct

from automode_constructs import (
    AutoModeCluster,
    AutoModeNetwork,
    ExistingNetwork,
    ImportedCluster,
    Network,
    VpcEndpoints,
)
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from tests.refusal import refusal

MEMBERS = [name for name in dir(Network) if not name.startswith("_")]
SUBNETS = ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]


class CompanyNetwork:
    """The network of a company's landing zone, which derives from nothing of the library."""

    def __init__(self, scope: Construct, **others: Any) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            scope,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=SUBNETS,
        )
        existing = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, cidrs=["10.20.0.0/16"], tagged=True)
        for name in MEMBERS:
            setattr(self, name, getattr(existing, name))
        for name, value in others.items():
            setattr(self, name, value)


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-west-1"))


def _own(stack: Construct, **others: Any) -> Network:
    network = CompanyNetwork(stack, **others)
    assert isinstance(network, Network)
    return network


def test_both_networks_of_the_library_have_the_members(stack: cdk.Stack) -> None:
    created = AutoModeNetwork(stack, "Network", flow_logs=False)
    existing = ExistingNetwork(vpc=created.vpc, node_subnets=created.node_subnets)
    for network in (created, existing):
        assert isinstance(network, Network)
        assert [name for name in MEMBERS if not hasattr(network, name)] == []


def test_a_cluster_takes_it(stack: cdk.Stack) -> None:
    network = _own(stack)
    cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", network=network)
    VpcEndpoints(stack, "Endpoints", network=network)
    assert cluster.network is network
    Template.from_stack(stack).has_resource_properties(
        "AWS::EKS::Cluster", {"ResourcesVpcConfig": {"SubnetIds": SUBNETS}}
    )


def test_an_imported_cluster_takes_it(stack: cdk.Stack) -> None:
    ImportedCluster(stack, "Cluster", cluster_name="old", network=_own(stack), cluster_security_group_id="sg-0123")
    functions = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"VpcConfig": {"SubnetIds": SUBNETS}}}
    )
    assert functions


@pytest.mark.parametrize("by_function", [False, True], ids=["object", "function"])
def test_a_cluster_stack_takes_it(by_function: bool) -> None:
    app = cdk.App()
    network = None if by_function else _own(cdk.Stack(app, "Shared"))
    stack = ClusterStack(app, "Dev", cluster_name="dev", network=network or _own)
    assert isinstance(stack.network, CompanyNetwork)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EKS::Cluster", {"ResourcesVpcConfig": {"SubnetIds": SUBNETS}}
    )


def _without(stack: cdk.Stack, *names: str) -> Any:
    network = CompanyNetwork(stack)
    for name in names:
        delattr(network, name)
    return network


WORDS = "Dev/Cluster: network: needs an AutoModeNetwork or an ExistingNetwork, got "


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (lambda stack: _without(stack, "cidrs", "ipv6"), f"{WORDS}a CompanyNetwork; it lacks cidrs, ipv6"),
        (lambda stack: _without(stack, *MEMBERS[:-1]), f"{WORDS}a CompanyNetwork"),
        (lambda _: CompanyNetwork, f"{WORDS}the class CompanyNetwork"),
        (lambda _: "vpc-1", f"{WORDS}the text 'vpc-1'"),
        (
            lambda stack: CompanyNetwork(stack, cidrs="10.20.0.0/16", internet="no", tag_commands=[]),
            "Dev/Cluster: 3 problems\n"
            "  network.cidrs: needs a list, got the text '10.20.0.0/16'; write ['10.20.0.0/16']\n"
            "  network.internet: needs True or False, got the text 'no'\n"
            "  network.tag_commands: needs a method, got a list of 0",
        ),
        (
            lambda stack: CompanyNetwork(stack, node_subnets=SUBNETS),
            "Dev/Cluster: 2 problems\n"
            f"  network.node_subnets[0]: needs an ISubnet, got the text '{SUBNETS[0]}'; write "
            f"ec2.Subnet.from_subnet_id(scope, 'Subnet', '{SUBNETS[0]}')\n"
            f"  network.node_subnets[1]: needs an ISubnet, got the text '{SUBNETS[1]}'; write "
            f"ec2.Subnet.from_subnet_id(scope, 'Subnet', '{SUBNETS[1]}')",
        ),
    ],
    ids=[
        "two members missing",
        "nearly all missing",
        "a class",
        "a text",
        "members of wrong kinds",
        "texts as subnets",
    ],
)
def test_what_is_no_network_is_refused(stack: cdk.Stack, network: Callable[[cdk.Stack], Any], text: str) -> None:
    value = network(stack)
    assert refusal(lambda: AutoModeCluster(stack, "Cluster", network=value)) == text
    if text.startswith(WORDS):
        assert refusal(lambda: VpcEndpoints(stack, "Endpoints", network=value)) == text.replace(
            "Cluster", "Endpoints", 1
        )
