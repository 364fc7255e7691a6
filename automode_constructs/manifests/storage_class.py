"""StorageClass as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs import labels
from automode_constructs.specs.storage.storage_class import (
    StorageClassSpec,
    StorageParameters,
    TopologyLabel,
    TopologyTerm,
)

__all__ = ["StorageClass"]


class StorageClass(KubernetesObject):
    """A StorageClass for Auto Mode's EBS driver; a new cluster has none.

    Creates an object of kind ``StorageClass``. Fields that the spec does not set are written as: encrypted, created in
    the zone of the first pod (``WaitForFirstConsumer``), on Auto Mode nodes only. Kubernetes refuses changes to
    ``provisioner``, ``parameters``, ``reclaimPolicy`` and ``volumeBindingMode`` of an existing class: a changed class
    needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the class.
        default_class: whether claims without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Create a storage class".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: StorageClassSpec,
        default_class: bool = False,
        name: str | None = None,
    ) -> None:
        spec = validated(scope, id, spec)
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
            warnings=self.spec.warnings(),
            annotations={"storageclass.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
