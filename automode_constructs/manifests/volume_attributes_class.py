"""VolumeAttributesClass as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributesClassSpec

__all__ = ["VolumeAttributesClass"]


class VolumeAttributesClass(KubernetesObject):
    """A VolumeAttributesClass: the attributes applied to the EBS volume of a claim that names it.

    Creates an object of kind ``VolumeAttributesClass``. Needs Kubernetes 1.34. Kubernetes refuses changes to
    ``driverName`` and ``parameters`` of an existing class: a changed class needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the class.
        name: the class's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Create a storage class".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, spec: VolumeAttributesClassSpec, name: str | None = None) -> None:
        self.spec = validated(scope, id, spec)
        super().__init__(
            scope,
            id,
            api_version="storage.k8s.io/v1",
            kind="VolumeAttributesClass",
            name=name,
            body=self.spec.to_manifest(),
            warnings=self.spec.warnings(),
        )
