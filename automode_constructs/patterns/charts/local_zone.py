"""Pools in Local Zones, each on its own NodeClass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.regions import zone_kind
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.kubernetes_object import note_warning
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.tokens import shell_word

__all__ = ["TAINT", "LocalZoneChart"]

TAINT = Taint(key="aws.amazon.com/local-zone", value="true", effect="NoSchedule")
"""Keeps away pods that did not ask for a Local Zone."""

_CATEGORIES = ("c", "m", "r")


class LocalZoneChart(cdk8s.Chart):
    """A NodeClass and a NodePool for each Local Zone, both named after it.

    The NodeClass is pinned to the zone's subnet by id, the pool to the zone, with the taint
    ``aws.amazon.com/local-zone=true:NoSchedule``: only pods that tolerate it and select the zone by
    ``topology.kubernetes.io/zone`` go there. Pods use the zone's subnet, even if the cluster has pod subnets.

    Local Zones differ in what they offer: few instance families, and not all have gp3 volumes. Without
    ``instance_families`` the pool requires categories c, m and r, and a warning ``automode:LocalZoneOffer`` says how to
    look up the zone's offer.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        subnet_ids: the id of the subnet in each Local Zone.
        instance_families: the families that each zone offers, which you look up. Default: not known.
        cpu_limit: the most vCPUs that each pool may have, or ``None`` for no limit. Default: 64; we decide.

    Raises:
        AutoModeError: for a zone that is not a Local Zone, or families for a zone without a subnet.

    Source: EKS User Guide, "Deploy EKS Auto Mode nodes onto Local Zones".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        subnet_ids: Mapping[str, str],
        instance_families: Mapping[str, Sequence[str]] | None = None,
        cpu_limit: int | None = 64,
    ) -> None:
        families = instance_families or {}
        problems = [
            Problem(field=f"subnet_ids[{shown(zone)}]", message="is not the name of a Local Zone")
            for zone in subnet_ids
            if zone_kind(zone) != "local-zone"
        ] + [
            Problem(
                field=f"instance_families[{shown(zone)}]", message="has no subnet", cure="name it in subnet_ids too"
            )
            for zone in families
            if zone not in subnet_ids
        ]
        if problems:
            raise AutoModeError(place(scope, id), problems)
        super().__init__(scope, id)
        self.pools: dict[str, NodePool] = {}
        for zone, subnet_id in subnet_ids.items():
            spec = values.node_class_spec().replace(
                subnet_selector_terms=[SubnetSelectorTerm(id=subnet_id)],
                pod_subnet_selector_terms=None,
                pod_security_group_selector_terms=None,
            )
            offered = families.get(zone)
            nodes = NodeClaimSpec(
                requirements=[
                    labels.CAPACITY_TYPE.is_in("on-demand"),
                    labels.ZONE.is_in(zone),
                    labels.INSTANCE_CATEGORY.is_in(*_CATEGORIES)
                    if offered is None
                    else labels.INSTANCE_FAMILY.is_in(*offered),
                ],
                taints=[TAINT],
            )
            node_class = NodeClass(self, f"{zone}-class", name=zone, spec=spec)
            self.pools[zone] = NodePool(
                self,
                zone,
                node_class=node_class,
                spec=NodePoolSpec(
                    template=NodeClaimTemplate(spec=nodes),
                    limits=None if cpu_limit is None else {"cpu": cpu_limit},
                ),
            )
            if offered is None:
                note_warning(
                    self.pools[zone],
                    "automode:LocalZoneOffer",
                    f"instance_families: the offer of '{zone}' is not known here, nor whether it has gp3 volumes; "
                    "look it up and pass it: aws ec2 describe-instance-type-offerings --location-type "
                    f"availability-zone --filters Name=location,Values={shell_word(zone)}",
                )
