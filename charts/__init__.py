"""cdk8s charts of what runs in the cluster: concrete, opinionated, and yours to copy."""

from __future__ import annotations

import cdk8s

from automode_constructs.manifests.cluster_values import ClusterValues
from charts.node_pools import NodePoolsChart
from charts.platform import PlatformChart

__all__ = ["DEMOS", "platform_charts"]

DEMOS = ("retail-store", "gpt-oss")
"""The demos: a shop, and a model on a GPU."""


def platform_charts(app: cdk8s.App, values: ClusterValues) -> list[cdk8s.Chart]:
    """The charts every cluster gets, in the order in which they are applied; equal for CloudFormation and GitOps.

    Without built-in pools of EKS, ``critical`` and ``general`` take their place.
    """
    in_their_place = () if values.built_in_pools else ("critical", "general")
    return [
        NodePoolsChart(app, "node-pools", values=values, pools=[*in_their_place, "spot", "graviton"]),
        PlatformChart(app, "platform", values=values),
    ]
