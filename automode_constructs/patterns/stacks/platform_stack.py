"""What every cluster gets in addition to AWS resources: pools, storage and ingress classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import aws_cdk as cdk
import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.platform import platform_charts

__all__ = ["PlatformStack"]


class PlatformStack(cdk.Stack):
    """Delivers NodePools, the default StorageClass and the default IngressClass.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: the cluster of a ``ClusterStack``.
        charts: a function of a cdk8s app and the cluster's values that makes the charts, in the order in which they
            are delivered. Default: ``platform_charts``; we decide.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: AutoModeCluster,
        charts: Callable[[cdk8s.App, ClusterValues], Sequence[cdk8s.Chart]] = platform_charts,
        **stack_options: Any,
    ) -> None:
        super().__init__(scope, id, **stack_options)
        for chart in charts(cdk8s.App(), cluster.values):
            ChartDelivery(self, chart.node.id, cluster=cluster, chart=chart)
