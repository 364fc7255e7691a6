"""A capacity reservation, and what a NodeClass and a NodePool must say to launch into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import Field

from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.specs.fields import TokenOr
from automode_constructs.specs.labels import (
    CAPACITY_RESERVATION_INTERRUPTIBLE,
    CAPACITY_RESERVATION_TYPE,
    CAPACITY_TYPE,
    INSTANCE_TYPE,
    ZONE,
)
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.capacity import AccountId, CapacityReservationSelectorTerm, ReservationId
from automode_constructs.specs.nodes.selector_tags import SelectorTags
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["CapacityReservation", "Fallback"]

Fallback = Literal["on-demand", "spot"]
"""What a pool may launch when its reservation is full."""


class CapacityReservation(KubeModel):
    """One reservation of EC2 capacity: an On-Demand Capacity Reservation, an interruptible one or a Capacity Block.

    Copy the values from EC2; nothing is looked up. ``ReservedCapacity`` makes a NodeClass and a NodePool from it::

        CapacityReservation(
            id="cr-56fac701cc1951b03",
            kind="capacity-block",
            instance_type="p5.48xlarge",
            zone="us-east-1a",
            ends=date(2026, 12, 14),
        )

    Source: EKS User Guide, "Control deployment of workloads into Capacity Reservations with EKS Auto Mode"; Amazon EC2
    User Guide, "Capacity Blocks for ML" and "Interruptible Capacity Reservations".
    """

    id: ReservationId | None = None
    """The reservation's id (``cr-...``); this or ``tags``."""
    tags: SelectorTags | None = None
    """Tags of the reservation, all of which must be there; ``*`` stands for any value."""
    owner: AccountId | None = None
    """The account that owns a reservation selected by tags, 12 digits. Default: any account, as EKS decides."""
    instance_type: Annotated[str, Field(min_length=1)]
    """The instance type that is reserved, such as ``p5.48xlarge``."""
    zone: TokenOr[Annotated[str, Field(min_length=1)]]
    """The availability zone that it is reserved in, such as ``us-east-1a``. The nodes' subnets must reach it."""
    kind: Literal["on-demand", "interruptible", "capacity-block"] = "on-demand"
    """``on-demand`` is yours until you give it up. ``interruptible`` can be taken back by its owner: nodes have two
    minutes to drain. ``capacity-block`` ends on its day. Default: ``on-demand``; we decide."""
    ends: date | None = None
    """The day on which it ends, in UTC; a Capacity Block always has one. Default: it has no end, as EC2 decides."""

    def selector_term(self) -> CapacityReservationSelectorTerm:
        """How a NodeClass selects the reservation."""
        return CapacityReservationSelectorTerm(id=self.id, tags=self.tags, owner=self.owner)

    def requirements(self, *, fallback: Sequence[Fallback] = ()) -> list[Requirement]:
        """What a NodePool must require of its nodes: capacity type, zone and instance type of the reservation.

        Only nodes of a reservation have the labels for its kind, so these are required only if nothing else may be
        launched.

        Args:
            fallback: capacity types to take when the reservation is full. Default: none; we decide.

        Raises:
            AutoModeError: for a fallback that is neither ``on-demand`` nor ``spot``.
        """
        for index, capacity_type in enumerate(fallback):
            if capacity_type not in get_args(Fallback):
                raise AutoModeError.of(
                    "",
                    field=f"fallback[{index}]",
                    message=f"{shown(capacity_type)} is not allowed",
                    cure=did_you_mean(str(capacity_type), get_args(Fallback)),
                )
        demands = [
            CAPACITY_TYPE.is_in("reserved", *fallback),
            ZONE.is_in(self.zone),
            INSTANCE_TYPE.is_in(self.instance_type),
        ]
        if fallback:
            return demands
        if self.kind == "interruptible":
            return [*demands, CAPACITY_RESERVATION_INTERRUPTIBLE.is_in("true")]
        return [
            *demands,
            CAPACITY_RESERVATION_TYPE.is_in("capacity-block" if self.kind == "capacity-block" else "default"),
        ]

    def _broken_rules(self) -> Iterator[Problem]:
        try:
            self.selector_term()
        except AutoModeError as error:
            yield from error.problems
        if self.kind == "capacity-block" and self.ends is None:
            yield Problem(
                field="ends", message="a Capacity Block has a last day, got none", cure="give its end date in UTC"
            )
