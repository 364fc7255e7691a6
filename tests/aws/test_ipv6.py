"""IPv6 clusters: the family is written, the service range is EKS's, and what does not go together is refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2

from automode_constructs import AutoModeCluster, AutoModeNetwork, ExistingNetwork, KubernetesObject, NodeDefaults
from tests.refusal import refusal
from tests.support import of_type, only, synthesised, text_of
from tests.template_checks import template_findings


def _network(stack: cdk.Stack) -> ExistingNetwork:
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, ip_protocol=ec2.IpProtocol.DUAL_STACK)
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, cidrs=["10.0.0.0/16"], ipv6=True)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev", env=cdk.Environment(region="eu-west-1"))
    AutoModeCluster(
        stack,
        "Cluster",
        cluster_name="dev",
        network=_network(stack),
        ip_family="ipv6",
        endpoint_cidrs=["2001:db8::/64", "203.0.113.7/32"],
        built_in_pools=[],
        node_defaults=NodeDefaults(https_proxy="http://[2001:db8::4]:3128", enable_v4_egress=False),
    )
    return synthesised(app)["Dev"]


def test_the_family_is_written_and_the_service_range_left_to_eks(template: dict[str, Any]) -> None:
    properties = only(template, "AWS::EKS::Cluster")["Properties"]
    assert properties["KubernetesNetworkConfig"] == {"ElasticLoadBalancing": {"Enabled": True}, "IpFamily": "ipv6"}
    assert properties["ResourcesVpcConfig"]["PublicAccessCidrs"] == ["2001:db8::/64", "203.0.113.7/32"]
    assert [finding for finding in template_findings(template) if "service range" in finding] == []


def test_services_and_vpc_go_past_the_proxy_by_their_ipv6_blocks(template: dict[str, Any]) -> None:
    (handler,) = [
        body["Properties"]
        for name, body in template["Resources"].items()
        if body["Type"] == "AWS::Lambda::Function" and "KubectlProviderHandler" in name
    ]
    entries = text_of(handler["Environment"]["Variables"]["NO_PROXY"])
    assert ".eks-cluster.eu-west-1.api.aws," in entries
    assert "KubernetesNetworkConfig.ServiceIpv6Cidr" in entries
    assert "Ipv6CidrBlocks" in entries
    assert "172.20.0.0/16" not in entries


def test_nodes_of_the_class_have_the_settings_of_ipv6() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    cluster = AutoModeCluster(
        stack,
        "Cluster",
        network=_network(stack),
        ip_family="ipv6",
        built_in_pools=[],
        kubectl=False,
        node_defaults=NodeDefaults(enable_v4_egress=False),
    )
    assert cluster.values.node_class_spec().to_manifest()["advancedNetworking"] == {"enableV4Egress": False}


class TestLoadBalancers:
    def test_those_of_the_platform_are_dual_stack_and_open_to_both_blocks_of_the_vpc(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        network = AutoModeNetwork(stack, "Network", ipv6=True)
        cluster = AutoModeCluster(stack, "Cluster", network=network, ip_family="ipv6", kubectl=False)
        spec = stack.resolve(cluster.values.ingress_class_params_spec().to_manifest())
        assert (spec["scheme"], spec["ipAddressType"], spec["targetType"]) == ("internal", "dualstack", "ip")
        ipv4, ipv6 = spec["inboundCIDRs"]
        assert ipv4 == "10.0.0.0/16"
        assert "Ipv6CidrBlocks" in str(ipv6)

    def test_one_of_ipv4_is_refused_at_synth(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(app, "Dev")
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", network=_network(stack), ip_family="ipv6")
        chart = cdk8s.Chart(cdk8s.App(), "shop", namespace="default")
        KubernetesObject(
            chart,
            "web",
            api_version="v1",
            kind="Service",
            cluster_scoped=False,
            body={"spec": {"type": "LoadBalancer"}},
        )
        cluster.add_chart("Shop", chart)
        with pytest.raises(
            RuntimeError, match="is not set, which means ipv4, in an IPv6 cluster: the controller refuses"
        ):
            app.synth()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"ip_family": "ipv6", "service_ipv4_cidr": "172.20.0.0/16"},
            "2 problems\n"
            "  service_ipv4_cidr: '172.20.0.0/16' is for IPv4 clusters; EKS chooses the services' IPv6 block itself; "
            "leave it out beside ip_family='ipv6'\n"
            "  ip_family: is 'ipv6', but the network has no IPv6 blocks; give network=AutoModeNetwork(..., ipv6=True)",
        ),
        (
            {"ip_family": "ipv6"},
            "ip_family: is 'ipv6', but the network has no IPv6 blocks; give network=AutoModeNetwork(..., ipv6=True)",
        ),
        ({"ip_family": "IPv6"}, "ip_family: 'IPv6' is not known; did you mean 'ipv6'? Use one of 'ipv4', 'ipv6'"),
        (
            {"endpoint_cidrs": ["2001:db8::/64"]},
            "endpoint_cidrs[0]: '2001:db8::/64' is IPv6, which an IPv4 cluster refuses; give an IPv4 CIDR",
        ),
    ],
    ids=["service range", "network", "name", "endpoint"],
)
def test_what_does_not_go_together_is_refused(arguments: dict[str, Any], message: str) -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    network = AutoModeNetwork(stack, "Network")
    assert refusal(lambda: AutoModeCluster(stack, "Cluster", network=network, **arguments)) == f"Dev/Cluster: {message}"


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    app = cdk.App()
    AutoModeNetwork(cdk.Stack(app, "Six"), "Network", ipv6=True)
    AutoModeNetwork(cdk.Stack(app, "Closed"), "Network", ipv6=True, isolated=True)
    return synthesised(app)


class TestNetwork:
    def test_every_subnet_has_a_block_and_node_subnets_hand_addresses_out(self, network: dict[str, Any]) -> None:
        subnets = of_type(network["Six"], "AWS::EC2::Subnet")
        assert len(subnets) == 6
        assert all("Ipv6CidrBlock" in subnet["Properties"] for subnet in subnets.values())
        handed = {name for name, body in subnets.items() if body["Properties"].get("AssignIpv6AddressOnCreation")}
        assert {"Public" in name for name in handed} == {False}
        assert len(handed) == 3

    def test_nodes_leave_by_a_gateway_that_lets_nobody_in(self, network: dict[str, Any]) -> None:
        (gateway,) = of_type(network["Six"], "AWS::EC2::EgressOnlyInternetGateway")
        routes = [
            body["Properties"]
            for name, body in of_type(network["Six"], "AWS::EC2::Route").items()
            if "NodeSubnet" in name and "DestinationIpv6CidrBlock" in body["Properties"]
        ]
        assert [route["EgressOnlyInternetGatewayId"] for route in routes] == [{"Ref": gateway}] * 3

    def test_an_isolated_one_has_no_route_out(self, network: dict[str, Any]) -> None:
        assert of_type(network["Closed"], "AWS::EC2::Route") == {}

    def test_pod_subnets_are_for_ipv4(self) -> None:
        stack = cdk.Stack(None, "Dev")
        assert refusal(lambda: AutoModeNetwork(stack, "Network", ipv6=True, pod_cidr="100.64.0.0/16")) == (
            "Dev/Network: pod_cidr: '100.64.0.0/16' is for IPv4 pods; beside ipv6=True pods have IPv6 addresses of the "
            "node subnets; leave out one of the two"
        )
