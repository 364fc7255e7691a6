"""Networks that lead nowhere: what is missing is named, as an error where all is known and a warning elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Annotations, Match

from automode_constructs import (
    AutoModeCluster,
    AutoModeNetwork,
    ClusterValues,
    ExistingNetwork,
    ImportedCluster,
    NodeDefaults,
    VpcEndpoints,
)
from automode_constructs.aws.vpc_endpoints import endpoint_services_of
from automode_constructs.facts.vpc_endpoints import endpoint_services
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm, SubnetSelectorTerm
from tests.refusal import refusal

NODES = ["ecr.api", "ecr.dkr"]
PODS = ["eks-auth", "sts"]
KUBECTL = ["eks", "lambda"]
ALL = [*NODES, *PODS, *KUBECTL]
WHY = {
    "s3": "nodes fetch the layers of images, and the CDK's Lambdas answer to CloudFormation",
    "ecr.api": "nodes ask ECR for its password before they pull an image",
    "ecr.dkr": "nodes pull images; their layers come from S3, by the gateway endpoint",
    "eks-auth": "the Pod Identity agent fetches the pods' credentials",
    "sts": "pods with IAM roles for service accounts, and what asks who it is",
    "eks": "the kubectl Lambda asks for the address of the cluster",
    "lambda": "the CDK's provider Lambda calls the kubectl Lambda",
}
MADE_HERE = (
    "make VpcEndpoints(stack, 'Endpoints', network=network) before the cluster, or give the network nat_gateways=1, or "
    "set network.internet = None where a route of your own leads out"
)
THERE = (
    "name those that are there: ExistingNetwork(endpoint_services=[...]), or say internet=True where another way leads "
    "out"
)
MAKE = "make them before the cluster, with VpcEndpoints(stack, 'Endpoints', network=network)"
S3 = " and vpc.add_gateway_endpoint for 's3'"
GITOPS = ", or deliver by GitOps, with kubectl=False"
SUBNETS = ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]
PROXY = NodeDefaults(https_proxy="http://proxy.corp.example:3128")


def _missing(*services: str) -> str:
    """What the message says of them."""
    listed = ", ".join(f"'{service}' ({WHY[service]})" for service in services)
    return f"network: nothing leads out of it, and it has no VPC endpoint for {listed}; "


def _stack() -> Stack:
    return Stack(App(), "Dev", env=Environment(region="eu-west-1"))


def _interfaces(stack: Stack, network: AutoModeNetwork | ExistingNetwork, services: Sequence[str]) -> None:
    for service in services:
        ec2.InterfaceVpcEndpoint(
            stack,
            service,
            vpc=network.vpc,
            service=ec2.InterfaceVpcEndpointAwsService(service),
            subnets=ec2.SubnetSelection(subnets=[network.node_subnets[0]]),
            security_groups=[ec2.SecurityGroup.from_security_group_id(stack, f"{service}-group", "sg-1")],
        )


def _imported(
    stack: Stack, kind: str = "isolated", *, services: Sequence[str] | None = None, **options: Any
) -> ExistingNetwork:
    """Subnets of a VPC made elsewhere."""
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        isolated_subnet_ids=SUBNETS if kind == "isolated" else None,
        private_subnet_ids=SUBNETS if kind == "private" else None,
    )
    subnets = [*vpc.isolated_subnets, *vpc.private_subnets]
    return ExistingNetwork(vpc=vpc, node_subnets=subnets, endpoint_services=services, tagged=True, **options)


def _made(stack: Stack, **options: Any) -> ExistingNetwork:
    """Isolated subnets of a VPC that the app makes without our help."""
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.isolated_subnets, **options)


def _cluster(stack: Stack, network: AutoModeNetwork | ExistingNetwork, **options: Any) -> list[str]:
    """The warnings of a cluster about endpoints."""
    AutoModeCluster(stack, "Cluster", **{"cluster_name": "dev", "network": network, "built_in_pools": [], **options})
    return _warnings(stack)


def _warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("automode:VpcEndpoints"))
    return [str(entry.entry.data).removesuffix(" [ack: automode:VpcEndpoints]") for entry in found]


class TestAutoModeNetwork:
    @pytest.mark.parametrize(
        ("there", "kubectl", "missing"),
        [
            ([], True, ALL),
            ([], False, [*NODES, *PODS]),
            (KUBECTL, True, [*NODES, *PODS]),
            ([*NODES, *PODS, "eks"], True, ["lambda"]),
            ([*NODES, "eks", "lambda"], True, PODS),
        ],
    )
    @pytest.mark.parametrize("options", [{"nat_gateways": 0}, {"isolated": True}])
    def test_each_missing_service_is_named(
        self, options: dict[str, Any], there: list[str], kubectl: bool, missing: list[str]
    ) -> None:
        stack = _stack()
        network = AutoModeNetwork(stack, "Network", **options)
        _interfaces(stack, network, there)
        cure = MADE_HERE + (GITOPS if {*missing} & {*KUBECTL} else "")
        if missing == PODS:
            # Pods without a role need neither.
            assert _cluster(stack, network, kubectl=kubectl) == [_missing(*PODS) + cure]
        else:
            said = refusal(lambda: _cluster(stack, network, kubectl=kubectl))
            assert said == "Dev/Cluster: " + _missing(*missing) + cure

    @pytest.mark.parametrize("kubectl", [True, False])
    def test_our_endpoints_are_all_it_takes(self, kubectl: bool) -> None:
        stack = _stack()
        network = AutoModeNetwork(stack, "Network", isolated=True)
        VpcEndpoints(stack, "Endpoints", network=network, kubectl=kubectl)
        assert _cluster(stack, network, kubectl=kubectl) == []

    def test_endpoints_of_another_vpc_are_none(self) -> None:
        stack = _stack()
        other = AutoModeNetwork(stack, "Other", isolated=True)
        VpcEndpoints(stack, "Endpoints", network=other)
        network = AutoModeNetwork(stack, "Network", isolated=True)
        assert _missing(*ALL) in refusal(lambda: _cluster(stack, network))

    def test_endpoints_in_another_stack_of_the_app_are_seen(self) -> None:
        app, env = App(), Environment(region="eu-west-1")
        home = Stack(app, "Home", env=env)
        network = AutoModeNetwork(home, "Network", isolated=True)
        VpcEndpoints(Stack(app, "Endpoints", env=env), "Endpoints", network=network)
        assert _cluster(Stack(app, "Dev", env=env), network) == []

    @pytest.mark.parametrize("internet", [None, True])
    def test_a_way_of_ones_own_is_said(self, internet: bool | None) -> None:
        stack = _stack()
        network = AutoModeNetwork(stack, "Network", nat_gateways=0)
        network.internet = internet
        assert _cluster(stack, network) == []

    def test_a_proxy_is_a_way_out(self) -> None:
        stack = _stack()
        assert _cluster(stack, AutoModeNetwork(stack, "Network", isolated=True), node_defaults=PROXY) == []


class TestExistingNetwork:
    def test_of_a_vpc_in_the_app_all_is_known(self) -> None:
        stack = _stack()
        network = _made(stack)
        assert (network.internet, network.has_egress) == (False, False)
        said = refusal(lambda: _cluster(stack, network))
        assert said == f"Dev/Cluster: {_missing('s3', *ALL)}{MAKE}{S3}, or {THERE}{GITOPS}"

    def test_what_the_cure_says_cures(self) -> None:
        stack = _stack()
        network = _made(stack)
        assert isinstance(network.vpc, ec2.Vpc)
        VpcEndpoints(stack, "Endpoints", network=network)
        network.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        assert _cluster(stack, network) == []

    def test_of_an_imported_vpc_it_is_a_warning(self) -> None:
        stack = _stack()
        network = _imported(stack)
        assert (network.internet, network.has_egress) == (False, False)
        assert _cluster(stack, network) == [f"{_missing('s3', *ALL)}{MAKE}{S3}, or {THERE}{GITOPS}"]

    def test_who_names_what_is_there_hears_an_error_of_the_rest(self) -> None:
        stack = _stack()
        network = _imported(stack, services=["s3", "ecr.api", "ecr.dkr", "eks", "sts", "logs"])
        said = refusal(lambda: _cluster(stack, network))
        assert said == f"Dev/Cluster: {_missing('eks-auth', 'lambda')}{MAKE}, or {THERE}{GITOPS}"

    def test_who_names_all_hears_nothing(self) -> None:
        stack = _stack()
        assert _cluster(stack, _imported(stack, services=["s3", *ALL])) == []

    @pytest.mark.parametrize("kind", ["isolated", "private"])
    def test_no_internet_is_taken_at_its_word(self, kind: str) -> None:
        stack = _stack()
        network = _imported(stack, kind, internet=False)
        assert network.has_egress is False
        assert len(_cluster(stack, network)) == 1

    @pytest.mark.parametrize(("kind", "internet"), [("isolated", True), ("private", None), ("private", True)])
    def test_a_way_out_that_is_there_or_may_be_is_silent(self, kind: str, internet: bool | None) -> None:
        stack = _stack()
        network = _imported(stack, kind, internet=internet)
        assert (network.internet, network.has_egress) == (internet, True)
        assert _cluster(stack, network) == []

    def test_one_isolated_subnet_is_enough(self) -> None:
        """Lambdas and nodes run in any of them."""
        stack = _stack()
        isolated = _imported(stack)
        other = ec2.Subnet.from_subnet_attributes(stack, "Other", subnet_id="subnet-1", availability_zone="eu-west-1b")
        network = ExistingNetwork(vpc=isolated.vpc, node_subnets=[isolated.node_subnets[0], other])
        assert network.internet is False

    def test_a_look_up_without_an_answer_yet_is_not_judged(self) -> None:
        stack = Stack(App(), "Dev", env=Environment(account="111111111111", region="eu-west-1"))
        vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-3")
        network = ExistingNetwork(vpc=vpc, node_subnets=vpc.isolated_subnets or vpc.private_subnets)
        assert (network.internet, network.has_egress) == (None, True)
        assert _cluster(stack, network) == []

    def test_a_proxy_is_a_way_out(self) -> None:
        stack = _stack()
        assert _cluster(stack, _imported(stack), node_defaults=PROXY) == []

    @pytest.mark.parametrize(
        ("services", "message"),
        [
            (
                ["sts", "com.amazonaws.eu-west-1.ecr.api"],
                "endpoint_services[1]: must be the last part of a service's name, got "
                "'com.amazonaws.eu-west-1.ecr.api'; write 'ecr.api'",
            ),
        ],
    )
    def test_services_are_named_by_their_last_part(self, services: Any, message: str) -> None:
        assert refusal(lambda: _imported(_stack(), services=services)) == f"Dev/Vpc: {message}"


class TestImportedCluster:
    def _cluster(self, stack: Stack, network: ExistingNetwork, values: ClusterValues | None = None) -> list[str]:
        ImportedCluster(
            stack,
            "Cluster",
            cluster_name="dev",
            network=network,
            cluster_security_group_id="sg-0123456789abcdef0",
            values=values,
        )
        return _warnings(stack)

    def test_its_lambdas_need_a_way_and_its_nodes_are_not_ours(self) -> None:
        stack = _stack()
        assert self._cluster(stack, _imported(stack)) == [f"{_missing('s3', *KUBECTL)}{MAKE}{S3}, or {THERE}"]

    def test_what_is_known_to_be_missing_is_an_error(self) -> None:
        stack = _stack()
        network = _imported(stack, services=["s3", "eks"])
        said = refusal(lambda: self._cluster(stack, network))
        assert said == f"Dev/Cluster: {_missing('lambda')}{MAKE}, or {THERE}"

    def test_a_proxy_is_a_way_out(self) -> None:
        stack = _stack()
        values = ClusterValues(
            cluster_name="dev",
            region="eu-west-1",
            node_role="node",
            node_subnets=[SubnetSelectorTerm(id=SUBNETS[0])],
            node_security_groups=[SecurityGroupSelectorTerm(id="sg-0123456789abcdef0")],
            built_in_pools=False,
            node_defaults=PROXY,
        )
        assert self._cluster(stack, _imported(stack), values) == []


class TestVpcEndpoints:
    def test_those_that_are_there_are_not_made_again(self) -> None:
        """Two endpoints of one service with private DNS in a VPC are refused by EC2."""
        stack = _stack()
        network = _imported(stack, services=["s3", "ecr.api", "ecr.dkr"])
        _interfaces(stack, network, ["sts"])
        endpoints = VpcEndpoints(stack, "Endpoints", network=network)
        assert list(endpoints.endpoints) == ["eks-auth", "eks", "lambda"]
        assert endpoint_services_of(network) == {"s3", *ALL}
        assert _cluster(stack, network) == []

    def test_one_that_is_there_is_not_asked_for_again(self) -> None:
        stack = _stack()
        network = _imported(stack, services=["logs"])
        assert refusal(lambda: VpcEndpoints(stack, "Endpoints", network=network, also=["logs"])) == (
            "Dev/Endpoints: also: 'logs' already exists; name only services without an endpoint"
        )


def test_the_messages_name_services_of_the_facts() -> None:
    assert {name: endpoint_services()[name].why for name in ALL} == {name: WHY[name] for name in ALL}
