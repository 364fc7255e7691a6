"""Zones by id where EKS refuses one: right in every account, refused or warned of where it cannot be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, Environment, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Annotations, Match
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import AutoModeCluster, AutoModeNetwork, ExistingNetwork, LocalZoneSubnets, VpcEndpoints
from automode_constructs.aws.zones import known_zone
from automode_constructs.facts.regions import known_regions
from automode_constructs.facts.zone_ids import refused_zone_ids, regions_with_refused_zones, zone_ids
from tests.refusal import refusal
from tests.support import feature_flags, of_type, synthesised

VIRGINIA = ["use1-az6", "use1-az2", "use1-az4"]
CANADA = ["cac1-az1", "cac1-az2", "cac1-az4"]
LETTERS = {"us-east-1": "abcdef", "ca-central-1": "abd", "us-west-1": "ac"}
USABLE = "'use1-az1', 'use1-az2', 'use1-az4', 'use1-az5', 'use1-az6'"
COMMAND = (
    "aws ec2 describe-availability-zones --region {0} --output text "
    "--query \"AvailabilityZones[?ZoneId!='{1}'].[ZoneId,ZoneName]\""
)


def _stack(region: str | None = "us-east-1", app: App | None = None, id: str = "Dev") -> Stack:
    return Stack(app or App(), id, env=Environment(region=region))


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """A network of each kind in a stack of its own."""
    app = App(context=feature_flags())
    for id, region, options in (
        ("Virginia", "us-east-1", {"pod_cidr": "100.64.0.0/16"}),
        ("Canada", "ca-central-1", {"pod_cidr": "100.64.0.0/16"}),
        ("Ireland", "eu-west-1", {"pod_cidr": "100.64.0.0/16"}),
        ("Given", None, {"pod_cidr": "100.64.0.0/16", "availability_zones": ["use1-az5", "use1-az1"]}),
        ("Isolated", "us-east-1", {"isolated": True, "zone_count": 4}),
        ("Ipv6", "us-east-1", {"ipv6": True, "zone_count": 2}),
    ):
        stack = _stack(region, app, id)
        network = AutoModeNetwork(stack, "Network", **options)
        CfnOutput(stack, "Node", value=network.node_subnets[1].availability_zone)
        if network.public_subnets:
            CfnOutput(stack, "Public", value=network.public_subnets[1].availability_zone)
        if network.pod_subnets:
            CfnOutput(stack, "Pod", value=network.pod_subnets[1].availability_zone)
            CfnOutput(stack, "All", value=Fn.join(",", network.vpc.availability_zones[:2]))
        if id == "Isolated":
            VpcEndpoints(stack, "Endpoints", network=network)
        if id == "Virginia":
            LocalZoneSubnets(stack, "Edge", network=network, cidrs={"us-east-1-bos-1a": "10.0.192.0/20"})
    return synthesised(app)


def _zones(template: dict[str, Any], kind: str) -> list[Any]:
    """The zones of the subnets of one kind, in their order: an id, or a name in a list of its own."""
    found = of_type(template, "AWS::EC2::Subnet")
    properties = [found[name]["Properties"] for name in sorted(found) if f"{kind}Subnet" in name]
    assert all(("AvailabilityZone" in each) != ("AvailabilityZoneId" in each) for each in properties)
    return [each.get("AvailabilityZoneId", [each.get("AvailabilityZone")]) for each in properties]


class TestTemplate:
    @pytest.mark.parametrize("kind", ["Node", "Public", "Pod"])
    def test_where_eks_refuses_a_zone_all_subnets_are_placed_by_id(
        self, templates: dict[str, dict[str, Any]], kind: str
    ) -> None:
        assert _zones(templates["Virginia"], kind) == VIRGINIA
        assert _zones(templates["Canada"], kind) == CANADA
        assert _zones(templates["Given"], kind) == ["use1-az5", "use1-az1"]

    def test_elsewhere_the_region_chooses(self, templates: dict[str, dict[str, Any]]) -> None:
        assert _zones(templates["Ireland"], "Node") == [
            [{"Fn::Select": [index, {"Fn::GetAZs": ""}]}] for index in range(3)
        ]

    def test_isolated_and_ipv6_networks_too(self, templates: dict[str, dict[str, Any]]) -> None:
        assert _zones(templates["Isolated"], "Node") == [*VIRGINIA, "use1-az1"]
        assert _zones(templates["Ipv6"], "Public") == _zones(templates["Ipv6"], "Node") == VIRGINIA[:2]

    def test_nothing_else_changes(self, templates: dict[str, dict[str, Any]]) -> None:
        """Logical ids, blocks, routes, gateways: what a subnet's zone is written with is all the difference."""

        def bare(name: str) -> Any:
            template = json.loads(json.dumps(templates[name]).replace(f"{name}/", ""))
            for subnet in of_type(template, "AWS::EC2::Subnet").values():
                subnet["Properties"].pop("AvailabilityZone", None)
                subnet["Properties"].pop("AvailabilityZoneId", None)
            resources = {
                key: body for key, body in template["Resources"].items() if body["Type"].startswith("AWS::EC2")
            }
            return json.loads(json.dumps(resources).replace("ca-central-1", "REGION").replace("eu-west-1", "REGION"))

        assert bare("Canada") == bare("Ireland")

    @pytest.mark.parametrize("kind", ["Node", "Public", "Pod"])
    def test_whoever_reads_a_zone_gets_its_name(self, templates: dict[str, dict[str, Any]], kind: str) -> None:
        (second,) = [name for name in of_type(templates["Virginia"], "AWS::EC2::Subnet") if "NodeSubnet2" in name]
        assert templates["Virginia"]["Outputs"][kind]["Value"] == {"Fn::GetAtt": [second, "AvailabilityZone"]}
        assert templates["Virginia"]["Outputs"]["All"]["Value"]["Fn::Join"][1][1] == {
            "Fn::GetAtt": [second, "AvailabilityZone"]
        }

    def test_each_zone_leaves_through_its_own_gateway(self, templates: dict[str, dict[str, Any]]) -> None:
        template = templates["Virginia"]
        gateways = sorted(of_type(template, "AWS::EC2::NatGateway"))
        routes = of_type(template, "AWS::EC2::Route")
        for kind in ("NodeSubnet", "PodSubnet"):
            through = [
                routes[name]["Properties"]["NatGatewayId"]["Ref"] for name in sorted(routes) if f"{kind}" in name
            ]
            assert through == gateways
        public = of_type(template, "AWS::EC2::Subnet")
        homes = [
            public[of_type(template, "AWS::EC2::NatGateway")[name]["Properties"]["SubnetId"]["Ref"]]["Properties"][
                "AvailabilityZoneId"
            ]
            for name in gateways
        ]
        assert homes == VIRGINIA

    def test_a_local_zone_keeps_its_name_and_has_a_way_out(self, templates: dict[str, dict[str, Any]]) -> None:
        edge = [
            body["Properties"]["AvailabilityZone"]
            for name, body in of_type(templates["Virginia"], "AWS::EC2::Subnet").items()
            if name.startswith("Edge")
        ]
        assert edge == ["us-east-1-bos-1a"]
        (route,) = [
            body["Properties"]
            for name, body in of_type(templates["Virginia"], "AWS::EC2::Route").items()
            if name.startswith("Edge")
        ]
        assert route["NatGatewayId"]["Ref"] in of_type(templates["Virginia"], "AWS::EC2::NatGateway")

    def test_an_endpoint_has_a_subnet_in_each_zone(self, templates: dict[str, dict[str, Any]]) -> None:
        interfaces = [
            body["Properties"]
            for body in of_type(templates["Isolated"], "AWS::EC2::VPCEndpoint").values()
            if body["Properties"]["VpcEndpointType"] == "Interface"
        ]
        assert interfaces
        assert all(len(endpoint["SubnetIds"]) == 4 for endpoint in interfaces)

    @pytest.mark.parametrize(
        ("name", "region"), [("Virginia", "us-east-1"), ("Canada", "ca-central-1"), ("Isolated", "us-east-1")]
    )
    def test_cfn_lint_takes_it(self, templates: dict[str, dict[str, Any]], name: str, region: str) -> None:
        found = lint(json.dumps(templates[name]), config=ManualArgs(regions=[region], include_checks=["W", "E"]))
        # W3005 speaks of the CDK's DependsOn, W3010 of the Local Zone, which has nothing but a name.
        assert [
            str(match) for match in found if match.rule.id not in ("W3005", "W3010") and match.rule.id[0] != "I"
        ] == []

    def test_cfn_lint_would_refuse_an_id_in_the_wrong_property(self, templates: dict[str, dict[str, Any]]) -> None:
        broken = json.dumps(templates["Canada"]).replace("AvailabilityZoneId", "AvailabilityZoneIdentifier")
        assert "E3002" in {match.rule.id for match in lint(broken, config=ManualArgs(regions=["ca-central-1"]))}


@pytest.mark.parametrize("region", known_regions())
def test_no_region_gets_a_refused_zone_or_one_too_many(region: str) -> None:
    stack = _stack(region)
    if region == "us-west-1":
        assert refusal(lambda: AutoModeNetwork(stack, "Network")) == (
            "Dev/Network: availability_zones: are required in 'us-west-1': EKS refuses 'usw1-az2' there, and an "
            "account may have only two zones; write availability_zones=['usw1-az1', 'usw1-az3'], or two names that "
            f"this prints: {COMMAND.format('us-west-1', 'usw1-az2')}"
        )
        network = AutoModeNetwork(stack, "ById", availability_zones=["usw1-az1", "usw1-az3"])
    else:
        network = AutoModeNetwork(stack, "Network")
    zones = [known_zone(subnet) for subnet in network.node_subnets]
    if region in regions_with_refused_zones():
        assert not {*zones} & {*refused_zone_ids(region)}
        assert {*zones} <= {*zone_ids(region)}
    else:
        assert zones == [None, None, None]


@pytest.mark.parametrize("region", ["ca-central-1", "eu-west-1"])
def test_more_zones_than_the_region_has(region: str) -> None:
    assert refusal(lambda: AutoModeNetwork(_stack(region), "Network", zone_count=4)) == (
        f"Dev/Network: zone_count: must be at most 3, the zones that a cluster can have in '{region}', got 4; set "
        "zone_count=3"
    )


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", None])
def test_as_many_zones_as_the_region_has(region: str | None) -> None:
    assert len(AutoModeNetwork(_stack(region), "Network", zone_count=4).node_subnets) == 4


@pytest.mark.parametrize(
    ("zones", "region", "message"),
    [
        (
            ["use1-az1", "use1-az3"],
            "us-east-1",
            f"[1]: EKS takes no subnet of a cluster in 'use1-az3'; use one of {USABLE}",
        ),
        (["use1-az3", "use1-az1"], None, f"[0]: EKS takes no subnet of a cluster in 'use1-az3'; use one of {USABLE}"),
        (
            ["usw1-az1", "usw1-az2"],
            "us-west-1",
            "[1]: EKS takes no subnet of a cluster in 'usw1-az2'; use one of 'usw1-az1', 'usw1-az3'",
        ),
        (
            ["cac1-az3", "cac1-az4"],
            "ca-central-1",
            "[0]: EKS takes no subnet of a cluster in 'cac1-az3'; use one of 'cac1-az1', 'cac1-az2', 'cac1-az4'",
        ),
        (
            ["use1-az1", "use2-az1"],
            "us-east-1",
            "[1]: 'use2-az1' is a zone of 'us-east-2', the stack is in 'us-east-1'; use zones of 'us-east-1'",
        ),
        (
            ["use1-az1", "use1-az7"],
            "us-east-1",
            f"[1]: 'use1-az7' is not a zone that is known in 'us-east-1'; did you mean 'use1-az6'? Use one of {USABLE}",
        ),
        (
            ["use1-az1", "ues1-az2"],
            "us-east-1",
            f"[1]: 'ues1-az2' is not a zone that is known in 'us-east-1'; did you mean 'use1-az2'? Use one of {USABLE}",
        ),
        (
            ["xxx1-az1", Fn.select(0, Fn.get_azs())],
            None,
            "[0]: 'xxx1-az1' is not a zone that is known; write it like 'usw2-az1', or its name like 'us-west-2a'",
        ),
        (
            ["use1-az1", "use1-bos1-az1"],
            "us-east-1",
            "[1]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, got 'use1-bos1-az1'; name "
            "availability zones here; LocalZoneSubnets creates subnets in Local Zones",
        ),
        (
            ["use1-wl1-bos-wlz1", "use1-az1"],
            "us-east-1",
            "[0]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, got 'use1-wl1-bos-wlz1'; name "
            "availability zones here; LocalZoneSubnets creates subnets in Local Zones",
        ),
        (
            ["use1-az1", "us-east-1b"],
            "us-east-1",
            ": must be all names or all ids, got ['use1-az1', 'us-east-1b']; a name and an id may mean one zone; a "
            "token counts as a name",
        ),
        (
            ["use1-az1", "use1-az1"],
            "us-east-1",
            ": a zone is named twice, got ['use1-az1', 'use1-az1']; name each zone once",
        ),
        (
            ["use1-az1", "cac1-az1"],
            None,
            ": are of more than one region, got ['use1-az1', 'cac1-az1']; a network has one region",
        ),
        (
            ["eu-west-1a", "us-west-2a"],
            None,
            ": are of more than one region, got ['eu-west-1a', 'us-west-2a']; a network has one region",
        ),
        (
            ["use1az1", "us-east-1b"],
            "us-east-1",
            "[0]: must be the name or the id of an availability zone, got 'use1az1'; write it like 'us-west-2a' or "
            "'usw2-az1'",
        ),
    ],
)
def test_zones_that_cannot_be(zones: Sequence[Any], region: str | None, message: str) -> None:
    stack = _stack(region)
    text = refusal(lambda: AutoModeNetwork(stack, "Network", availability_zones=zones))
    assert text == f"Dev/Network: availability_zones{message}"


def test_a_token_counts_as_a_name() -> None:
    text = refusal(
        lambda: AutoModeNetwork(_stack(), "Network", availability_zones=["use1-az1", Fn.select(0, Fn.get_azs())])
    )
    assert "a token counts as a name" in text


def test_a_region_that_is_newer_than_the_list_takes_any_id_of_the_form() -> None:
    network = AutoModeNetwork(_stack("us-north-9"), "Network", availability_zones=["usn9-az1", "usn9-az2"])
    assert [known_zone(subnet) for subnet in network.node_subnets] == ["usn9-az1", "usn9-az2"]


def test_ids_are_no_business_of_the_stacks_zones() -> None:
    """What the CDK CLI has looked up are names, which cannot be held against ids."""
    key = "availability-zones:account=111111111111:region=us-east-1"
    app = App(context={key: ["us-east-1a", "us-east-1b"]})
    stack = Stack(app, "Dev", env=Environment(account="111111111111", region="us-east-1"))
    assert len(AutoModeNetwork(stack, "Network").node_subnets) == 3


def _warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("RefusedZone"))
    return [str(entry.entry.data) for entry in found]


def _cluster(stack: Stack, network: AutoModeNetwork | ExistingNetwork | None = None) -> list[str]:
    """The warnings of a cluster about zones."""
    AutoModeCluster(stack, "Cluster", cluster_name="dev", network=network, kubectl=False)
    return _warnings(stack)


def _imported(stack: Stack, *zones: str) -> ExistingNetwork:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=list(zones),
        private_subnet_ids=[f"subnet-{number}" for number in range(len(zones))],
    )
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets)


class TestWarnings:
    def test_without_a_region_those_at_risk_are_named(self) -> None:
        assert _cluster(_stack(None)) == [
            "network: EKS takes no subnet of a cluster in 'cac1-az3', 'use1-az3', 'usw1-az2' (ca-central-1, us-east-1, "
            "us-west-1), whose letter differs from account to account; set the region of the stack, or give the "
            "network availability_zones by id; with subnets of your own see where they are [ack: automode:RefusedZone]"
        ]

    @pytest.mark.parametrize(("region", "letters"), LETTERS.items())
    def test_names_do_not_tell(self, region: str, letters: str) -> None:
        stack = _stack(region)
        network = AutoModeNetwork(stack, "Network", availability_zones=[region + letter for letter in letters[:2]])
        (refused,) = refused_zone_ids(region)
        said = [
            f"network: EKS takes no subnet of a cluster in '{refused}' ({region}), whose letter differs from account "
            f"to account; give ids, or see that all are among those that this prints: "
            f"{COMMAND.format(region, refused)} [ack: automode:RefusedZone]"
        ]
        assert _cluster(stack, network) == said

    def test_a_zone_of_a_subnet_that_exists_tells_the_region_too(self) -> None:
        stack = _stack(None)
        assert "'use1-az3' (us-east-1)" in _cluster(stack, _imported(stack, "us-east-1a", "us-east-1b"))[0]

    @pytest.mark.parametrize(("region", "zones"), [("us-east-1", VIRGINIA), (None, VIRGINIA), (None, CANADA)])
    def test_ids_are_silent(self, region: str | None, zones: list[str]) -> None:
        stack = _stack(region)
        assert _cluster(stack, AutoModeNetwork(stack, "Network", availability_zones=zones)) == []

    def test_other_regions_are_silent(self) -> None:
        assert _cluster(_stack("eu-central-1")) == []
        stack = _stack(None)
        assert _cluster(stack, _imported(stack, "eu-central-1a", "eu-central-1b")) == []


class TestExistingNetwork:
    def _subnets(self, stack: Stack, *zones: str) -> tuple[ec2.Vpc, list[ec2.Subnet]]:
        """A VPC with subnets placed by id, as someone writes them who knows how."""
        vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
        subnets: list[ec2.Subnet] = []
        for number, zone in enumerate(zones):
            subnet = ec2.PrivateSubnet(
                stack, f"Own{number}", vpc_id=vpc.vpc_id, availability_zone="x", cidr_block=f"10.0.{200 + number}.0/24"
            )
            resource = subnet.node.default_child
            assert isinstance(resource, ec2.CfnSubnet)
            resource.availability_zone, resource.availability_zone_id = None, zone
            subnets.append(subnet)
        return vpc, subnets

    def test_an_id_that_eks_refuses_is_an_error(self) -> None:
        vpc, subnets = self._subnets(_stack(), "use1-az1", "use1-az3")
        assert refusal(lambda: ExistingNetwork(vpc=vpc, node_subnets=subnets)) == (
            f"Dev/Vpc: node_subnets[1]: EKS takes no subnet of a cluster in 'use1-az3'; use one of {USABLE}"
        )

    def test_pods_may_be_where_the_control_plane_may_not(self) -> None:
        vpc, subnets = self._subnets(_stack(), "use1-az1", "use1-az2", "use1-az1")
        assert ExistingNetwork(vpc=vpc, node_subnets=subnets[:2], pod_subnets=subnets[2:]).pod_subnets == subnets[2:]

    def test_ids_are_judged_as_names_are(self) -> None:
        vpc, subnets = self._subnets(_stack(), "use1-az1", "use1-az1", "use1-az2", "use1-az4")
        assert refusal(lambda: ExistingNetwork(vpc=vpc, node_subnets=subnets[:2])) == (
            "Dev/Vpc: node_subnets: EKS needs subnets in at least two zones, got all in 'use1-az1'; give one private "
            "subnet for each zone"
        )
        assert refusal(lambda: ExistingNetwork(vpc=vpc, node_subnets=subnets[1:3], pod_subnets=subnets[3:])).startswith(
            "Dev/Vpc: pod_subnets[0]: 'Dev/Own3' is in 'use1-az4', where no node subnet is"
        )

    def test_an_id_of_a_local_zone_is_an_error(self) -> None:
        vpc, subnets = self._subnets(_stack(), "use1-az1", "use1-bos1-az1")
        assert refusal(lambda: ExistingNetwork(vpc=vpc, node_subnets=subnets)) == (
            "Dev/Vpc: node_subnets[1]: control-plane subnets cannot be in a Local Zone or Wavelength Zone, got "
            "'use1-bos1-az1'; leave it out here; give a NodeClass of its own that subnet's id"
        )

    def test_a_name_and_an_id_are_not_compared(self) -> None:
        stack = _stack()
        vpc, subnets = self._subnets(stack, "use1-az1", "use1-az2")
        named = ec2.Subnet.from_subnet_attributes(stack, "Named", subnet_id="subnet-1", availability_zone="us-east-1c")
        assert ExistingNetwork(vpc=vpc, node_subnets=subnets, pod_subnets=[named]).pod_subnets == [named]

    def test_an_id_that_a_vpc_writes_as_a_name_is_an_error(self) -> None:
        stack = _stack()
        vpc = ec2.Vpc(stack, "Vpc", availability_zones=["use1-az1", "use1-az2"])
        assert refusal(lambda: ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets)) == "\n".join(
            [
                "Dev/Vpc: 2 problems",
                *(
                    f"  node_subnets[{index}]: 'Dev/Vpc/PrivateSubnet{index + 1}' has 'use1-az{index + 1}', the id of "
                    "a zone, as the name of its zone, which EC2 refuses; give the Vpc names, or on the CfnSubnet "
                    "(subnet.node.default_child) set availability_zone = None and availability_zone_id = "
                    f"'use1-az{index + 1}'"
                    for index in (0, 1)
                ),
            ]
        )

    def test_our_own_subnets_pass_in_another_stack(self) -> None:
        app = App()
        network = AutoModeNetwork(_stack(app=app, id="Net"), "Network")
        existing = ExistingNetwork(vpc=network.vpc, node_subnets=network.node_subnets)
        assert _cluster(_stack(app=app), existing) == []
