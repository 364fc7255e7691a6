from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App, Environment, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from automode_constructs.aws.network import (
    DEFAULT_POD_CIDR,
    NODE_SUBNET_TAG,
    POD_SUBNET_TAG,
    AutoModeNetwork,
    ExistingNetwork,
)
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def networks() -> dict[str, AutoModeNetwork]:
    """One app with a stack for each scenario: synthesised once for the whole module."""
    app = App()

    def network(name: str, env: Environment | None = None, **options: Any) -> AutoModeNetwork:
        return AutoModeNetwork(Stack(app, name, env=env), "Network", **options)

    made = [
        network("Pods", pod_cidr=DEFAULT_POD_CIDR),
        network("Regional", Environment(region=REGION), pod_cidr=DEFAULT_POD_CIDR),
        network("TwoZones", zone_count=2, pod_cidr=DEFAULT_POD_CIDR),
        network("FourZones", zone_count=4, pod_cidr=DEFAULT_POD_CIDR),
        network("OneNat", nat_gateways=1, pod_cidr=DEFAULT_POD_CIDR),
        network("NoNat", nat_gateways=0, pod_cidr=DEFAULT_POD_CIDR),
        network(
            "Named",
            Environment(region=REGION),
            availability_zones=["eu-west-1b", "eu-west-1a"],
            cidr="192.168.4.0/24",
            flow_log_retention=logs.RetentionDays.ONE_WEEK,
        ),
        network("Silent", flow_logs=False),
    ]
    return {Stack.of(each).stack_name: each for each in made}


@pytest.fixture(scope="module")
def templates(networks: dict[str, AutoModeNetwork]) -> dict[str, dict[str, Any]]:
    app = networks["Pods"].node.root
    assert isinstance(app, App)
    assembly = app.synth()
    return {name: assembly.get_stack_by_name(name).template for name in networks}


def of_type(template: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    return {logical_id: resource for logical_id, resource in template["Resources"].items() if resource["Type"] == type_}


def subnets(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The properties of the subnets of one kind, in the order of their zones."""
    found = of_type(template, "AWS::EC2::Subnet")
    return [found[key]["Properties"] for key in sorted(found) if f"{kind}Subnet" in key]


def cidrs(template: dict[str, Any], kind: str) -> list[str]:
    return [subnet["CidrBlock"] for subnet in subnets(template, kind)]


def tags(subnet: dict[str, Any]) -> dict[str, Any]:
    return {tag["Key"]: tag["Value"] for tag in subnet["Tags"]}


def default_route_gateways(template: dict[str, Any], kind: str) -> list[str]:
    """The NAT gateway each subnet of one kind sends its traffic to, in the order of their zones."""
    routes = of_type(template, "AWS::EC2::Route")
    return [
        routes[key]["Properties"]["NatGatewayId"]["Ref"]
        for key in sorted(routes)
        if f"{kind}Subnet" in key and routes[key]["Properties"]["DestinationCidrBlock"] == "0.0.0.0/0"
    ]


def with_region(document: Any, region: str) -> Any:
    """The template as it reads when the region is filled in."""
    if document == {"Ref": "AWS::Region"}:
        return region
    if isinstance(document, str):
        return document.replace("${AWS::Region}", region)
    if isinstance(document, list):
        return [with_region(item, region) for item in document]
    if isinstance(document, dict):
        filled = {key: with_region(value, region) for key, value in document.items()}
        return {"Fn::Join": ["", list(merged(filled["Fn::Join"][1]))]} if "Fn::Join" in filled else filled
    return document


def merged(parts: list[Any]) -> Iterator[Any]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        yield from [text, part] if text else [part]
        text = ""
    if text:
        yield text


class TestTemplate:
    def test_a_region_changes_nothing_but_the_region(self, templates: dict[str, dict[str, Any]]) -> None:
        regional = json.loads(json.dumps(templates["Regional"]).replace("Regional/", "Pods/"))
        assert templates["Pods"] != regional
        assert with_region(templates["Pods"], REGION) == with_region(regional, REGION)

    def test_zones_are_tokens_where_the_region_is_known_and_eks_takes_all(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        for kind in ("Node", "Public", "Pod"):
            zones = [subnet["AvailabilityZone"] for subnet in subnets(templates["Regional"], kind)]
            assert zones == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in range(3)]

    def test_given_zones_are_used_in_their_order(self, templates: dict[str, dict[str, Any]]) -> None:
        zones = [subnet["AvailabilityZone"] for subnet in subnets(templates["Named"], "Node")]
        assert zones == ["eu-west-1b", "eu-west-1a"]

    def test_the_vpc_resolves_names(self, templates: dict[str, dict[str, Any]]) -> None:
        (vpc,) = of_type(templates["Pods"], "AWS::EC2::VPC").values()
        assert vpc["Properties"]["EnableDnsSupport"] is True
        assert vpc["Properties"]["EnableDnsHostnames"] is True

    def test_no_subnet_assigns_public_addresses(self, templates: dict[str, dict[str, Any]]) -> None:
        found = of_type(templates["Pods"], "AWS::EC2::Subnet").values()
        assert [subnet["Properties"].get("MapPublicIpOnLaunch", False) for subnet in found] == [False] * 9

    def test_the_default_security_group_is_emptied(self, templates: dict[str, dict[str, Any]]) -> None:
        assert len(of_type(templates["Pods"], "Custom::VpcRestrictDefaultSG")) == 1

    def test_the_address_plan_of_the_default_block(self, templates: dict[str, dict[str, Any]]) -> None:
        assert cidrs(templates["Pods"], "Node") == ["10.0.0.0/19", "10.0.32.0/19", "10.0.64.0/19"]
        assert cidrs(templates["Pods"], "Public") == ["10.0.128.0/24", "10.0.129.0/24", "10.0.130.0/24"]
        assert cidrs(templates["Pods"], "Pod") == ["100.64.0.0/18", "100.64.64.0/18", "100.64.128.0/18"]

    def test_the_address_plan_of_the_smallest_block(self, templates: dict[str, dict[str, Any]]) -> None:
        assert cidrs(templates["Named"], "Node") == ["192.168.4.0/27", "192.168.4.32/27"]
        assert cidrs(templates["Named"], "Public") == ["192.168.4.128/27", "192.168.4.160/27"]

    @pytest.mark.parametrize("kind", ["Node", "Public", "Pod"])
    def test_a_further_zone_moves_no_subnet(self, templates: dict[str, dict[str, Any]], kind: str) -> None:
        two, three, four = (cidrs(templates[name], kind) for name in ("TwoZones", "Pods", "FourZones"))
        assert (len(two), len(three), len(four)) == (2, 3, 4)
        assert two == three[:2] == four[:2]

    def test_logical_ids_of_what_would_be_replaced(self, templates: dict[str, dict[str, Any]]) -> None:
        assert list(of_type(templates["TwoZones"], "AWS::EC2::VPC")) == ["NetworkVpc7FB7348F"]
        assert list(of_type(templates["TwoZones"], "AWS::EC2::VPCCidrBlock")) == ["NetworkPodCidr2E846A02"]
        assert sorted(of_type(templates["TwoZones"], "AWS::EC2::Subnet")) == [
            "NetworkPodSubnet1SubnetDF328D95",
            "NetworkPodSubnet2Subnet973932E5",
            "NetworkVpcNodeSubnet1Subnet9C514B89",
            "NetworkVpcNodeSubnet2Subnet1D20EEFE",
            "NetworkVpcPublicSubnet1Subnet36933139",
            "NetworkVpcPublicSubnet2SubnetC427CCE0",
        ]
        assert set(of_type(templates["TwoZones"], "AWS::EC2::Subnet")) < set(
            of_type(templates["FourZones"], "AWS::EC2::Subnet")
        )

    def test_turning_nat_gateways_off_replaces_no_subnet(self, templates: dict[str, dict[str, Any]]) -> None:
        with_nat, without = (of_type(templates[name], "AWS::EC2::Subnet") for name in ("Pods", "NoNat"))
        assert {key: value["Properties"]["CidrBlock"] for key, value in with_nat.items()} == {
            key: value["Properties"]["CidrBlock"] for key, value in without.items()
        }

    def test_pod_subnets_wait_for_their_block(self, templates: dict[str, dict[str, Any]]) -> None:
        (block,) = of_type(templates["Pods"], "AWS::EC2::VPCCidrBlock")
        assert of_type(templates["Pods"], "AWS::EC2::VPCCidrBlock")[block]["Properties"]["CidrBlock"] == "100.64.0.0/16"
        found = of_type(templates["Pods"], "AWS::EC2::Subnet")
        waiting = [key for key, subnet in found.items() if block in subnet.get("DependsOn", [])]
        assert len(waiting) == 3
        assert all("PodSubnet" in key for key in waiting)

    def test_without_a_pod_block_there_are_no_pod_subnets(
        self, templates: dict[str, dict[str, Any]], networks: dict[str, AutoModeNetwork]
    ) -> None:
        assert of_type(templates["Silent"], "AWS::EC2::VPCCidrBlock") == {}
        assert subnets(templates["Silent"], "Pod") == []
        assert networks["Silent"].pod_subnets == []
        assert networks["Silent"].pod_subnet_selector_terms() == []


class TestEgress:
    def test_each_zone_leaves_through_its_own_gateway(self, templates: dict[str, dict[str, Any]]) -> None:
        gateways = sorted(of_type(templates["Pods"], "AWS::EC2::NatGateway"))
        assert len(gateways) == 3
        assert default_route_gateways(templates["Pods"], "Node") == gateways
        assert default_route_gateways(templates["Pods"], "Pod") == gateways

    def test_one_gateway_serves_every_zone(self, templates: dict[str, dict[str, Any]]) -> None:
        (gateway,) = of_type(templates["OneNat"], "AWS::EC2::NatGateway")
        assert default_route_gateways(templates["OneNat"], "Node") == [gateway] * 3
        assert default_route_gateways(templates["OneNat"], "Pod") == [gateway] * 3

    def test_without_gateways_node_and_pod_subnets_have_no_way_out(
        self, templates: dict[str, dict[str, Any]], networks: dict[str, AutoModeNetwork]
    ) -> None:
        assert of_type(templates["NoNat"], "AWS::EC2::NatGateway") == {}
        routes = of_type(templates["NoNat"], "AWS::EC2::Route")
        assert len(routes) == 3
        assert all("PublicSubnet" in key for key in routes)
        assert len(networks["NoNat"].node_subnets) == 3
        assert len(networks["NoNat"].pod_subnets) == 3
        assert [networks[name].has_egress for name in ("Pods", "OneNat", "NoNat")] == [True, True, False]

    def test_s3_is_reached_from_node_and_pod_subnets_without_nat(self, templates: dict[str, dict[str, Any]]) -> None:
        (endpoint,) = of_type(templates["Pods"], "AWS::EC2::VPCEndpoint").values()
        tables = [table["Ref"] for table in endpoint["Properties"]["RouteTableIds"]]
        assert sum("NodeSubnet" in table for table in tables) == 3
        assert sum("PodSubnet" in table for table in tables) == 3
        assert len(tables) == 6


class TestFlowLogs:
    def test_all_traffic_goes_to_a_retained_log_group(self, templates: dict[str, dict[str, Any]]) -> None:
        groups = of_type(templates["Pods"], "AWS::Logs::LogGroup")
        ((group_id, group),) = ((name, body) for name, body in groups.items() if "FlowLog" in name)
        (flow_log,) = of_type(templates["Pods"], "AWS::EC2::FlowLog").values()
        assert flow_log["Properties"]["TrafficType"] == "ALL"
        assert flow_log["Properties"]["LogGroupName"] == {"Ref": group_id}
        assert group["Properties"] == {"RetentionInDays": 365}
        assert group["DeletionPolicy"] == "RetainExceptOnCreate"

    def test_the_retention_can_be_chosen(self, templates: dict[str, dict[str, Any]]) -> None:
        groups = of_type(templates["Named"], "AWS::Logs::LogGroup")
        (group,) = (body for name, body in groups.items() if "FlowLog" in name)
        assert group["Properties"]["RetentionInDays"] == 7

    def test_they_can_be_turned_off(self, templates: dict[str, dict[str, Any]]) -> None:
        assert of_type(templates["Silent"], "AWS::EC2::FlowLog") == {}
        assert not [name for name in of_type(templates["Silent"], "AWS::Logs::LogGroup") if "FlowLog" in name]

    def test_the_lambda_of_the_default_security_group_logs_for_a_while(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        ((name, group),) = of_type(templates["Silent"], "AWS::Logs::LogGroup").items()
        assert group["Properties"] == {"RetentionInDays": 90}
        (function,) = of_type(templates["Silent"], "AWS::Lambda::Function").values()
        assert function["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": name}}

    def test_a_key_is_for_all_its_log_groups(self) -> None:
        stack = Stack(App(), "Keyed")
        AutoModeNetwork(stack, "Network", log_key=kms.Key(stack, "Key"))
        template = dict(Template.from_stack(stack).to_json())
        groups = of_type(template, "AWS::Logs::LogGroup").values()
        assert [group["Properties"]["KmsKeyId"] for group in groups] == [{"Fn::GetAtt": ["Key961B73FD", "Arn"]}] * 2
        (key,) = of_type(template, "AWS::KMS::Key").values()
        assert key["Properties"]["KeyPolicy"]["Statement"][1]["Action"][0] == "kms:Encrypt"

    @pytest.mark.parametrize(("region", "fips"), [("us-gov-east-1", True), ("us-east-1", False)])
    def test_the_lambda_uses_fips_endpoints_in_govcloud(self, region: str, fips: bool) -> None:
        stack = Stack(App(), "Gov", env=Environment(region=region))
        AutoModeNetwork(stack, "Network")
        (function,) = of_type(dict(Template.from_stack(stack).to_json()), "AWS::Lambda::Function").values()
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        assert variables == ({"AWS_USE_FIPS_ENDPOINT": "true"} if fips else {})

    def test_a_key_of_another_region_is_an_error(self) -> None:
        stack = Stack(App(), "S", env=Environment(region="eu-west-1"))
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:111122223333:key/1234abcd")
        with pytest.raises(AutoModeError, match=r"log_key: .* lies in 'us-east-1', the cluster in 'eu-west-1'"):
            AutoModeNetwork(stack, "Network", log_key=key)


class TestTags:
    def test_load_balancers_find_public_and_node_subnets_but_no_pod_subnets(
        self, templates: dict[str, dict[str, Any]]
    ) -> None:
        for name in ("Pods", "NoNat"):
            roles = {
                kind: [
                    {key: value for key, value in tags(subnet).items() if key.startswith("kubernetes.io/")}
                    for subnet in subnets(templates[name], kind)
                ]
                for kind in ("Node", "Public", "Pod")
            }
            assert roles == {
                "Node": [{"kubernetes.io/role/internal-elb": "1"}] * 3,
                "Public": [{"kubernetes.io/role/elb": "1"}] * 3,
                "Pod": [{}] * 3,
            }

    def test_a_node_class_finds_its_subnets_by_the_id_of_the_vpc(
        self, templates: dict[str, dict[str, Any]], networks: dict[str, AutoModeNetwork]
    ) -> None:
        (vpc,) = of_type(templates["Pods"], "AWS::EC2::VPC")
        selectors = {
            kind: [
                {key: value for key, value in tags(subnet).items() if key.startswith("automode-constructs/")}
                for subnet in subnets(templates["Pods"], kind)
            ]
            for kind in ("Node", "Public", "Pod")
        }
        assert selectors == {
            "Node": [{NODE_SUBNET_TAG: {"Ref": vpc}}] * 3,
            "Public": [{}] * 3,
            "Pod": [{POD_SUBNET_TAG: {"Ref": vpc}}] * 3,
        }
        network = networks["Pods"]
        assert network.node_subnet_selector_terms() == [SubnetSelectorTerm(tags={NODE_SUBNET_TAG: network.vpc.vpc_id})]
        assert network.pod_subnet_selector_terms() == [SubnetSelectorTerm(tags={POD_SUBNET_TAG: network.vpc.vpc_id})]

    def test_selector_tags_stay_on_subnets(self, templates: dict[str, dict[str, Any]]) -> None:
        tagged = {
            resource["Type"]
            for resource in templates["Pods"]["Resources"].values()
            for tag in resource["Properties"].get("Tags", [])
            if tag["Key"] in (NODE_SUBNET_TAG, POD_SUBNET_TAG)
        }
        assert tagged == {"AWS::EC2::Subnet"}


def test_an_auto_mode_network_shows_its_blocks_and_subnets(networks: dict[str, AutoModeNetwork]) -> None:
    assert networks["Pods"].cidrs == ("10.0.0.0/16", "100.64.0.0/16")
    assert networks["Silent"].cidrs == ("10.0.0.0/16",)
    # Pod subnets outside the VPC's groups are what keeps them out of a cluster's default selection.
    groups = {
        subnet.node.path for subnet in [*networks["Pods"].vpc.private_subnets, *networks["Pods"].vpc.isolated_subnets]
    }
    assert groups == {subnet.node.path for subnet in networks["Pods"].node_subnets}
    assert [subnet.node.path for subnet in networks["Pods"].pod_subnets] == [
        f"Pods/Network/PodSubnet{number}" for number in (1, 2, 3)
    ]
    assert len(networks["Pods"].public_subnets) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cidr": "10.0.0.0"}, r"cidr: must be an IPv4 CIDR block, got '10\.0\.0\.0'; write it like '10\.0\.0\.0/16'"),
        ({"cidr": "10.0.0.0/33"}, r"cidr: must be an IPv4 CIDR block, got '10\.0\.0\.0/33'"),
        ({"cidr": "fd00::/56"}, r"cidr: must be an IPv4 CIDR block, got 'fd00::/56'"),
        ({"cidr": "10.0.1.0/16"}, r"cidr: has host bits set, got '10\.0\.1\.0/16'; write '10\.0\.0\.0/16'"),
        (
            {"cidr": "0.0.0.0/0"},
            r"cidr: must be a block from /16 to /24, got '0\.0\.0\.0/0' with 4,294,967,296 addresses; "
            r"AWS takes no block larger than a /16, and subnets for four zones need a /24",
        ),
        ({"cidr": "10.0.0.0/25"}, "cidr: must be a block from /16 to /24, got '10.0.0.0/25' with 128 addresses"),
        ({"cidr": Fn.import_value("Cidr")}, "cidr: must be known at synth, got a token; give the block itself"),
        ({"pod_cidr": "100.64.0.0/10"}, "pod_cidr: must be a block from /16 to /24, got '100.64.0.0/10'"),
        (
            {"pod_cidr": "100.64.0.1/16"},
            r"pod_cidr: has host bits set, got '100\.64\.0\.1/16'; write '100\.64\.0\.0/16'",
        ),
        (
            {"pod_cidr": "10.0.128.0/20"},
            r"pod_cidr: '10\.0\.128\.0/20' overlaps cidr '10\.0\.0\.0/16'; use a range of its own, such as '100\.64",
        ),
        (
            {"pod_cidr": "192.168.0.0/16"},
            r"pod_cidr: '192\.168\.0\.0/16' lies in 192\.168\.0\.0/16, "
            r"which AWS adds to no VPC that begins with '10\.0\.0\.0/16'; use a range such as '100\.64\.0\.0/16'",
        ),
        (
            {"pod_cidr": "198.19.0.0/16"},
            r"pod_cidr: '198\.19\.0\.0/16' lies in 198\.19\.0\.0/16, which AWS adds to no VPC",
        ),
        (
            {"cidr": "100.65.0.0/16", "pod_cidr": "10.1.0.0/16"},
            r"pod_cidr: '10\.1\.0\.0/16' lies in 10\.0\.0\.0/8, which AWS adds",
        ),
        (
            {"cidr": "10.1.0.0/16", "pod_cidr": "10.0.0.0/16"},
            r"pod_cidr: '10\.0\.0\.0/16' lies in 10\.0\.0\.0/16, which AWS adds",
        ),
        (
            {"cidr": "172.20.0.0/16", "pod_cidr": "172.31.0.0/18"},
            r"pod_cidr: '172\.31\.0\.0/18' lies in 172\.31\.0\.0/16, which AWS adds to no VPC",
        ),
        ({"zone_count": 1}, "zone_count: must be 2, 3 or 4, got 1; EKS needs two zones"),
        ({"zone_count": 5}, "zone_count: must be 2, 3 or 4, got 5; .* the address plan has room for four"),
        ({"nat_gateways": 2}, "nat_gateways: must be 0, 1 or the number of zones, which is 3, got 2; leave it out"),
        ({"nat_gateways": -1}, "nat_gateways: must be 0, 1 or the number of zones, which is 3, got -1"),
        (
            {"availability_zones": ["eu-west-1a"]},
            r"availability_zones: must be two to four zones, got \['eu-west-1a'\]; EKS needs two zones",
        ),
        (
            {"availability_zones": [f"us-east-1{letter}" for letter in "abcde"]},
            "availability_zones: must be two to four zones, got .* the address plan has room for four",
        ),
        (
            {"availability_zones": ["eu-west-1a", "eu-west-1a"]},
            "availability_zones: a zone is named twice, got .*; name each zone once",
        ),
        (
            {"availability_zones": "eu-west-1a"},
            "availability_zones: needs a list, got the text 'eu-west-1a'; write",
        ),
        (
            {"availability_zones": Fn.get_azs()},
            "availability_zones: must be a list of zones, got a token for the whole list",
        ),
        (
            {"availability_zones": ["us-west-2a", "us-west-2-lax-1a"]},
            r"availability_zones\[1\]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, "
            "got 'us-west-2-lax-1a'; name availability zones here; LocalZoneSubnets creates subnets in",
        ),
        (
            {"availability_zones": ["us-east-1-wl1-bos-wlz-1", "us-east-1a"]},
            r"availability_zones\[0\]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, got 'us-",
        ),
        (
            {"availability_zones": ["us-east-1", "us-east-1b"]},
            r"availability_zones\[0\]: must be the name or the id of an availability zone, got 'us-east-1'; write it "
            "like 'us-west-2a' or 'usw2-az1'$",
        ),
    ],
)
def test_what_cannot_work_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AutoModeError, match=f"^Errors/Network: {message}"):
        AutoModeNetwork(Stack(App(), "Errors"), "Network", **options)


def test_a_zone_of_another_region_is_an_error() -> None:
    stack = Stack(App(), "Stack", env=Environment(region="eu-west-1"))
    with pytest.raises(
        AutoModeError,
        match=r"availability_zones\[1\]: 'us-west-2a' is a zone of 'us-west-2', the stack is in 'eu-west-1'; use zones",
    ):
        AutoModeNetwork(stack, "Network", availability_zones=["eu-west-1a", "us-west-2a"])


def test_a_zone_the_stack_does_not_have_is_an_error() -> None:
    key = "availability-zones:account=111111111111:region=eu-west-1"
    app = App(context={key: ["eu-west-1a", "eu-west-1b"]})
    stack = Stack(app, "Stack", env=Environment(account="111111111111", region="eu-west-1"))
    with pytest.raises(
        AutoModeError,
        match=r"availability_zones: \['eu-west-1c'\] are not among the stack's availability zones \['eu-west-1a', 'eu-",
    ):
        AutoModeNetwork(stack, "Network", availability_zones=["eu-west-1a", "eu-west-1c"])


def test_tokens_and_the_dummy_zones_of_the_cdk_pass_as_zones() -> None:
    stack = Stack(App(), "Stack", env=Environment(account="111111111111", region="eu-west-1"))
    tokens = [Fn.select(index, Fn.get_azs()) for index in (0, 2)]
    assert len(AutoModeNetwork(stack, "Tokens", availability_zones=tokens).node_subnets) == 2
    assert len(AutoModeNetwork(stack, "Dummies", availability_zones=stack.availability_zones).node_subnets) == 3


def test_a_second_block_of_the_same_private_range_is_allowed() -> None:
    network = AutoModeNetwork(Stack(App(), "Stack"), "Network", cidr="10.2.0.0/16", pod_cidr="10.3.0.0/16")
    assert network.cidrs == ("10.2.0.0/16", "10.3.0.0/16")


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack(App(), "Stack", env=Environment(account="111111111111", region="us-west-2"))


@pytest.fixture(scope="module")
def made(stack: Stack) -> ec2.Vpc:
    """A VPC made with the CDK elsewhere in the app: its ids and blocks are tokens."""
    return ec2.Vpc(stack, "Made", availability_zones=["us-west-2a", "us-west-2b"], nat_gateways=1)


@pytest.fixture(scope="module")
def imported(stack: Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Imported",
        vpc_id="vpc-1",
        vpc_cidr_block="10.9.0.0/16",
        availability_zones=["us-west-2a", "us-west-2b"],
        public_subnet_ids=["subnet-p1", "subnet-p2"],
        private_subnet_ids=["subnet-n1", "subnet-n2"],
        isolated_subnet_ids=["subnet-i1", "subnet-i2"],
    )


def imported_subnet(stack: Stack, id_: str, zone: str | None = None) -> ec2.ISubnet:
    return ec2.Subnet.from_subnet_attributes(stack, id_, subnet_id=f"subnet-{id_}", availability_zone=zone)


class TestExistingNetwork:
    def test_it_selects_by_subnet_id(self, imported: ec2.IVpc) -> None:
        network = ExistingNetwork(
            vpc=imported, node_subnets=imported.private_subnets, pod_subnets=imported.isolated_subnets
        )
        assert network.node_subnet_selector_terms() == [
            SubnetSelectorTerm(id="subnet-n1"),
            SubnetSelectorTerm(id="subnet-n2"),
        ]
        assert network.pod_subnet_selector_terms() == [
            SubnetSelectorTerm(id="subnet-i1"),
            SubnetSelectorTerm(id="subnet-i2"),
        ]
        assert [subnet.subnet_id for subnet in network.public_subnets] == ["subnet-p1", "subnet-p2"]
        assert network.vpc is imported

    def test_a_vpc_of_the_app_is_taken_with_its_tokens(self, made: ec2.Vpc) -> None:
        network = ExistingNetwork(vpc=made, node_subnets=made.private_subnets)
        assert network.node_subnet_selector_terms() == [
            SubnetSelectorTerm(id=subnet.subnet_id) for subnet in made.private_subnets
        ]
        assert network.pod_subnets == []
        assert network.pod_subnet_selector_terms() == []
        assert network.cidrs == ()

    def test_blocks_are_those_given_or_the_one_the_cdk_knows(self, stack: Stack, imported: ec2.IVpc) -> None:
        subnets_ = imported.private_subnets
        token = Fn.import_value("Block")
        assert ExistingNetwork(vpc=imported, node_subnets=subnets_).cidrs == ("10.9.0.0/16",)
        given = ExistingNetwork(vpc=imported, node_subnets=subnets_, cidrs=["10.9.0.0/16", "100.64.0.0/10", token])
        assert given.cidrs == ("10.9.0.0/16", "100.64.0.0/10", token)
        unknown = ec2.Vpc.from_vpc_attributes(stack, "Unknown", vpc_id="vpc-2", availability_zones=["us-west-2a"])
        assert ExistingNetwork(vpc=unknown, node_subnets=subnets_).cidrs == ()

    def test_isolated_subnets_have_no_egress(self, imported: ec2.IVpc) -> None:
        assert ExistingNetwork(vpc=imported, node_subnets=imported.private_subnets).has_egress is True
        assert ExistingNetwork(vpc=imported, node_subnets=imported.isolated_subnets).has_egress is False

    def test_zones_the_cdk_does_not_know_are_not_judged(self, stack: Stack, imported: ec2.IVpc) -> None:
        unknown = [imported_subnet(stack, "unknown1"), imported_subnet(stack, "unknown2")]
        tokens = [imported_subnet(stack, f"token{index}", Fn.select(index, Fn.get_azs())) for index in (0, 1)]
        placed = [imported_subnet(stack, "pod-c", "us-west-2c")]
        for node_subnets in (unknown, tokens):
            network = ExistingNetwork(vpc=imported, node_subnets=node_subnets, pod_subnets=placed)
            assert network.node_subnets == node_subnets

    def test_a_look_up_without_an_answer_yet_passes(self, stack: Stack) -> None:
        vpc = ec2.Vpc.from_lookup(stack, "LookedUp", vpc_id="vpc-3")
        network = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, pod_subnets=vpc.isolated_subnets)
        assert network.has_egress is True
        assert network.cidrs == ()

    def test_fewer_than_two_node_subnets_are_an_error(self, imported: ec2.IVpc) -> None:
        first = imported.private_subnets[0]
        for node_subnets, count in (([], 0), ([first], 1), ([first, first], 1)):
            with pytest.raises(
                AutoModeError,
                match="^Stack/Imported: node_subnets: EKS needs at least two subnets in different zones, "
                f"got {count}; give one private subnet for each zone",
            ):
                ExistingNetwork(vpc=imported, node_subnets=node_subnets)

    def test_node_subnets_in_one_zone_are_an_error(self, stack: Stack, imported: ec2.IVpc) -> None:
        together = [imported_subnet(stack, f"together{index}", "us-west-2a") for index in (1, 2)]
        with pytest.raises(
            AutoModeError,
            match="node_subnets: EKS needs subnets in at least two zones, got all in 'us-west-2a'; give one",
        ):
            ExistingNetwork(vpc=imported, node_subnets=together)

    def test_public_node_subnets_are_an_error(self, made: ec2.Vpc, imported: ec2.IVpc) -> None:
        for vpc in (made, imported):
            with pytest.raises(
                AutoModeError,
                match=rf"node_subnets\[1\]: '{vpc.public_subnets[1].node.path}' is a public subnet, so nodes would be "
                "public; give private subnets",
            ):
                ExistingNetwork(vpc=vpc, node_subnets=[vpc.private_subnets[0], vpc.public_subnets[1]])

    def test_node_subnets_in_a_local_zone_are_an_error(self, stack: Stack, imported: ec2.IVpc) -> None:
        edge = imported_subnet(stack, "edge", "us-west-2-lax-1a")
        with pytest.raises(
            AutoModeError,
            match=r"node_subnets\[2\]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, "
            "got 'us-west-2-lax-1a'; leave it out here; give a NodeClass of its own that subnet's id",
        ):
            ExistingNetwork(vpc=imported, node_subnets=[*imported.private_subnets, edge])

    def test_a_pod_subnet_that_is_a_node_subnet_is_an_error(self, imported: ec2.IVpc) -> None:
        with pytest.raises(
            AutoModeError,
            match=r"pod_subnets\[0\]: 'Stack/Imported/PrivateSubnet2' is a node subnet too; leave pod_subnets out",
        ):
            ExistingNetwork(
                vpc=imported, node_subnets=imported.private_subnets, pod_subnets=[imported.private_subnets[1]]
            )

    def test_a_pod_subnet_in_a_zone_without_nodes_is_an_error(self, stack: Stack, imported: ec2.IVpc) -> None:
        lonely = imported_subnet(stack, "lonely", "us-west-2c")
        with pytest.raises(
            AutoModeError,
            match=r"pod_subnets\[0\]: 'Stack/lonely' is in 'us-west-2c', where no node subnet is; give a node subnet",
        ):
            ExistingNetwork(vpc=imported, node_subnets=imported.private_subnets, pod_subnets=[lonely])

    def test_a_malformed_block_is_an_error(self, imported: ec2.IVpc) -> None:
        with pytest.raises(
            AutoModeError, match=r"cidrs\[1\]: has host bits set, got '10\.9\.0\.1/16'; write '10\.9\.0\.0/16'"
        ):
            ExistingNetwork(vpc=imported, node_subnets=imported.private_subnets, cidrs=["10.9.0.0/16", "10.9.0.1/16"])

    def test_all_mistakes_are_reported_at_once(self, stack: Stack, imported: ec2.IVpc) -> None:
        edge = imported_subnet(stack, "edge2", "us-west-2-lax-1a")
        lonely = imported_subnet(stack, "lonely2", "us-west-2c")
        with pytest.raises(AutoModeError) as caught:
            ExistingNetwork(
                vpc=imported,
                node_subnets=[imported.private_subnets[0], imported.public_subnets[1], edge],
                pod_subnets=[imported.private_subnets[0], lonely],
                cidrs=["10.9.0.1/16", "ten"],
                endpoint_services=["com.amazonaws.us-west-2.eks"],
            )
        assert [problem.field for problem in caught.value.problems] == [
            "node_subnets[1]",
            "node_subnets[2]",
            "pod_subnets[0]",
            "pod_subnets[1]",
            "cidrs[0]",
            "cidrs[1]",
            "endpoint_services[0]",
        ]


def test_all_mistakes_of_a_new_network_are_reported_at_once_and_leave_nothing() -> None:
    stack = Stack(App(), "Stack", env=Environment(region=REGION))
    with pytest.raises(AutoModeError) as caught:
        AutoModeNetwork(
            stack,
            "Network",
            cidr="10.0.0.0/8",
            availability_zones=["eu-west-1a", "us-west-2a", "x", "eu-west-1a"],
            isolated=True,
            nat_gateways=1,
            ipv6=True,
            pod_cidr="100.64.0.1/16",
        )
    assert [problem.field for problem in caught.value.problems] == [
        "cidr",
        "availability_zones[1]",
        "availability_zones[2]",
        "availability_zones",
        "nat_gateways",
        "pod_cidr",
        "pod_cidr",
    ]
    assert stack.node.children == []
    AutoModeNetwork(stack, "Network")
