"""NodePool (``karpenter.sh/v1``) as Auto Mode takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.model import (
    MAX_EXACT_INTEGER,
    Duration,
    DurationOrNever,
    KubeModel,
    LabelKey,
    LabelValue,
    ListOf,
    Quantity,
    TokenOr,
    matching,
)
from automode_constructs.specs.requirement import Requirement, is_karpenters_own

__all__ = [
    "BUILT_IN_POOL_NAMES",
    "Budget",
    "Disruption",
    "NodeClaimSpec",
    "NodeClaimTemplate",
    "NodeClassReference",
    "NodeMetadata",
    "NodePoolSpec",
    "Taint",
    "duration_in_seconds",
]

BUILT_IN_POOL_NAMES = ("system", "general-purpose")
"""The NodePools that EKS makes and keeps itself; no other pool may have their names."""

MAX_NODE_LIFETIME_HOURS = 21 * 24
"""Auto Mode replaces every node within 21 days: expiry and grace period together may not be longer."""

DEFAULT_EXPIRE_AFTER = "336h"
"""What an unset ``expire_after`` counts as."""

DEFAULT_TERMINATION_GRACE_PERIOD = "24h"
"""What an unset ``termination_grace_period`` counts as."""

_SECONDS = {"h": 3600, "m": 60, "s": 1}


def duration_in_seconds(duration: str) -> int:
    """The length of a duration such as ``1h30m``.

    Raises:
        ValueError: for ``Never``, which has no length.
    """
    if duration == "Never":
        raise ValueError("'Never' has no length")
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))


_TaintValue = Annotated[LabelValue, Field(min_length=1)]


class Taint(KubeModel):
    """A taint that nodes of the pool carry: only pods that tolerate it land there."""

    key: LabelKey
    """The taint's key."""
    value: _TaintValue | None = None
    """The taint's value. Default: none; a toleration then needs ``operator: Exists``."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods that do not tolerate it."""


_Schedule = Annotated[
    str,
    matching(
        r"@(annually|yearly|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*/,?-]+( [0-9A-Za-z*/,?-]+){4}",
        "a cron expression of five fields ('0 9 * * mon-fri'), or '@daily' and the like",
    ),
]
_HoursAndMinutes = Annotated[
    str, matching(r"([0-9]+[hm]|[0-9]+h[0-9]+m)(0s)?", "hours and minutes such as '8h' or '1h30m'")
]


class Budget(KubeModel):
    """How many nodes Karpenter may disrupt at a time. Budgets never hold back expiry."""

    nodes: Annotated[str, matching(r"(100|[0-9]{1,2})%|[0-9]+", "a number of nodes ('5') or a share ('10%')")]
    """A number (``"5"``) or a share (``"10%"``) of the pool's nodes."""
    reasons: ListOf[Literal["Underutilized", "Empty", "Drifted"]] | None = None
    """The reasons the budget is for. Default: all of them, as Karpenter decides."""
    schedule: _Schedule | None = None
    """Cron expression of five fields, or ``@daily`` and the like, in UTC: when the budget begins to count."""
    duration: _HoursAndMinutes | None = None
    """How long the budget counts from each start of ``schedule``."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.schedule is None) != (self.duration is None):
            yield Problem(field="schedule", message="'schedule' and 'duration' must be set together")
        if len(set(self.reasons or ())) < len(self.reasons or ()):
            yield Problem(field="reasons", message="names a reason twice", cure="name each once")


class Disruption(KubeModel):
    """When Karpenter removes or replaces nodes that still run."""

    consolidation_policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"] | None = None
    """Which nodes may be consolidated.

    Default: the construct writes ``WhenEmptyOrUnderutilized``, because EKS's own default changed with 1.37.
    """
    consolidate_after: DurationOrNever | None = None
    """How long a node stays empty or underused before it may go. Default: the construct writes ``30s``."""
    budgets: Annotated[ListOf[Budget], Field(max_length=50)] | None = None
    """Limits on how many nodes go at once, at most 50. Default: Karpenter allows 10 %."""


class NodeClassReference(KubeModel):
    """The NodeClass of a pool. The ``NodePool`` construct writes it."""

    group: Literal["eks.amazonaws.com"]
    """API group; open-source Karpenter's classes do not exist on Auto Mode."""
    kind: Literal["NodeClass"]
    """Kind."""
    name: Annotated[str, Field(min_length=1)]
    """The NodeClass's name."""


class NodeMetadata(KubeModel):
    """Labels and annotations that every node of the pool gets."""

    labels: Mapping[LabelKey, TokenOr[LabelValue]] | None = None
    """At most 100 labels; none of Karpenter's own domain."""
    annotations: Mapping[str, TokenOr[str]] | None = None
    """Annotations."""

    def _broken_rules(self) -> Iterator[Problem]:
        labels = self.labels or {}
        if len(labels) > 100:
            yield Problem(field="labels", message=f"must have at most 100 labels, got {len(labels)}")
        for key in labels:
            if is_karpenters_own(key):
                yield Problem(field="labels", message=f"'{key}' is set by Karpenter itself", cure="remove it")


class NodeClaimSpec(KubeModel):
    """What every node of the pool is: requirements, taints, lifetime."""

    node_class_ref: NodeClassReference | None = None
    """Written by the ``NodePool`` construct; set when an existing manifest is read."""
    requirements: Annotated[ListOf[Requirement], Field(max_length=100)]
    """Which instances the pool may launch, at most 100 requirements, all of which must hold."""
    taints: ListOf[Taint] | None = None
    """Taints of the nodes."""
    startup_taints: ListOf[Taint] | None = None
    """Taints that a DaemonSet removes once it is ready; pods need not tolerate them to have a node launched."""
    expire_after: DurationOrNever | None = None
    """The nodes' age at which they are replaced. Default: the construct writes ``336h``, which is Auto Mode's own."""
    termination_grace_period: Duration | None = None
    """How long a node drains before the rest of its pods is ended, whatever their disruption budgets say.

    Default: the construct writes ``24h``, which is Auto Mode's own.
    """

    def _broken_rules(self) -> Iterator[Problem]:
        grace = self.termination_grace_period or DEFAULT_TERMINATION_GRACE_PERIOD
        expire = self.expire_after or DEFAULT_EXPIRE_AFTER
        if expire == "Never":
            yield Problem(
                field="expire_after",
                message="'Never' cannot work: Auto Mode replaces every node within 21 days",
                cure="with termination_grace_period it may be at most 504h",
            )
        elif duration_in_seconds(expire) + duration_in_seconds(grace) > MAX_NODE_LIFETIME_HOURS * 3600:
            both = f"expire_after ({expire}) and termination_grace_period ({grace})"
            yield Problem(
                field="expire_after",
                message=f"the sum of {both} is over 21 days (504h)",
                cure="shorten one of them",
            )
        seen: set[tuple[str, str]] = set()
        for field, taints in (("taints", self.taints), ("startup_taints", self.startup_taints)):
            for index, taint in enumerate(taints or ()):
                if (taint.key, taint.effect) in seen:
                    yield Problem(
                        field=f"{field}[{index}]",
                        message=f"the nodes have a taint '{taint.key}' with effect {taint.effect} already",
                        cure="remove one of the two",
                    )
                seen.add((taint.key, taint.effect))


class NodeClaimTemplate(KubeModel):
    """The template of the pool's nodes."""

    metadata: NodeMetadata | None = None
    """Labels and annotations of the nodes."""
    spec: NodeClaimSpec
    """What the nodes are."""


class NodePoolSpec(KubeModel):
    """A NodePool: which nodes Auto Mode may launch, how many, and when it takes them away.

    Holds what was set and nothing else; the ``NodePool`` construct writes our defaults.

    Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode"; CRD ``nodepools.karpenter.sh``.
    """

    template: NodeClaimTemplate
    """What the pool's nodes are."""
    disruption: Disruption | None = None
    """When running nodes are removed or replaced. Default: see ``Disruption``."""
    limits: Mapping[str, Quantity] | None = None
    """The most the pool may hold of each resource (``cpu``, ``memory``, ``nvidia.com/gpu``, ``nodes``).

    Default: no limit; checked by Karpenter now and then, so that a pool can overshoot.
    """
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    """Which pool is tried first, 1 to 100, higher first. Default: 0, as Karpenter decides."""
    replicas: Annotated[int, Field(ge=0, le=MAX_EXACT_INTEGER)] | None = None
    """Makes a static pool of this many nodes. Cannot be added to or taken from an existing pool.

    Default: not set; the pool follows the pods.
    """

    def _broken_rules(self) -> Iterator[Problem]:
        if self.replicas is None:
            return
        if self.weight is not None:
            yield Problem(
                field="weight", message="a static pool (with replicas) has no weight", cure="remove one of the two"
            )
        limits = dict(self.limits or {})
        nodes = limits.pop("nodes", None)
        if limits:
            yield Problem(
                field="limits",
                message=f"a static pool takes only the limit 'nodes', got {', '.join(sorted(limits))}",
                cure="remove the others",
            )
        if nodes is not None and re.fullmatch(r"-?[0-9]{1,18}", str(nodes)) and int(nodes) < self.replicas:
            yield Problem(
                field="limits.nodes",
                message=f"{nodes} is less than the {self.replicas} nodes of the static pool",
                cure="set it above replicas, with room for nodes that are being replaced",
            )
