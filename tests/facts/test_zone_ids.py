"""What is known of zone ids, held against what EC2 once answered and against the regions."""

from __future__ import annotations

import gzip
import json
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from automode_constructs.facts.regions import known_regions
from automode_constructs.facts.zone_ids import (
    default_zone_ids,
    refused_zone_ids,
    region_of_zone_id,
    regions_with_refused_zones,
    zone_id_kind,
    zone_ids,
)


def test_the_data_says_its_source_and_date() -> None:
    data = json.loads(files("automode_constructs.facts").joinpath("zone_ids.json").read_text("utf-8"))
    assert data["source"]
    assert date.fromisoformat(data["date"]) >= date(2026, 11, 27)
    assert sorted(data["zone_ids"]) == sorted(known_regions())


@pytest.mark.parametrize("region", known_regions())
def test_every_region_has_zones_of_one_prefix(region: str) -> None:
    zones = zone_ids(region)
    assert len(zones) >= 3
    assert len(set(zones)) == len(zones)
    assert {region_of_zone_id(zone) for zone in zones} == {region}
    assert {zone_id_kind(zone) for zone in zones} == {"availability-zone"}


def test_no_prefix_is_of_two_regions() -> None:
    prefixes = [zone_ids(region)[0].partition("-")[0] for region in known_regions()]
    assert len(set(prefixes)) == len(prefixes)


def test_the_refused_zones_are_those_of_the_user_guide() -> None:
    refused = {region: refused_zone_ids(region) for region in regions_with_refused_zones()}
    assert refused == {"ca-central-1": ("cac1-az3",), "us-east-1": ("use1-az3",), "us-west-1": ("usw1-az2",)}
    assert all({*zones} < {*zone_ids(region)} for region, zones in refused.items())


def test_defaults_are_pinned_for_a_subnets_zone_is_create_only() -> None:
    assert {region: default_zone_ids(region) for region in known_regions() if default_zone_ids(region)} == {
        "ca-central-1": ("cac1-az1", "cac1-az2", "cac1-az4"),
        "us-east-1": ("use1-az6", "use1-az2", "use1-az4", "use1-az1"),
    }


@pytest.mark.parametrize("region", ["ca-central-1", "us-east-1"])
def test_defaults_are_the_usable_zones_with_most_instance_types(region: str) -> None:
    offered = _offered(region)
    usable = sorted({*zone_ids(region)} - {*refused_zone_ids(region)}, key=lambda zone: -offered[zone])
    assert list(default_zone_ids(region)) == usable[:4]


def test_ec2_named_no_other_zone() -> None:
    """Each zone with offerings in moto's recording is known, and there are no more than a few without."""
    recorded = {region: {*_offered(region)} for region in known_regions() if _recording(region).is_file()}
    assert len(recorded) > 25
    assert {
        region: zones - {*zone_ids(region)} for region, zones in recorded.items() if zones - {*zone_ids(region)}
    } == {}
    unseen = {zone for region, zones in recorded.items() for zone in zone_ids(region) if zone not in zones}
    # Constrained zones, which new accounts do not get.
    assert unseen == {"apne1-az3", "cac1-az3", "usw1-az2"}


@pytest.mark.parametrize(
    ("zone", "kind", "region"),
    [
        ("use1-az3", "availability-zone", "us-east-1"),
        ("usgw1-az2", "availability-zone", "us-gov-west-1"),
        ("apse7-az12", "availability-zone", "ap-southeast-7"),
        ("usw2-lax1-az1", "local-zone", "us-west-2"),
        ("use1-wl1-bos-wlz1", "wavelength-zone", "us-east-1"),
        ("xxx9-az1", "availability-zone", None),
        ("use1-1", "unknown", "us-east-1"),
        ("us-east-1a", "unknown", None),
        ("us-west-2-lax-1a", "unknown", None),
        ("USE1-AZ3", "unknown", None),
        ("use1-az3\n", "unknown", None),
        ("use1-az٣", "unknown", None),
        ("${Token[TOKEN.1]}", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_a_zones_id_tells_its_kind_and_region(zone: str, kind: str, region: str | None) -> None:
    assert (zone_id_kind(zone), region_of_zone_id(zone)) == (kind, region)


def test_an_unknown_region_has_none() -> None:
    assert (zone_ids("xx-new-9"), refused_zone_ids("xx-new-9"), default_zone_ids("xx-new-9")) == ((), (), ())


def _recording(region: str) -> Traversable:
    return files("moto.ec2").joinpath(
        "resources", "instance_type_offerings", "availability-zone-id", f"{region}.json.gz"
    )


def _offered(region: str) -> dict[str, int]:
    """How many instance types EC2 offered in each zone."""
    rows = json.loads(gzip.decompress(_recording(region).read_bytes()))
    return {zone: sum(row["Location"] == zone for row in rows) for zone in {row["Location"] for row in rows}}
