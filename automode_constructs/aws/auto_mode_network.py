"""AutoModeNetwork: a new VPC for a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from typing import Final

from aws_cdk import RemovalPolicy, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.address_plan import DEFAULT_CIDR, checked_pod_block, checked_vpc_block
from automode_constructs.aws.encryption import allow_log_encryption, check_key
from automode_constructs.aws.function_logs import keep_function_logs, use_fips_endpoints
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.zones import MAX_ZONES, ZoneNames, check_zones_of_stack, checked_zones, zones_of_region
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm

__all__ = ["DEFAULT_ZONE_COUNT", "NODE_SUBNET_TAG", "POD_SUBNET_TAG", "AutoModeNetwork"]

DEFAULT_ZONE_COUNT = 3
"""The default number of zones of a network."""

NODE_SUBNET_TAG = "automode-constructs/node-subnet"
"""The tag on the node subnets of an ``AutoModeNetwork``; its value is the VPC's id."""

POD_SUBNET_TAG = "automode-constructs/pod-subnet"
"""The tag on the pod subnets of an ``AutoModeNetwork``; its value is the VPC's id."""


class AutoModeNetwork(Construct):
    """A VPC with public subnets, private node subnets and, on request, pod subnets, one of each per zone.

    With ``isolated`` it has neither public subnets nor gateways. Nodes reach only what its VPC endpoints offer (see
    ``VpcEndpoints``), and delivering a chart with an image from a public registry is an error.

    Creates the VPC with DNS support and hostnames, an internet gateway, NAT gateways, an S3 gateway endpoint on the
    route tables of node and pod subnets, flow logs of all traffic in their own log group, and a default security group
    without rules. No subnet assigns public addresses automatically. Pod subnets lie in a second CIDR block of the VPC
    and outside its subnet groups, so neither a cluster nor a load balancer selects them.

    The subnets of a zone keep their CIDR blocks when a zone is added: the address plan always has room for four zones.

    Zones are ``Fn::GetAZs`` tokens, so a template with a region differs from one without only in the region, and no
    Local Zone can slip in. The exceptions are us-east-1 and ca-central-1, where EKS refuses a zone whose letter differs
    between accounts: there subnets are placed by zone id, which is correct in every account. A subnet's
    ``availability_zone`` is then a token for the zone's name.

    In a stack with both an account and a region, the CDK's ``Vpc`` still reads ``Stack.availability_zones``, which
    makes the CDK CLI look up zones with credentials: override that property in your stack class to keep synth offline.

    Args:
        cidr: the VPC's first IPv4 block, /16 to /24; create-only. The node subnet of each zone gets an eighth of it.
            Default: ``10.0.0.0/16``; we decide.
        availability_zones: two to four availability zones of the stack's region, by name (``us-west-2a``, or a token
            for one) or by id (``usw2-az1``), not both; ``zone_count`` is then ignored. Create-only: a change replaces
            the subnets. Default: the first ``zone_count`` zones of the region, chosen by EC2 at deployment; in
            us-east-1 and ca-central-1, ids that we choose; no default in us-west-1, where some accounts have only two
            zones.
        zone_count: how many zones to use, 2 to 4, limited by what the region has. Default: 3; we decide.
        nat_gateways: 0, 1 or the number of zones. With 1, a failure of its zone cuts all zones off from the internet,
            and traffic between zones costs money; with 0, nodes reach only what VPC endpoints offer. Default: one per
            zone; we decide, so that the failure of one zone does not cut off the others. 1 is the cheapest choice.
        isolated: whether nothing leads in or out: no public subnets, no internet gateway, no NAT gateway. Default:
            false; we decide.
        ipv6: whether every subnet also has IPv6 addresses, from a block that Amazon provides, for a cluster with
            ``ip_family="ipv6"``; node subnets reach the internet through an egress-only internet gateway, unless
            isolated. In effect create-only. Default: False; we decide.
        pod_cidr: a second IPv4 block for pods, /16 to /24, a quarter for each zone; AWS recommends ``100.64.0.0/16``
            (``DEFAULT_POD_CIDR``). Default: no pod subnets; pods take addresses from the node subnets, as Auto Mode
            does by default.
        flow_logs: whether to log the traffic of the VPC. Default: true; we decide.
        flow_log_retention: how long flow logs are kept. Default: one year; we decide.
        log_key: the KMS key of the log groups: of flow logs, and of the Lambda that closes the default security group.
            A cluster in the same stack gives them its own log key if this is left out. Default: a key that AWS owns.
        removal_policy: what happens to the log groups when they leave the stack. Default: they are retained; we decide.

    Raises:
        AutoModeError: a block is malformed, of the wrong size, or cannot join the VPC; a zone is not an availability
            zone of the stack's region, or EKS refuses it; zones are required but not named; a count is out of bounds;
            an isolated network has NAT gateways.

    Attributes:
        has_egress: whether NAT gateways give access to the internet.
        internet: whether nodes reach the internet: false without NAT gateways, so a cluster requires VPC endpoints and
            refuses images from public registries. Set it to ``None`` (not known) if your own routes lead out.
        flow_log_group: the log group of the flow logs, or ``None`` without them.

    See:
        https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
        https://docs.aws.amazon.com/eks/latest/userguide/tag-subnets-auto.html
        https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cidr: str = DEFAULT_CIDR,
        availability_zones: Sequence[str] | None = None,
        zone_count: int = DEFAULT_ZONE_COUNT,
        nat_gateways: int | None = None,
        isolated: bool = False,
        ipv6: bool = False,
        pod_cidr: str | None = None,
        flow_logs: bool = True,
        flow_log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        log_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        refusals = Refusals(place(scope, id))
        vpc_block = checked_vpc_block(refusals, "cidr", cidr)
        if availability_zones is None:
            zones = zones_of_region(refusals, Stack.of(scope).region, zone_count)
        else:
            zones = checked_zones(refusals, Stack.of(scope).region, availability_zones)
            if zones:
                check_zones_of_stack(refusals, Stack.of(scope), zones)
        gateways = _checked_gateways(refusals, nat_gateways, zones, isolated=isolated)
        pod_block = None if pod_cidr is None else checked_pod_block(refusals, pod_cidr, vpc_block)
        if ipv6 and pod_cidr is not None:
            refusals.refuse(
                "pod_cidr",
                f"'{pod_cidr}' is for IPv4 pods; beside ipv6=True pods have IPv6 addresses of the node subnets",
                "leave out one of the two",
            )
        if log_key is not None:
            check_key(refusals, "log_key", log_key.key_arn, Stack.of(scope).region)
        refusals.raise_all()

        super().__init__(scope, id)
        names = ZoneNames(zones)
        prefix = IPv4Network(cidr).prefixlen
        nat = ec2.NatProvider.gateway()
        self._nat: Final = nat
        node_type = ec2.SubnetType.PRIVATE_WITH_EGRESS if gateways else ec2.SubnetType.PRIVATE_ISOLATED
        groups = [ec2.SubnetConfiguration(name="Node", subnet_type=node_type, cidr_mask=prefix + 3)]
        if not isolated:
            groups.append(
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    # A load balancer needs at least a /27.
                    cidr_mask=min(prefix + 8, 27),
                    map_public_ip_on_launch=False,
                    ipv6_assign_address_on_creation=False if ipv6 else None,
                )
            )
        self.vpc: Final = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            availability_zones=names.texts,
            # A subnet's CIDR block is create-only: the address plan is the same for two, three and four zones.
            reserved_azs=MAX_ZONES - len(zones),
            nat_gateways=gateways,
            nat_gateway_provider=nat,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            restrict_default_security_group=True,
            subnet_configuration=groups,
            ip_protocol=ec2.IpProtocol.DUAL_STACK if ipv6 else None,
        )
        self.ipv6: Final = ipv6
        self.node_security_groups: Final[tuple[ec2.ISecurityGroup, ...]] = ()
        self.has_egress: Final = gateways > 0
        self.internet: bool | None = self.has_egress
        self.node_subnets: Final[list[ec2.ISubnet]] = [*self.vpc.private_subnets, *self.vpc.isolated_subnets]
        self.public_subnets: Final[list[ec2.ISubnet]] = self.vpc.public_subnets
        self.pod_subnets: Final[list[ec2.ISubnet]] = (
            [] if pod_block is None else self._create_pod_subnets(pod_block, names.texts, nat)
        )
        names.place(self.node_subnets, self.public_subnets, self.pod_subnets)
        self.cidrs: Final[tuple[str, ...]] = (cidr,) if pod_cidr is None else (cidr, pod_cidr)

        _tag(self.node_subnets, "kubernetes.io/role/internal-elb", "1")
        _tag(self.public_subnets, "kubernetes.io/role/elb", "1")
        _tag(self.node_subnets, NODE_SUBNET_TAG, self.vpc.vpc_id)
        _tag(self.pod_subnets, POD_SUBNET_TAG, self.vpc.vpc_id)

        self.s3_endpoint: Final = ec2.GatewayVpcEndpoint(
            self,
            "S3",
            vpc=self.vpc,
            service=ec2.GatewayVpcEndpointAwsService.S3,
            subnets=[ec2.SubnetSelection(subnets=[*self.node_subnets, *self.pod_subnets])],
        )
        if log_key is not None:
            allow_log_encryption(self, log_key)
        keep_function_logs(self, removal_policy=removal_policy, log_key=log_key)
        use_fips_endpoints(self)
        self.flow_log_group: logs.LogGroup | None = None
        if flow_logs:
            log_group = logs.LogGroup(
                self,
                "FlowLogGroup",
                retention=flow_log_retention,
                encryption_key=log_key,
                removal_policy=removal_policy,
            )
            self.flow_log_group = log_group
            ec2.FlowLog(
                self,
                "FlowLog",
                resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
                destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group),
                traffic_type=ec2.FlowLogTrafficType.ALL,
            )

    def _create_pod_subnets(self, block: IPv4Network, zones: Sequence[str], nat: ec2.NatProvider) -> list[ec2.ISubnet]:
        association = ec2.CfnVPCCidrBlock(self, "PodCidr", vpc_id=self.vpc.vpc_id, cidr_block=str(block))
        subnets: list[ec2.ISubnet] = []
        for number, (zone, part) in enumerate(zip(zones, block.subnets(prefixlen_diff=2), strict=False), start=1):
            subnet = ec2.PrivateSubnet(
                self, f"PodSubnet{number}", vpc_id=self.vpc.vpc_id, availability_zone=zone, cidr_block=str(part)
            )
            subnet.node.add_dependency(association)
            if self.has_egress:
                nat.configure_subnet(subnet)
            subnets.append(subnet)
        return subnets

    @property
    def endpoint_services(self) -> tuple[str, ...] | None:
        """The services of VPC endpoints created elsewhere: not known, because there are none."""
        return None

    @property
    def endpoints_are_known(self) -> bool:
        """Whether the app sees all VPC endpoints of the network."""
        return True

    @property
    def construct(self) -> Construct | None:
        """The construct that creates the whole network."""
        return self

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """What must outlive the objects of a cluster."""
        return [self]

    def tag_commands(self) -> list[str]:
        """Commands that write the tags load balancers look for: none, because the subnets have them."""
        return []

    def egress_cures(self, *, s3: bool) -> list[str]:  # noqa: ARG002 - one shape for both networks
        """What to do where nothing leads out."""
        return [
            "make VpcEndpoints(stack, 'Endpoints', network=network) before the cluster",
            "give the network nat_gateways=1",
            "set network.internet = None where a route of your own leads out",
        ]

    @checked_arguments
    def route_to_nat(self, subnet: ec2.PrivateSubnet) -> None:
        """Routes a separate subnet to a NAT gateway: the one in its zone, or any other if its zone has none."""
        self._nat.configure_subnet(subnet)

    def node_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the node subnets: their tag, so no subnet id is exported."""
        return [SubnetSelectorTerm(tags={NODE_SUBNET_TAG: self.vpc.vpc_id})]

    def pod_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the pod subnets; none without pod subnets."""
        return [SubnetSelectorTerm(tags={POD_SUBNET_TAG: self.vpc.vpc_id})] if self.pod_subnets else []


def _checked_gateways(refusals: Refusals, nat_gateways: int | None, zones: Sequence[str], *, isolated: bool) -> int:
    """The number of NAT gateways; without zones, which have been refused, it is only checked as far as it can be."""
    if isolated:
        if nat_gateways:
            refusals.refuse(
                "nat_gateways",
                f"an isolated network has no NAT gateways, got {nat_gateways}",
                "leave out one of the two: with isolated=True nothing leads to the internet",
            )
        return 0
    if nat_gateways is None:
        return len(zones)
    if zones and nat_gateways not in (0, 1, len(zones)):
        refusals.refuse(
            "nat_gateways",
            f"must be 0, 1 or the number of zones, which is {len(zones)}, got {nat_gateways}",
            "leave it out for one per zone, or set 1 to save cost",
        )
    return nat_gateways


def _tag(subnets: Iterable[ec2.ISubnet], key: str, value: str) -> None:
    for subnet in subnets:
        # Without the type, the tag would spread to route tables and NAT gateways.
        Tags.of(subnet).add(key, value, include_resource_types=[ec2.CfnSubnet.CFN_RESOURCE_TYPE_NAME])
