"""What is known of interface endpoints."""

from __future__ import annotations

from automode_constructs.facts.regions import known_regions
from automode_constructs.facts.vpc_endpoints import endpoint_services


def test_what_nodes_and_kubectl_need_is_known() -> None:
    needed = {need: [name for name, item in endpoint_services().items() if item.need == need] for need in needs()}
    assert needed["nodes"] == ["ecr.api", "ecr.dkr"]
    assert needed["pods"] == ["eks-auth", "sts"]
    assert needed["kubectl"] == ["eks", "lambda"]
    assert {"ec2", "elasticloadbalancing", "kms", "logs"} <= {*needed["workloads"]}


def needs() -> set[str]:
    return {item.need for item in endpoint_services().values()}


def test_every_service_says_what_it_is_for() -> None:
    assert needs() == {"nodes", "pods", "kubectl", "workloads"}
    assert all(item.why and item.name == name for name, item in endpoint_services().items())


def test_regions_without_an_endpoint_are_known_ones() -> None:
    missing = {name: item.missing_regions for name, item in endpoint_services().items() if item.missing_regions}
    assert missing == {
        "eks": ("ap-east-2", "ap-southeast-5", "ap-southeast-7", "mx-central-1"),
        "eks-capabilities": ("us-gov-east-1", "us-gov-west-1"),
    }
    assert {region for regions in missing.values() for region in regions} <= {*known_regions()}


def test_fips_endpoints_bear_the_name_of_their_service() -> None:
    assert {name: item.fips for name, item in endpoint_services().items() if item.fips} == {
        name: f"{name}-fips" for name in ("sts", "eks", "ec2", "kms", "ssm")
    }
    # The plain hosts of the others are validated in GovCloud.
    assert [name for name, item in endpoint_services().items() if "aws-us-gov" in item.fips_partitions] == ["kms"]
