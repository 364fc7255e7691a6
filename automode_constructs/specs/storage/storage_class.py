"""StorageClass (``storage.k8s.io/v1``) for the EBS driver that Auto Mode brings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field

from automode_constructs.errors import Problem, did_you_mean, shown
from automode_constructs.specs.fields import VALUE, Digits, LabelKey, ListOf, TokenOr, renamed
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.messages import NOT_A_FIELD, UNKNOWN_FIELD
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import worded
from automode_constructs.tokens import is_token

__all__ = ["PROVISIONER", "StorageClassSpec", "StorageParameters", "TopologyLabel", "TopologyTerm"]

PROVISIONER: Final = "ebs.csi.eks.amazonaws.com"
"""Auto Mode's block-storage driver; the EBS CSI add-on's ``ebs.csi.aws.com`` is another one."""

_STORAGE_PAGE = "EKS User Guide, 'Create a storage class'"

STORAGE_THROUGHPUT = rule(
    "automode:StorageThroughput",
    "StorageClass",
    "VolumeAttributesClass",
    severity="error",
    sentence="Only gp3 volumes have a throughput.",
    source=_STORAGE_PAGE,
)
STORAGE_KEY = rule(
    "automode:StorageKey",
    "StorageClass",
    severity="error",
    sentence="A class with a KMS key does not say that its volumes are not encrypted.",
    source=_STORAGE_PAGE,
    stricter="The driver may encrypt all the same; the two contradict each other.",
)
STORAGE_KEY_ARN = rule(
    "automode:StorageKeyArn",
    "StorageClass",
    severity="warning",
    sentence="A KMS key is named by its full ARN.",
    source=_STORAGE_PAGE,
)
STORAGE_IOPS = rule(
    "automode:StorageIops",
    "StorageClass",
    severity="warning",
    sentence="io1 and io2 take exactly one of iops and iopsPerGB, gp3 takes iops, the other types of EBS neither.",
    source="EBS API reference, CreateVolume; kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md",
)
STORAGE_TAG = rule(
    "automode:StorageTag",
    "StorageClass",
    severity="error",
    sentence="A tagSpecification parameter holds key=value, with a key that does not begin with aws:.",
    source="kubernetes-sigs/aws-ebs-csi-driver, docs/tagging.md; aws-samples/sample-aws-eks-auto-mode",
)
VOLUME_BINDING = rule(
    "automode:VolumeBinding",
    "StorageClass",
    severity="warning",
    sentence="Volumes are made when their first pod is placed (WaitForFirstConsumer), so that both share a zone.",
    source=_STORAGE_PAGE,
)

STORAGE_PARAMETER_NAME = rule(
    "automode:StorageParameterName",
    "StorageClass",
    severity="warning",
    sentence="Parameters have their present names in the documented case; the driver reads others too.",
    source="kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md and CreateVolume in pkg/driver/controller.go",
)

STORAGE_BOUNDS = rule(
    "automode:StorageBounds",
    "StorageClass",
    "VolumeAttributesClass",
    severity="warning",
    sentence="A volume has at least the IOPS and the throughput that EBS gives its type.",
    source="EBS API reference, CreateVolume; Amazon EBS User Guide, 'Amazon EBS volume types'",
)
STORAGE_FORMAT = rule(
    "automode:StorageFormat",
    "StorageClass",
    severity="warning",
    sentence="Parameters of the file system are those of its kind: of inodes' number ext only, of clusters ext4 only.",
    source="kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md",
)
DEFAULT_CLASS = rule(
    "automode:DefaultClass",
    "IngressClass",
    "StorageClass",
    severity="warning",
    sentence="What marks a class as the default is the text 'true', in lower case.",
    source="Kubernetes, 'Default StorageClass' and 'Default IngressClass'",
)

_Flag = Literal["true", "false"]
_LEAST_IOPS = {"gp3": 3000, "io1": 100, "io2": 100}
_LEAST_THROUGHPUT = 125


def bounds_problems(volume: str | None, iops: str | None, throughput: str | None) -> Iterator[Problem]:
    """Numbers that are too small for a volume of a type; of an unknown type, those that are for any."""
    for field, text, least in (
        ("iops", iops, _LEAST_IOPS.get(volume, 0) if volume else min(_LEAST_IOPS.values())),
        ("throughput", throughput, _LEAST_THROUGHPUT),
    ):
        if text is not None and not is_token(text) and len(text.lstrip("0")) <= len(str(least)) and int(text) < least:
            whose = f"a volume of {volume}" if volume else "a volume"
            yield STORAGE_BOUNDS.problem(
                field,
                f"{whose} has at least {least}, so EBS refuses {shown(text)}, and no volume is made or changed",
                f"write '{least}' or more",
            )


def default_class_problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    """A mark of a default class that Kubernetes does not read as one."""
    for kind in ("storageclass", "ingressclass"):
        name = f"{kind}.kubernetes.io/is-default-class"
        text = mapping_at(metadata, "annotations").get(name)
        if isinstance(text, str) and text not in ("true", "false") and not is_token(text):
            yield DEFAULT_CLASS.problem(
                f"annotations[{shown(name)}]",
                f"{shown(text)} is not 'true', so it is no default",
                "write 'true'",
            )


# Those of csi.storage.k8s.io are Kubernetes' own, whose provisioner refuses any other name there.
# Source: kubernetes-csi/external-provisioner, pkg/controller/controller.go.
_EXTRA_KEY = re.compile(
    r"tagSpecification_\w+|csi\.storage\.k8s\.io/"
    r"(provisioner|controller-publish|controller-expand|node-stage|node-publish|node-expand)-secret-(name|namespace)"
)


def _present_name(name: str, known: Sequence[str]) -> str:
    """The documented name of a parameter that the driver reads by another one; ``""`` if it reads no such name."""
    if name.lower() == "fstype":
        return "csi.storage.k8s.io/fstype"
    by_lower = {each.lower(): each for each in known if "/" not in each}
    present = by_lower.get(name.lower(), "")
    return "" if present == name else present


_EXT = ("ext2", "ext3", "ext4")
_FORMATS = {
    "bytes_per_inode": _EXT,
    "number_of_inodes": _EXT,
    "ext4_big_alloc": ("ext4",),
    "ext4_cluster_size": ("ext4",),
}


class StorageParameters(KubeModel):
    """How the driver makes an EBS volume. Kubernetes takes every parameter as text.

    Tags (``tagSpecification_1`` and so on) are read and kept; in Python ``with_tags`` gives them.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "additionalProperties": False,
            "patternProperties": {r"^(tagSpecification_|csi\.storage\.k8s\.io/)": {"type": "string"}},
        },
    )

    type: Literal["gp3", "gp2", "io1", "io2", "sc1", "st1", "standard", "sbp1", "sbg1"] | None = None
    """EBS volume type. Default: ``gp3``, as the driver decides."""
    fstype: Literal["ext4", "xfs", "ext2", "ext3"] | None = Field(
        default=None, validation_alias="csi.storage.k8s.io/fstype", serialization_alias="csi.storage.k8s.io/fstype"
    )
    """File system. Default: ``ext4``, as the driver decides."""
    iops: Digits | None = None
    """Operations per second. Default: the volume type's own."""
    iops_per_gb: Digits | None = Field(default=None, validation_alias="iopsPerGB", serialization_alias="iopsPerGB")
    """Operations per second and GiB, io1 and io2 only, in place of ``iops``."""
    allow_auto_iops_per_gb_increase: _Flag | None = Field(
        default=None,
        validation_alias="allowAutoIOPSPerGBIncrease",
        serialization_alias="allowAutoIOPSPerGBIncrease",
    )
    """Whether the driver raises IOPS where ``iops_per_gb`` gives too few. Default: ``"false"``, as the driver
    decides."""
    throughput: Digits | None = None
    """MiB/s, gp3 only. Default: 125, as the driver decides."""
    encrypted: _Flag | None = None
    """Whether volumes are encrypted. Default: ``"false"``, as the driver decides; the construct writes ``"true"``."""
    kms_key_id: TokenOr[str] | None = None
    """ARN of the KMS key, whose policy admits the cluster role. Default: the account's EBS key."""
    block_express: _Flag | None = None
    """Whether io2 volumes are made with Block Express. Default: ``"false"``, as the driver decides."""
    block_size: Digits | None = None
    """Block size of the file system, in bytes. Default: the file system's own."""
    inode_size: Digits | None = None
    """Size of an inode, in bytes. Default: the file system's own."""
    bytes_per_inode: Digits | None = None
    """Bytes of volume for each inode, ext only. Default: the file system's own."""
    number_of_inodes: Digits | None = None
    """Number of inodes, ext only. Default: the file system's own."""
    ext4_big_alloc: _Flag | None = None
    """Whether ext4 allocates clusters of blocks. Default: ``"false"``, as the driver decides."""
    ext4_cluster_size: Digits | None = None
    """Size of such a cluster, in bytes."""

    def with_tags(self, tags: Mapping[str, TokenOr[str]]) -> Self:
        """The same parameters, with AWS tags for the volumes; the cluster role needs ``custom_tags`` for them.

        Args:
            tags: tag keys and values; values may be CDK tokens.

        Raises:
            AutoModeError: for a key that no tag may have.
        """
        parameters = self.to_manifest()
        numbers = [
            int(name.rpartition("_")[2]) for name in parameters if re.fullmatch(r"tagSpecification_[0-9]{1,9}", name)
        ]
        first = max(numbers, default=0) + 1
        added = {
            f"tagSpecification_{number}": f"{key}={value}" for number, (key, value) in enumerate(tags.items(), first)
        }
        return type(self).from_manifest({**parameters, **added})

    def _broken_rules(self) -> Iterator[Problem]:
        if self.throughput is not None and self.type not in {None, "gp3"}:
            yield STORAGE_THROUGHPUT.problem("throughput", f"only gp3 has a throughput, not {self.type}", "remove it")
        if self.kms_key_id is not None and self.encrypted == "false":
            yield STORAGE_KEY.problem("kms_key_id", "a volume that is not encrypted has no key", "remove it")
        if self.kms_key_id is not None and not is_token(self.kms_key_id) and not self.kms_key_id.startswith("arn:"):
            yield STORAGE_KEY_ARN.problem(
                "kms_key_id",
                f"{shown(self.kms_key_id)} is not an ARN, which the driver asks for, so it may make no volume",
                "write the key's full ARN",
            )
        yield from self._iops_problems()
        yield from bounds_problems(self.type or "gp3", self.iops, self.throughput)
        yield from self._format_problems()
        known = {field.serialization_alias: name for name, field in type(self).model_fields.items()}
        for written, value in (self.model_extra or {}).items():
            name = written.removesuffix(NOT_A_FIELD)
            where = f"[{shown(name)}]"
            present = _present_name(name, [alias or "" for alias in known])
            if present and name == written:
                yield from self._renamed_problems(name, present, value)
            elif name in known or not _EXTRA_KEY.fullmatch(name):
                names = [alias or "" for alias in known]
                cure = f"write {known[name]}" if name in known else did_you_mean(name, names, edits="key")
                yield UNKNOWN_FIELD.problem(where, "is not a known field", cure)
            elif not isinstance(value, str):
                yield VALUE.problem(where, f"needs a text, got {shown(value)}")
            elif (
                name.startswith("tagSpecification_") and not is_token(value) and not re.match(r"(?!aws:)[^=]+=", value)
            ):
                yield STORAGE_TAG.problem(where, f"{shown(value)} is not a tag", "write key=value")

    def _renamed_problems(self, name: str, present: str, value: object) -> Iterator[Problem]:
        where = f"[{shown(name)}]"
        why = "is the old name of a parameter" if name.lower() == "fstype" else "is not spelt as documented"
        others = {field.serialization_alias: getattr(self, each) for each, field in type(self).model_fields.items()}
        # With both names there, one has to go, and nobody but the author knows which.
        cure = renamed(present) if others[present] is None else f"write {present}"
        yield STORAGE_PARAMETER_NAME.problem(where, f"{why}, which a later driver may refuse", cure)
        if others[present] is not None:
            yield STORAGE_PARAMETER_NAME.problem(
                where, f"is the same parameter as {present}, and which of the two counts is not known", "remove one"
            )
        _, problems = type(self).read({present: value})
        for problem in problems:
            if problem.rule == VALUE.id:
                yield replace(problem, field=where)

    def _format_problems(self) -> Iterator[Problem]:
        system = self.fstype or "ext4"
        for field, systems in _FORMATS.items():
            if getattr(self, field) not in (None, "false") and system not in systems:
                yield STORAGE_FORMAT.problem(field, f"is refused for {system}, so no volume is made", "remove it")
        if self.ext4_cluster_size is not None and self.ext4_big_alloc != "true":
            message = worded("needs {ext4_big_alloc} 'true', so no volume is made")
            yield STORAGE_FORMAT.problem("ext4_cluster_size", message, worded("set {ext4_big_alloc}, or remove it"))

    def _iops_problems(self) -> Iterator[Problem]:
        volume = self.type or "gp3"
        if volume in {"io1", "io2"} and (self.iops is None) == (self.iops_per_gb is None):
            number = "neither" if self.iops is None else "both"
            message = worded(
                "{volume} needs one of 'iops' and '{iops_per_gb}', got {number}, so no volume is made",
                volume=volume,
                number=number,
            )
            yield STORAGE_IOPS.problem("iops", message)
        elif volume in {"gp2", "sc1", "st1", "standard"} and self.iops is not None:
            yield STORAGE_IOPS.problem("iops", f"{volume} has no IOPS to set, so they have no effect", "remove it")
        if volume not in {"io1", "io2"} and self.iops_per_gb is not None:
            yield STORAGE_IOPS.problem(
                "iops_per_gb",
                f"only io1 and io2 have IOPS per GiB, not {volume}, so they may have no effect",
                "use iops",
            )


class TopologyLabel(KubeModel):
    """A node label and the values that qualify."""

    key: LabelKey
    """Label key."""
    values: Annotated[ListOf[str], Field(min_length=1)]
    """Label values, at least one."""


class TopologyTerm(KubeModel):
    """Nodes that a volume may be made for."""

    match_label_expressions: ListOf[TopologyLabel] | None = None
    """Labels that must all match."""


class StorageClassSpec(KubeModel):
    """A StorageClass: the whole object except its metadata.

    ``parameters`` and ``provisioner`` cannot be changed on a class that exists: give the changed class a new name.

    Source: EKS User Guide, "Create a storage class".
    """

    provisioner: Literal["ebs.csi.eks.amazonaws.com"]
    """The driver."""
    parameters: StorageParameters | None = None
    """How volumes are made."""
    reclaim_policy: Literal["Delete", "Retain"] | None = None
    """What happens to the volume when its claim is deleted. Default: ``Delete``, as Kubernetes decides."""
    volume_binding_mode: Literal["WaitForFirstConsumer", "Immediate"] | None = None
    """When the volume is made. Default: ``Immediate``, as Kubernetes decides; the construct writes
    ``WaitForFirstConsumer``, so that volume and pod share a zone."""
    allow_volume_expansion: bool | None = None
    """Whether claims may grow. Default: false, as Kubernetes decides."""
    mount_options: ListOf[str] | None = None
    """Mount options."""
    allowed_topologies: ListOf[TopologyTerm] | None = None
    """Where volumes may be made. The construct names Auto Mode's nodes, which alone have the driver."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.volume_binding_mode != "WaitForFirstConsumer":
            state = "is not set, which means Immediate" if self.volume_binding_mode is None else "is Immediate"
            yield VOLUME_BINDING.problem(
                "volume_binding_mode",
                f"{state}, so a volume is made before its pod has a node, in a zone where that may never run",
                "write WaitForFirstConsumer",
            )
