"""Partitions and regions: where EKS Auto Mode runs, and what a zone's name means."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = [
    "Partition",
    "capabilities_offered",
    "fips_endpoint_regions",
    "fips_node_regions",
    "known_regions",
    "partition_of",
    "region_of_zone",
    "types_govcloud_lacks",
    "zone_kind",
]


class Partition(NamedTuple):
    """An AWS partition, whether EKS Auto Mode is offered in it, and the newest block storage policy seen in it."""

    name: str
    region_prefix: str
    dns_suffix: str
    auto_mode: bool
    block_storage_policy: str


@cache
def _data() -> dict[str, list[object]]:
    loaded: dict[str, list[object]] = json.loads(Path(__file__).with_name("regions.json").read_text("utf-8"))
    return loaded


@cache
def _partitions() -> tuple[Partition, ...]:
    return tuple(Partition(**row) for row in _data()["partitions"] if isinstance(row, dict))


def partition_of(region: str) -> Partition:
    """The partition a region belongs to, by its name; an unknown name counts as commercial."""
    return max(
        (partition for partition in _partitions() if region.startswith(partition.region_prefix)),
        key=lambda partition: len(partition.region_prefix),
    )


@cache
def known_regions() -> tuple[str, ...]:
    """The regions that had EKS Auto Mode on the data file's date."""
    return tuple(str(region) for region in _data()["regions"])


@cache
def fips_node_regions() -> tuple[str, ...]:
    """The regions in which Auto Mode has FIPS images."""
    return tuple(str(region) for region in _data()["regions_with_fips_nodes"])


@cache
def fips_endpoint_regions() -> frozenset[str]:
    """The regions in which both EKS and Lambda have FIPS endpoints."""
    return frozenset(str(region) for region in _data()["regions_with_fips_endpoints"])


@cache
def types_govcloud_lacks() -> frozenset[str]:
    """The types of EKS resources that exist in commercial regions and not in GovCloud."""
    return frozenset(str(kind) for kind in _data()["types_govcloud_lacks"])


def capabilities_offered(region: str) -> bool:
    """Whether AWS offers EKS Capabilities (managed Argo CD, ACK and kro) in a region's partition."""
    return partition_of(region).name in _data()["partitions_with_capabilities"]


_ZONE = re.compile(r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9])(?P<rest>[a-z]|-.+)")


def zone_kind(zone: str) -> Literal["availability-zone", "local-zone", "wavelength-zone", "unknown"]:
    """What a zone's name says it is: ``us-west-2a``, ``us-west-2-lax-1a``, ``us-east-1-wl1-bos-wlz-1``."""
    match = _ZONE.fullmatch(zone)
    if match is None:
        return "unknown"
    if len(match["rest"]) == 1:
        return "availability-zone"
    return "wavelength-zone" if "-wlz-" in match["rest"] else "local-zone"


def region_of_zone(zone: str) -> str | None:
    """The region a zone's name begins with, or ``None`` for a name of another form."""
    match = _ZONE.fullmatch(zone)
    return match["region"] if match else None
