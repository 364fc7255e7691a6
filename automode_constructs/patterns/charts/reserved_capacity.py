"""Pools on prepaid capacity: reservations and Capacity Blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import did_you_mean
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.reserved_capacity import ReservedCapacity
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.accelerator_taint import accelerator_taint
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation, Fallback
from automode_constructs.specs.pools.node_pool import Disruption, NodeClaimSpec, NodeClaimTemplate, NodePoolSpec

__all__ = ["ReservedCapacityChart"]


class ReservedCapacityChart(cdk8s.Chart):
    """A NodeClass and a NodePool for each reservation.

    Pools of accelerated types have the taint ``nvidia.com/gpu`` or ``aws.amazon.com/neuron``; others have none, so any
    pod that fits uses the paid capacity. Nodes are removed only after ten minutes empty: moving pods saves nothing
    here. Like all nodes of Auto Mode, they are replaced when they are two weeks old; see
    ``automode explain automode:NodeLifetime``.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        reservations: the reservations by pool name.
        fallback: capacity types to use when a reservation is full. Default: none; we decide.
        limits: the most of each resource (``nodes``, ``cpu``) that a pool may have, reserved nodes included, or
            ``None`` for no limit, by the pool's name. Needed for every pool beside ``fallback``. Default: none, because
            a pool without a fallback ends with its reservation.
        as_of: the day against which the reservations' ends are checked. Default: the day the library's calendar was
            last checked.

    Raises:
        AutoModeError: for a reservation that has ended; for limits that are missing, or of a pool that is not created.
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        reservations: Mapping[str, CapacityReservation],
        fallback: Sequence[Fallback] = (),
        limits: Mapping[str, Mapping[str, int | str] | None] | None = None,
        as_of: date | None = None,
    ) -> None:
        most = limits or {}
        refusals = Refusals(place(scope, id))
        for name in most:
            if name not in reservations:
                refusals.refuse(
                    f"limits['{name}']", "is for a pool that is not created", did_you_mean(name, reservations)
                )
        for name in reservations if fallback else ():
            if name not in most:
                refusals.refuse(
                    f"limits['{name}']",
                    "is needed beside fallback, which launches nodes without end when the reservation is full",
                    "give the most that the pool may have, such as {'nodes': 8}, or None for no limit",
                )
        refusals.raise_all()
        super().__init__(scope, id)
        self.pools = {
            name: ReservedCapacity(
                self,
                name,
                reservation=reservation,
                node_class_spec=values.node_class_spec(),
                spec=_pool(reservation.instance_type, most.get(name)),
                fallback=fallback,
                as_of=as_of,
            )
            for name, reservation in reservations.items()
        }


def _pool(instance_type: str, limits: Mapping[str, int | str] | None) -> NodePoolSpec:
    taint = accelerator_taint(instance_type)
    nodes = NodeClaimSpec(requirements=(), taints=None if taint is None else [taint])
    return NodePoolSpec(
        template=NodeClaimTemplate(spec=nodes),
        limits=limits,
        disruption=Disruption(consolidation_policy="WhenEmpty", consolidate_after="10m"),
    )
