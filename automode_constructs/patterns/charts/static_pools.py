"""A fixed number of nodes of a few instance types, for work that must not wait for one."""

from __future__ import annotations

from collections.abc import Sequence

import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.manifests.static_node_pools import StaticNodePools
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import (
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeMetadata,
    NodePoolSpec,
    Taint,
)

__all__ = ["LABEL", "StaticPoolsChart"]

LABEL = "automode-constructs/static-pool"
"""Key of the nodes' label and taint; the value is the pools' name."""


class StaticPoolsChart(cdk8s.Chart):
    """A NodeClass and static NodePools of on-demand nodes, used only by pods that ask for them.

    Nodes have the label and the taint ``automode-constructs/static-pool=<name>``: without the taint, any pod could use
    the reserved room. A new AMI makes all of them drift; a tenth of a pool is replaced at a time. No node lives longer
    than two weeks; see ``automode explain automode:NodeLifetime``.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        instance_types: the instance types to choose from; more of them find capacity more easily.
        replicas: total nodes of all pools.
        zones: zones to spread the nodes over, one pool each. Default: one pool, spread as Auto Mode decides.
        name: the name of the NodeClass, and what the pools' names begin with. Default: ``static``; we decide.

    Raises:
        AutoModeError: as ``StaticNodePools`` does.
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        instance_types: Sequence[str],
        replicas: int,
        zones: Sequence[str] = (),
        name: str = "static",
    ) -> None:
        super().__init__(scope, id)
        nodes = NodeClaimSpec(
            requirements=[labels.CAPACITY_TYPE.is_in("on-demand"), labels.INSTANCE_TYPE.is_in(*instance_types)],
            taints=[Taint(key=LABEL, value=name, effect="NoSchedule")],
        )
        spec = NodePoolSpec(
            template=NodeClaimTemplate(metadata=NodeMetadata(labels={LABEL: name}), spec=nodes),
        )
        self.node_class = NodeClass(self, "node-class", name=name, spec=values.node_class_spec())
        self.pools = StaticNodePools(
            self, name, node_class=self.node_class, spec=spec, replicas=replicas, zones=zones
        ).pools
