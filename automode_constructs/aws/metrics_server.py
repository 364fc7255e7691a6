"""MetricsServer: what the HorizontalPodAutoscaler and ``kubectl top`` ask for the use of CPU and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.add_on import AddOn
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget

__all__ = ["MetricsServer"]


class MetricsServer(Construct):
    """The Kubernetes Metrics Server, as EKS's community add-on. Opt-in: nothing in this library creates it by default.

    Without it HorizontalPodAutoscalers scale nothing by CPU or memory, and ``kubectl top`` has no answer; Auto Mode
    does not include it. Creates an ``AddOn`` called ``metrics-server`` in the namespace ``kube-system``.

    **What it keeps alive.** Its two pods request 100m CPU and 200Mi of memory each (?) and fit on one node, so that a
    cluster which runs nothing else has a node for them all the time: in EKS's pool ``general-purpose`` a ``c6a.large``,
    62.5 USD a month with Auto Mode's fee; where a pool admits Graviton, a ``c6g.large``, 55.6 USD (us-east-1; prices of
    2026-02-09, fee of 2026-07-01). With other pods around it costs only its share. The add-on itself is free.

    The API server reaches the pods on port 10251: pods with a security group of their own (``PodSecurityGroup``) must
    admit the cluster's (?).

    Args:
        scope: a construct of a stack in the cluster's account and region; see ``AddOn``.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        version: its version, such as ``v0.8.0-eksbuild.2``. Default: the one that EKS recommends; EKS decides.
        configuration: settings such as ``{"replicas": 3}``; see ``AddOn``. Default: none; EKS decides.

    Attributes:
        add_on: the add-on.

    Raises:
        AutoModeError: as ``AddOn`` does.

    Source: EKS User Guide, "Community add-ons"; kubernetes-sigs/metrics-server; aws/containers-roadmap#2589 (port).
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        version: str | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.add_on = AddOn(
            self, "AddOn", cluster=cluster, name="metrics-server", version=version, configuration=configuration
        )
