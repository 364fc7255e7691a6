"""IngressClass and IngressClassParams as cdk8s constructs."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs.traffic.ingress_class import ALB_CONTROLLER, IngressClassParamsSpec

__all__ = ["IngressClass", "IngressClassParams"]


class IngressClassParams(KubernetesObject):
    """The settings of the load balancers of an IngressClass.

    Creates an object of kind ``IngressClassParams``; ``scheme: internal`` is written if the spec does not set a scheme.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the parameters.
        name: the object's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, spec: IngressClassParamsSpec, name: str | None = None) -> None:
        spec = validated(scope, id, spec)
        self.spec = spec.replace(scheme=spec.scheme or "internal")
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="IngressClassParams",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=self.spec.warnings(),
        )


class IngressClass(KubernetesObject):
    """An IngressClass for whose Ingresses Auto Mode creates an Application Load Balancer.

    Creates an object of kind ``IngressClass`` for the controller ``eks.amazonaws.com/alb``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        params: the load balancers' parameters.
        default_class: whether Ingresses without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        params: IngressClassParams,
        default_class: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            api_version="networking.k8s.io/v1",
            kind="IngressClass",
            name=name,
            body={
                "spec": {
                    "controller": ALB_CONTROLLER,
                    "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": params.name},
                }
            },
            annotations={"ingressclass.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
