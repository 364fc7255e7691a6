"""A cluster in a VPC that exists: what its subnets lack is told with the command, its own groups reach the nodes."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_ec2 as ec2

from automode_constructs import AutoModeCluster, ExistingNetwork
from tests.refusal import refusal

SUBNETS = ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]


def _vpc(stack: cdk.Stack, **more: Any) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=SUBNETS,
        **more,
    )


def _warnings(vpc: dict[str, Any], **network: Any) -> list[str]:
    stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-west-1"))
    made = _vpc(stack, **vpc)
    AutoModeCluster(
        stack,
        "Cluster",
        cluster_name="dev",
        network=ExistingNetwork(vpc=made, node_subnets=made.private_subnets, **network),
    )
    found = assertions.Annotations.from_stack(stack).find_warning("*", assertions.Match.any_value())
    return [str(entry.entry.data) for entry in found if "SubnetTags" in str(entry.entry.data)]


@pytest.mark.parametrize(
    ("vpc", "commands"),
    [
        (
            {},
            "aws ec2 create-tags --resources subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb "
            "--tags Key=kubernetes.io/role/internal-elb,Value=1",
        ),
        (
            {"public_subnet_ids": ["subnet-0cccccccccccccccc", "subnet-0dddddddddddddddd"]},
            "aws ec2 create-tags --resources subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb "
            "--tags Key=kubernetes.io/role/internal-elb,Value=1; "
            "aws ec2 create-tags --resources subnet-0cccccccccccccccc subnet-0dddddddddddddddd "
            "--tags Key=kubernetes.io/role/elb,Value=1",
        ),
    ],
    ids=["private", "public too"],
)
def test_tags_that_cannot_be_seen_are_told_with_the_command(vpc: dict[str, Any], commands: str) -> None:
    assert _warnings(vpc) == [
        "network: load balancers find subnets by their tags, which cannot be seen here; pass tagged=True where they "
        f"are, else run: {commands} [ack: automode:SubnetTags]"
    ]


def test_who_knows_that_they_are_tagged_hears_nothing() -> None:
    assert _warnings({}, tagged=True) == []


def test_subnets_that_the_app_makes_are_the_app_s_to_tag() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    assert ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets).tag_commands() == []


def test_further_groups_stand_beside_the_cluster_s_own() -> None:
    stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region="eu-west-1"))
    vpc = _vpc(stack)
    group = ec2.SecurityGroup.from_security_group_id(stack, "Inspected", "sg-0123456789abcdef0")
    network = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, node_security_groups=[group], tagged=True)
    said = refusal(lambda: AutoModeCluster(stack, "BuiltIn", cluster_name="a", network=network))
    assert said.startswith("Dev/BuiltIn: built_in_pools")
    assert "network.node_security_groups" in said
    cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", network=network, built_in_pools=[])
    terms = cluster.values.node_class_spec().security_group_selector_terms
    assert [term.id for term in terms] == [cluster.cluster.cluster_security_group_id, "sg-0123456789abcdef0"]


@pytest.fixture(scope="module")
def vpc() -> ec2.Vpc:
    return ec2.Vpc(cdk.Stack(cdk.App(), "Dev"), "Vpc", max_azs=2)


class TestWordsOfTheCdk:
    def test_a_vpc_s_private_subnets_are_the_nodes(self, vpc: ec2.Vpc) -> None:
        cluster = AutoModeCluster(cdk.Stack.of(vpc), "Default", vpc=vpc, kubectl=False)
        assert cluster.network.vpc.node.path == "Dev/Vpc"
        assert [subnet.node.path for subnet in cluster.network.node_subnets] == [
            "Dev/Vpc/PrivateSubnet1",
            "Dev/Vpc/PrivateSubnet2",
        ]

    @pytest.mark.parametrize("form", ["a selection", "a list of selections", "subnets"])
    def test_subnets_are_selected_in_every_form(self, vpc: ec2.Vpc, form: str) -> None:
        selection = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        forms: dict[str, Any] = {
            "a selection": selection,
            "a list of selections": [selection],
            "subnets": vpc.private_subnets,
        }
        assert len(ExistingNetwork.of(vpc, forms[form]).node_subnets) == 2

    def test_isolated_subnets_stand_in_for_private_ones(self) -> None:
        isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        vpc = ec2.Vpc(cdk.Stack(cdk.App(), "Dev"), "Vpc", max_azs=2, subnet_configuration=[isolated])
        network = ExistingNetwork.of(vpc)
        assert (len(network.node_subnets), network.internet) == (2, False)

    @pytest.mark.parametrize(
        ("selection", "message"),
        [
            (
                ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
                "2 problems\n  vpc_subnets[0]: 'Dev/Vpc/PublicSubnet1' is a pub",
            ),
            (
                ec2.SubnetSelection(subnet_group_name="Nodes"),
                "vpc_subnets: selects nothing (There are no subnet groups with name 'Nodes' in this VPC. Available "
                "names: Public,Private)",
            ),
            ([ec2.SubnetSelection(subnet_group_name="Nodes")], "vpc_subnets[0]: selects nothing (There are no subnet"),
            ([], "vpc_subnets: EKS needs at least two subnets in different zones, got 0; give one private subnet for"),
            ("private", "vpc_subnets: needs a SubnetSelection or a list, got the text 'private'"),
        ],
        ids=["public", "no group", "no group in a list", "none", "a text"],
    )
    def test_subnets_that_cannot_be(self, vpc: ec2.Vpc, selection: Any, message: str) -> None:
        stack = cdk.Stack.of(vpc)
        text = refusal(lambda: AutoModeCluster(stack, "Cluster", vpc=vpc, vpc_subnets=selection))
        assert text.startswith(f"Dev/Cluster: {message}")

    def test_one_network_is_enough(self, vpc: ec2.Vpc) -> None:
        stack = cdk.Stack.of(vpc)
        network = ExistingNetwork.of(vpc)
        assert refusal(lambda: AutoModeCluster(stack, "Cluster", vpc=vpc, network=network)) == (
            "Dev/Cluster: vpc: is set beside network, which has a VPC; leave out one of the two"
        )
        assert refusal(lambda: AutoModeCluster(stack, "Cluster", vpc_subnets=vpc.private_subnets)) == (
            "Dev/Cluster: vpc_subnets: are set without vpc; pass vpc=... with them"
        )
        wrong: Any = vpc
        assert refusal(lambda: AutoModeCluster(stack, "Cluster", network=wrong)) == (
            "Dev/Cluster: network: needs an AutoModeNetwork or an ExistingNetwork, got a Vpc; pass it as vpc=, or "
            "write ExistingNetwork(vpc=..., node_subnets=vpc.private_subnets)"
        )
