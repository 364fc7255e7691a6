"""NodeClass (``eks.amazonaws.com/v1``): the AWS side of Auto Mode's nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.model import KubeModel, ListOf, TokenOr, matching

__all__ = [
    "EphemeralStorage",
    "NodeClassSpec",
    "SecurityGroupSelectorTerm",
    "SubnetSelectorTerm",
]

# The CRD's own bounds, with a slip of its pattern: it refuses 18Ti, 19Ti, 28Ti ... and 49Ti, and so must we.
_EphemeralSize = Annotated[
    str,
    matching(
        r"([1-9][0-9]{0,3}|[1-4][0-9]{4}|5[0-8][0-9]{3}|59000)Gi|([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-3][0-9]{3}|64000)G"
        r"|([1-9]|[1-5][0-7]|58)Ti|([1-9]|[1-5][0-9]|6[0-4])T",
        "a volume size: a whole number of Gi (1 to 59000), G (1 to 64000), "
        "Ti (1 to 17, 20 to 27 and so on to 58) or T (1 to 64)",
        "1Ti is 1024Gi",
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

_SelectorTags = Annotated[Mapping[TokenOr[str], TokenOr[str]], Field(min_length=1, max_length=20)]


class _SelectorTerm(KubeModel):
    tags: _SelectorTags | None = None
    """1 to 20 tags that must all be there; ``*`` stands for any value."""

    def _broken_rules(self) -> Iterator[Problem]:
        fields = sorted(type(self).model_fields)
        given = [name for name in fields if getattr(self, name) is not None]
        if len(given) != 1:
            ways = ", ".join(f"'{name}'" for name in fields)
            got = " and ".join(f"'{name}'" for name in given) or "none"
            yield Problem(
                field="",
                message=f"a selector term needs exactly one of {ways}, got {got}",
                cure="write a term for each way to select",
            )
        if any(not key or not value for key, value in (self.tags or {}).items()):
            yield Problem(
                field="tags",
                message="an empty tag key or value selects nothing",
                cure="use '*' for any value of a key",
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
    """The data volume of a node, where images, logs and ``emptyDir`` volumes live."""

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


class NodeClassSpec(KubeModel):
    """A NodeClass: role, network, storage and tags of Auto Mode's nodes.

    Holds what was set and nothing else. ``ClusterValues.node_class_spec`` makes one that fits a cluster.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS"; CRD ``nodeclasses.eks.amazonaws.com``.
    """

    role: TokenOr[_RoleName] | None = None
    """Name (not ARN) of the nodes' IAM role, at most 64 characters. Exactly one of ``role`` and
    ``instance_profile``. The role needs an EC2 access entry on the cluster; ``NodeRole`` makes both."""
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
    """What holds for pods without a network policy. Default: ``DefaultAllow``, as EKS decides."""
    network_policy_event_logs: Literal["Enabled", "Disabled"] | None = None
    """Whether nodes log network-policy events to a file of theirs. Default: ``Disabled``, as EKS decides."""
    ephemeral_storage: EphemeralStorage | None = None
    """The nodes' data volume. Default: 80Gi, 3000 IOPS, 125 MiB/s, as EKS decides."""
    tags: Mapping[TokenOr[str], TokenOr[str]] | None = None
    """AWS tags of instances, volumes and network interfaces; the cluster role needs ``custom_tags`` for them.

    Default: only EKS's own tags.
    """

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.role is None) == (self.instance_profile is None):
            got = "both" if self.role is not None else "neither"
            yield Problem(
                field="role", message=f"a NodeClass needs exactly one of 'role' and 'instance_profile', got {got}"
            )
        if (self.pod_subnet_selector_terms is None) != (self.pod_security_group_selector_terms is None):
            yield Problem(
                field="pod_subnet_selector_terms",
                message="'pod_subnet_selector_terms' and 'pod_security_group_selector_terms' must be set together",
            )
        for key in self.tags or {}:
            if not key or key.startswith("kubernetes.io/cluster") or key in RESERVED_TAG_KEYS:
                yield Problem(field="tags", message=f"the tag key '{key}' is reserved for Auto Mode", cure="remove it")
