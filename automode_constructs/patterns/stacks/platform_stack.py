"""What every cluster gets in addition to AWS resources: pools, storage and ingress classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Unpack

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.platform import platform_charts
from automode_constructs.patterns.stacks.stack_options import StackOptions

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
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster,
        charts: Callable[[cdk8s.App, ClusterValues], Sequence[cdk8s.Chart]] = platform_charts,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        created = charts(cdk8s.App(), cluster.values)
        if not isinstance(created, Sequence) or not all(isinstance(chart, cdk8s.Chart) for chart in created):
            raise AutoModeError.of(
                self.node.path,
                field="charts",
                message=f"returns {shown(created)}",
                cure="return a list of the charts that it creates",
            )
        for chart in created:
            ChartDelivery(self, chart.node.id, cluster=cluster, chart=chart)
