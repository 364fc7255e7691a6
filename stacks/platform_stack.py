"""The Kubernetes objects that every cluster of this app gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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
        certificate_arns: ACM certificates of the load balancers. Default: none.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: AutoModeCluster,
        certificate_arns: Sequence[str] = (),
        **stack_options: Any,
    ) -> None:
        charts = partial(platform_charts, certificate_arns=certificate_arns)
        super().__init__(scope, id, cluster=cluster, charts=charts, **stack_options)
