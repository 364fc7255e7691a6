"""FIPS: where such nodes and endpoints exist, and the default."""

from __future__ import annotations

from aws_cdk import Annotations, Stack
from constructs import Construct

from automode_constructs.facts.regions import fips_endpoint_regions, fips_node_regions, partition_of
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.tokens import is_token

__all__ = ["fips_by_default", "fips_endpoints", "with_fips"]


def fips_by_default(region: str) -> bool:
    """Whether FIPS is on in a region unless it is turned off: in GovCloud. A region that is not known counts as none.

    Args:
        region: the region, or its token.
    """
    return not is_token(region) and partition_of(region).name == "aws-us-gov"


def with_fips(scope: Construct, defaults: NodeDefaults) -> NodeDefaults:
    """The node defaults with FIPS decided: in GovCloud it is on unless explicitly turned off.

    Adds the warning ``automode:FipsRegion`` if AWS has no FIPS images in the region, or an info of that name if the
    region is not known.

    Args:
        scope: the cluster; its stack's region counts.
        defaults: the user's settings.
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
    if defaults.fips is None and fips_by_default(region):
        return defaults.replace(fips=True)
    return defaults


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
