"""VolumeSnapshotClass (``snapshot.storage.k8s.io/v1``) for the EBS driver that Auto Mode brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from automode_constructs.specs.fields import TokenOr
from automode_constructs.specs.model import KubeModel

__all__ = ["VolumeSnapshotClassSpec"]


class VolumeSnapshotClassSpec(KubeModel):
    """A VolumeSnapshotClass: the whole object except its metadata.

    The cluster needs the CSI snapshot controller add-on, which brings this kind; it may run on pool ``system``.

    Source: awsdocs/amazon-eks-user-guide, "Sample workload with storage".
    """

    driver: Literal["ebs.csi.eks.amazonaws.com"]
    """The driver."""
    deletion_policy: Literal["Delete", "Retain"]
    """What happens to the snapshot when its VolumeSnapshot is deleted."""
    parameters: Mapping[str, TokenOr[str]] | None = None
    """The driver's parameters, all texts."""
