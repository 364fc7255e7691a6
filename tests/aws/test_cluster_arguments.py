"""The blocks that may reach the public endpoint, judged one by one and by what they open together."""

from __future__ import annotations

import aws_cdk as cdk
import pytest

from automode_constructs.arguments import Refusals
from automode_constructs.aws.cluster_arguments import check_endpoint_cidrs, endpoint_cidrs_within_others

ALL = (
    "would open the Kubernetes API to the whole internet; give the addresses you connect from, for example <your "
    "ip>/32, or leave the endpoint private"
)
WIDE = "give the addresses you connect from; if so many are meant, set wide_endpoint_cidrs=True"
PRIVATE = (
    "is a private block, which never reaches the public endpoint; give public addresses; private ones use the private "
    "endpoint, which is always on"
)
RESERVED = "is a reserved block, which never reaches the public endpoint; give public addresses"


def judged(cidrs: list[str], *, ip_family: str = "ipv6", wide: bool = False) -> list[str]:
    refusals = Refusals("Dev/Cluster")
    check_endpoint_cidrs(refusals, cidrs, ip_family=ip_family, wide=wide)
    return [str(problem) for problem in refusals.problems]


@pytest.mark.parametrize(
    ("cidrs", "message"),
    [
        (["0.0.0.0/0"], f"endpoint_cidrs[0]: '0.0.0.0/0' {ALL}"),
        (["::/0"], f"endpoint_cidrs[0]: '::/0' {ALL}"),
        (["0.0.0.0/1", "128.0.0.0/1"], f"endpoint_cidrs: '0.0.0.0/1' and '128.0.0.0/1' together {ALL}"),
        (["2000::/3"], f"endpoint_cidrs: '2000::/3' {ALL}"),
        (["2000::/4", "3000::/4"], f"endpoint_cidrs: '2000::/4' and '3000::/4' together {ALL}"),
        (
            # What is left out, 0.0.0.0/8, nobody connects from.
            [f"{1 << bit}.0.0.0/{8 - bit}" for bit in range(8)],
            f"endpoint_cidrs: {' and '.join(repr(f'{1 << bit}.0.0.0/{8 - bit}') for bit in range(8))} together {ALL}",
        ),
        (["1.2.3.4"], "endpoint_cidrs[0]: '1.2.3.4' has no prefix length; write '1.2.3.4/32'"),
        (["2001:db8::7"], "endpoint_cidrs[0]: '2001:db8::7' has no prefix length; write '2001:db8::7/128'"),
        (
            ["198.51.100.0/255.255.255.0"],
            "endpoint_cidrs[0]: '198.51.100.0/255.255.255.0' has no plain prefix length; write '198.51.100.0/24'",
        ),
        (["198.51.100.0/024"], "endpoint_cidrs[0]: '198.51.100.0/024' has no plain prefix length; write '198.51."),
        (
            ["203.0.113.7/24"],
            "endpoint_cidrs[0]: '203.0.113.7/24' has bits set beyond its first 24; write '203.0.113.0/24', or "
            "'203.0.113.7/32' for the one address",
        ),
        (
            ["2001:db8::7/64"],
            "endpoint_cidrs[0]: '2001:db8::7/64' has bits set beyond its first 64; write '2001:db8::/64', or "
            "'2001:db8::7/128' for the one address",
        ),
        (["office"], "endpoint_cidrs[0]: 'office' is not a CIDR ('office' does not appear to be an IPv4 or IPv6"),
        (
            ["fe80::1%eth0/64"],
            "endpoint_cidrs[0]: 'fe80::1%eth0/64' is not a CIDR (a zone is for addresses of one link);",
        ),
        (["1.2.3.4/33"], "endpoint_cidrs[0]: '1.2.3.4/33' is not a CIDR ("),
        (["10.1.0.0/16"], f"endpoint_cidrs[0]: '10.1.0.0/16' {PRIVATE}"),
        (["fd00::/8"], f"endpoint_cidrs[0]: 'fd00::/8' {PRIVATE}"),
        (["224.0.0.0/4"], f"endpoint_cidrs[0]: '224.0.0.0/4' {RESERVED}"),
        (["64:ff9b::/96"], f"endpoint_cidrs[0]: '64:ff9b::/96' {RESERVED}"),
        (
            ["203.0.113.7/32", "203.0.113.7/32"],
            "endpoint_cidrs[1]: '203.0.113.7/32' is named twice; name each block once",
        ),
        (
            ["11.0.0.0/8", "203.0.113.7/32"],
            "endpoint_cidrs: '11.0.0.0/8' and '203.0.113.7/32' together would open the Kubernetes API to more "
            f"addresses than a /8 of IPv4 holds; {WIDE}",
        ),
        (
            ["2600::/28"],
            "endpoint_cidrs: '2600::/28' would open the Kubernetes API to more addresses than a /32 of IPv6 holds; "
            f"{WIDE}",
        ),
        (
            [f"203.0.113.{number}/32" for number in range(41)],
            "endpoint_cidrs: has 41 blocks; EKS takes 40 at most; combine adjacent blocks into larger ones",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(cidrs: list[str], message: str) -> None:
    (told,) = judged(cidrs)
    assert told.startswith(message)


@pytest.mark.parametrize(
    "cidrs",
    [
        [],
        ["203.0.113.7/32", "198.51.100.0/24"],
        ["11.0.0.0/8"],
        ["11.0.0.0/9", "11.128.0.0/9"],
        ["2600::/32", "11.0.0.0/8"],
        ["2001:DB8:0::/48"],
        [f"203.0.113.{number}/32" for number in range(40)],
    ],
    ids=str,
)
def test_accepted(cidrs: list[str]) -> None:
    assert judged(cidrs) == []


def test_a_wide_choice_is_said_and_never_everything() -> None:
    assert judged(["12.0.0.0/6", "2600::/12"], wide=True) == []
    (told,) = judged(["0.0.0.0/1", "128.0.0.0/1"], wide=True)
    assert "whole internet" in told


def test_an_ipv4_cluster_takes_no_ipv6() -> None:
    assert judged(["2600::/32"], ip_family="ipv4") == [
        "endpoint_cidrs[0]: '2600::/32' is IPv6, which an IPv4 cluster refuses; give an IPv4 CIDR"
    ]


def test_tokens_count_as_entries_only() -> None:
    token = cdk.CfnParameter(cdk.Stack(cdk.App(), "Dev"), "Office").value_as_string
    assert judged([token, token]) == []
    assert endpoint_cidrs_within_others([token, "203.0.113.7/32"]) == []


def test_a_block_within_another_is_found() -> None:
    cidrs = ["203.0.113.7/32", "198.51.100.0/24", "203.0.113.0/24", "2600::/48", "2600::/32"]
    assert endpoint_cidrs_within_others(cidrs) == [
        ("203.0.113.7/32", "203.0.113.0/24"),
        ("2600::/48", "2600::/32"),
    ]
