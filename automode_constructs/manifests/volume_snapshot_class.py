"""VolumeSnapshotClass as a cdk8s construct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.storage.storage_class import PROVISIONER
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec

__all__ = ["VolumeSnapshotClass"]


FIELDS = fields_at("", VolumeSnapshotClassSpec, but=["driver"])
"""The fields of the spec that are keywords of ``VolumeSnapshotClass``, each with its path in the spec."""


class VolumeSnapshotClassFields(TypedDict, total=False):
    """The keywords of ``VolumeSnapshotClass`` that are fields of its spec; its docstring describes them."""

    deletion_policy: Literal["Delete", "Retain"] | None
    parameters: Mapping[str, str] | None


class VolumeSnapshotClass(KubernetesObject):
    """A VolumeSnapshotClass for Auto Mode's EBS driver.

    Creates an object of kind ``VolumeSnapshotClass``. Give its fields as keywords, in ``spec``, or partly in each. The
    cluster needs the CSI snapshot controller add-on, which installs the kind.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        deletion_policy: what happens to a snapshot when its VolumeSnapshot is deleted; must be given unless ``spec``
            is.
        parameters: the driver's parameters, all texts. Default: none.
        spec: the class in the manifest's form. Default: none; the keywords give all fields.
        default_class: whether snapshots without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``VolumeSnapshotClassSpec`` refuses.

    Source: awsdocs/amazon-eks-user-guide, "Sample workload with storage"; Kubernetes, "Volume Snapshot Classes".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: VolumeSnapshotClassSpec | None = None,
        default_class: bool = False,
        name: str | None = None,
        **fields: Unpack[VolumeSnapshotClassFields],
    ) -> None:
        flat = FlatFields(place(scope, id), VolumeSnapshotClassSpec, FIELDS, spec, fields)
        self.spec = flat.merged(constants={"driver": PROVISIONER})
        super().__init__(
            scope,
            id,
            api_version="snapshot.storage.k8s.io/v1",
            kind="VolumeSnapshotClass",
            name=name,
            body=self.spec.to_manifest(),
            warnings=flat.as_given(self.spec.warnings()),
            annotations={"snapshot.storage.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
