"""NodeClass (``eks.amazonaws.com/v1``): the AWS side of Auto Mode's nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypedDict

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.fields import ListOf, TokenOr, matching, near_quantity, no_number, written_as
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking
from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity
from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm, PlacementGroupSelector
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle
from automode_constructs.specs.nodes.selector_tags import SelectorTags
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import field_names, worded

__all__ = [
    "EphemeralStorage",
    "NodeClassSpec",
    "SecurityGroupSelectorTerm",
    "SubnetSelectorTerm",
]

_CRD = "CRD nodeclasses.eks.amazonaws.com"
_PAGE = "EKS User Guide, 'Create a Node Class for Amazon EKS'"

SELECTOR_TERM = rule(
    "automode:SelectorTerm",
    "NodeClass",
    severity="error",
    sentence="A selector term selects in one way: by id, by name (security groups) or by tags.",
    source=_CRD,
    stricter="The CRD's rule is written !self.all(...) and refuses mixed terms only where every term is mixed; "
    "a single mixed term is the same slip.",
)
NODE_IDENTITY = rule(
    "automode:NodeIdentity",
    "NodeClass",
    severity="error",
    sentence="A NodeClass names a role or an instance profile, not both.",
    source=f"{_PAGE}; {_CRD}",
    stricter="Some samples of AWS name neither, though the CRD required a role; no page says what nodes then run as.",
)
POD_NETWORK = rule(
    "automode:PodNetwork",
    "NodeClass",
    severity="error",
    sentence="Pod subnets and pod security groups are selected together.",
    source=f"{_PAGE}, section 'Separate subnets and security groups for Pods'",
)
RESERVED_TAG = rule(
    "automode:ReservedTag",
    "NodeClass",
    severity="error",
    sentence="Tag keys are not empty, not AWS's own (aws:) and not those that Auto Mode writes itself.",
    source=f"{_CRD}; Amazon EC2 User Guide, 'Tag your Amazon EC2 resources' (aws:)",
    stricter="The CRD lets keys that begin with aws: pass, which EC2 refuses when a node is launched.",
)
CLUSTER_NAME_TAG = rule(
    "automode:ClusterNameTag",
    "NodeClass",
    severity="warning",
    sentence="The tag eks:eks-cluster-name is left to EKS.",
    source="CRD ec2nodeclasses.karpenter.k8s.aws of open-source Karpenter, which refuses it",
)
EFA_WITH_HUGEPAGES = rule(
    "automode:EfaWithHugepages",
    "NodeClass",
    severity="error",
    sentence="A NodeClass has efa-only interfaces or static hugepages, not both.",
    source=f"{_PAGE}, section 'Configure hugepages on nodes'",
)
POD_ADDRESSES = rule(
    "automode:PodAddresses",
    "NodeClass",
    severity="warning",
    sentence="Static network interfaces hold addresses for pods.",
    source=f"{_PAGE}, section 'Static Network Interface Configuration'",
)
PRIMARY_ADDRESSES = rule(
    "automode:PrimaryAddresses",
    "NodeClass",
    severity="warning",
    sentence="With pod subnets, the primary static interface holds no addresses for pods.",
    source=f"{_PAGE}, section 'Static Network Interface Configuration'",
)

# The CRD's own bounds, including an error in its pattern: it rejects 18Ti, 19Ti, 28Ti ... and 49Ti, so we must too.
_EPHEMERAL_SIZE = (
    r"([1-9][0-9]{0,3}|[1-4][0-9]{4}|5[0-8][0-9]{3}|59000)Gi|([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-3][0-9]{3}|64000)G"
    r"|([1-9]|[1-5][0-7]|58)Ti|([1-9]|[1-5][0-9]|6[0-4])T"
)


def _in_gibibytes(size: str) -> str:
    """The cure for a number of Ti that the pattern leaves out."""
    written = f"{int(size[:-2]) * 1024}Gi" if re.fullmatch(r"[1-9][0-9]?Ti", size) else ""
    return written_as(written) if re.fullmatch(_EPHEMERAL_SIZE, written) else ""


_EphemeralSize = Annotated[
    str,
    no_number(lambda size: f"write '{size}Gi' for GiB, '{size}G' for GB" if isinstance(size, int) and size else ""),
    matching(
        _EPHEMERAL_SIZE,
        "a volume size: a whole number of Gi (1 to 59000), G (1 to 64000), "
        "Ti (1 to 17, 20 to 27 and so on to 58) or T (1 to 64)",
        lambda size: near_quantity(size, _EPHEMERAL_SIZE) or _in_gibibytes(size) or "1Ti is 1024Gi",
    ),
]

RESERVED_TAG_KEYS = frozenset(
    {
        "eks.amazonaws.com/nodeclass",
        "karpenter.sh/managed-by",
        "karpenter.sh/nodeclaim",
        "karpenter.sh/nodepool",
        "karpenter.sh/provisioner-name",
    }
)
"""Tag keys that Auto Mode writes itself and refuses from a NodeClass."""


class _SelectorTerm(KubeModel):
    tags: Annotated[SelectorTags, Field(max_length=20)] | None = None
    """1 to 20 tags that must all be there; ``*`` stands for any value."""

    def _broken_rules(self) -> Iterator[Problem]:
        fields = sorted(type(self).model_fields)
        used = [name for name in fields if getattr(self, name) is not None]
        if len(used) != 1:
            yield SELECTOR_TERM.problem(
                "",
                worded(
                    "a selector term needs exactly one of {ways}, got {used}",
                    ways=field_names(fields, ", "),
                    used=field_names(used, " and ") or "none",
                ),
                "write a term for each way to select",
            )


class SubnetSelectorTerm(_SelectorTerm):
    """Selects subnets by id (``subnet-...``) or by tags; several terms are ORed, the tags of one term ANDed."""

    id: TokenOr[Annotated[str, matching(r"subnet-[0-9a-z]+", "a subnet id ('subnet-...')")]] | None = None
    """The subnet's id."""


class SecurityGroupSelectorTerm(_SelectorTerm):
    """Selects security groups by id (``sg-...``), by name or by tags; several terms are ORed."""

    id: TokenOr[Annotated[str, matching(r"sg-[0-9a-z]+", "a security group id ('sg-...')")]] | None = None
    """The group's id."""
    name: TokenOr[Annotated[str, Field(min_length=1)]] | None = None
    """The group's name (not its Name tag)."""


class EphemeralStorage(KubeModel):
    """A node's data volume, which holds images, logs and ``emptyDir`` volumes."""

    size: _EphemeralSize | None = None
    """Whole number with ``Gi``, ``G``, ``Ti`` or ``T``, 1Gi to 59000Gi. Below the size of a local NVMe, the NVMe is
    used instead; at or above it, the NVMe is left raw.

    Default: 80Gi, as EKS decides.
    """
    iops: Annotated[int, Field(ge=3000, le=16000)] | None = None
    """3000 to 16000. Default: 3000, as EKS decides."""
    throughput: Annotated[int, Field(ge=125, le=1000)] | None = None
    """MiB/s, 125 to 1000. Default: 125, as EKS decides."""
    kms_key_id: TokenOr[str] | None = Field(default=None, validation_alias="kmsKeyID", serialization_alias="kmsKeyID")
    """Key id, key ARN, alias or alias ARN of a symmetric key; it encrypts the root volume too.

    Default: not set; EKS encrypts the volumes with the account's EBS key.
    """


_RoleName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_+=,.@-]{1,64}",
        "the name of a role (1 to 64 letters, digits, '_+=,.@-')",
        "give the name, not the ARN or the path",
    ),
]
_ProfileName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_+=,.@-]{1,128}",
        "the name of an instance profile (1 to 128 letters, digits, '_+=,.@-')",
        "give the name, not the ARN or the path",
    ),
]
_SubnetTerms = Annotated[ListOf[SubnetSelectorTerm], Field(min_length=1, max_length=30)]
_SecurityGroupTerms = Annotated[ListOf[SecurityGroupSelectorTerm], Field(min_length=1, max_length=30)]


class NodeClassFields(TypedDict, total=False):
    """The fields of ``NodeClassSpec`` as keywords, of which any may be missing."""

    role: str | None
    instance_profile: str | None
    subnet_selector_terms: Sequence[SubnetSelectorTerm] | None
    security_group_selector_terms: Sequence[SecurityGroupSelectorTerm] | None
    pod_subnet_selector_terms: Sequence[SubnetSelectorTerm] | None
    pod_security_group_selector_terms: Sequence[SecurityGroupSelectorTerm] | None
    snat_policy: Literal["Random", "Disabled"] | None
    network_policy: Literal["DefaultAllow", "DefaultDeny"] | None
    network_policy_event_logs: Literal["Enabled", "Disabled"] | None
    ephemeral_storage: EphemeralStorage | None
    advanced_networking: AdvancedNetworking | None
    advanced_security: AdvancedSecurity | None
    advanced_compute: AdvancedCompute | None
    certificate_bundles: Sequence[CertificateBundle] | None
    capacity_reservation_selector_terms: Sequence[CapacityReservationSelectorTerm] | None
    placement_group_selector: PlacementGroupSelector | None
    tags: Mapping[str, str] | None


class NodeClassSpec(KubeModel):
    """A NodeClass: role, network, storage and tags of Auto Mode's nodes.

    Holds only what was set. ``ClusterValues.node_class_spec`` makes one that fits a cluster.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS"; CRD ``nodeclasses.eks.amazonaws.com``.
    """

    wrong_names: ClassVar[Mapping[str, str]] = {
        "amiFamily": "Auto Mode chooses the image: remove it",
        "amiSelectorTerms": "Auto Mode chooses the image: remove it",
        "blockDeviceMappings": "write 'ephemeralStorage'",
        "context": "Auto Mode has no such setting: remove it",
        "detailedMonitoring": "Auto Mode has no such setting: remove it",
        "instanceStorePolicy": "Auto Mode decides by 'ephemeralStorage.size': remove it",
        "metadataOptions": "Auto Mode fixes IMDSv2 with one hop: remove it",
        "userData": "Auto Mode takes none: see 'advancedCompute'",
        **{
            name: f"it belongs to a NodePool: write it in its {place}"
            for place, names in {
                "spec": ("disruption", "limits", "replicas", "template", "weight"),
                "spec.disruption": ("budgets", "consolidateAfter", "consolidationPolicy"),
                "spec.template.metadata": ("annotations", "labels"),
                "spec.template.spec": (
                    *("expireAfter", "nodeClassRef", "requirements", "startupTaints", "taints"),
                    "terminationGracePeriod",
                ),
            }.items()
            for name in names
        },
    }

    role: TokenOr[_RoleName] | None = None
    """Name (not ARN) of the nodes' IAM role, at most 64 characters. Exactly one of ``role`` and
    ``instance_profile``. The role needs an EC2 access entry on the cluster; ``NodeRole`` makes both. The CRD of
    February 2025 does not let it change: a class with another role is best a new class."""
    instance_profile: TokenOr[_ProfileName] | None = None
    """Name of an instance profile, in place of ``role``; the access entry belongs to the role inside it."""
    subnet_selector_terms: _SubnetTerms
    """The nodes' subnets, 1 to 30 terms."""
    security_group_selector_terms: _SecurityGroupTerms
    """The nodes' security groups, 1 to 30 terms."""
    pod_subnet_selector_terms: _SubnetTerms | None = None
    """The pods' subnets, in the zones of the nodes' subnets; only together with ``pod_security_group_selector_terms``.

    Default: not set; pods share the nodes' subnets, as EKS decides.
    """
    pod_security_group_selector_terms: _SecurityGroupTerms | None = None
    """The pods' security groups; only together with ``pod_subnet_selector_terms``."""
    snat_policy: Literal["Random", "Disabled"] | None = None
    """Whether pod traffic that leaves the VPC takes the node's address. Default: ``Random``, as EKS decides."""
    network_policy: Literal["DefaultAllow", "DefaultDeny"] | None = None
    """What applies to pods without a network policy. Default: ``DefaultAllow``, as EKS decides."""
    network_policy_event_logs: Literal["Enabled", "Disabled"] | None = None
    """Whether nodes log network-policy events to a local file. Default: ``Disabled``, as EKS decides."""
    ephemeral_storage: EphemeralStorage | None = None
    """The nodes' data volume. Default: 80Gi, 3000 IOPS, 125 MiB/s, as EKS decides."""
    advanced_networking: AdvancedNetworking | None = None
    """Proxy, public address, pod addresses and static interfaces. Default: as EKS decides."""
    advanced_security: AdvancedSecurity | None = None
    """FIPS images and kernel lockdown. Default: as EKS decides."""
    advanced_compute: AdvancedCompute | None = None
    """Hugepages, kubelet and kernel parameters. Default: as EKS decides."""
    certificate_bundles: ListOf[CertificateBundle] | None = None
    """Authorities that nodes trust in addition to the public ones. Default: none."""
    capacity_reservation_selector_terms: ListOf[CapacityReservationSelectorTerm] | None = None
    """Capacity reservations to use first. A pool of the class must admit the capacity type ``reserved``. One class
    with terms turns open matching of reservations off for every class of the cluster.

    Default: none; open reservations may match, as EC2 decides.
    """
    placement_group_selector: PlacementGroupSelector | None = None
    """The placement group of all nodes of the class. Default: none."""
    tags: Mapping[TokenOr[str], TokenOr[str]] | None = None
    """AWS tags of instances, volumes and network interfaces; the cluster role needs ``custom_tags`` for them.

    Default: only EKS's own tags.
    """

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        return (self._identity_problems, self._pod_network_problems, self._tag_problems, self._interface_problems)

    def _identity_problems(self) -> Iterator[Problem]:
        if (self.role is None) == (self.instance_profile is None):
            number = "both" if self.role is not None else "neither"
            yield NODE_IDENTITY.problem(
                "role",
                worded("a NodeClass needs exactly one of 'role' and '{instance_profile}', got {number}", number=number),
            )

    def _pod_network_problems(self) -> Iterator[Problem]:
        if (self.pod_subnet_selector_terms is None) != (self.pod_security_group_selector_terms is None):
            yield POD_NETWORK.problem(
                "pod_subnet_selector_terms",
                worded("'{pod_subnet_selector_terms}' and '{pod_security_group_selector_terms}' must be set together"),
            )

    def _tag_problems(self) -> Iterator[Problem]:
        for key in self.tags or {}:
            if not key or key.startswith(("kubernetes.io/cluster", "aws:")) or key in RESERVED_TAG_KEYS:
                yield RESERVED_TAG.problem("tags", f"the tag key '{key}' is reserved for Auto Mode", "remove it")
            elif key == "eks:eks-cluster-name":
                yield CLUSTER_NAME_TAG.problem(
                    "tags", f"EKS sets the tag '{key}' itself, and may refuse the class", "remove it"
                )

    def _interface_problems(self) -> Iterator[Problem]:
        networking, compute = self.advanced_networking, self.advanced_compute
        interfaces = (networking.network_interfaces if networking is not None else None) or ()
        hugepages = compute.hugepages if compute is not None else None
        if hugepages is not None and hugepages.pages and any(one.interface_type == "efa-only" for one in interfaces):
            yield EFA_WITH_HUGEPAGES.problem(
                "advanced_compute.hugepages.pages",
                "static hugepages and 'efa-only' network interfaces exclude each other",
                "use a NodeClass for each",
            )
        if not interfaces:
            return
        where, of_pods = "advanced_networking.network_interfaces", list(interfaces)
        if self.pod_subnet_selector_terms is not None:
            of_pods = [interface for interface in interfaces if not interface.is_primary]
            for index, interface in enumerate(interfaces):
                if interface.is_primary and interface.pod_addresses:
                    yield PRIMARY_ADDRESSES.problem(
                        f"{where}[{index}]",
                        f"has secondary addresses ({interface.pod_addresses}) of the node's subnet, "
                        "but pods have subnets of their own, so none uses them",
                        "move them to another interface at network card 0",
                    )
        if not any(interface.pod_addresses for interface in of_pods):
            yield POD_ADDRESSES.problem(
                where,
                "no interface has addresses for pods, and none are added later: only pods on the host network start",
                worded("add '{secondary_ipv4_prefix_count}' to an interface at network card 0"),
            )
