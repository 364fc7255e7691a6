"""Names that a model server's metrics, what reads them and what scales by them have in common."""

from __future__ import annotations

from cdk8s import Chart
from constructs import Construct

from automode_constructs.errors import AutoModeError, shown

__all__ = [
    "IN_FLIGHT",
    "METRICS_NAMESPACE",
    "SCRAPER_ACCOUNT",
    "SCRAPER_LABELS",
    "WANTED",
    "check_same_namespace",
]

METRICS_NAMESPACE = "model-metrics"
"""Namespace of ``ModelMetricsChart``."""

SCRAPER_ACCOUNT = "prometheus"
"""ServiceAccount of the pods that read a server's metrics."""

SCRAPER_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "model-metrics"}
"""Labels of the pods that read a server's metrics."""

IN_FLIGHT = "vllm_requests_in_flight"
"""External metric: requests that a server of this namespace processes or keeps waiting."""

WANTED = "model_wanted"
"""External metric: 1 while somebody wants a server of this namespace, 0 when nobody has for a while."""


def check_same_namespace(where: str, scope: Construct, server: Construct) -> None:
    """Refuses a chart whose objects would not be in the server's namespace."""
    try:
        own = Chart.of(scope).namespace
    except RuntimeError:
        return  # the first object refuses a scope without a chart, with the right words
    servers = Chart.of(server).namespace
    if own != servers:
        raise AutoModeError.of(
            where,
            field="server",
            message=f"'{server.node.path}' is in the namespace {shown(servers)}, and this chart in {shown(own)}",
            cure="use the server's chart as scope",
        )
