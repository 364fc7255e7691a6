"""A NodeClass and a NodePool that launch into one capacity reservation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError
from automode_constructs.facts.versions import as_of_default
from automode_constructs.manifests.kubernetes_object import WARNING_METADATA, note_warning, validated
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation, Fallback
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["DAYS_OF_WARNING", "ReservedCapacity"]

DAYS_OF_WARNING = 7
"""How many days before a reservation's last day the warning starts. We chose a working week, to extend
the reservation or move the work."""

_OPEN_MATCHING = "automode:OpenMatchingEnds"


class ReservedCapacity(Construct):
    """A NodeClass that selects a capacity reservation, and a NodePool that launches into it.

    Creates both under one name. The pool is tied to the reservation's zone and instance type and admits the capacity
    type ``reserved``; nodes get the labels ``eks.amazonaws.com/capacity-reservation-id``, ``-type`` and
    ``-interruptible``.

    A single NodeClass that selects reservations ends the open matching of On-Demand Capacity Reservations for every
    NodeClass of the cluster; the warning ``automode:OpenMatchingEnds`` says so, once per chart. Starting seven days
    before a reservation's last day there is a warning ``automode:ReservationEnds``, and after that day an error. EC2
    starts terminating the instances of a Capacity Block half an hour before the block ends. Open-source Karpenter
    drains ten minutes earlier; that Auto Mode does so too is not documented (?).

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        reservation: the reservation.
        node_class_spec: the other settings of the nodes; ``ClusterValues.node_class_spec`` creates one that fits the
            cluster.
        spec: the pool, without what the reservation determines: taints, limits, lifetime, further requirements.
            Default: only what the reservation determines.
        name: the name of the NodeClass and of the NodePool. Default: the construct's id; we decide.
        fallback: capacity types to use when the reservation is full. Default: none; we decide, so that you pay for
            nothing beyond the reservation.
        as_of: the day against which the reservation's end is checked. Default: the day the library's calendar was last
            checked.

    Raises:
        AutoModeError: for a reservation that has ended; for a ``node_class_spec`` that selects reservations itself;
            for a ``spec`` that contradicts the reservation, or names another NodeClass.

    Source: EKS User Guide, "Control deployment of workloads into Capacity Reservations with EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        reservation: CapacityReservation,
        node_class_spec: NodeClassSpec,
        spec: NodePoolSpec | None = None,
        name: str | None = None,
        fallback: Sequence[Fallback] = (),
        as_of: date | None = None,
    ) -> None:
        where = f"{scope.node.path}/{id}".removeprefix("/")
        node_class_spec = validated(scope, id, node_class_spec, field="node_class_spec")
        spec = None if spec is None else validated(scope, id, spec)
        day = as_of or as_of_default()
        if reservation.ends is not None and reservation.ends < day:
            raise AutoModeError.of(
                where,
                field="reservation.ends",
                message=f"the reservation ended on {reservation.ends}, and today counts as {day}",
                cure="remove the pool, or give the day to which the reservation was extended",
            )
        if node_class_spec.capacity_reservation_selector_terms:
            raise AutoModeError.of(
                where,
                field="node_class_spec.capacity_reservation_selector_terms",
                message="selects reservations already, and 'reservation' writes them",
                cure="leave it out",
            )
        try:
            required = reservation.requirements(fallback=fallback)
            pool_spec = _with(required, spec)
        except AutoModeError as error:
            raise error.at(where) from None
        super().__init__(scope, id)
        terms = (reservation.selector_term(),)
        self.reservation = reservation
        self.node_class = NodeClass(
            self,
            "class",
            name=name or id,
            spec=node_class_spec.replace(capacity_reservation_selector_terms=terms),
        )
        self.pool = NodePool(self, "pool", name=name or id, node_class=self.node_class, spec=pool_spec)
        _warn_of_open_matching(cdk8s.Chart.of(self), name or id)
        if reservation.ends is not None and (reservation.ends - day).days <= DAYS_OF_WARNING:
            note_warning(
                self.pool,
                "automode:ReservationEnds",
                f"reservation.ends: the reservation ends on {reservation.ends}, and today counts as {day}; its nodes "
                "go with it: extend it, or move the work before",
            )


def _warn_of_open_matching(chart: cdk8s.Chart, node_class: str) -> None:
    # It concerns the cluster: once per chart is enough.
    warnings = [entry.data["rule"] for entry in chart.node.metadata if entry.type == WARNING_METADATA]
    if _OPEN_MATCHING not in warnings:
        note_warning(
            chart,
            _OPEN_MATCHING,
            f"NodeClass '{node_class}' selects reservations, upon which Auto Mode launches no node of any NodeClass of "
            "the cluster into an open reservation by itself any more; select every reservation that is to be used",
        )


def _with(required: Sequence[Requirement], spec: NodePoolSpec | None) -> NodePoolSpec:
    """The pool with the reservation's requirements before its own, validated as a whole."""
    if spec is None:
        return NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=required)))
    nodes = spec.template.spec
    try:
        nodes = nodes.replace(requirements=[*required, *nodes.requirements])
        return spec.replace(template=spec.template.replace(spec=nodes))
    except AutoModeError as error:
        raise error.at("", "spec.template.spec") from None
