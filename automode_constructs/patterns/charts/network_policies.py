"""Network policies that are enforced."""

from __future__ import annotations

import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.network_policy_controller import NetworkPolicyController

__all__ = ["NetworkPoliciesChart"]


class NetworkPoliciesChart(cdk8s.Chart):
    """Turns on the network policies of a cluster: see ``NetworkPolicyController``.

    A chart of its own, so that it can be left out, and on a cluster where others use the ConfigMap be delivered with
    ``removal_policy=RemovalPolicy.RETAIN``.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.controller = NetworkPolicyController(self, "network-policy-controller")
        """The ConfigMap."""
