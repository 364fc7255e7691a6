"""Which Services and ConfigMaps are Auto Mode's, its controllers, and its class of load balancers.

A linter asks this of every object. It stands apart from the models, which take time to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from automode_constructs.specs.mapping import mapping_at

__all__ = [
    "ALB_CONTROLLER",
    "NETWORK_POLICY_SWITCH",
    "NLB_CLASS",
    "is_network_load_balancer",
    "is_network_policy_switch",
]

ALB_CONTROLLER: Final = "eks.amazonaws.com/alb"
"""Auto Mode's ALB controller, as an IngressClass names it."""

NLB_CLASS: Final = "eks.amazonaws.com/nlb"
"""The ``loadBalancerClass`` of Auto Mode, which its clusters set on a Service without one."""

NETWORK_POLICY_SWITCH: Final = "enable-network-policy-controller"
"""The key of ConfigMap ``kube-system/amazon-vpc-cni`` that turns network policies on, with the value ``"true"``."""


def is_network_load_balancer(document: Mapping[str, Any]) -> bool:
    """Whether Auto Mode creates a load balancer for a Service."""
    spec = mapping_at(document, "spec")
    load_balancer_class = spec.get("loadBalancerClass")
    return spec.get("type") == "LoadBalancer" and (
        not isinstance(load_balancer_class, str) or load_balancer_class.startswith("eks.amazonaws.com/")
    )


def is_network_policy_switch(document: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap is the one with the switch."""
    metadata = mapping_at(document, "metadata")
    return metadata.get("name") == "amazon-vpc-cni" and metadata.get("namespace") == "kube-system"
