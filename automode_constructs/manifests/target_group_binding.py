"""TargetGroupBinding as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs.traffic.target_group_binding import TargetGroupBindingSpec

__all__ = ["TargetGroupBinding"]


class TargetGroupBinding(KubernetesObject):
    """Registers the pods or nodes of a Service in an existing target group.

    Creates an object of kind ``TargetGroupBinding`` in the chart's namespace, which must be the Service's. The target
    group needs the tag ``eks:eks-cluster-name`` with the cluster's name. **Deleting the binding, or the cluster,
    deletes the target group.**

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the binding.
        name: the binding's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Use Service Annotations to configure Network Load Balancers".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, spec: TargetGroupBindingSpec, name: str | None = None) -> None:
        self.spec = validated(scope, id, spec)
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="TargetGroupBinding",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=self.spec.warnings(),
            cluster_scoped=False,
        )
