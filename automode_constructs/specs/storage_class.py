"""StorageClass (``storage.k8s.io/v1``) for the EBS driver that Auto Mode brings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.model import KubeModel, ListOf, TokenOr, matching

__all__ = ["PROVISIONER", "StorageClassSpec", "StorageParameters", "TopologyLabel", "TopologyTerm"]

PROVISIONER: Final = "ebs.csi.eks.amazonaws.com"
"""Auto Mode's block-storage driver; the EBS CSI add-on's ``ebs.csi.aws.com`` is another one."""


_Digits = Annotated[str, matching(r"[0-9]+", "a whole number written as text ('3000')")]


class StorageParameters(KubeModel):
    """How the driver makes an EBS volume. Kubernetes takes every parameter as text."""

    type: Literal["gp3", "gp2", "io1", "io2", "sc1", "st1", "standard", "sbp1", "sbg1"] | None = None
    """EBS volume type. Default: ``gp3``, as the driver decides."""
    fstype: Literal["ext4", "xfs", "ext2", "ext3"] | None = Field(
        default=None, validation_alias="csi.storage.k8s.io/fstype", serialization_alias="csi.storage.k8s.io/fstype"
    )
    """File system. Default: ``ext4``, as the driver decides."""
    iops: _Digits | None = None
    """Operations per second. Default: the volume type's own."""
    throughput: _Digits | None = None
    """MiB/s, gp3 only. Default: 125, as the driver decides."""
    encrypted: Literal["true", "false"] | None = None
    """Whether volumes are encrypted. Default: ``"false"``, as the driver decides; the construct writes ``"true"``."""
    kms_key_id: TokenOr[str] | None = None
    """ARN of the KMS key, whose policy admits the cluster role. Default: the account's EBS key."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.throughput is not None and self.type not in {None, "gp3"}:
            yield Problem(field="throughput", message=f"only gp3 has a throughput, not {self.type}", cure="remove it")
        if self.kms_key_id is not None and self.encrypted == "false":
            yield Problem(field="kms_key_id", message="a volume that is not encrypted has no key", cure="remove it")


class TopologyLabel(KubeModel):
    """A node label and the values that qualify."""

    key: str
    """Label key."""
    values: ListOf[str]
    """Label values."""


class TopologyTerm(KubeModel):
    """Nodes that a volume may be made for."""

    match_label_expressions: ListOf[TopologyLabel]
    """Labels that must all match."""


class StorageClassSpec(KubeModel):
    """A StorageClass: everything of the object but its metadata.

    ``parameters`` and ``provisioner`` cannot be changed on a class that exists: give the changed class a new name.

    Source: EKS User Guide, "Create a storage class".
    """

    provisioner: Literal["ebs.csi.eks.amazonaws.com"]
    """The driver."""
    parameters: StorageParameters | None = None
    """How volumes are made."""
    reclaim_policy: Literal["Delete", "Retain"] | None = None
    """What happens to the volume when its claim goes. Default: ``Delete``, as Kubernetes decides."""
    volume_binding_mode: Literal["WaitForFirstConsumer", "Immediate"] | None = None
    """When the volume is made. Default: ``Immediate``, as Kubernetes decides; the construct writes
    ``WaitForFirstConsumer``, so that volume and pod share a zone."""
    allow_volume_expansion: bool | None = None
    """Whether claims may grow. Default: false, as Kubernetes decides."""
    mount_options: ListOf[str] | None = None
    """Mount options."""
    allowed_topologies: ListOf[TopologyTerm] | None = None
    """Where volumes may be made. The construct names Auto Mode's nodes, which alone have the driver."""
