"""Subnets in Local Zones: apart from the cluster's, with a way out, and refused where they cannot be."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

from automode_constructs import AutoModeCluster, AutoModeNetwork, LocalZoneSubnets, VpcEndpoints
from tests.refusal import refusal
from tests.support import of_type, only, synthesised

LAX, DEN = "us-west-2-lax-1a", "us-west-2-den-1a"
CIDRS = {LAX: "10.0.192.0/20", DEN: "10.0.208.0/20"}


def _network(stack: cdk.Stack, **arguments: Any) -> AutoModeNetwork:
    return AutoModeNetwork(stack, "Network", **arguments)


def _stack(region: str | None = "us-west-2") -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region=region))


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    stack = _stack()
    network = _network(stack, nat_gateways=1)
    AutoModeCluster(stack, "Cluster", cluster_name="dev", network=network)
    made = LocalZoneSubnets(stack, "Edge", network=network, cidrs=CIDRS)
    infos = assertions.Annotations.from_stack(stack).find_info("*", assertions.Match.any_value())
    assert [str(info.entry.data) for info in infos if "LocalZone" in str(info.entry.data)] == [
        "the account must have opted in to the Local Zones once: "
        "aws ec2 modify-availability-zone-group --group-name us-west-2-lax-1 --opt-in-status opted-in; "
        "aws ec2 modify-availability-zone-group --group-name us-west-2-den-1 --opt-in-status opted-in "
        "[ack: automode:LocalZoneOptIn]"
    ]
    assert [term.id for term in made.node_subnet_selector_terms(DEN)] == [made.subnets[DEN].subnet_id]
    assert refusal(lambda: made.node_subnet_selector_terms("us-west-2-den-1b")) == (
        "Dev/Edge: zone: 'us-west-2-den-1b' has no subnet here; did you mean 'us-west-2-den-1a'? "
        "Use one of 'us-west-2-lax-1a', 'us-west-2-den-1a'"
    )
    app = stack.node.root
    assert isinstance(app, cdk.App)
    return synthesised(app)["Dev"]


def _edge(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: body for name, body in of_type(template, kind).items() if name.startswith("Edge")}


def test_a_private_subnet_in_each_zone(template: dict[str, Any]) -> None:
    made = {
        body["Properties"]["AvailabilityZone"]: (
            body["Properties"]["CidrBlock"],
            body["Properties"]["MapPublicIpOnLaunch"],
        )
        for body in _edge(template, "AWS::EC2::Subnet").values()
    }
    assert made == {zone: (cidr, False) for zone, cidr in CIDRS.items()}


def test_the_control_plane_stays_in_the_region(template: dict[str, Any]) -> None:
    cluster = only(template, "AWS::EKS::Cluster")["Properties"]["ResourcesVpcConfig"]
    named = {subnet["Ref"] for subnet in cluster["SubnetIds"]}
    assert named.isdisjoint(_edge(template, "AWS::EC2::Subnet"))


def test_load_balancers_do_not_find_them_by_themselves(template: dict[str, Any]) -> None:
    for subnet in _edge(template, "AWS::EC2::Subnet").values():
        assert not [tag for tag in subnet["Properties"]["Tags"] if tag["Key"].startswith("kubernetes.io/role")]


def test_traffic_goes_back_to_the_region_s_nat(template: dict[str, Any]) -> None:
    (gateway,) = of_type(template, "AWS::EC2::NatGateway")
    routes = [body["Properties"] for body in _edge(template, "AWS::EC2::Route").values()]
    assert [(route["DestinationCidrBlock"], route["NatGatewayId"]) for route in routes] == [
        ("0.0.0.0/0", {"Ref": gateway})
    ] * 2


def test_routes_may_be_left_to_a_carrier_of_one_s_own() -> None:
    stack = _stack()
    LocalZoneSubnets(stack, "Edge", network=_network(stack, isolated=True), cidrs=CIDRS, default_route=False)
    app = stack.node.root
    assert isinstance(app, cdk.App)
    assert _edge(synthesised(app)["Dev"], "AWS::EC2::Route") == {}


def test_endpoints_of_the_vpc_admit_them() -> None:
    stack = _stack()
    network = _network(stack)
    endpoints = VpcEndpoints(stack, "Endpoints", network=network)
    LocalZoneSubnets(stack, "Edge", network=network, cidrs=CIDRS, endpoints=endpoints)
    app = stack.node.root
    assert isinstance(app, cdk.App)
    (group,) = [
        body["Properties"]
        for name, body in of_type(synthesised(app)["Dev"], "AWS::EC2::SecurityGroup").items()
        if name.startswith("Endpoints")
    ]
    admitted = {(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupIngress"]}
    assert {(cidr, 443, 443) for cidr in CIDRS.values()} <= admitted


@pytest.mark.parametrize(
    ("cidrs", "message"),
    [
        ({}, "cidrs: names no Local Zone; give {'us-west-2-lax-1a': '10.0.192.0/20'}"),
        (
            {"us-west-2a": "10.0.192.0/20"},
            "cidrs['us-west-2a']: is not the name of a Local Zone; write it like 'us-west-2-lax-1a'",
        ),
        (
            {"us-east-1-bos-1a": "10.0.192.0/20"},
            "cidrs['us-east-1-bos-1a']: is a zone of 'us-east-1', but the stack is in 'us-west-2'; "
            "use Local Zones of 'us-west-2'",
        ),
        ({LAX: "edge"}, "cidrs['us-west-2-lax-1a']: 'edge' is not an IPv4 block; write it like '10.0.192.0/20'"),
        (
            {LAX: "10.1.0.0/20"},
            "cidrs['us-west-2-lax-1a']: '10.1.0.0/20' is not a block of /16 to /28 in the VPC's 10.0.0.0/16; "
            "choose a free part of it",
        ),
        (
            {LAX: "10.0.32.0/20"},
            "cidrs['us-west-2-lax-1a']: '10.0.32.0/20' overlaps 10.0.32.0/19 of 'Dev/Network/Vpc/NodeSubnet2'; "
            "choose a free part of the VPC",
        ),
        (
            {LAX: "10.0.192.0/20", DEN: "10.0.200.0/24"},
            "cidrs['us-west-2-den-1a']: '10.0.200.0/24' overlaps 10.0.192.0/20 of 'us-west-2-lax-1a'; "
            "choose a free part of the VPC",
        ),
    ],
)
def test_what_cannot_be_a_subnet_there_is_refused(cidrs: dict[str, str], message: str) -> None:
    stack = _stack()
    network = _network(stack)
    assert refusal(lambda: LocalZoneSubnets(stack, "Edge", network=network, cidrs=cidrs)) == f"Dev/Edge: {message}"
    assert stack.node.try_find_child("Edge") is None


def test_a_way_out_needs_a_gateway() -> None:
    stack = _stack(None)
    network = _network(stack, nat_gateways=0)
    assert refusal(lambda: LocalZoneSubnets(stack, "Edge", network=network, cidrs=CIDRS)) == (
        "Dev/Edge: default_route: needs a NAT gateway, and the network has none; pass default_route=False"
    )


def test_a_local_zone_in_the_control_plane_stays_refused() -> None:
    stack = _stack()
    assert refusal(lambda: _network(stack, availability_zones=["us-west-2a", LAX])) == (
        "Dev/Network: availability_zones[1]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, got "
        "'us-west-2-lax-1a'; name availability zones here; LocalZoneSubnets creates subnets in Local "
        "Zones"
    )
