"""The cluster's own NodePools, on a NodeClass that carries the cluster's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import did_you_mean
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


def _pool(capacity: str, architectures: Sequence[str], vcpus: int, taint: Taint | None = None) -> NodePoolSpec:
    requirements: list[Requirement] = [
        labels.CAPACITY_TYPE.is_in(capacity),
        *_ORDINARY,
        labels.ARCH.is_in(*architectures),
    ]
    return NodePoolSpec(
        template=NodeClaimTemplate(
            spec=NodeClaimSpec(requirements=requirements, taints=None if taint is None else [taint])
        ),
        # Of these categories a vCPU has at most 8 GiB, so this bounds the memory too.
        limits={"cpu": vcpus},
    )


NODE_POOLS: dict[str, NodePoolSpec] = {
    "general": _pool("on-demand", ["amd64"], 256),
    "critical": _pool("on-demand", ["amd64", "arm64"], 64, Taint(key="CriticalAddonsOnly", effect="NoSchedule")),
    # Pods come here only if they tolerate it: an interruption, or another architecture.
    "spot": _pool("spot", ["amd64"], 256, Taint(key=labels.CAPACITY_TYPE, value="spot", effect="NoSchedule")),
    "graviton": _pool("on-demand", ["arm64"], 256, Taint(key=labels.ARCH, value="arm64", effect="NoSchedule")),
}
"""``general`` and ``critical`` match EKS's ``general-purpose`` and ``system``; ``spot`` and ``graviton`` take
only pods that tolerate ``karpenter.sh/capacity-type=spot`` and ``kubernetes.io/arch=arm64``. Unlike EKS's, each stops
growing at 256 vCPUs (``critical`` at 64), so that one bad autoscaler costs no more than sixteen nodes of 16 vCPUs."""


class NodePoolsChart(cdk8s.Chart):
    """NodeClass ``standard`` and NodePools on it.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        pools: names in ``NODE_POOLS`` of the pools to create.
        limits: the most of each resource (``cpu``, ``memory``, ``nodes``) that a pool may have, by the pool's name;
            ``None`` for no limit at all. Default: those of ``NODE_POOLS``; we decide (EKS's pools have none).

    Raises:
        AutoModeError: for a pool that is not in ``NODE_POOLS``; for limits of a pool that is not created.
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        pools: Sequence[str],
        limits: Mapping[str, Mapping[str, int | str] | None] | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        for name in pools:
            refusals.choice("pools", name, NODE_POOLS)
        for name in limits or {}:
            if name not in pools:
                refusals.refuse(f"limits['{name}']", "is for a pool that is not created", did_you_mean(name, pools))
        refusals.raise_all()
        super().__init__(scope, id)
        self.node_class = NodeClass(self, "standard", spec=values.node_class_spec())
        specs = {name: NODE_POOLS[name] for name in dict.fromkeys(pools)}
        for name, most in (limits or {}).items():
            specs[name] = specs[name].replace(limits=most)
        self.pools = {
            name: NodePool(self, f"{name}-pool", name=name, node_class=self.node_class, spec=spec)
            for name, spec in specs.items()
        }
