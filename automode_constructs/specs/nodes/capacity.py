"""Where a NodeClass launches its nodes: reservations and a placement group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from automode_constructs.errors import Cure, Edit, Problem
from automode_constructs.specs.fields import VALUE, TokenOr, matching
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.selector_tags import SelectorTags
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import field_names, worded

__all__ = ["AccountId", "CapacityReservationSelectorTerm", "PlacementGroupSelector", "ReservationId"]

_RESERVATIONS = "EKS User Guide, 'Control deployment of workloads into Capacity Reservations with EKS Auto Mode'"

RESERVATION_TERM = rule(
    "automode:ReservationTerm",
    "NodeClass",
    severity="error",
    sentence="A term for capacity reservations has an id, or tags, an owner or both.",
    source=_RESERVATIONS,
    stricter="AWS shows id and tags as alternatives without saying that it refuses both; open-source Karpenter does.",
)
RESERVATION_OWNER = rule(
    "automode:ReservationOwner",
    "NodeClass",
    severity="warning",
    sentence="A term for capacity reservations that names an owner has tags too.",
    source="aws-samples/sample-aws-eks-auto-mode (owner alone); CRD ec2nodeclasses.karpenter.k8s.aws (refuses it)",
)
PLACEMENT_GROUP = rule(
    "automode:PlacementGroup",
    "NodeClass",
    severity="error",
    sentence="A placement group is selected by its name or by its id.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'",
)


def _quoted(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12:
        raise VALUE.broken(
            "",
            f"needs a text, got {value}",
            Cure(f"quote all 12 digits: '{value:012d}'", Edit(what="value", to=f"{value:012d}")),
        )
    return value


AccountId = TokenOr[
    Annotated[
        str,
        BeforeValidator(_quoted),
        matching(r"[0-9]{12}", "the id of an AWS account (12 digits)"),
    ]
]
"""The id of an AWS account."""

ReservationId = TokenOr[Annotated[str, matching(r"cr-[0-9a-z]+", "the id of a capacity reservation ('cr-...')")]]
"""The id of a capacity reservation."""


class CapacityReservationSelectorTerm(KubeModel):
    """Selects On-Demand Capacity Reservations and Capacity Blocks by id, or by tags and owner; terms are ORed.

    Source: EKS User Guide, "Control deployment of workloads into Capacity Reservations with EKS Auto Mode".
    """

    id: ReservationId | None = None
    """The reservation's id; without any other field."""
    tags: SelectorTags | None = None
    """Tags that must all be there; ``*`` stands for any value."""
    owner: AccountId | None = None
    """The account that owns the reservation, 12 digits. Default: any account, as EKS decides.

    The AWS pages call it so; open-source Karpenter says ``ownerID``, which AWS has not confirmed for Auto Mode.
    """
    owner_id: AccountId | None = Field(default=None, validation_alias="ownerID", serialization_alias="ownerID")
    """The same under open-source Karpenter's name, for clusters that use it. Default: not set."""

    def _broken_rules(self) -> Iterator[Problem]:
        others = [name for name in ("tags", "owner", "owner_id") if getattr(self, name) is not None]
        if self.id is not None and others:
            message = worded(
                "a term with an 'id' has no other field, got {others} too", others=field_names(others, ", ")
            )
            yield RESERVATION_TERM.problem("", message, "write a term for each way to select")
        if self.id is None and not others:
            yield RESERVATION_TERM.problem("", "a term needs an 'id' or 'tags', got none")
        if self.id is None and others and self.tags is None:
            yield RESERVATION_OWNER.problem(
                others[0], "selects by the owner alone, which some versions refuse", "add 'tags'"
            )


class PlacementGroupSelector(KubeModel):
    """Selects the one EC2 placement group that all nodes of the class are launched in.

    A missing group shows only at launch: no node is created. A spread group holds seven instances in each zone, and a
    full group blocks the replacement of drifted nodes. A cluster group stays in the zone of its first instance: require
    that zone in the NodePool.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    name: TokenOr[Annotated[str, Field(min_length=1)]] | None = None
    """The group's name."""
    id: TokenOr[Annotated[str, matching(r"pg-[0-9a-z]+", "the id of a placement group ('pg-...')")]] | None = None
    """The group's id."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.name is None) == (self.id is None):
            number = "neither" if self.name is None else "both"
            yield PLACEMENT_GROUP.problem("", f"needs exactly one of 'name' and 'id', got {number}")
