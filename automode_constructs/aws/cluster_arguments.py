"""What an ``AutoModeCluster`` refuses of its arguments, before anything is made."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from automode_constructs.aws.network import AutoModeNetwork, ExistingNetwork
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.vpc_endpoints import endpoint_services_of
from automode_constructs.errors import AutoModeError, did_you_mean
from automode_constructs.facts.regions import partition_of
from automode_constructs.facts.vpc_endpoints import endpoint_services
from automode_constructs.specs.nodes.node_class import RESERVED_TAG_KEYS
from automode_constructs.tokens import is_token

__all__ = [
    "DEFAULT_SERVICE_IPV4_CIDR",
    "check_admins",
    "check_built_in_pools_suffice",
    "check_choices",
    "check_egress",
    "check_endpoint_cidrs",
    "check_ip_family",
    "check_key",
    "check_name",
    "check_node_tags",
    "check_region",
    "check_service_cidr",
]

DEFAULT_SERVICE_IPV4_CIDR = "172.20.0.0/16"
"""Addresses of Kubernetes services. Always written: it cannot be changed later, and no attribute returns it."""

_S3 = "nodes fetch the layers of images, and the CDK's Lambdas answer to CloudFormation"

_PRIVATE_RANGES = [
    ipaddress.IPv4Network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
]
_SERVICE_RANGES = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def check_region(where: str, region: str) -> None:
    """Refuses a region of a partition without EKS Auto Mode."""
    if is_token(region):
        return
    partition = partition_of(region)
    if not partition.auto_mode:
        raise AutoModeError.of(
            where,
            "region",
            f"EKS Auto Mode is not offered in partition '{partition.name}' (region '{region}')",
            "choose a region of the partitions aws or aws-us-gov",
        )


def check_name(where: str, name: str | None) -> None:
    """Refuses what EKS would not take as a cluster's name."""
    if name is None or is_token(name):
        return
    if re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name) is None:
        raise AutoModeError.of(
            where,
            "cluster_name",
            f"'{name}' is not a cluster name",
            "use 1 to 100 letters, digits, '-' and '_', beginning with a letter or digit",
        )


def check_choices(where: str, field: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Refuses a name that is not known, with the nearest one that is, and a name given twice."""
    if isinstance(given, str):
        raise AutoModeError.of(where, field, f"needs a list, got the text '{given}'", f"write ['{given}']")
    for name in given:
        if name not in known:
            raise AutoModeError.of(where, field, f"'{name}' is not known", did_you_mean(name, known))
    if len(set(given)) != len(given):
        raise AutoModeError.of(where, field, f"names one twice: {list(given)}", "name each once")


def check_admins(where: str, arns: Sequence[str], region: str) -> None:
    """Refuses what is not the ARN of an IAM role of the stack's partition."""
    if isinstance(arns, str):
        raise AutoModeError.of(where, "admin_role_arns", f"needs a list, got the text '{arns}'", f"write ['{arns}']")
    partition = None if is_token(region) else partition_of(region).name
    for position, arn in enumerate(arns):
        check_role_arn(where, f"admin_role_arns[{position}]", arn, partition=partition)
    if len(set(arns)) != len(arns):
        raise AutoModeError.of(where, "admin_role_arns", "names a role twice", "name each once")


def check_endpoint_cidrs(where: str, cidrs: Sequence[str], *, ip_family: str = "ipv4") -> None:
    """Refuses blocks that open the API to everyone, or that can never reach its public endpoint."""
    if isinstance(cidrs, str):
        raise AutoModeError.of(where, "endpoint_cidrs", f"needs a list, got the text '{cidrs}'", f"write ['{cidrs}']")
    for position, cidr in enumerate(cidrs):
        if is_token(cidr):
            continue
        field = f"endpoint_cidrs[{position}]"
        try:
            block = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise AutoModeError.of(
                where, field, f"'{cidr}' is not a CIDR ({error})", "give one address as 203.0.113.7/32"
            ) from None
        if block.version != 4 and ip_family != "ipv6":
            raise AutoModeError.of(
                where, field, f"'{cidr}' is IPv6, which an IPv4 cluster refuses", "give an IPv4 CIDR"
            )
        if block.prefixlen == 0:
            raise AutoModeError.of(
                where,
                field,
                f"'{cidr}' would open the Kubernetes API to the whole internet",
                "give the addresses you connect from, for example <your ip>/32, or leave the endpoint private",
            )
        if isinstance(block, ipaddress.IPv4Network) and any(block.subnet_of(private) for private in _PRIVATE_RANGES):
            raise AutoModeError.of(
                where,
                field,
                f"'{cidr}' is a private block, which never reaches the public endpoint",
                "give public addresses; private ones use the private endpoint, which is always on",
            )


def check_service_cidr(where: str, cidr: str, network_cidrs: Sequence[str]) -> None:
    """Refuses a service block that EKS would not take or that overlaps the network."""
    if is_token(cidr):
        raise AutoModeError.of(
            where, "service_ipv4_cidr", "holds a value known only after deployment", "give a concrete CIDR"
        )
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise AutoModeError.of(
            where, "service_ipv4_cidr", f"'{cidr}' is not an IPv4 CIDR ({error})", f"use {DEFAULT_SERVICE_IPV4_CIDR}"
        ) from None
    if not 12 <= block.prefixlen <= 24 or not any(block.subnet_of(private) for private in _SERVICE_RANGES):
        raise AutoModeError.of(
            where,
            "service_ipv4_cidr",
            f"'{cidr}' is not a block of /12 to /24 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            f"use {DEFAULT_SERVICE_IPV4_CIDR}",
        )
    for other in network_cidrs:
        if not is_token(other) and block.overlaps(ipaddress.IPv4Network(other)):
            raise AutoModeError.of(
                where,
                "service_ipv4_cidr",
                f"'{cidr}' overlaps the network's {other}",
                "choose a block that the VPC and its peers do not use",
            )


def check_node_tags(where: str, tags: Mapping[str, str]) -> None:
    """Refuses tag keys that AWS and Auto Mode keep for themselves."""
    for key in tags:
        if not key or key.startswith(("kubernetes.io/cluster", "aws:")) or key in RESERVED_TAG_KEYS:
            raise AutoModeError.of(where, "node_tags", f"the tag key '{key}' is reserved", "choose another key")


def check_built_in_pools_suffice(where: str, built_in_pools: Sequence[str], asked: Mapping[str, bool]) -> None:
    """Refuses built-in pools beside settings of nodes that EKS's own NodeClass cannot carry."""
    wanted = [field for field, given in asked.items() if given]
    if built_in_pools and wanted:
        raise AutoModeError.of(
            where,
            "built_in_pools",
            f"{list(built_in_pools)} cannot carry {', '.join(wanted)}: their NodeClass 'default' is EKS's own",
            "set built_in_pools=[] and deliver pools of your own (ClusterStack does so unless hardened_pools=False)",
        )


def check_egress(
    scope: Construct, network: AutoModeNetwork | ExistingNetwork, *, nodes: bool = True, kubectl: bool = True
) -> None:
    """Refuses a network that nothing leads out of and that lacks VPC endpoints, by the names of their services.

    There is a warning ``automode:VpcEndpoints`` in place of the error where the VPC may have endpoints that are not
    seen here, and where those that are missing matter to pods with an IAM role only.

    Args:
        scope: the cluster.
        network: the network.
        nodes: whether nodes run in it.
        kubectl: whether the kubectl Lambda runs in it.
    """
    if network.internet is not False:
        return
    there = endpoint_services_of(network)
    wanted = {need for need, runs in (("nodes", nodes), ("pods", nodes), ("kubectl", kubectl)) if runs}
    missing = {
        name: service for name, service in endpoint_services().items() if service.need in wanted and name not in there
    }
    texts = [f"'{name}' ({service.why})" for name, service in missing.items()]
    vital = any(service.need != "pods" for service in missing.values())
    if "s3" not in there and (nodes or kubectl):
        texts, vital = [f"'s3' ({_S3})", *texts], True
    if not texts:
        return
    message = f"nothing leads out of it, and it has no VPC endpoint for {', '.join(texts)}"
    if isinstance(network, AutoModeNetwork):
        known = True
        cures = [
            "make VpcEndpoints(stack, 'Endpoints', network=network) before the cluster",
            "give the network nat_gateways=1",
            "set network.internet = None where a route of your own leads out",
        ]
    else:
        known = network.endpoint_services is not None or isinstance(network.vpc, ec2.Vpc)
        cures = [
            "make them before the cluster, with VpcEndpoints(stack, 'Endpoints', network=network)"
            + (" and vpc.add_gateway_endpoint for 's3'" if "s3" not in there else ""),
            "name those that are there: ExistingNetwork(endpoint_services=[...])",
            "say internet=True where another way leads out",
        ]
    if any(service.need == "kubectl" for service in missing.values()) and nodes:
        cures.append("deliver by GitOps, with kubectl=False")
    cure = ", or ".join(cures)
    if known and vital:
        raise AutoModeError.of(scope.node.path, "network", message, cure)
    Annotations.of(scope).add_warning_v2("automode:VpcEndpoints", f"network: {message}; {cure}")


def check_ip_family(where: str, ip_family: str, network: AutoModeNetwork | ExistingNetwork, cidr: str | None) -> None:
    """Refuses IPv6 where the network has none, and a service block that EKS would not let one choose."""
    check_choices(where, "ip_family", [ip_family], ("ipv4", "ipv6"))
    if ip_family == "ipv4":
        return
    if cidr is not None:
        raise AutoModeError.of(
            where,
            "service_ipv4_cidr",
            f"'{cidr}' is for IPv4 clusters; EKS chooses the services' IPv6 block itself",
            "leave it out beside ip_family='ipv6'",
        )
    if not network.ipv6:
        raise AutoModeError.of(
            where,
            "ip_family",
            "is 'ipv6', but the network has no IPv6 blocks",
            "give network=AutoModeNetwork(..., ipv6=True)",
        )


def check_key(where: str, field: str, arn: str, region: str) -> None:
    """Refuses a KMS key of another region: neither EKS nor EBS reaches it. Tokens pass, part by part."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[2] != "kms" or is_token(parts[3]) or is_token(region) or parts[3] == region:
        return
    cure = (
        f"replicate the multi-Region key to '{region}' and give the replica's ARN"
        if parts[5].startswith("key/mrk-")
        else f"give a key of '{region}'"
    )
    raise AutoModeError.of(where, field, f"'{arn}' lies in '{parts[3]}', the cluster in '{region}'", cure)
