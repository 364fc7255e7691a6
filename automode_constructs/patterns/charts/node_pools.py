"""The cluster's own NodePools, on a NodeClass that carries the cluster's settings."""

from __future__ import annotations

from collections.abc import Sequence

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, did_you_mean
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["NODE_POOLS", "NodePoolsChart"]

# Every pool names its categories: a pool that does not may end up launching GPUs.
_ORDINARY = (labels.INSTANCE_CATEGORY.is_in("c", "m", "r"), labels.INSTANCE_GENERATION.greater_than(4))


def _pool(capacity: str, architectures: Sequence[str], taint: Taint | None = None) -> NodePoolSpec:
    requirements: list[Requirement] = [
        labels.CAPACITY_TYPE.is_in(capacity),
        *_ORDINARY,
        labels.ARCH.is_in(*architectures),
    ]
    return NodePoolSpec(
        template=NodeClaimTemplate(
            spec=NodeClaimSpec(requirements=requirements, taints=None if taint is None else [taint])
        )
    )


NODE_POOLS: dict[str, NodePoolSpec] = {
    "general": _pool("on-demand", ["amd64"]),
    "critical": _pool("on-demand", ["amd64", "arm64"], Taint(key="CriticalAddonsOnly", effect="NoSchedule")),
    # Pods come here only if they tolerate it: an interruption, or another architecture.
    "spot": _pool("spot", ["amd64"], Taint(key=labels.CAPACITY_TYPE, value="spot", effect="NoSchedule")),
    "graviton": _pool("on-demand", ["arm64"], Taint(key=labels.ARCH, value="arm64", effect="NoSchedule")),
}
"""``general`` and ``critical`` match EKS's ``general-purpose`` and ``system``; ``spot`` and ``graviton`` take
only pods that tolerate ``karpenter.sh/capacity-type=spot`` and ``kubernetes.io/arch=arm64``."""


class NodePoolsChart(cdk8s.Chart):
    """NodeClass ``standard`` and NodePools on it.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        pools: names in ``NODE_POOLS`` of the pools to create.

    Raises:
        AutoModeError: for a pool that is not in ``NODE_POOLS``.
    """

    @checked_arguments
    def __init__(self, scope: ChartScope, id: str, *, values: ClusterValues, pools: Sequence[str]) -> None:
        for name in pools:
            if name not in NODE_POOLS:
                raise AutoModeError.of(
                    place(scope, id),
                    field="pools",
                    message=f"'{name}' is not known",
                    cure=did_you_mean(name, NODE_POOLS),
                )
        super().__init__(scope, id)
        self.node_class = NodeClass(self, "standard", spec=values.node_class_spec())
        self.pools = {
            name: NodePool(self, f"{name}-pool", name=name, node_class=self.node_class, spec=NODE_POOLS[name])
            for name in dict.fromkeys(pools)
        }
