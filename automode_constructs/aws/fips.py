"""FIPS: where nodes and endpoints of that kind exist, and what holds where nobody said anything."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Annotations, Stack
from constructs import Construct

from automode_constructs.facts.regions import fips_endpoint_regions, fips_node_regions, partition_of
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.tokens import is_token

__all__ = ["fips_endpoints", "with_fips"]


def with_fips(scope: Construct, defaults: NodeDefaults, *, built_in_pools: Sequence[str]) -> NodeDefaults:
    """The node defaults with FIPS decided: in GovCloud it is on unless turned off by name.

    Where AWS has no FIPS images there is a warning ``automode:FipsRegion``, and an info of that name where the region
    is not known. Built-in pools of EKS beside the default of GovCloud are a warning ``automode:FipsBuiltInPools``.

    Args:
        scope: the cluster; its stack's region counts.
        defaults: what the user said.
        built_in_pools: the pools that EKS keeps itself.
    """
    region, known = Stack.of(scope).region, ", ".join(fips_node_regions())
    if is_token(region):
        if defaults.fips:
            Annotations.of(scope).add_info_v2(
                "automode:FipsRegion",
                f"node_defaults.fips: the stack names no region, and FIPS images exist in {known} only",
            )
        return defaults
    if defaults.fips and region not in fips_node_regions():
        Annotations.of(scope).add_warning_v2(
            "automode:FipsRegion",
            f"node_defaults.fips: AWS names no FIPS images for '{region}', so that nodes may not start; choose one of "
            f"{known}, or leave fips out",
        )
    if defaults.fips is not None or partition_of(region).name != "aws-us-gov":
        return defaults
    if built_in_pools:
        Annotations.of(scope).add_warning_v2(
            "automode:FipsBuiltInPools",
            f"node_defaults.fips: is on by default in '{region}', but the nodes of EKS's own pools "
            f"{list(built_in_pools)} cannot have it; set built_in_pools=[] and deliver pools of your own (ClusterStack "
            "does so unless hardened_pools=False), or NodeDefaults(fips=False)",
        )
    return defaults.replace(fips=True)


def fips_endpoints(region: str, *, egress: bool, services: frozenset[str]) -> tuple[bool, bool]:
    """Whether the kubectl handler and its framework can use FIPS endpoints: of EKS, of Lambda.

    kubectl's token then names the FIPS host of STS, which EKS takes in these regions (the list of hosts in
    kubernetes-sigs/aws-iam-authenticator has it).

    Args:
        region: the stack's region; where it is not known, the plain endpoints are used everywhere.
        egress: whether they reach the internet, through NAT or a proxy.
        services: the VPC endpoints of the stack.
    """
    if region not in fips_endpoint_regions():
        return False, False
    # In GovCloud the plain host of EKS is the FIPS host, so that its plain VPC endpoint serves.
    eks = egress or "eks-fips" in services or (partition_of(region).name == "aws-us-gov" and "eks" in services)
    return eks, egress or "lambda-fips" in services
