"""The IPv4 blocks of a VPC that a network creates, checked against what a VPC takes."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from automode_constructs.arguments import Refusals
from automode_constructs.tokens import is_token

__all__ = ["DEFAULT_CIDR", "DEFAULT_POD_CIDR", "checked_block", "checked_pod_block", "checked_vpc_block"]

DEFAULT_CIDR = "10.0.0.0/16"
"""The default for a VPC's first CIDR block."""

DEFAULT_POD_CIDR = "100.64.0.0/16"
"""The range AWS recommends for pod subnets: shared address space, which few company networks route."""

_CIDR = re.compile(r"[0-9.]+/[1-9]?[0-9]")

_EXCLUSIVE_RANGES = tuple(
    IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")
)
"""A VPC takes a secondary block from one of these ranges only if its first block is in the same range."""

_RESTRICTED_RANGES = (
    (IPv4Network("10.0.0.0/15"), IPv4Network("10.0.0.0/16")),
    (IPv4Network("172.16.0.0/12"), IPv4Network("172.31.0.0/16")),
)
"""A VPC whose first block is in the left range takes no secondary block from the right one."""


def checked_block(refusals: Refusals, field: str, cidr: str) -> IPv4Network | None:
    """An IPv4 block; ``None`` if it is refused."""
    try:
        block = IPv4Network(cidr, strict=False) if _CIDR.fullmatch(cidr) else None
    except ValueError:
        block = None
    if block is None:
        refusals.refuse(field, f"must be an IPv4 CIDR block, got '{cidr}'", "write it like '10.0.0.0/16'")
    elif str(block) != cidr:
        refusals.refuse(field, f"has host bits set, got '{cidr}'", f"write '{block}'")
        return None
    return block


def checked_vpc_block(refusals: Refusals, field: str, cidr: str) -> IPv4Network | None:
    """A block of a VPC, from which subnets for four zones can be cut; ``None`` if it is refused."""
    if is_token(cidr):
        refusals.refuse(
            field, "must be known at synth, got a token", "give the block itself: the subnets are cut from it"
        )
        return None
    block = checked_block(refusals, field, cidr)
    if block is not None and not 16 <= block.prefixlen <= 24:
        refusals.refuse(
            field,
            f"must be a block from /16 to /24, got '{cidr}' with {block.num_addresses:,} addresses",
            "AWS takes no block larger than a /16, and subnets for four zones need a /24",
        )
        return None
    return block


def checked_pod_block(refusals: Refusals, cidr: str, vpc_block: IPv4Network | None) -> IPv4Network | None:
    """A second block for pods, which can join a VPC with that first block; ``None`` if it is refused."""
    block = checked_vpc_block(refusals, "pod_cidr", cidr)
    if block is None or vpc_block is None:
        return None
    if block.overlaps(vpc_block):
        refusals.refuse(
            "pod_cidr",
            f"'{cidr}' overlaps cidr '{vpc_block}'",
            f"use a range of its own, such as '{DEFAULT_POD_CIDR}'",
        )
        return None
    exclusive = next((each for each in _EXCLUSIVE_RANGES if block.overlaps(each)), None)
    restricted = next(
        (right for left, right in _RESTRICTED_RANGES if vpc_block.overlaps(left) and block.overlaps(right)), None
    )
    if restricted or (exclusive and not vpc_block.overlaps(exclusive)):
        refusals.refuse(
            "pod_cidr",
            f"'{cidr}' lies in {restricted or exclusive}, which AWS adds to no VPC that begins with '{vpc_block}'",
            f"use a range such as '{DEFAULT_POD_CIDR}'",
        )
        return None
    return block
