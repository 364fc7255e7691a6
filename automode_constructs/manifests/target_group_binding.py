"""TargetGroupBinding as a cdk8s construct."""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.target_group_binding import (
    ServiceReference,
    TargetGroupBindingSpec,
    TargetGroupNetworking,
)

__all__ = ["TargetGroupBinding"]


FIELDS = fields_at("", TargetGroupBindingSpec)
"""The fields of the spec that are keywords of ``TargetGroupBinding``, each with its path in the spec."""


class TargetGroupBindingFields(TypedDict, total=False):
    """The keywords of ``TargetGroupBinding`` that are fields of its spec; its docstring describes them."""

    service_ref: ServiceReference | None
    target_group_arn: str | None
    target_type: Literal["instance", "ip"] | None
    node_selector: LabelSelector | None
    networking: TargetGroupNetworking | None
    multi_cluster_target_group: bool | None


class TargetGroupBinding(KubernetesObject):
    """Registers the pods or nodes of a Service in an existing target group.

    Creates an object of kind ``TargetGroupBinding`` in the chart's namespace, which must be the Service's. Give its
    fields as keywords, in ``spec``, or partly in each. The target group needs the tag ``eks:eks-cluster-name`` with the
    cluster's name. **Deleting the binding, or the cluster, deletes the target group.**

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        service_ref: the Service and its port; must be given unless ``spec`` is.
        target_group_arn: ARN of the target group; must be given unless ``spec`` is.
        target_type: whether nodes (``instance``) or pods (``ip``) are registered; must be given unless ``spec`` is.
        node_selector: the nodes to register, with target type ``instance``. Default: all.
        networking: the traffic that EKS allows from the load balancer. Default: none.
        multi_cluster_target_group: whether EKS leaves targets of other clusters in the group alone. Default: False, as
            EKS decides.
        spec: the binding in the manifest's form. Default: none; the keywords give all fields.
        name: the binding's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``TargetGroupBindingSpec`` refuses.

    Source: EKS User Guide, "Use Service Annotations to configure Network Load Balancers".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: TargetGroupBindingSpec | None = None,
        name: str | None = None,
        **fields: Unpack[TargetGroupBindingFields],
    ) -> None:
        flat = FlatFields(place(scope, id), TargetGroupBindingSpec, FIELDS, spec, fields)
        self.spec = flat.merged()
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="TargetGroupBinding",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=flat.as_given(self.spec.warnings()),
            cluster_scoped=False,
        )
