"""VolumeAttributesClass (``storage.k8s.io/v1``), and the claim annotations that it replaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import Digits
from automode_constructs.specs.free_body import FreeBody, mapping_at
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.storage.storage_class import PROVISIONER, STORAGE_THROUGHPUT, bounds_problems

__all__ = [
    "PersistentVolumeClaimSpec",
    "VolumeAttributes",
    "VolumeAttributesClassSpec",
    "claim_annotation_problems",
    "has_modifier_annotations",
]

VOLUME_MODIFIER_ANNOTATION = rule(
    "automode:VolumeModifierAnnotation",
    "PersistentVolumeClaim",
    severity="warning",
    sentence="A VolumeAttributesClass changes volumes; annotations are not honoured after 31 October 2026.",
    source="EKS Auto Mode release notes, 14 September 2026",
)

_MODIFIERS = tuple(f"{PROVISIONER}/{name}" for name in ("volumeType", "iops", "throughput"))


class VolumeAttributes(KubeModel):
    """What a volume is changed to. Kubernetes takes every parameter as text."""

    type: Literal["gp3", "gp2", "io1", "io2", "sc1", "st1", "standard", "sbp1", "sbg1"] | None = None
    """EBS volume type. Default: unchanged."""
    iops: Digits | None = None
    """Operations per second. Default: unchanged."""
    throughput: Digits | None = None
    """MiB/s, gp3 only. Default: unchanged."""

    wrong_names: ClassVar = {"volumeType": "write type, its present name"}

    def _broken_rules(self) -> Iterator[Problem]:
        if self.throughput is not None and self.type not in {None, "gp3"}:
            yield STORAGE_THROUGHPUT.problem("throughput", f"only gp3 has a throughput, not {self.type}", "remove it")
        yield from bounds_problems(self.type, self.iops, self.throughput)


class VolumeAttributesClassSpec(KubeModel):
    """A VolumeAttributesClass: the whole object except its metadata. Needs Kubernetes 1.34.

    It cannot be changed once it exists: give the changed class a new name.

    Source: EKS User Guide, "Create a storage class".
    """

    driver_name: Literal["ebs.csi.eks.amazonaws.com"]
    """The driver."""
    parameters: VolumeAttributes
    """What volumes are changed to."""


class PersistentVolumeClaimSpec(FreeBody):
    """The body of a claim, which passes unchecked; only the annotations are checked."""


def claim_annotation_problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    """The annotations of a claim that Auto Mode's driver no longer reads."""
    for name in mapping_at(metadata, "annotations"):
        if name in _MODIFIERS:
            yield VOLUME_MODIFIER_ANNOTATION.problem(
                f"annotations[{shown(name)}]",
                "is not honoured after 31 October 2026",
                "name a VolumeAttributesClass in spec.volumeAttributesClassName",
            )


def has_modifier_annotations(document: Mapping[str, Any]) -> bool:
    """Whether a claim has such annotations."""
    return any(name in _MODIFIERS for name in mapping_at(document, "metadata", "annotations"))
