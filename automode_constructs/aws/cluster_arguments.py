"""Checks the arguments of an ``AutoModeCluster`` before anything is created."""

from __future__ import annotations

import inspect
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal

from aws_cdk import Annotations, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from automode_constructs.arguments import Refusals, place
from automode_constructs.aws.cluster_tags import check_tags
from automode_constructs.aws.control_plane import SCALING_TIERS, ControlPlaneSettings, check_control_plane
from automode_constructs.aws.encryption import check_key
from automode_constructs.aws.fleet import check_unique_name, check_unique_roles
from automode_constructs.aws.kubernetes_version import checked_version
from automode_constructs.aws.network import DEFAULT_CIDR, DEFAULT_ZONE_COUNT, ExistingNetwork, Network, VpcSubnets
from automode_constructs.aws.roles import ClusterRole, RoleNames, check_role_arn, check_role_names
from automode_constructs.aws.vpc_endpoints import endpoint_services_of
from automode_constructs.aws.zones import zones_of_region
from automode_constructs.errors import AutoModeError, Problem, did_you_mean
from automode_constructs.facts.regions import partition_of
from automode_constructs.facts.versions import as_of_default
from automode_constructs.facts.vpc_endpoints import endpoint_services
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.nodes.node_class import RESERVED_TAG_KEYS
from automode_constructs.specs.pools.node_pool import BUILT_IN_POOL_NAMES
from automode_constructs.tokens import is_token

__all__ = [
    "DEFAULT_SERVICE_IPV4_CIDR",
    "LOG_TYPES",
    "MOST_ENDPOINT_CIDRS",
    "SCALING_TIERS",
    "WIDEST_ENDPOINT_PREFIXES",
    "CheckedArguments",
    "ClusterArguments",
    "Egress",
    "check_admins",
    "check_built_in_pools_suffice",
    "check_choices",
    "check_endpoint_cidrs",
    "check_ip_family",
    "check_name",
    "check_node_tags",
    "check_region",
    "check_service_cidr",
    "endpoint_cidrs_within_others",
    "missing_egress",
]

DEFAULT_SERVICE_IPV4_CIDR = "172.20.0.0/16"
"""Addresses of Kubernetes services. Always written: it cannot be changed later, and no attribute returns it."""

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
"""The five logs of an EKS control plane."""

_REMOVAL_POLICIES = (RemovalPolicy.DESTROY, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)

_S3 = "nodes fetch the layers of images, and the CDK's Lambdas answer to CloudFormation"

MOST_ENDPOINT_CIDRS = 40
"""EKS's quota, which cannot be raised. Source: Service Quotas, "Public endpoint access CIDR ranges per cluster"."""

WIDEST_ENDPOINT_PREFIXES = {4: 8, 6: 32}
"""The widest block of each IP version that may reach the API unless the caller says so: a /8 is the 256th part of IPv4;
of IPv6 a /32 is what a registry allocates to a whole provider, which gives a /48 to each company."""

_Block = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE_RANGES: list[_Block] = [
    ipaddress.ip_network(block)
    for block in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]
_RESERVED_RANGES: list[_Block] = [
    ipaddress.ip_network(block)
    # Of IPv6, the internet uses 2000::/3 alone.
    for block in ("0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/3", "::/3", "4000::/2", "8000::/1")
]
"""Source: IANA, "IPv4 Special-Purpose Address Registry", "Internet Protocol Version 6 Address Space"."""

_OPENS_ALL = "would open the Kubernetes API to the whole internet"
_OPENS_ALL_CURE = "give the addresses you connect from, for example <your ip>/32, or leave the endpoint private"
_SERVICE_RANGES = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterArguments:
    """The arguments of an ``AutoModeCluster``, whose docstring describes them."""

    version: str | eks.KubernetesVersion
    cluster_name: str | None
    network: Network | None
    vpc: ec2.IVpc | None
    vpc_subnets: VpcSubnets | None
    endpoint_cidrs: Sequence[str]
    wide_endpoint_cidrs: bool
    ip_family: Literal["ipv4", "ipv6"]
    service_ipv4_cidr: str | None
    built_in_pools: Sequence[str]
    admin_role_arns: Sequence[str]
    creator_admin: bool
    cluster_role: ClusterRole | iam.IRole | None
    role_names: RoleNames
    permissions_boundary: iam.IManagedPolicy | None
    secrets_key: kms.IKey | str | None
    volume_key: kms.IKey | str | None
    log_key: kms.IKey | str | None
    log_types: Sequence[str]
    log_retention: logs.RetentionDays
    auto_mode_logs: bool
    deletion_protection: bool
    support_type: Literal["STANDARD", "EXTENDED"]
    zonal_shift: bool
    control_plane_scaling_tier: str | None
    tags: Mapping[str, str]
    control_plane: ControlPlaneSettings
    gateway_api: bool | None
    node_tags: Mapping[str, str]
    node_defaults: NodeDefaults
    instance_profile: bool
    kubectl: bool
    helm_charts_from_ecr: bool
    kubectl_layer: lambda_.ILayerVersion | None
    removal_policy: RemovalPolicy
    as_of: date | None

    @property
    def service_cidr(self) -> str | None:
        """The block of Kubernetes services; for an IPv6 cluster EKS chooses it."""
        return self.service_ipv4_cidr or (DEFAULT_SERVICE_IPV4_CIDR if self.ip_family != "ipv6" else None)

    @classmethod
    def with_defaults(cls, constructor: Callable[..., None], **arguments: Any) -> ClusterArguments:
        """Some arguments, with the defaults of a constructor for the others.

        Args:
            constructor: ``AutoModeCluster.__init__``.
            **arguments: the arguments.
        """
        parameters = inspect.signature(constructor).parameters
        defaults = {one.name: parameters[one.name].default for one in fields(cls)} | arguments
        defaults["tags"] = defaults["tags"] or {}
        defaults["node_tags"] = defaults["node_tags"] or {}
        defaults["node_defaults"] = defaults["node_defaults"] or NodeDefaults()
        defaults["role_names"] = defaults["role_names"] or RoleNames()
        defaults["control_plane"] = defaults["control_plane"] or ControlPlaneSettings()
        return cls(**defaults)

    def checked(self, scope: Construct, id: str) -> CheckedArguments:
        """Checks all arguments before anything is created.

        Raises:
            AutoModeError: with everything that is wrong.
        """
        refusals, stack = Refusals(place(scope, id)), Stack.of(scope)
        check_unique_name(refusals, scope, self.cluster_name, account=stack.account, region=stack.region)
        check_unique_roles(refusals, scope, self.role_names.by_field(), account=stack.account)
        self.check_alone(refusals, stack.region)
        network = self._network(refusals)
        egress = None
        if network is not None:
            egress = self.check_with_network(refusals, network)
        elif self.vpc is None:
            zones_of_region(refusals, stack.region, DEFAULT_ZONE_COUNT)
            self.check_with_default_network(refusals)
        else:  # ``vpc`` was refused
            self._check_service_cidr(refusals, ())
            self._check_built_in_pools(refusals, None)
        refusals.raise_all()
        return CheckedArguments(network=network, egress=egress)

    def check_alone(self, refusals: Refusals, region: str) -> None:
        """Checks everything but what must fit the network."""
        where = refusals.where
        check_region(refusals, region)
        with refusals.collecting():
            checked_version(where, self.version, as_of=self.as_of)
        check_name(refusals, self.cluster_name)
        if self.removal_policy not in _REMOVAL_POLICIES:
            refusals.refuse(
                "removal_policy", f"got {self.removal_policy.name}", "use RETAIN_ON_UPDATE_OR_DELETE or DESTROY"
            )
        check_choices(refusals, "built_in_pools", self.built_in_pools, BUILT_IN_POOL_NAMES)
        check_choices(refusals, "log_types", self.log_types, LOG_TYPES)
        if self.control_plane_scaling_tier is not None:
            refusals.choice("control_plane_scaling_tier", self.control_plane_scaling_tier, SCALING_TIERS)
        check_control_plane(
            refusals,
            self.control_plane,
            version=self.version if isinstance(self.version, str) else self.version.version,
            tier=self.control_plane_scaling_tier,
        )
        check_admins(refusals, self.admin_role_arns, region)
        check_endpoint_cidrs(refusals, self.endpoint_cidrs, ip_family=self.ip_family, wide=self.wide_endpoint_cidrs)
        check_tags(refusals, self.tags)
        check_node_tags(refusals, self.node_tags)
        if self.node_defaults.certificate_bundles:
            # Imported here because it takes time to load.
            from automode_constructs.manifests.certificates import check_bundles

            day = self.as_of or as_of_default()
            with refusals.collecting():
                check_bundles(
                    where, "node_defaults.certificate_bundles", self.node_defaults.certificate_bundles, as_of=day
                )
        for field in ("secrets_key", "volume_key", "log_key"):
            key = getattr(self, field)
            if key is not None and not isinstance(key, str):
                check_key(refusals, field, key.key_arn, region)
        if self.auto_mode_logs and self.cluster_name is None:
            refusals.refuse("auto_mode_logs", "need the cluster's name for their own", "give cluster_name")
        if self.helm_charts_from_ecr and not self.kubectl:
            refusals.refuse("helm_charts_from_ecr", "is for kubectl, and kubectl=False", "remove one of the two")
        self._check_role_names(refusals)

    def check_with_network(self, refusals: Refusals, network: Network) -> Egress | None:
        """Checks what must fit a network.

        Args:
            refusals: collects what is wrong.
            network: the network.

        Returns:
            What the network lacks, if that is only a warning.
        """
        self._check_service_cidr(refusals, network.cidrs)
        check_ip_family(refusals, self.ip_family, network, self.service_ipv4_cidr)
        self._check_built_in_pools(refusals, network)
        # A proxy counts as a route out, for nodes and for the Lambdas.
        proxied = self.node_defaults.https_proxy is not None
        egress = None if proxied else missing_egress(network, kubectl=self.kubectl)
        if egress is not None and egress.refused:
            refusals.problems.append(egress.problem)
        return egress

    def check_with_default_network(self, refusals: Refusals) -> None:
        """Checks what must fit the ``AutoModeNetwork`` that is created without ``network``."""
        self._check_service_cidr(refusals, (DEFAULT_CIDR,))
        check_ip_family(refusals, self.ip_family, None, self.service_ipv4_cidr)
        self._check_built_in_pools(refusals, None)

    def _check_role_names(self, refusals: Refusals) -> None:
        names = self.role_names
        check_role_names(refusals, names)
        if self.cluster_role is not None and (names.cluster is not None or names.cluster_path is not None):
            refusals.refuse(
                "role_names.cluster" if names.cluster is not None else "role_names.cluster_path",
                "is set beside cluster_role, which exists or has its own",
                "leave out one of the two; ClusterRole takes role_name and path",
            )
        if names.built_in_node is not None and not self.built_in_pools:
            refusals.refuse(
                "role_names.built_in_node",
                f"'{names.built_in_node}' names a role that is not created, because the cluster has no built-in pools",
                "leave it out",
            )

    def _network(self, refusals: Refusals) -> Network | None:
        """The network, or the one of ``vpc`` and ``vpc_subnets``; ``None`` if it is to be created, or is refused."""
        if self.vpc is None:
            if self.vpc_subnets is not None:
                refusals.refuse("vpc_subnets", "are set without vpc", "pass vpc=... with them")
            return self.network
        if self.network is not None:
            refusals.refuse("vpc", "is set beside network, which has a VPC", "leave out one of the two")
            return self.network
        with refusals.collecting():
            return ExistingNetwork.of(self.vpc, self.vpc_subnets)
        return None

    def _check_service_cidr(self, refusals: Refusals, network_cidrs: Sequence[str]) -> None:
        if self.service_cidr is not None:
            check_service_cidr(refusals, self.service_cidr, network_cidrs)

    def _check_built_in_pools(self, refusals: Refusals, network: Network | None) -> None:
        check_built_in_pools_suffice(
            refusals,
            self.built_in_pools,
            {
                "node_tags": bool(self.node_tags),
                "instance_profile": self.instance_profile,
                "volume_key": self.volume_key is not None and not isinstance(self.volume_key, str),
                "network.pod_subnets": network is not None and bool(network.pod_subnets),
                "network.node_security_groups": network is not None and bool(network.node_security_groups),
                **{f"node_defaults.{name}": True for name in self.node_defaults.non_default_fields()},
            },
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedArguments:
    """The results of the checks.

    Args:
        network: the network; ``None`` for an ``AutoModeNetwork`` that the cluster creates.
        egress: what the network lacks, if that is only a warning.
    """

    network: Network | None
    egress: Egress | None


def check_region(refusals: Refusals, region: str) -> None:
    """Refuses a region of a partition without EKS Auto Mode."""
    if is_token(region):
        return
    partition = partition_of(region)
    if not partition.auto_mode:
        refusals.refuse(
            "region",
            f"EKS Auto Mode is not offered in partition '{partition.name}' (region '{region}')",
            "choose a region of the partitions aws or aws-us-gov",
        )


def check_name(refusals: Refusals, name: str | None) -> None:
    """Refuses a cluster name that EKS would not accept."""
    if name is None or is_token(name):
        return
    if re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name) is None:
        refusals.refuse(
            "cluster_name",
            f"'{name}' is not a cluster name",
            "use 1 to 100 letters, digits, '-' and '_', beginning with a letter or digit",
        )


def check_choices(refusals: Refusals, field: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuses unknown names, suggesting the nearest known ones, and a repeated name."""
    for name in names:
        if name not in known:
            refusals.refuse(field, f"'{name}' is not known", did_you_mean(name, known))
    if len(set(names)) != len(names):
        refusals.refuse(field, f"names one twice: {list(names)}", "name each once")


def check_admins(refusals: Refusals, arns: Sequence[str], region: str) -> None:
    """Refuses values that are not ARNs of IAM roles in the stack's partition, and a repeated ARN."""
    partition = None if is_token(region) else partition_of(region).name
    for position, arn in enumerate(arns):
        with refusals.collecting():
            check_role_arn(refusals.where, f"admin_role_arns[{position}]", arn, partition=partition)
    if len(set(arns)) != len(arns):
        refusals.refuse("admin_role_arns", "names a role twice", "name each once")


def check_endpoint_cidrs(
    refusals: Refusals, cidrs: Sequence[str], *, ip_family: str = "ipv4", wide: bool = False
) -> None:
    """Refuses blocks that EKS refuses, that never reach the public endpoint, or that together open it too far.

    Tokens are accepted: their addresses are not known.

    Args:
        refusals: collects what is wrong.
        cidrs: the blocks.
        ip_family: the cluster's; only an IPv6 cluster takes IPv6 blocks.
        wide: whether the blocks may together hold more addresses than a block of ``WIDEST_ENDPOINT_PREFIXES``; even
            then they may not hold the whole internet.
    """
    field = "endpoint_cidrs"
    if len(cidrs) > MOST_ENDPOINT_CIDRS:
        refusals.refuse(
            field,
            f"has {len(cidrs)} blocks; EKS takes {MOST_ENDPOINT_CIDRS} at most",
            "combine adjacent blocks into larger ones",
        )
    blocks: dict[_Block, None] = {}
    for position, cidr in enumerate(cidrs):
        if not is_token(cidr):
            with refusals.collecting(f"{field}[{position}]"):
                block = _endpoint_block(cidr, ip_family)
                if block in blocks:
                    raise AutoModeError.of(
                        "", field="", message=f"'{cidr}' is named twice", cure="name each block once"
                    )
                blocks[block] = None
    for family in (4, 6):
        _check_union(refusals, field, [block for block in blocks if block.version == family], wide=wide)


def _endpoint_block(cidr: str, ip_family: str) -> _Block:
    def refused(message: str, cure: str) -> AutoModeError:
        return AutoModeError.of("", field="", message=f"'{cidr}' {message}", cure=cure)

    try:
        if "%" in cidr:
            raise ValueError("a zone is for addresses of one link")
        block = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise refused(f"is not a CIDR ({error})", "give one address as 203.0.113.7/32") from None
    address, _, length = cidr.partition("/")
    if length != str(block.prefixlen):
        raise refused("has no prefix length" if not length else "has no plain prefix length", f"write '{block}'")
    if ipaddress.ip_address(address) != block.network_address:
        raise refused(
            f"has bits set beyond its first {length}",
            f"write '{block}', or '{address}/{block.max_prefixlen}' for the one address",
        )
    if block.version != 4 and ip_family != "ipv6":
        raise refused("is IPv6, which an IPv4 cluster refuses", "give an IPv4 CIDR")
    if block.prefixlen == 0:
        raise refused(_OPENS_ALL, _OPENS_ALL_CURE)
    if any(_within(block, private) for private in _PRIVATE_RANGES):
        raise refused(
            "is a private block, which never reaches the public endpoint",
            "give public addresses; private ones use the private endpoint, which is always on",
        )
    if any(_within(block, reserved) for reserved in _RESERVED_RANGES):
        raise refused("is a reserved block, which never reaches the public endpoint", "give public addresses")
    return block


def _check_union(refusals: Refusals, field: str, blocks: Sequence[_Block], *, wide: bool) -> None:
    """Judges the blocks of one address family by what they open together."""
    if not blocks:
        return
    bits, family = blocks[0].max_prefixlen, blocks[0].version
    # Nothing comes from a block that is not routed: all the others together are the whole internet.
    unrouted = [block for block in (*_PRIVATE_RANGES, *_RESERVED_RANGES) if block.version == family]
    names = " and ".join(f"'{block}'" for block in blocks)
    open_to = f"{names} together" if len(blocks) > 1 else names
    widest = WIDEST_ENDPOINT_PREFIXES[family]
    if any(block.prefixlen == 0 for block in _collapsed([*blocks, *unrouted])):
        refusals.refuse(field, f"{open_to} {_OPENS_ALL}", _OPENS_ALL_CURE)
    elif not wide and sum(block.num_addresses for block in _collapsed(blocks)) > 2 ** (bits - widest):
        refusals.refuse(
            field,
            f"{open_to} would open the Kubernetes API to more addresses than a /{widest} of IPv{family} holds",
            "give the addresses you connect from; if so many are meant, set wide_endpoint_cidrs=True",
        )


def endpoint_cidrs_within_others(cidrs: Sequence[str]) -> list[tuple[str, str]]:
    """The blocks that lie in another one of the list, each with that one. Tokens are passed over."""
    blocks = [ipaddress.ip_network(cidr) for cidr in cidrs if not is_token(cidr)]
    return [
        (str(block), str(other)) for block in blocks for other in blocks if block != other and _within(block, other)
    ]


def _within(block: _Block, other: _Block) -> bool:
    return block.version == other.version and block.subnet_of(other)  # type: ignore[arg-type]


def _collapsed(blocks: Sequence[_Block]) -> list[_Block]:
    return list(ipaddress.collapse_addresses(blocks))  # type: ignore[type-var]


def check_service_cidr(refusals: Refusals, cidr: str, network_cidrs: Sequence[str]) -> None:
    """Refuses a service block that EKS would not accept or that overlaps the network."""
    field = "service_ipv4_cidr"
    if is_token(cidr):
        refusals.refuse(field, "holds a value known only after deployment", "give a concrete CIDR")
        return
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        refusals.refuse(field, f"'{cidr}' is not an IPv4 CIDR ({error})", f"use {DEFAULT_SERVICE_IPV4_CIDR}")
        return
    if not 12 <= block.prefixlen <= 24 or not any(block.subnet_of(private) for private in _SERVICE_RANGES):
        refusals.refuse(
            field,
            f"'{cidr}' is not a block of /12 to /24 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            f"use {DEFAULT_SERVICE_IPV4_CIDR}",
        )
        return
    for other in network_cidrs:
        if not is_token(other) and block.overlaps(ipaddress.IPv4Network(other)):
            refusals.refuse(
                field,
                f"'{cidr}' overlaps the network's {other}",
                "choose a block that the VPC and its peers do not use",
            )


def check_node_tags(refusals: Refusals, tags: Mapping[str, str]) -> None:
    """Refuses tag keys that AWS and Auto Mode reserve."""
    for key in tags:
        if not key or key.startswith(("kubernetes.io/cluster", "aws:")) or key in RESERVED_TAG_KEYS:
            refusals.refuse("node_tags", f"the tag key '{key}' is reserved", "choose another key")


def check_built_in_pools_suffice(
    refusals: Refusals, built_in_pools: Sequence[str], settings: Mapping[str, bool]
) -> None:
    """Refuses built-in pools together with node settings that EKS's own NodeClass cannot have."""
    names = [field for field, is_set in settings.items() if is_set]
    if built_in_pools and names:
        refusals.refuse(
            "built_in_pools",
            f"{list(built_in_pools)} cannot carry {', '.join(names)}: their NodeClass 'default' is EKS's own",
            "set built_in_pools=[] and deliver pools of your own (ClusterStack does so unless hardened_pools=False)",
        )


@dataclass(frozen=True, slots=True)
class Egress:
    """What a network without a route out lacks.

    Args:
        problem: what is missing, and what to do.
        refused: whether that is an error. Otherwise it is a warning, because the VPC may have endpoints that are not
            visible here, or because the missing ones matter only to pods with an IAM role.
    """

    problem: Problem
    refused: bool

    def warn(self, scope: Construct) -> None:
        """Adds the warning to a cluster."""
        Annotations.of(scope).add_warning_v2("automode:VpcEndpoints", str(self.problem))


def missing_egress(network: Network, *, nodes: bool = True, kubectl: bool = True) -> Egress | None:
    """The missing VPC endpoints of a network without another route out, by service name.

    Args:
        network: the network.
        nodes: whether nodes run in it.
        kubectl: whether the kubectl Lambda runs in it.
    """
    if network.internet is not False:
        return None
    there = endpoint_services_of(network)
    needs = {need for need, runs in (("nodes", nodes), ("pods", nodes), ("kubectl", kubectl)) if runs}
    missing = {
        name: service for name, service in endpoint_services().items() if service.need in needs and name not in there
    }
    texts = [f"'{name}' ({service.why})" for name, service in missing.items()]
    vital = any(service.need != "pods" for service in missing.values())
    if "s3" not in there and (nodes or kubectl):
        texts, vital = [f"'s3' ({_S3})", *texts], True
    if not texts:
        return None
    cures = network.egress_cures(s3="s3" in there)
    if any(service.need == "kubectl" for service in missing.values()) and nodes:
        cures.append("deliver by GitOps, with kubectl=False")
    message = f"nothing leads out of it, and it has no VPC endpoint for {', '.join(texts)}"
    problem = Problem(field="network", message=message, cure=", or ".join(cures))
    return Egress(problem, refused=vital and network.endpoints_are_known)


def check_ip_family(refusals: Refusals, ip_family: str, network: Network | None, cidr: str | None) -> None:
    """Refuses IPv6 in a network without it, and a service block where EKS chooses the block itself."""
    if ip_family == "ipv4":
        return
    if cidr is not None:
        refusals.refuse(
            "service_ipv4_cidr",
            f"'{cidr}' is for IPv4 clusters; EKS chooses the services' IPv6 block itself",
            "leave it out beside ip_family='ipv6'",
        )
    if network is None or not network.ipv6:
        refusals.refuse(
            "ip_family",
            "is 'ipv6', but the network has no IPv6 blocks",
            "give network=AutoModeNetwork(..., ipv6=True)",
        )
