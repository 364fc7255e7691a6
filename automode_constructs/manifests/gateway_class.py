"""GatewayClass as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject, validated
from automode_constructs.specs.traffic.gateway_class import GatewayClassSpec

__all__ = ["GatewayClass"]


class GatewayClass(KubernetesObject):
    """A GatewayClass whose Gateways are handled by one of Auto Mode's two controllers.

    Creates an object of kind ``GatewayClass``. The cluster needs the Gateway API's kinds. Kubernetes refuses changes
    to ``controllerName`` of an existing class: a changed class needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        spec: the class.
        name: the class's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Configure the Kubernetes Gateway API in EKS Auto Mode".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str, *, spec: GatewayClassSpec, name: str | None = None) -> None:
        self.spec = validated(scope, id, spec)
        super().__init__(
            scope,
            id,
            api_version="gateway.networking.k8s.io/v1",
            kind="GatewayClass",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=self.spec.warnings(),
        )
