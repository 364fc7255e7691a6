"""GatewayClass as a cdk8s construct."""

from __future__ import annotations

from typing import TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.traffic.gateway_class import GatewayClassParameters, GatewayClassSpec

__all__ = ["GatewayClass"]


FIELDS = fields_at("", GatewayClassSpec)
"""The fields of the spec that are keywords of ``GatewayClass``, each with its path in the spec."""


class GatewayClassFields(TypedDict, total=False):
    """The keywords of ``GatewayClass`` that are fields of its spec; its docstring describes them."""

    controller_name: str | None
    parameters_ref: GatewayClassParameters | None
    description: str | None


class GatewayClass(KubernetesObject):
    """A GatewayClass whose Gateways are handled by one of Auto Mode's two controllers.

    Creates an object of kind ``GatewayClass``. Give its fields as keywords, in ``spec``, or partly in each. The
    cluster needs the Gateway API's kinds. Kubernetes refuses changes to ``controllerName`` of an existing class: a
    changed class needs a new name.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        controller_name: the controller, ``GATEWAY_ALB_CONTROLLER`` or ``GATEWAY_NLB_CONTROLLER``; must be given unless
            ``spec`` is.
        parameters_ref: the class's parameters. Default: none; the load balancers are as EKS decides.
        description: what the class is for, at most 64 characters. Default: none.
        spec: the class in the manifest's form. Default: none; the keywords give all fields.
        name: the class's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``GatewayClassSpec`` refuses.

    Source: EKS User Guide, "Configure the Kubernetes Gateway API in EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: GatewayClassSpec | None = None,
        name: str | None = None,
        **fields: Unpack[GatewayClassFields],
    ) -> None:
        flat = FlatFields(place(scope, id), GatewayClassSpec, FIELDS, spec, fields)
        self.spec = flat.merged()
        super().__init__(
            scope,
            id,
            api_version="gateway.networking.k8s.io/v1",
            kind="GatewayClass",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=flat.as_given(self.spec.warnings()),
        )
