"""The NodePools that this app chooses from: those of ``automode_constructs.patterns``."""

from __future__ import annotations

from automode_constructs.patterns.charts.node_pools import NODE_POOLS, NodePoolsChart

__all__ = ["NODE_POOLS", "NodePoolsChart"]
