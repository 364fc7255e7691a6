"""Subnets in Local Zones: for nodes close to users, never for the control plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Final

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.network import AutoModeNetwork
from automode_constructs.aws.scope import StackScope
from automode_constructs.aws.vpc_endpoints import VpcEndpoints
from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.facts.regions import region_of_zone, zone_kind
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm
from automode_constructs.tokens import is_token, shell_word

__all__ = ["LocalZoneSubnets"]


class LocalZoneSubnets(Construct):
    """Private subnets for nodes, one in each given Local Zone.

    Creates the subnets outside the subnet groups of the VPC, so no cluster uses them for its control plane, which EKS
    does not run in Local Zones. Traffic to the internet goes back to a NAT gateway in the parent region. An account
    must opt in to a Local Zone before it can create anything there; an info annotation gives the command.

    A Local Zone has Application Load Balancers, whose IngressClassParams name these subnets, and no Network Load
    Balancers: ``automode:NlbInLocalZone`` warns about a Service that requests one.

    Args:
        scope: the stack of the network, or a construct in it.
        id: the construct's id.
        network: the network of the cluster.
        cidrs: the IPv4 block of the subnet in each Local Zone, a free part of the VPC's first block, /16 to /28.
        endpoints: the ``VpcEndpoints`` of the network, which these nodes reach by the same private names; their
            security group then admits these subnets. Default: none.
        default_route: whether a route leads to a NAT gateway of the network. Without it, add routes to a carrier
            gateway or other gateway yourself: ``subnets[zone].add_route(...)``. Default: True; we decide.

    Raises:
        AutoModeError: no zone; a zone that is not a Local Zone of the stack's region; a block that is malformed,
            outside the VPC's block or overlaps another subnet; a default route in a network without NAT gateways.

    Source: EKS User Guide, "Deploy EKS Auto Mode nodes onto Local Zones"; AWS Local Zones User Guide, "Considerations".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        network: AutoModeNetwork,
        cidrs: Mapping[str, str],
        endpoints: VpcEndpoints | None = None,
        default_route: bool = True,
    ) -> None:
        where = f"{scope.node.path}/{id}"
        problems = [*_zone_problems(cidrs, Stack.of(scope).region), *_cidr_problems(cidrs, network)]
        if default_route and not network.has_egress:
            problems.append(
                Problem(
                    field="default_route",
                    message="needs a NAT gateway, and the network has none",
                    cure="pass default_route=False",
                )
            )
        if problems:
            raise AutoModeError(where, problems)
        super().__init__(scope, id)
        self.subnets: Final[dict[str, ec2.PrivateSubnet]] = {}
        """The subnet of each Local Zone."""
        for zone, cidr in cidrs.items():
            subnet = ec2.PrivateSubnet(
                self,
                zone,
                vpc_id=network.vpc.vpc_id,
                availability_zone=zone,
                cidr_block=cidr,
                map_public_ip_on_launch=False,
            )
            if default_route:
                network.route_to_nat(subnet)
            if endpoints is not None:
                endpoints.security_group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), zone)
            self.subnets[zone] = subnet
        groups = dict.fromkeys(zone[:-1] for zone in cidrs)
        opt_in = "; ".join(
            f"aws ec2 modify-availability-zone-group --group-name {shell_word(group)} --opt-in-status opted-in"
            for group in groups
        )
        Annotations.of(self).add_info_v2(
            "automode:LocalZoneOptIn", f"the account must have opted in to the Local Zones once: {opt_in}"
        )

    @checked_arguments
    def node_subnet_selector_terms(self, zone: str) -> list[SubnetSelectorTerm]:
        """The term by which a NodeClass selects the subnet of a Local Zone: its id.

        Raises:
            AutoModeError: for a zone that has no subnet here.
        """
        if zone not in self.subnets:
            raise AutoModeError.of(
                self.node.path,
                field="zone",
                message=f"'{zone}' has no subnet here",
                cure=did_you_mean(zone, self.subnets),
            )
        return [SubnetSelectorTerm(id=self.subnets[zone].subnet_id)]


def _zone_problems(cidrs: Mapping[str, str], region: str) -> Iterator[Problem]:
    if not cidrs:
        yield Problem(field="cidrs", message="names no Local Zone", cure="give {'us-west-2-lax-1a': '10.0.192.0/20'}")
    for zone in cidrs:
        home = region_of_zone(zone)
        if zone_kind(zone) != "local-zone":
            yield Problem(
                field=f"cidrs[{shown(zone)}]",
                message="is not the name of a Local Zone",
                cure="write it like 'us-west-2-lax-1a'",
            )
        elif not is_token(region) and home != region:
            yield Problem(
                field=f"cidrs[{shown(zone)}]",
                message=f"is a zone of '{home}', but the stack is in '{region}'",
                cure=f"use Local Zones of '{region}'",
            )


def _cidr_problems(cidrs: Mapping[str, str], network: AutoModeNetwork) -> Iterator[Problem]:
    vpc = IPv4Network(network.cidrs[0])
    owners = {
        block: subnet.node.path
        for subnet in (*network.node_subnets, *network.public_subnets)
        for block in [IPv4Network(subnet.ipv4_cidr_block)]
    }
    for zone, cidr in cidrs.items():
        field = f"cidrs[{shown(zone)}]"
        try:
            block = IPv4Network(cidr)
        except ValueError:
            yield Problem(
                field=field, message=f"{shown(cidr)} is not an IPv4 block", cure="write it like '10.0.192.0/20'"
            )
            continue
        if not block.subnet_of(vpc) or not 16 <= block.prefixlen <= 28:
            yield Problem(
                field=field,
                message=f"'{cidr}' is not a block of /16 to /28 in the VPC's {vpc}",
                cure="choose a free part of it",
            )
            continue
        for other, owner in owners.items():
            if block.overlaps(other):
                yield Problem(
                    field=field, message=f"'{cidr}' overlaps {other} of '{owner}'", cure="choose a free part of the VPC"
                )
                break
        owners[block] = zone
