"""ExistingNetwork: a VPC that exists or is created elsewhere, as the network of a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IDependable

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.aws.address_plan import checked_block
from automode_constructs.aws.zones import check_subnet_zone, is_zone_id, known_zone
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm
from automode_constructs.tokens import is_token, shell_word

__all__ = ["ExistingNetwork", "VpcSubnets"]

VpcSubnets = ec2.SubnetSelection | Sequence[ec2.SubnetSelection | ec2.ISubnet]
"""A choice of a VPC's subnets, as the CDK expresses it."""

_CDK_DUMMY_VPC_ID = "vpc-12345"
"""The id of the VPC that ``Vpc.from_lookup`` returns until the CDK CLI has answered the look-up."""


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
            ``com.amazonaws.<region>.ecr.api``; the app's own endpoints are recognized. With it, a missing
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
        refusals = Refusals(vpc.node.path)
        # Until a look-up is answered, every subnet is a placeholder, and an error would stop the CDK CLI from looking
        # it up.
        awaits_lookup = vpc.vpc_id == _CDK_DUMMY_VPC_ID
        if not awaits_lookup:
            _check_node_subnets(refusals, vpc, node_subnets)
            _check_pod_subnets(refusals, vpc, node_subnets, pod_subnets)
        for index, cidr in enumerate(cidrs or ()):
            if not is_token(cidr):
                checked_block(refusals, f"cidrs[{index}]", cidr)
        _check_services(refusals, endpoint_services or ())
        refusals.raise_all()

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
        """The network of a VPC and some of its subnets, in the form that the CDK's own constructs take.

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
    def construct(self) -> Construct | None:
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
            selected = vpc.select_subnets(
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
        subnets += selected.subnets
    return subnets


def _check_node_subnets(refusals: Refusals, vpc: ec2.IVpc, node_subnets: Sequence[ec2.ISubnet]) -> None:
    node_ids = {subnet.subnet_id for subnet in node_subnets}
    if len(node_ids) < 2:
        refusals.refuse(
            "node_subnets",
            f"EKS needs at least two subnets in different zones, got {len(node_ids)}",
            "give one private subnet for each zone",
        )
    public_ids = {subnet.subnet_id for subnet in vpc.public_subnets}
    for index, subnet in enumerate(node_subnets):
        field = f"node_subnets[{index}]"
        if subnet.subnet_id in public_ids:
            refusals.refuse(
                field, f"'{subnet.node.path}' is a public subnet, so nodes would be public", "give private subnets"
            )
        check_subnet_zone(refusals, field, subnet, region=Stack.of(vpc).region, control_plane=True)
    zones = [known_zone(subnet) for subnet in node_subnets]
    if len(node_ids) > 1 and None not in zones and len(set(zones)) == 1:
        refusals.refuse(
            "node_subnets",
            f"EKS needs subnets in at least two zones, got all in '{zones[0]}'",
            "give one private subnet for each zone",
        )


def _check_pod_subnets(
    refusals: Refusals, vpc: ec2.IVpc, node_subnets: Sequence[ec2.ISubnet], pod_subnets: Sequence[ec2.ISubnet]
) -> None:
    node_ids = {subnet.subnet_id for subnet in node_subnets}
    zones = [known_zone(subnet) for subnet in node_subnets]
    for index, subnet in enumerate(pod_subnets):
        field = f"pod_subnets[{index}]"
        if subnet.subnet_id in node_ids:
            refusals.refuse(
                field,
                f"'{subnet.node.path}' is a node subnet too",
                "leave pod_subnets out, and pods take addresses of the node subnets",
            )
        check_subnet_zone(refusals, field, subnet, region=Stack.of(vpc).region, control_plane=False)
        zone = known_zone(subnet)
        # A name and an id may refer to the same zone.
        if zone and zone not in zones and all(other and is_zone_id(other) == is_zone_id(zone) for other in zones):
            refusals.refuse(
                field,
                f"'{subnet.node.path}' is in '{zone}', where no node subnet is",
                "give a node subnet in that zone, or leave the pod subnet out",
            )


def _check_services(refusals: Refusals, services: Sequence[str]) -> None:
    for index, service in enumerate(services):
        if service.startswith("com.amazonaws."):
            refusals.refuse(
                f"endpoint_services[{index}]",
                f"must be the last part of a service's name, got {shown(service)}",
                f"write '{service.split('.', 3)[-1]}'",
            )


def _known_cidrs(vpc: ec2.IVpc) -> tuple[str, ...]:
    try:
        cidr = vpc.vpc_cidr_block
    except RuntimeError:  # An imported VPC without a known CIDR block raises when its block is read.
        return ()
    return () if is_token(cidr) or vpc.vpc_id == _CDK_DUMMY_VPC_ID else (cidr,)


def _shown_id(subnet: ec2.ISubnet) -> str:
    return f"<id of {subnet.node.path}>" if is_token(subnet.subnet_id) else subnet.subnet_id
