"""GatewayClass (``gateway.networking.k8s.io/v1``) for the two controllers that Auto Mode runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Field

from automode_constructs.errors import Problem, did_you_mean, shown
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["GATEWAY_ALB_CONTROLLER", "GATEWAY_NLB_CONTROLLER", "GatewayClassParameters", "GatewayClassSpec"]

GATEWAY_ALB_CONTROLLER: Final = "eks.amazonaws.com/gateway-alb"
"""Auto Mode's controller of HTTPRoutes and GRPCRoutes."""
GATEWAY_NLB_CONTROLLER: Final = "eks.amazonaws.com/gateway-nlb"
"""Auto Mode's controller of TCPRoutes, UDPRoutes and TLS."""

GATEWAY_CONTROLLER = rule(
    "automode:GatewayController",
    "GatewayClass",
    severity="warning",
    sentence=f"Auto Mode's Gateway controllers are {GATEWAY_ALB_CONTROLLER} and {GATEWAY_NLB_CONTROLLER}.",
    source="EKS User Guide, 'Configure the Kubernetes Gateway API in EKS Auto Mode'",
)


class GatewayClassParameters(KubeModel):
    """The object that holds a class's parameters."""

    group: str
    """API group."""
    kind: str
    """Kind."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the object."""
    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Namespace of the object. Default: none; the kind is cluster-scoped."""


class GatewayClassSpec(KubeModel):
    """A GatewayClass of Auto Mode's.

    The cluster needs the Gateway API's kinds; EKS installs them if you turn that on.

    Source: EKS User Guide, "Configure the Kubernetes Gateway API in EKS Auto Mode".
    """

    controller_name: Annotated[str, Field(min_length=1, max_length=253)]
    """The controller: ``GATEWAY_ALB_CONTROLLER`` or ``GATEWAY_NLB_CONTROLLER``. It cannot be changed later."""
    parameters_ref: GatewayClassParameters | None = None
    """The class's parameters. Default: none; the load balancers are as EKS decides."""
    description: Annotated[str, Field(max_length=64)] | None = None
    """What the class is for, at most 64 characters."""

    def _broken_rules(self) -> Iterator[Problem]:
        known = [GATEWAY_ALB_CONTROLLER, GATEWAY_NLB_CONTROLLER]
        if self.controller_name not in known:
            yield GATEWAY_CONTROLLER.problem(
                "controller_name",
                f"{shown(self.controller_name)} is not known, so no controller serves its Gateways",
                did_you_mean(self.controller_name, known, edits="value"),
            )
