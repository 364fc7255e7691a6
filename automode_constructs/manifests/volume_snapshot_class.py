"""VolumeSnapshotClass as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec

__all__ = ["VolumeSnapshotClass"]


class VolumeSnapshotClass(KubernetesObject):
    """A VolumeSnapshotClass for Auto Mode's EBS driver.

    Creates an object of kind ``VolumeSnapshotClass``. The cluster needs the CSI snapshot controller add-on, which
    installs the kind.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the class.
        default_class: whether snapshots without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Source: awsdocs/amazon-eks-user-guide, "Sample workload with storage"; Kubernetes, "Volume Snapshot Classes".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: VolumeSnapshotClassSpec,
        default_class: bool = False,
        name: str | None = None,
    ) -> None:
        self.spec = validated(scope, id, spec)
        super().__init__(
            scope,
            id,
            api_version="snapshot.storage.k8s.io/v1",
            kind="VolumeSnapshotClass",
            name=name,
            body=self.spec.to_manifest(),
            warnings=self.spec.warnings(),
            annotations={"snapshot.storage.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
