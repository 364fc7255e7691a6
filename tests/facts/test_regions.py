from __future__ import annotations

import json
import re
from datetime import date
from importlib.resources import files
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from automode_constructs.facts.ack_services import ack_services
from automode_constructs.facts.regions import (
    capabilities_offered,
    fips_endpoint_regions,
    fips_node_regions,
    known_regions,
    partition_of,
    region_of_zone,
    types_govcloud_lacks,
    zone_kind,
)
from automode_constructs.facts.versions import as_of_default


@pytest.mark.parametrize(
    ("region", "partition", "auto_mode"),
    [
        ("us-east-1", "aws", True),
        ("eu-central-1", "aws", True),
        ("xx-new-9", "aws", True),
        ("us-gov-west-1", "aws-us-gov", True),
        ("cn-north-1", "aws-cn", False),
        ("us-iso-east-1", "aws-iso", False),
        ("us-isob-east-1", "aws-iso-b", False),
        ("eu-isoe-west-1", "aws-iso-e", False),
        ("us-isof-south-1", "aws-iso-f", False),
        ("eusc-de-east-1", "aws-eusc", False),
    ],
)
def test_a_regions_name_tells_its_partition(region: str, partition: str, auto_mode: bool) -> None:
    found = partition_of(region)
    # A policy that a partition lacks fails the cluster's role: only what was seen there.
    assert found.block_storage_policy == "AmazonEKSBlockStoragePolicy" + ("V2" if partition == "aws" else "")
    assert (found.name, found.auto_mode) == (partition, auto_mode)


@pytest.mark.parametrize(
    ("zone", "kind", "region"),
    [
        ("us-west-2a", "availability-zone", "us-west-2"),
        ("us-gov-west-1b", "availability-zone", "us-gov-west-1"),
        ("eusc-de-east-1a", "availability-zone", "eusc-de-east-1"),
        ("us-west-2-lax-1a", "local-zone", "us-west-2"),
        ("us-east-1-wl1-bos-wlz-1", "wavelength-zone", "us-east-1"),
        ("us-west-2", "unknown", None),
        ("usw2-az1", "unknown", None),
        ("us-west-٢a", "unknown", None),
        ("US-WEST-2A", "unknown", None),
        ("us-west-2a\n", "unknown", None),
        ("", "unknown", None),
        ("${Token[TOKEN.1]}", "unknown", None),
    ],
)
def test_a_zones_name_tells_its_kind_and_region(zone: str, kind: str, region: str | None) -> None:
    assert (zone_kind(zone), region_of_zone(zone)) == (kind, region)


def test_regions_are_named_once_and_have_auto_mode() -> None:
    regions = known_regions()
    assert len(set(regions)) == len(regions)
    assert all(partition_of(region).auto_mode for region in regions)
    assert all(zone_kind(f"{region}a") == "availability-zone" for region in regions)


@pytest.mark.parametrize("name", ["regions.json", "versions.json"])
def test_every_data_file_says_its_source_and_date(name: str) -> None:
    data = json.loads(files("automode_constructs.facts").joinpath(name).read_text("utf-8"))
    assert data["source"]
    assert date.fromisoformat(data["date"]) <= as_of_default()


def test_the_regions_are_those_that_botocore_knows_eks_in() -> None:
    session = botocore.session.get_session()
    known = [
        region for partition in ("aws", "aws-us-gov") for region in session.get_available_regions("eks", partition)
    ]
    assert sorted(known_regions()) == sorted(known)


def _endpoints() -> Any:
    return botocore.session.get_session().get_data("endpoints")["partitions"]


def test_a_partitions_domain_is_the_sdks() -> None:
    for partition in _endpoints():
        for region in partition["regions"]:
            assert partition_of(region).dns_suffix == partition["dnsSuffix"], region


def test_regions_with_fips_nodes_are_known_ones() -> None:
    assert set(fips_node_regions()) <= set(known_regions())
    assert fips_endpoint_regions() < set(fips_node_regions())


def _with_fips(*services: str) -> list[set[str]]:
    """The regions in which the SDK knows FIPS endpoints of each service."""
    return [
        {
            region
            for partition in _endpoints()
            for region, endpoint in partition["services"].get(service, {}).get("endpoints", {}).items()
            if any("fips" in variant["tags"] for variant in endpoint.get("variants", []))
        }
        for service in services
    ]


def test_eks_and_lambda_have_fips_endpoints_where_the_sdk_has_them() -> None:
    eks, functions = _with_fips("eks", "lambda")
    assert eks & functions == fips_endpoint_regions()


def test_what_the_cdk_s_own_lambdas_call_has_fips_endpoints_there_too() -> None:
    (buckets,) = _with_fips("s3")
    assert fips_endpoint_regions() <= buckets
    session = botocore.session.get_session()
    for region in fips_endpoint_regions():
        client = session.create_client(
            "ec2",
            region_name=region,
            config=Config(use_fips_endpoint=True),
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        # In GovCloud the plain host is the FIPS host.
        host = "ec2" if region.startswith("us-gov-") else "ec2-fips"
        assert client.meta.endpoint_url == f"https://{host}.{region}.amazonaws.com"


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1"])
def test_what_govcloud_lacks_is_what_its_schemas_lack(region: str) -> None:
    commercial, here = (
        {kind for kind in PROVIDER_SCHEMA_MANAGER.get_resource_types(each) if kind.startswith("AWS::EKS::")}
        for each in ("us-east-1", region)
    )
    assert commercial - here == types_govcloud_lacks()


def test_capabilities_are_for_commercial_regions() -> None:
    assert {region for region in known_regions() if not capabilities_offered(region)} == {
        "us-gov-east-1",
        "us-gov-west-1",
    }


def test_services_of_ack_have_names_that_eks_takes() -> None:
    shape = botocore.session.get_session().get_service_model("eks").operation_model("CreateCapability").input_shape
    item = shape.members["configuration"].members["ack"].members["disabledServices"].member
    assert all(re.fullmatch(item.metadata["pattern"], name) for name in ack_services())
    assert list(ack_services()) == sorted(set(ack_services()))
    assert {"dynamodb", "iam", "rds", "s3"} <= {*ack_services()}
