"""The Kubernetes objects that every cluster of this app gets."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from automode_constructs import patterns
from automode_constructs.aws.cluster import AutoModeCluster
from charts import platform_charts

__all__ = ["PlatformStack"]


class PlatformStack(patterns.PlatformStack):
    """Delivers the charts of ``charts.platform_charts``.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: the cluster of a ``ClusterStack``.
    """

    def __init__(self, scope: Construct, id: str, *, cluster: AutoModeCluster, **stack_options: Any) -> None:
        super().__init__(scope, id, cluster=cluster, charts=platform_charts, **stack_options)
