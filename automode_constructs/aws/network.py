"""The network of a cluster: a new VPC, or an existing one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Final

from aws_cdk import RemovalPolicy, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.zones import (
    MAX_ZONES,
    ZoneNames,
    check_subnet_zone,
    given_zones,
    is_zone_id,
    known_zone,
    zones_of_region,
)
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm
from automode_constructs.tokens import is_token, shell_word

__all__ = [
    "DEFAULT_CIDR",
    "DEFAULT_POD_CIDR",
    "DEFAULT_ZONE_COUNT",
    "NODE_SUBNET_TAG",
    "POD_SUBNET_TAG",
    "AutoModeNetwork",
    "ExistingNetwork",
    "Network",
    "VpcSubnets",
]

DEFAULT_CIDR = "10.0.0.0/16"
"""The default for a VPC's first CIDR block."""

DEFAULT_ZONE_COUNT = 3
"""The default number of zones of a network."""

DEFAULT_POD_CIDR = "100.64.0.0/16"
"""The range AWS recommends for pod subnets: shared address space, which few company networks route."""

NODE_SUBNET_TAG = "automode-constructs/node-subnet"
"""The tag on the node subnets of an ``AutoModeNetwork``; its value is the VPC's id."""

POD_SUBNET_TAG = "automode-constructs/pod-subnet"
"""The tag on the pod subnets of an ``AutoModeNetwork``; its value is the VPC's id."""

VpcSubnets = ec2.SubnetSelection | Sequence[ec2.SubnetSelection | ec2.ISubnet]
"""A choice of a VPC's subnets, as the CDK expresses it."""

_CIDR = re.compile(r"[0-9.]+/[1-9]?[0-9]")
_CDK_DUMMY_VPC_ID = "vpc-12345"
"""The id of the VPC that ``Vpc.from_lookup`` returns until the CDK CLI has answered the look-up."""

_EXCLUSIVE_RANGES = tuple(
    IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")
)
"""A VPC takes a secondary block from one of these ranges only if its first block is in the same range."""

_RESTRICTED_RANGES = (
    (IPv4Network("10.0.0.0/15"), IPv4Network("10.0.0.0/16")),
    (IPv4Network("172.16.0.0/12"), IPv4Network("172.31.0.0/16")),
)
"""A VPC whose first block is in the left range takes no secondary block from the right one."""


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
        flow_log_retention: how long flow logs are kept. Default: three months; we decide.
        removal_policy: what happens to the flow logs' log group when it leaves the stack. Default: it is retained; we
            decide.

    Raises:
        AutoModeError: a block is malformed, of the wrong size, or cannot join the VPC; a zone is not an availability
            zone of the stack's region, or EKS refuses it; zones are required but not named; a count is out of bounds;
            an isolated network has NAT gateways.

    Attributes:
        has_egress: whether NAT gateways give access to the internet.
        internet: whether nodes reach the internet: false without NAT gateways, so a cluster requires VPC endpoints and
            refuses images from public registries. Set it to ``None`` (not known) if your own routes lead out.

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
        flow_log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        where = self.node.path
        block = _sized_block(where, "cidr", cidr)
        pod_block = None if pod_cidr is None else _pod_block(where, pod_cidr, block)
        if availability_zones is None:
            zones = zones_of_region(where, Stack.of(self).region, zone_count)
        else:
            zones = given_zones(where, Stack.of(self), availability_zones)
        names = ZoneNames(zones)
        if isolated and nat_gateways:
            raise AutoModeError.of(
                where,
                field="nat_gateways",
                message=f"an isolated network has no NAT gateways, got {nat_gateways}",
                cure="leave out one of the two: with isolated=True nothing leads to the internet",
            )
        if ipv6 and pod_cidr is not None:
            raise AutoModeError.of(
                where,
                field="pod_cidr",
                message=f"'{pod_cidr}' is for IPv4 pods; beside ipv6=True pods have IPv6 addresses of the node subnets",
                cure="leave out one of the two",
            )
        gateways = 0 if isolated else len(zones) if nat_gateways is None else nat_gateways
        if gateways not in (0, 1, len(zones)):
            raise AutoModeError.of(
                where,
                field="nat_gateways",
                message=f"must be 0, 1 or the number of zones, which is {len(zones)}, got {gateways}",
                cure="leave it out for one per zone, or set 1 to save cost",
            )

        nat = ec2.NatProvider.gateway()
        self._nat: Final = nat
        node_type = ec2.SubnetType.PRIVATE_WITH_EGRESS if gateways else ec2.SubnetType.PRIVATE_ISOLATED
        groups = [ec2.SubnetConfiguration(name="Node", subnet_type=node_type, cidr_mask=block.prefixlen + 3)]
        if not isolated:
            groups.append(
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    # A load balancer needs at least a /27.
                    cidr_mask=min(block.prefixlen + 8, 27),
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
            [] if pod_block is None else self._make_pod_subnets(pod_block, names.texts, nat)
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
        if flow_logs:
            log_group = logs.LogGroup(self, "FlowLogGroup", retention=flow_log_retention, removal_policy=removal_policy)
            ec2.FlowLog(
                self,
                "FlowLog",
                resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
                destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group),
                traffic_type=ec2.FlowLogTrafficType.ALL,
            )

    def _make_pod_subnets(self, block: IPv4Network, zones: Sequence[str], nat: ec2.NatProvider) -> list[ec2.ISubnet]:
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
    def made_here(self) -> Construct | None:
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


class ExistingNetwork:
    """A VPC that exists or is created elsewhere, and those of its subnets that a cluster may use.

    Creates nothing and tags nothing: for load balancers the subnets need the tags ``kubernetes.io/role/internal-elb``
    or ``kubernetes.io/role/elb`` (see the page below). The VPC needs DNS support and DNS hostnames.

    Args:
        vpc: the VPC.
        node_subnets: private subnets in at least two availability zones, for the control plane and the nodes.
        pod_subnets: subnets for pods, in zones that have a node subnet. Default: none; pods take addresses from the
            node subnets, as Auto Mode does by default.
        cidrs: the IPv4 blocks of the VPC, used to find overlaps with the cluster's service range. Default: the VPC's
            first block, if the CDK knows it.
        ipv6: whether VPC and subnets have IPv6 blocks, and the subnets assign addresses from them, for a cluster with
            ``ip_family="ipv6"``. Default: False; we decide.
        internet: whether nodes reach the internet; if False, a cluster requires VPC endpoints and refuses images from
            public registries. Default: False if a node subnet is isolated as far as the CDK knows, else not known,
            because transit gateways and proxies are not visible here.
        endpoint_services: the services of VPC endpoints created elsewhere, such as ``ecr.api`` for
            ``com.amazonaws.<region>.ecr.api``; endpoints of this app are found automatically. If given, a missing
            endpoint is an error instead of a warning. Default: not known.
        node_security_groups: further security groups of the nodes. They also get the cluster's own, without which no
            node joins. Default: none.
        tagged: whether the subnets are known to have the tags that load balancers look for; if False, a cluster in them
            warns and names the command that writes the tags. Default: False; we decide, because the tags of imported
            subnets are not visible.

    Raises:
        AutoModeError: fewer than two node subnets or zones; a node subnet that is public, in a Local Zone or in a zone
            that EKS refuses; a zone id instead of a name; a pod subnet that is also a node subnet or is in a zone
            without one; a malformed block. A zone that the CDK does not know at synth is not checked.

    Attributes:
        has_egress: whether a route out is known or may exist.
        internet: the argument, or the value derived from the subnets.

    See:
        https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
        https://docs.aws.amazon.com/eks/latest/userguide/tag-subnets-auto.html
    """

    @checked_arguments
    def __init__(
        self,
        *,
        vpc: ec2.IVpc,
        node_subnets: Sequence[ec2.ISubnet],
        pod_subnets: Sequence[ec2.ISubnet] = (),
        cidrs: Sequence[str] | None = None,
        internet: bool | None = None,
        endpoint_services: Sequence[str] | None = None,
        ipv6: bool = False,
        node_security_groups: Sequence[ec2.ISecurityGroup] = (),
        tagged: bool = False,
    ) -> None:
        for index, cidr in enumerate(cidrs or ()):
            if not is_token(cidr):
                _block(vpc.node.path, f"cidrs[{index}]", cidr)
        _check_services(vpc.node.path, endpoint_services or ())
        # Until a look-up is answered, every subnet is a placeholder, and an error would stop the CDK CLI from looking
        # it up.
        awaits_lookup = vpc.vpc_id == _CDK_DUMMY_VPC_ID
        if not awaits_lookup:
            _check_subnets(vpc, node_subnets, pod_subnets)

        self.vpc: Final = vpc
        self.ipv6: Final = ipv6
        self.node_subnets: Final[list[ec2.ISubnet]] = list(node_subnets)
        self.public_subnets: Final[list[ec2.ISubnet]] = vpc.public_subnets
        self.pod_subnets: Final[list[ec2.ISubnet]] = list(pod_subnets)
        self.cidrs: Final[tuple[str, ...]] = _known_cidrs(vpc) if cidrs is None else tuple(cidrs)
        isolated = set() if awaits_lookup else {subnet.subnet_id for subnet in vpc.isolated_subnets}
        if internet is None and any(subnet.subnet_id in isolated for subnet in node_subnets):
            internet = False
        self.internet: bool | None = internet
        self.has_egress: Final = internet is not False
        self.endpoint_services: Final = None if endpoint_services is None else tuple(endpoint_services)
        self.node_security_groups: Final = tuple(node_security_groups)
        self._tags_unknown = not tagged and not awaits_lookup

    @classmethod
    @checked_arguments
    def of(cls, vpc: ec2.IVpc, vpc_subnets: VpcSubnets | None = None) -> ExistingNetwork:
        """The network for a VPC and some of its subnets, given as the CDK's own constructs take them.

        Args:
            vpc: the VPC.
            vpc_subnets: the node subnets: a selection, or a list of selections and subnets. Default: the VPC's private
                subnets, or the isolated ones of a VPC without them.

        Raises:
            AutoModeError: for a selection that selects nothing; otherwise as for the constructor.
        """
        try:
            return cls(vpc=vpc, node_subnets=_selected(vpc, vpc_subnets))
        except AutoModeError as error:
            problems = [
                replace(problem, field=problem.field.replace("node_subnets", "vpc_subnets", 1))
                for problem in error.problems
            ]
            raise AutoModeError(error.where, problems) from None

    @property
    def endpoints_are_known(self) -> bool:
        """Whether all VPC endpoints of the network are visible here or were named."""
        return self.endpoint_services is not None or isinstance(self.vpc, ec2.Vpc)

    @property
    def made_here(self) -> Construct | None:
        """The construct that creates the whole network: none does."""
        return None

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """What must outlive the objects of a cluster, as far as this app creates it."""
        return [self.vpc, *self.node_subnets, *self.pod_subnets]

    def egress_cures(self, *, s3: bool) -> list[str]:
        """What to do where nothing leads out.

        Args:
            s3: whether a VPC endpoint leads to S3.
        """
        also = "" if s3 else " and vpc.add_gateway_endpoint for 's3'"
        return [
            f"make them before the cluster, with VpcEndpoints(stack, 'Endpoints', network=network){also}",
            "name those that are there: ExistingNetwork(endpoint_services=[...])",
            "say internet=True where another way leads out",
        ]

    def tag_commands(self) -> list[str]:
        """Commands that write the tags load balancers look for, for subnets whose tags are not visible here."""
        if not self._tags_unknown:
            return []
        return [
            f"aws ec2 create-tags --resources {' '.join(ids)} --tags Key=kubernetes.io/role/{role},Value=1"
            for role, subnets in (("internal-elb", self.node_subnets), ("elb", self.public_subnets))
            if (ids := [shell_word(_shown_id(subnet)) for subnet in subnets if not isinstance(subnet, ec2.Subnet)])
        ]

    def node_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the node subnets: their ids."""
        return [SubnetSelectorTerm(id=subnet.subnet_id) for subnet in self.node_subnets]

    def pod_subnet_selector_terms(self) -> list[SubnetSelectorTerm]:
        """The terms by which a NodeClass selects the pod subnets: their ids; none without pod subnets."""
        return [SubnetSelectorTerm(id=subnet.subnet_id) for subnet in self.pod_subnets]


Network = AutoModeNetwork | ExistingNetwork
"""What a cluster takes as its network."""


def _selected(vpc: ec2.IVpc, vpc_subnets: VpcSubnets | None) -> list[ec2.ISubnet]:
    if vpc_subnets is None:
        return vpc.private_subnets or vpc.isolated_subnets
    selections = [vpc_subnets] if isinstance(vpc_subnets, ec2.SubnetSelection) else vpc_subnets
    subnets: list[ec2.ISubnet] = []
    for index, selection in enumerate(selections):
        if not isinstance(selection, ec2.SubnetSelection):
            subnets.append(selection)
            continue
        try:
            found = vpc.select_subnets(
                availability_zones=selection.availability_zones,
                one_per_az=selection.one_per_az,
                subnet_filters=selection.subnet_filters,
                subnet_group_name=selection.subnet_group_name,
                subnets=selection.subnets,
                subnet_type=selection.subnet_type,
            )
        except RuntimeError as error:
            field = "node_subnets" if selection is vpc_subnets else f"node_subnets[{index}]"
            reason = re.sub(r"^(Error: )?(\w+: )?", "", str(error).partition("\n")[0]).rstrip(".")
            raise AutoModeError.of(vpc.node.path, field=field, message=f"selects nothing ({reason})") from None
        subnets += found.subnets
    return subnets


def _block(where: str, field: str, cidr: str) -> IPv4Network:
    try:
        network = IPv4Network(cidr, strict=False) if _CIDR.fullmatch(cidr) else None
    except ValueError:
        network = None
    if network is None:
        raise AutoModeError.of(
            where, field=field, message=f"must be an IPv4 CIDR block, got '{cidr}'", cure="write it like '10.0.0.0/16'"
        )
    if str(network) != cidr:
        raise AutoModeError.of(
            where, field=field, message=f"has host bits set, got '{cidr}'", cure=f"write '{network}'"
        )
    return network


def _sized_block(where: str, field: str, cidr: str) -> IPv4Network:
    if is_token(cidr):
        raise AutoModeError.of(
            where,
            field=field,
            message="must be known at synth, got a token",
            cure="give the block itself: the subnets are cut from it",
        )
    network = _block(where, field, cidr)
    if not 16 <= network.prefixlen <= 24:
        raise AutoModeError.of(
            where,
            field=field,
            message=f"must be a block from /16 to /24, got '{cidr}' with {network.num_addresses:,} addresses",
            cure="AWS takes no block larger than a /16, and subnets for four zones need a /24",
        )
    return network


def _pod_block(where: str, pod_cidr: str, vpc_block: IPv4Network) -> IPv4Network:
    block = _sized_block(where, "pod_cidr", pod_cidr)
    if block.overlaps(vpc_block):
        raise AutoModeError.of(
            where,
            field="pod_cidr",
            message=f"'{pod_cidr}' overlaps cidr '{vpc_block}'",
            cure=f"use a range of its own, such as '{DEFAULT_POD_CIDR}'",
        )
    exclusive = next((each for each in _EXCLUSIVE_RANGES if block.overlaps(each)), None)
    restricted = next(
        (right for left, right in _RESTRICTED_RANGES if vpc_block.overlaps(left) and block.overlaps(right)), None
    )
    if restricted or (exclusive and not vpc_block.overlaps(exclusive)):
        raise AutoModeError.of(
            where,
            field="pod_cidr",
            message=f"'{pod_cidr}' lies in {restricted or exclusive}, which AWS adds to no VPC that begins with "
            f"'{vpc_block}'",
            cure=f"use a range such as '{DEFAULT_POD_CIDR}'",
        )
    return block


def _check_subnets(vpc: ec2.IVpc, node_subnets: Sequence[ec2.ISubnet], pod_subnets: Sequence[ec2.ISubnet]) -> None:
    where = vpc.node.path
    node_ids = {subnet.subnet_id for subnet in node_subnets}
    if len(node_ids) < 2:
        raise AutoModeError.of(
            where,
            field="node_subnets",
            message=f"EKS needs at least two subnets in different zones, got {len(node_ids)}",
            cure="give one private subnet for each zone",
        )
    public_ids = {subnet.subnet_id for subnet in vpc.public_subnets}
    zones = [known_zone(subnet) for subnet in node_subnets]
    for index, subnet in enumerate(node_subnets):
        if subnet.subnet_id in public_ids:
            raise AutoModeError.of(
                where,
                field=f"node_subnets[{index}]",
                message=f"'{subnet.node.path}' is a public subnet, so nodes would be public",
                cure="give private subnets",
            )
        check_subnet_zone(where, f"node_subnets[{index}]", subnet, region=Stack.of(vpc).region, control_plane=True)
    if None not in zones and len(set(zones)) == 1:
        raise AutoModeError.of(
            where,
            field="node_subnets",
            message=f"EKS needs subnets in at least two zones, got all in '{zones[0]}'",
            cure="give one private subnet for each zone",
        )
    for index, subnet in enumerate(pod_subnets):
        if subnet.subnet_id in node_ids:
            raise AutoModeError.of(
                where,
                field=f"pod_subnets[{index}]",
                message=f"'{subnet.node.path}' is a node subnet too",
                cure="leave pod_subnets out, and pods take addresses of the node subnets",
            )
        check_subnet_zone(where, f"pod_subnets[{index}]", subnet, region=Stack.of(vpc).region, control_plane=False)
        zone = known_zone(subnet)
        # A name and an id may refer to the same zone.
        if zone and zone not in zones and all(other and is_zone_id(other) == is_zone_id(zone) for other in zones):
            raise AutoModeError.of(
                where,
                field=f"pod_subnets[{index}]",
                message=f"'{subnet.node.path}' is in '{zone}', where no node subnet is",
                cure="give a node subnet in that zone, or leave the pod subnet out",
            )


def _check_services(where: str, services: Sequence[str]) -> None:
    for index, service in enumerate(services):
        if service.startswith("com.amazonaws."):
            raise AutoModeError.of(
                where,
                field=f"endpoint_services[{index}]",
                message=f"must be the last part of a service's name, got {shown(service)}",
                cure=f"write '{service.split('.', 3)[-1]}'",
            )


def _known_cidrs(vpc: ec2.IVpc) -> tuple[str, ...]:
    try:
        cidr = vpc.vpc_cidr_block
    except RuntimeError:  # An imported VPC without a known CIDR block raises when its block is read.
        return ()
    return () if is_token(cidr) or vpc.vpc_id == _CDK_DUMMY_VPC_ID else (cidr,)


def _shown_id(subnet: ec2.ISubnet) -> str:
    return f"<id of {subnet.node.path}>" if is_token(subnet.subnet_id) else subnet.subnet_id


def _tag(subnets: Iterable[ec2.ISubnet], key: str, value: str) -> None:
    for subnet in subnets:
        # Without the type, the tag would spread to route tables and NAT gateways.
        Tags.of(subnet).add(key, value, include_resource_types=[ec2.CfnSubnet.CFN_RESOURCE_TYPE_NAME])
