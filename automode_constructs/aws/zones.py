"""Zones of subnets, by name or by id, checked against what EKS refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, cast

import jsii
from aws_cdk import Annotations, Fn, IStableStringProducer, Lazy, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs.arguments import Refusals
from automode_constructs.errors import did_you_mean
from automode_constructs.facts.regions import region_of_zone, zone_kind
from automode_constructs.facts.zone_ids import (
    default_zone_ids,
    refused_zone_ids,
    region_of_zone_id,
    regions_with_refused_zones,
    zone_id_kind,
    zone_ids,
)
from automode_constructs.tokens import is_token, shell_word

__all__ = [
    "MAX_ZONES",
    "ZoneNames",
    "check_subnet_zone",
    "check_zones_of_stack",
    "checked_zones",
    "is_zone_id",
    "known_zone",
    "warn_of_refused_zones",
    "zones_of_region",
]

MAX_ZONES = 4
"""How many zones the address plan of a network has room for."""

_CDK_DUMMY_ZONE = re.compile(r"dummy1[a-z]")


def is_zone_id(zone: str) -> bool:
    """Whether a text is the id of a zone (``usw2-az1``), not its name (``us-west-2a``) or a token."""
    return zone_id_kind(zone) != "unknown"


def zones_of_region(refusals: Refusals, region: str, zone_count: int) -> list[str]:
    """The default zones of a network: the region's first zones, or zone ids if EKS refuses one of the region's zones.

    Refuses a count that is out of bounds, and a region where zones must be named; then the list is empty.
    """
    by_id = region in regions_with_refused_zones()
    zones = default_zone_ids(region) if by_id else zone_ids(region)
    if by_id and not zones:
        refusals.refuse(
            "availability_zones",
            f"are required in '{region}': EKS refuses {_listed(refused_zone_ids(region))} there, and an "
            "account may have only two zones",
            f"write availability_zones={list(_usable_zone_ids(region))}, or two names that this prints: "
            f"{_command(region)}",
        )
        return []
    if zone_count not in (2, 3, 4):
        refusals.refuse(
            "zone_count",
            f"must be 2, 3 or 4, got {zone_count}",
            "EKS needs two zones, and the address plan has room for four",
        )
        return []
    if zones and zone_count > len(zones):
        refusals.refuse(
            "zone_count",
            f"must be at most {len(zones)}, the zones that a cluster can have in '{region}', got {zone_count}",
            f"set zone_count={len(zones)}",
        )
        return []
    return list(zones[:zone_count]) if by_id else [Fn.select(index, Fn.get_azs()) for index in range(zone_count)]


def checked_zones(refusals: Refusals, region: str, zones: Sequence[str]) -> list[str]:
    """The zones of a network, named by the user; an empty list if any of them is refused.

    Refuses a value that is not an availability zone of the region, and a mix of names and ids.

    Args:
        refusals: collects what is wrong.
        region: the network's region, or its token.
        zones: names or ids.
    """
    field, refused_before = "availability_zones", len(refusals.problems)
    if is_token(zones):
        refusals.refuse(
            field,
            "must be a list of zones, got a token for the whole list",
            "give each zone by itself, such as 'us-west-2a', 'usw2-az1' or Fn.select(0, Fn.get_azs())",
        )
        return []
    zones = list(zones)
    for index, zone in enumerate(zones):
        if not is_token(zone):
            _check_zone(refusals, f"{field}[{index}]", zone, region)
    if len(set(zones)) < len(zones):
        refusals.refuse(field, f"a zone is named twice, got {zones}", "name each zone once")
    elif not 2 <= len(zones) <= MAX_ZONES:
        refusals.refuse(
            field,
            f"must be two to four zones, got {zones}",
            "EKS needs two zones, and the address plan has room for four",
        )
    if len(refusals.problems) > refused_before:
        return []
    # Zones that are right one by one may still be of no one network.
    if len({home for zone in zones if (home := _region_of(zone))}) > 1:
        refusals.refuse(field, f"are of more than one region, got {zones}", "a network has one region")
        return []
    if len({is_zone_id(zone) for zone in zones}) > 1:
        refusals.refuse(
            field,
            f"must be all names or all ids, got {zones}",
            "a name and an id may mean one zone; a token counts as a name",
        )
        return []
    return zones


def check_zones_of_stack(refusals: Refusals, stack: Stack, zones: Sequence[str]) -> None:
    """Refuses names of zones that a stack is known not to have; the CDK's ``Vpc`` does too, but inside jsii."""
    if any(is_zone_id(zone) for zone in zones):
        return
    known = [zone for zone in stack.availability_zones if not is_token(zone) and not _CDK_DUMMY_ZONE.fullmatch(zone)]
    strange = [zone for zone in zones if not is_token(zone) and zone not in known]
    if known and strange:
        refusals.refuse(
            "availability_zones",
            f"{strange} are not among the stack's availability zones {known}",
            "use zones of the stack's account and region; old answers of the CDK CLI are in cdk.context.json",
        )


class ZoneNames:
    """The names of a network's zones, for CDK constructs that do not support zone ids.

    Args:
        zones: the zones, all by name or all by id.

    Attributes:
        texts: the names; for ids, tokens for the names, which are known only at deployment.
    """

    def __init__(self, zones: Sequence[str]) -> None:
        self._ids: Final = [zone for zone in zones if is_zone_id(zone)]
        self._producers: Final = [_ZoneName() for _ in self._ids]
        self.texts: Final = [Lazy.string(name) for name in self._producers] or list(zones)

    def place(self, *groups: Sequence[ec2.ISubnet]) -> None:
        """Places subnets by id where the zones are ids, and takes the names of the zones from the first group.

        Args:
            groups: subnets of a kind, one for each zone or none.
        """
        for subnets in groups if self._ids else ():
            for subnet, zone in zip(subnets, self._ids, strict=False):
                resource = _resource(subnet)
                resource.availability_zone = None
                resource.availability_zone_id = zone
        for name, subnet in zip(self._producers, groups[0], strict=False):
            name.subnet = _resource(subnet)


@jsii.implements(IStableStringProducer)
class _ZoneName:
    """The zone name that code gets from ``availability_zone`` of a subnet placed by id."""

    subnet: ec2.CfnSubnet

    def produce(self) -> str:
        return self.subnet.attr_availability_zone


def _resource(subnet: ec2.ISubnet) -> ec2.CfnSubnet:
    return cast(ec2.CfnSubnet, subnet.node.default_child)


def known_zone(subnet: ec2.ISubnet) -> str | None:
    """The name or id of a subnet's zone, or ``None`` if the CDK does not know it at synth."""
    resource = subnet.node.default_child
    zone = resource.availability_zone_id if isinstance(resource, ec2.CfnSubnet) else None
    if zone is None:
        try:
            zone = subnet.availability_zone
        except RuntimeError:  # An imported subnet without a known zone raises when its zone is read.
            return None
    return None if is_token(zone) else zone


def check_subnet_zone(refusals: Refusals, field: str, subnet: ec2.ISubnet, *, region: str, control_plane: bool) -> None:
    """Refuses an existing subnet because of its zone, as far as the CDK knows the zone.

    That is a zone where EKS has no control plane, or a zone id used as a name.

    Args:
        refusals: collects what is wrong.
        field: the field for the error.
        subnet: the subnet.
        region: the region it must be in, or its token.
        control_plane: whether the control plane gets an interface in it.
    """
    zone, resource = known_zone(subnet), subnet.node.default_child
    if zone is None:
        return
    if isinstance(resource, ec2.CfnSubnet) and resource.availability_zone == zone and is_zone_id(zone):
        refusals.refuse(
            field,
            f"'{subnet.node.path}' has '{zone}', the id of a zone, as the name of its zone, which EC2 refuses",
            "give the Vpc names, or on the CfnSubnet (subnet.node.default_child) set availability_zone = None and "
            f"availability_zone_id = '{zone}'",
        )
        return
    if not control_plane:
        return
    kind = zone_id_kind(zone) if is_zone_id(zone) else zone_kind(zone)
    if kind in ("local-zone", "wavelength-zone"):
        refusals.refuse(
            field,
            f"control-plane subnets cannot be in a Local Zone or Wavelength Zone, got '{zone}'",
            "leave it out here; give a NodeClass of its own that subnet's id",
        )
    elif is_zone_id(zone):
        _check_zone(refusals, field, zone, region)


def warn_of_refused_zones(scope: Construct, subnets: Sequence[ec2.ISubnet]) -> None:
    """Warns if a control-plane subnet may be in a zone that EKS refuses, which a zone name does not show.

    Args:
        scope: the cluster.
        subnets: the subnets of the control plane.
    """
    zones = [known_zone(subnet) for subnet in subnets]
    if all(zone is not None and is_zone_id(zone) for zone in zones):
        return
    region = Stack.of(scope).region
    named = next((home for zone in zones if zone and (home := region_of_zone(zone))), region)
    if is_token(named):
        at_risk = regions_with_refused_zones()
        cure = (
            "set the region of the stack, or give the network availability_zones by id; with subnets of your own see "
            "where they are"
        )
    else:
        at_risk = tuple(each for each in regions_with_refused_zones() if each == named)
        cure = "" if not at_risk else f"give ids, or see that all are among those that this prints: {_command(named)}"
    if at_risk:
        refused = _listed(zone for each in at_risk for zone in refused_zone_ids(each))
        Annotations.of(scope).add_warning_v2(
            "automode:RefusedZone",
            f"network: EKS takes no subnet of a cluster in {refused} ({', '.join(at_risk)}), whose letter differs from "
            f"account to account; {cure}",
        )


def _check_zone(refusals: Refusals, field: str, zone: str, region: str) -> None:
    """Refuses what is not the name or id of an availability zone of the region, and zones that EKS refuses."""
    by_id = is_zone_id(zone)
    kind = zone_id_kind(zone) if by_id else zone_kind(zone)
    if kind in ("local-zone", "wavelength-zone"):
        refusals.refuse(
            field,
            f"control-plane subnets cannot be in a Local Zone or Wavelength Zone, got '{zone}'",
            "name availability zones here; LocalZoneSubnets creates subnets in Local Zones",
        )
        return
    if kind == "unknown" and not _CDK_DUMMY_ZONE.fullmatch(zone):
        refusals.refuse(
            field,
            f"must be the name or the id of an availability zone, got '{zone}'",
            "write it like 'us-west-2a' or 'usw2-az1'",
        )
        return
    home = _region_of(zone)
    if home and not is_token(region) and home != region:
        refusals.refuse(
            field,
            f"'{zone}' is a zone of '{home}', the stack is in '{region}'",
            f"use zones of '{region}'",
        )
        return
    if not by_id:
        return
    usable = _usable_zone_ids(home or region)
    if zone in refused_zone_ids(home or region):
        refusals.refuse(
            field,
            f"EKS takes no subnet of a cluster in '{zone}'",
            f"use one of {_listed(usable)}",
        )
    elif zone not in usable and (usable or is_token(region)):
        refusals.refuse(
            field,
            f"'{zone}' is not a zone that is known" + (f" in '{home or region}'" if usable else ""),
            did_you_mean(zone, usable) if usable else "write it like 'usw2-az1', or its name like 'us-west-2a'",
        )


def _region_of(zone: str) -> str | None:
    return region_of_zone_id(zone) or region_of_zone(zone)


def _usable_zone_ids(region: str) -> tuple[str, ...]:
    return tuple(zone for zone in zone_ids(region) if zone not in refused_zone_ids(region))


def _command(region: str) -> str:
    """The command that prints the zones of an account that EKS accepts, by id and name."""
    refused = " && ".join(f"ZoneId!='{zone}'" for zone in refused_zone_ids(region))
    return (
        f"aws ec2 describe-availability-zones --region {shell_word(region)} --output text "
        f'--query "AvailabilityZones[?{refused}].[ZoneId,ZoneName]"'
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
