"""StorageClass as a cdk8s construct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs import labels
from automode_constructs.specs.storage.storage_class import (
    PROVISIONER,
    StorageClassSpec,
    StorageParameters,
    TopologyLabel,
    TopologyTerm,
)

__all__ = ["StorageClass"]


FIELDS = {
    **fields_at("parameters", StorageParameters),
    **fields_at("", StorageClassSpec, but=["provisioner"]),
}
"""The fields of the spec that are keywords of ``StorageClass``, each with its path in the spec."""


class StorageClassFields(TypedDict, total=False):
    """The keywords of ``StorageClass`` that are fields of its spec; its docstring describes them."""

    type: Literal["gp3", "gp2", "io1", "io2", "sc1", "st1", "standard", "sbp1", "sbg1"] | None
    fstype: Literal["ext4", "xfs", "ext2", "ext3"] | None
    iops: str | None
    iops_per_gb: str | None
    allow_auto_iops_per_gb_increase: Literal["true", "false"] | None
    throughput: str | None
    encrypted: Literal["true", "false"] | None
    kms_key_id: str | None
    block_express: Literal["true", "false"] | None
    block_size: str | None
    inode_size: str | None
    bytes_per_inode: str | None
    number_of_inodes: str | None
    ext4_big_alloc: Literal["true", "false"] | None
    ext4_cluster_size: str | None
    parameters: StorageParameters | None
    reclaim_policy: Literal["Delete", "Retain"] | None
    volume_binding_mode: Literal["WaitForFirstConsumer", "Immediate"] | None
    allow_volume_expansion: bool | None
    mount_options: Sequence[str] | None
    allowed_topologies: Sequence[TopologyTerm] | None


class StorageClass(KubernetesObject):
    """A StorageClass for Auto Mode's EBS driver; a new cluster has none.

    Creates an object of kind ``StorageClass``. Give its fields as keywords, in ``spec``, or partly in each. Fields that
    are not set are written as: encrypted, created in the zone of the first pod (``WaitForFirstConsumer``), on Auto Mode
    nodes only. Kubernetes refuses changes to ``provisioner``, ``parameters``, ``reclaimPolicy`` and
    ``volumeBindingMode`` of an existing class: a changed class needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        type: EBS volume type. Default: ``gp3``, as the driver decides.
        fstype: file system. Default: ``ext4``, as the driver decides.
        iops: operations per second, as text. Default: the volume type's own.
        iops_per_gb: operations per second and GiB, as text, for io1 and io2; instead of ``iops``.
        allow_auto_iops_per_gb_increase: whether the driver raises IOPS if ``iops_per_gb`` gives too few. Default:
            ``"false"``, as the driver decides.
        throughput: MiB/s, as text, for gp3. Default: 125, as the driver decides.
        encrypted: whether volumes are encrypted. Default: ``"true"``; we decide.
        kms_key_id: ARN of the KMS key. Default: the account's EBS key.
        block_express: whether io2 volumes use Block Express. Default: ``"false"``, as the driver decides.
        block_size: block size of the file system in bytes, as text. Default: the file system's own.
        inode_size: size of an inode in bytes, as text. Default: the file system's own.
        bytes_per_inode: bytes of volume for each inode, as text, for ext. Default: the file system's own.
        number_of_inodes: number of inodes, as text, for ext. Default: the file system's own.
        ext4_big_alloc: whether ext4 allocates clusters of blocks. Default: ``"false"``, as the driver decides.
        ext4_cluster_size: size of such a cluster in bytes, as text.
        parameters: instead of the keywords before it, what they hold as one value, which can also have tags. Default:
            none; the keywords give all of it.
        reclaim_policy: what happens to a volume when its claim is deleted. Default: ``Delete``, as Kubernetes decides.
        volume_binding_mode: when a volume is created. Default: ``WaitForFirstConsumer``; we decide.
        allow_volume_expansion: whether claims may grow. Default: False, as Kubernetes decides.
        mount_options: mount options. Default: none.
        allowed_topologies: where volumes may be created. Default: on Auto Mode nodes; we decide.
        spec: the class in the manifest's form. Default: none; the keywords give all fields.
        default_class: whether claims without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``StorageClassSpec`` refuses.

    Source: EKS User Guide, "Create a storage class".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: StorageClassSpec | None = None,
        default_class: bool = False,
        name: str | None = None,
        **fields: Unpack[StorageClassFields],
    ) -> None:
        flat = FlatFields(place(scope, id), StorageClassSpec, FIELDS, spec, fields)
        spec = flat.merged(constants={"provisioner": PROVISIONER})
        parameters = spec.parameters or StorageParameters()
        auto_nodes = TopologyTerm(match_label_expressions=[TopologyLabel(key=labels.COMPUTE_TYPE, values=["auto"])])
        self.spec = spec.replace(
            parameters=parameters.replace(encrypted=parameters.encrypted or "true"),
            volume_binding_mode=spec.volume_binding_mode or "WaitForFirstConsumer",
            allowed_topologies=spec.allowed_topologies or (auto_nodes,),
        )
        super().__init__(
            scope,
            id,
            api_version="storage.k8s.io/v1",
            kind="StorageClass",
            name=name,
            body=self.spec.to_manifest(),
            warnings=flat.as_given(self.spec.warnings()),
            annotations={"storageclass.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
