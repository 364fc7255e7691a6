"""FIPS: where such nodes and endpoints exist, and the default."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Annotations, Stack
from constructs import Construct

from automode_constructs.facts.regions import fips_endpoint_regions, fips_node_regions, partition_of
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.tokens import is_token

__all__ = ["fips_endpoints", "with_fips"]


def with_fips(scope: Construct, defaults: NodeDefaults, *, built_in_pools: Sequence[str]) -> NodeDefaults:
    """The node defaults with FIPS decided: in GovCloud it is on unless explicitly turned off.

    Adds the warning ``automode:FipsRegion`` if AWS has no FIPS images in the region, or an info of that name if the
    region is not known. Adds the warning ``automode:FipsBuiltInPools`` for EKS's built-in pools with the default in
    GovCloud.

    Args:
        scope: the cluster; its stack's region counts.
        defaults: the user's settings.
        built_in_pools: the pools that EKS manages.
    """
    region, fips_regions = Stack.of(scope).region, ", ".join(fips_node_regions())
    if is_token(region):
        if defaults.fips:
            Annotations.of(scope).add_info_v2(
                "automode:FipsRegion",
                f"node_defaults.fips: the stack names no region, and FIPS images exist in {fips_regions} only",
            )
        return defaults
    if defaults.fips and region not in fips_node_regions():
        Annotations.of(scope).add_warning_v2(
            "automode:FipsRegion",
            f"node_defaults.fips: AWS lists no FIPS images for '{region}', so nodes may not start; choose one of "
            f"{fips_regions}, or leave fips out",
        )
    if defaults.fips is not None or partition_of(region).name != "aws-us-gov":
        return defaults
    if built_in_pools:
        Annotations.of(scope).add_warning_v2(
            "automode:FipsBuiltInPools",
            f"node_defaults.fips: is on by default in '{region}', but the nodes of EKS's built-in pools "
            f"{list(built_in_pools)} cannot use it; set built_in_pools=[] and deliver your own pools (ClusterStack "
            "does so unless hardened_pools=False), or NodeDefaults(fips=False)",
        )
    return defaults.replace(fips=True)


def fips_endpoints(region: str, *, egress: bool, services: frozenset[str]) -> tuple[bool, bool]:
    """Whether the kubectl handler and its framework can use the FIPS endpoints of EKS and Lambda.

    kubectl's token then names the FIPS host of STS, which EKS accepts in these regions (it is in the list of hosts of
    kubernetes-sigs/aws-iam-authenticator).

    Args:
        region: the stack's region; if it is not known, the plain endpoints are used everywhere.
        egress: whether they reach the internet, through NAT or a proxy.
        services: the VPC endpoints of the stack.
    """
    if region not in fips_endpoint_regions():
        return False, False
    # In GovCloud the plain host of EKS is the FIPS host, so its plain VPC endpoint is enough.
    eks = egress or "eks-fips" in services or (partition_of(region).name == "aws-us-gov" and "eks" in services)
    return eks, egress or "lambda-fips" in services
