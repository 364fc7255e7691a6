"""NodePool (``karpenter.sh/v1``) as Auto Mode accepts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from automode_constructs.errors import Cure, Edit, Problem, shown
from automode_constructs.facts.instances import ACCELERATED_CATEGORIES
from automode_constructs.specs.fields import (
    MAX_EXACT_INTEGER,
    VALUE,
    Duration,
    DurationOrNever,
    LabelKey,
    LabelValue,
    ListOf,
    Quantity,
    TokenOr,
    in_units,
    matching,
    near_duration,
    no_number,
    quoted,
    written_as,
)
from automode_constructs.specs.labels import (
    ARCH,
    CAPACITY_RESERVATION_ID,
    CAPACITY_RESERVATION_INTERRUPTIBLE,
    CAPACITY_RESERVATION_TYPE,
    CAPACITY_TYPE,
    INSTANCE_CATEGORY,
    INSTANCE_FAMILY,
    INSTANCE_TYPE,
    ON_EVERY_NODE,
    PLACEMENT_GROUP_ID,
    stable_key,
)
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.pools.accelerated import GPU_KEYS, only_accelerated
from automode_constructs.specs.pools.admission import Demand, admits_nothing
from automode_constructs.specs.pools.budgets import UPGRADE_BLOCKED, budget_problems
from automode_constructs.specs.pools.cron import wrong_with_cron
from automode_constructs.specs.pools.limits import limit_problems, room_problems
from automode_constructs.specs.pools.requirement import (
    RESTRICTED_LABEL,
    UNLISTED_INSTANCES,
    Requirement,
    is_karpenters_own,
)
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import worded
from automode_constructs.tokens import is_token

if TYPE_CHECKING:
    from automode_constructs.facts.instance_types import InstanceType

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

_CRD = "CRD nodepools.karpenter.sh"
_PAGE = "EKS User Guide, 'Create a Node Pool for EKS Auto Mode'"
_STATIC_PAGE = "EKS User Guide, 'Static Capacity Node Pools in EKS Auto Mode'"

NODE_LIFETIME = rule(
    "automode:NodeLifetime",
    "NodePool",
    severity="error",
    sentence="expireAfter and terminationGracePeriod together are at most 21 days; unset they are 336h and 24h.",
    source=f"{_PAGE}; aws-controllers-k8s/test-infra#1000",
    stricter="The CRD allows any length; EKS refuses more than 21 days at admission.",
)
DUPLICATE_TAINT = rule(
    "automode:DuplicateTaint",
    "NodePool",
    severity="error",
    sentence="A taint's key comes once with each effect, startup taints counted in.",
    source="Karpenter's validation of NodePools; Kubernetes, 'Taints and Tolerations'",
    stricter="The CRD lets it pass; Karpenter then marks the pool as not valid.",
)
BUDGET_SCHEDULE = rule(
    "automode:BudgetSchedule",
    "NodePool",
    severity="error",
    sentence="A budget has schedule and duration or neither, and the schedule's fields are within their ranges.",
    source=f"{_CRD}; Karpenter's cron parser (robfig/cron)",
    stricter="The CRD looks at the schedule's form only; Karpenter then marks the pool as not valid.",
)
BUDGET_REASONS = rule(
    "automode:BudgetReasons",
    "NodePool",
    severity="error",
    sentence="A budget names a reason once.",
    source=_CRD,
)
CONSOLIDATE_AFTER_MISSING = rule(
    "automode:ConsolidateAfterMissing",
    "NodePool",
    severity="warning",
    sentence="disruption has consolidateAfter: the released open-source CRD requires it.",
    source="CRD nodepools.karpenter.sh of Karpenter 1.14.1",
)
NODE_CLASS_REFERENCE = rule(
    "automode:NodeClassReference",
    "NodePool",
    severity="error",
    sentence="A pool's class is a NodeClass of eks.amazonaws.com, not open-source Karpenter's EC2NodeClass.",
    source=f"{_PAGE}; aws/containers-roadmap#2524",
    stricter="The CRD is shared with open-source Karpenter; Auto Mode does not serve EC2NodeClass.",
)
NODE_LABELS = rule(
    "automode:NodeLabels",
    "NodePool",
    severity="error",
    sentence="A pool sets at most 100 labels on its nodes.",
    source=_CRD,
)
NO_REQUIREMENTS = rule(
    "automode:NoRequirements",
    "NodePool",
    severity="warning",
    sentence="A pool has requirements: without, it admits every instance, accelerated ones too.",
    source=f"{_CRD}; EKS User Guide, 'Migrate from Karpenter to EKS Auto Mode'",
)
REQUIREMENTS_ADMIT_NOTHING = rule(
    "automode:RequirementsAdmitNothing",
    "NodePool",
    severity="error",
    sentence="The requirements and labels of a pool leave a value for each label that all nodes have.",
    source="Karpenter, 'NodePools', spec.template.spec.requirements",
    stricter="The CRD does not compare requirements; such a pool never launches a node.",
)
REQUIREMENTS_CONTRADICT = rule(
    "automode:RequirementsContradict",
    "NodePool",
    severity="warning",
    sentence="The requirements of a pool for one label do not contradict each other.",
    source="Karpenter, 'NodePools', spec.template.spec.requirements",
)
ACCELERATED_BY_ACCIDENT = rule(
    "automode:AcceleratedByAccident",
    "NodePool",
    severity="warning",
    sentence="A pool that wants no accelerator leaves their categories out: they are used when all else fails.",
    source="EKS User Guide, 'Cost optimization' of EKS Auto Mode",
)
GRAVITON_BY_ACCIDENT = rule(
    "automode:GravitonByAccident",
    "NodePool",
    severity="warning",
    sentence="A pool of accelerated instances that admits both amd64 and arm64 types says so by kubernetes.io/arch.",
    source="EC2's DescribeInstanceTypes: g5g is Graviton, and the cheapest with a GPU",
)
NO_INSTANCE_TYPE = rule(
    "automode:NoInstanceType",
    "NodePool",
    severity="warning",
    sentence="The requirements and labels of a pool together admit at least one known instance type.",
    source="EC2's DescribeInstanceTypes; EKS User Guide, 'Learn about Amazon EKS Auto Mode Managed instances'",
)
STATIC_POOL = rule(
    "automode:StaticPool",
    "NodePool",
    severity="error",
    sentence="A static pool (with replicas) has no weight and no limit but nodes.",
    source=f"{_CRD}; {_STATIC_PAGE}",
)
STATIC_POOL_LIMIT = rule(
    "automode:StaticPoolLimit",
    "NodePool",
    severity="error",
    sentence="The limit of a static pool's nodes is not below its replicas.",
    source=_STATIC_PAGE,
    stricter="The CRD does not compare them; such a pool never reaches its replicas.",
)
STATIC_POOL_NO_ROOM = rule(
    "automode:StaticPoolNoRoom",
    "NodePool",
    severity="warning",
    sentence="The limit of a static pool's nodes is above its replicas, so that nodes can be replaced.",
    source=_STATIC_PAGE,
)

_SECONDS = {"h": 3600, "m": 60, "s": 1}


@lru_cache(maxsize=256)
def duration_in_seconds(duration: str) -> int:
    """The length of a duration such as ``1h30m``.

    Raises:
        ValueError: for ``Never``, which has no length.
    """
    if duration == "Never":
        raise ValueError("'Never' has no length")
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))


_Time = Annotated[
    str,
    matching(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
        "a time such as '2026-01-31T12:00:00Z'",
    ),
]
_TaintValue = Annotated[LabelValue, Field(min_length=1)]


class Taint(KubeModel):
    """A taint that nodes of the pool carry: only pods that tolerate it land there."""

    key: LabelKey
    """The taint's key."""
    value: _TaintValue | None = None
    """The taint's value. Default: none; a toleration then needs ``operator: Exists``."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods that do not tolerate it."""
    time_added: _Time | None = None
    """When the taint was set. Kubernetes writes it on nodes, and the CRD takes it here, to no effect."""


_Schedule = Annotated[
    str,
    matching(
        r"@(annually|yearly|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}",
        "a cron expression of five fields ('0 9 * * mon-fri'), or '@daily' and the like",
        lambda text: "leave the time zone out: times are UTC" if "TZ=" in text.upper() else "",
    ),
]
_HOURS_AND_MINUTES = r"([0-9]+[hm]|[0-9]+h[0-9]+m)(0s)?"
_HoursAndMinutes = Annotated[
    str,
    no_number(lambda value: in_units(value, "mh")),
    matching(
        _HOURS_AND_MINUTES,
        "hours and minutes such as '8h' or '1h30m'",
        lambda text: near_duration(text, _HOURS_AND_MINUTES),
    ),
]


def _share(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if info.context is None:
            return str(value)
        raise VALUE.broken("", f"needs a text, got {shown(value)}", quoted(value))
    return value


def _share_cure(value: float) -> str:
    percent = round(value * 100, 6)
    return written_as(f"{int(percent)}%") if 0 < value < 1 and percent == int(percent) else ""


if TYPE_CHECKING:
    _Share = int | str
else:
    # Kubernetes has a text here, also for a number; Python code may give the number.
    _Share = Annotated[
        str,
        no_number(_share_cure),
        BeforeValidator(_share),
        matching(r"(100|[0-9]{1,2})%|[0-9]+", "a number of nodes ('5') or a share ('10%')"),
    ]


class Budget(KubeModel):
    """How many nodes Karpenter may disrupt at a time. Budgets never hold back expiry."""

    nodes: _Share | None = None
    """A number (``"5"``; in Python also ``5``) or a share (``"10%"``) of the pool's nodes.

    Default: ``"10%"``, as Karpenter decides.
    """
    reasons: ListOf[Literal["Underutilized", "Empty", "Drifted"]] | None = None
    """The reasons the budget is for. Default: all of them, as Karpenter decides."""
    schedule: _Schedule | None = None
    """Cron expression of five fields, or ``@daily`` and the like, in UTC: when the budget begins to count."""
    duration: _HoursAndMinutes | None = None
    """How long the budget counts from each start of ``schedule``."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.schedule is None) != (self.duration is None):
            yield BUDGET_SCHEDULE.problem("schedule", "'schedule' and 'duration' must be set together")
        wrong = wrong_with_cron(self.schedule or "@daily")
        if wrong:
            yield BUDGET_SCHEDULE.problem(
                "schedule", f"{shown(self.schedule)}: {wrong}", "see crontab(5); times are UTC"
            )
        if len(set(self.reasons or ())) < len(self.reasons or ()):
            yield BUDGET_REASONS.problem("reasons", "names a reason twice", "name each once")


class Disruption(KubeModel):
    """When Karpenter removes or replaces nodes that still run."""

    consolidation_policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"] | None = None
    """Which nodes may be consolidated.

    Default: the construct writes ``WhenEmptyOrUnderutilized``, because EKS's own default changed with 1.37.
    """
    consolidate_after: DurationOrNever | None = None
    """How long a node stays empty or underused before it may be removed. Default: the construct writes ``30s``.

    AWS's samples leave it out, the open-source CRD requires it: a document without it gets a warning.
    """
    budgets: Annotated[ListOf[Budget], Field(max_length=50)] | None = None
    """Limits on how many nodes are disrupted at once, at most 50. Default: Karpenter allows 10 %."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.consolidate_after is None:
            yield CONSOLIDATE_AFTER_MISSING.problem(
                "consolidate_after",
                "is missing, which the open-source CRD of Karpenter 1.14 refuses beside other fields of disruption",
                "write '30s', as EKS's own pools have it",
            )


def _only(name: str, open_source: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or value == name or is_token(value):
            return value
        whose = "open-source Karpenter's and not served on" if value == open_source else "not a class of"
        raise NODE_CLASS_REFERENCE.broken(
            "", f"{shown(value)} is {whose} Auto Mode", Cure(f"use '{name}'", Edit(what="value", to=name))
        )

    return BeforeValidator(check)


class NodeClassReference(KubeModel):
    """The NodeClass of a pool. The ``NodePool`` construct writes it."""

    group: Annotated[Literal["eks.amazonaws.com"], _only("eks.amazonaws.com", "karpenter.k8s.aws")]
    """API group; open-source Karpenter's classes do not exist on Auto Mode."""
    kind: Annotated[Literal["NodeClass"], _only("NodeClass", "EC2NodeClass")]
    """Kind."""
    name: Annotated[str, Field(min_length=1)]
    """The NodeClass's name."""


class NodeMetadata(KubeModel):
    """Labels and annotations that every node of the pool gets."""

    labels: Mapping[LabelKey, TokenOr[LabelValue]] | None = None
    """At most 100 labels; none of Karpenter's own domain.

    Whether EKS refuses labels of ``eks.amazonaws.com`` is not documented: they pass.
    """
    annotations: Mapping[str, TokenOr[str]] | None = None
    """Annotations."""

    def _broken_rules(self) -> Iterator[Problem]:
        labels = self.labels or {}
        if len(labels) > 100:
            yield NODE_LABELS.problem("labels", f"must have at most 100 labels, got {len(labels)}")
        for key in labels:
            if is_karpenters_own(key):
                yield RESTRICTED_LABEL.problem(f"labels['{key}']", f"'{key}' is set by Karpenter itself", "remove it")
        if (self.annotations or {}).get(DO_NOT_DISRUPT) == "true":
            yield UPGRADE_BLOCKED.problem(
                f"annotations['{DO_NOT_DISRUPT}']",
                "'true' holds every node of the pool: nodes follow an upgrade of the cluster only as they expire, and "
                "EKS refuses to roll it back",
                "annotate the pods that must not move, which only delays, or give the pool a budget with a schedule",
            )


DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
"""The annotation of a pod or node that Karpenter leaves alone, except that it expires."""

_OF_THE_NODE_CLASS: Mapping[str, str] = dict.fromkeys(
    (
        *("advancedCompute", "advancedNetworking", "advancedSecurity", "associatePublicIPAddress"),
        *("capacityReservationSelectorTerms", "certificateBundles", "ephemeralStorage", "instanceProfile", "kubelet"),
        *("networkPolicy", "networkPolicyEventLogs", "placementGroupSelector", "podSecurityGroupSelectorTerms"),
        *("podSubnetSelectorTerms", "role", "securityGroupSelectorTerms", "snatPolicy", "subnetSelectorTerms", "tags"),
    ),
    "it belongs to a NodeClass: write it in the spec of the pool's class",
)
"""Fields that people write in a pool and its class has."""


class NodeClaimSpec(KubeModel):
    """What every node of the pool is: requirements, taints, lifetime."""

    wrong_names: ClassVar[Mapping[str, str]] = _OF_THE_NODE_CLASS

    node_class_ref: NodeClassReference | None = None
    """Written by the ``NodePool`` construct; set when an existing manifest is read."""
    requirements: Annotated[ListOf[Requirement], Field(max_length=100)]
    """Which instances the pool may launch, at most 100 requirements, all of which must hold.

    AWS's migration page asks for one at least, the CRD for none: an empty list is a warning.
    """
    taints: ListOf[Taint] | None = None
    """Taints of the nodes."""
    startup_taints: ListOf[Taint] | None = None
    """Taints that a DaemonSet removes once it is ready; pods need not tolerate them to have a node launched."""
    expire_after: DurationOrNever | None = None
    """The nodes' age at which they are replaced. Default: the construct writes ``336h``, which is Auto Mode's own."""
    termination_grace_period: Duration | None = None
    """How long a node drains before its remaining pods are ended, regardless of their disruption budgets.

    Default: the construct writes ``24h``, which is Auto Mode's own.
    """

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        return (self._lifetime_problems, self._taint_problems, self._requirement_problems)

    def _lifetime_problems(self) -> Iterator[Problem]:
        grace = self.termination_grace_period or DEFAULT_TERMINATION_GRACE_PERIOD
        expire = self.expire_after or DEFAULT_EXPIRE_AFTER
        if expire == "Never":
            yield NODE_LIFETIME.problem(
                "expire_after",
                "'Never' cannot work: Auto Mode replaces every node within 21 days",
                worded("with {termination_grace_period} it may be at most 504h"),
            )
        elif duration_in_seconds(expire) + duration_in_seconds(grace) > MAX_NODE_LIFETIME_HOURS * 3600:
            message = worded(
                "the sum of {expire_after} ({expire}) and {termination_grace_period} ({grace}) is over 21 days (504h)",
                expire=expire,
                grace=grace,
            )
            yield NODE_LIFETIME.problem("expire_after", message, "shorten one of them")

    def _taint_problems(self) -> Iterator[Problem]:
        seen: set[tuple[str, str]] = set()
        for field, taints in (("taints", self.taints), ("startup_taints", self.startup_taints)):
            for index, taint in enumerate(taints or ()):
                if (taint.key, taint.effect) in seen:
                    yield DUPLICATE_TAINT.problem(
                        f"{field}[{index}]",
                        f"the nodes have a taint '{taint.key}' with effect {taint.effect} already",
                        "remove one of the two",
                    )
                seen.add((taint.key, taint.effect))

    def _requirement_problems(self) -> Iterator[Problem]:
        if not self.requirements:
            yield NO_REQUIREMENTS.problem(
                "requirements",
                "is empty, so that the pool admits every instance, accelerated ones too",
                "require instance categories, for example INSTANCE_CATEGORY.is_in('c', 'm', 'r')",
            )
        by_key = _demands(self.requirements)
        reserved = [
            key for key in sorted(_ON_RESERVED_NODES & by_key.keys()) if {*dict(by_key[key])} & {"In", "Exists"}
        ]
        if reserved and admits_nothing(CAPACITY_TYPE, [*by_key.get(CAPACITY_TYPE, ()), ("In", ["reserved"])]):
            yield REQUIREMENTS_ADMIT_NOTHING.problem(
                "requirements",
                f"only reserved nodes have '{reserved[0]}', and {CAPACITY_TYPE} leaves reserved out",
                f"add reserved to the values of {CAPACITY_TYPE}",
            )
        for key, demands in by_key.items():
            if admits_nothing(key, demands):
                broken = REQUIREMENTS_ADMIT_NOTHING if key in ON_EVERY_NODE else REQUIREMENTS_CONTRADICT
                whose = "no node has" if key in ON_EVERY_NODE else "no value of its own is"
                yield broken.problem(
                    "requirements",
                    f"{whose} what is required of '{key}': {_in_words(demands)}",
                    "all requirements must hold: put what is wanted into one",
                )


_ON_RESERVED_NODES = frozenset({CAPACITY_RESERVATION_ID, CAPACITY_RESERVATION_INTERRUPTIBLE, CAPACITY_RESERVATION_TYPE})


def _demands(requirements: Iterable[Requirement]) -> dict[str, list[Demand]]:
    """What is required of each key."""
    demands: dict[str, list[Demand]] = {}
    for item in requirements:
        demands.setdefault(stable_key(item.key), []).append((item.operator, item.values or ()))
    return demands


def _in_words(demands: Iterable[Demand]) -> str:
    return " and ".join(f"{operator} {', '.join(values[:5])}".rstrip() for operator, values in demands)


class NodeClaimTemplate(KubeModel):
    """The template of the pool's nodes."""

    metadata: NodeMetadata | None = None
    """Labels and annotations of the nodes."""
    spec: NodeClaimSpec
    """What the nodes are."""

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        return (self._label_problems, self._accelerator_problems, self._type_problems)

    def _label_problems(self) -> Iterator[Problem]:
        demands = _demands(self.spec.requirements)
        for key, value in ((self.metadata and self.metadata.labels) or {}).items():
            required = demands.get(stable_key(key), [])
            if (
                required
                and stable_key(key) in ON_EVERY_NODE
                and admits_nothing(stable_key(key), [*required, ("In", [value])])
            ):
                yield REQUIREMENTS_ADMIT_NOTHING.problem(
                    f"metadata.labels['{key}']",
                    f"'{key}' is {shown(value)}, which the requirements rule out: {_in_words(required)}",
                    "remove the label: nodes get it by themselves",
                )
            demands.setdefault(stable_key(key), []).append(("In", [value]))

    def _accelerator_problems(self) -> Iterator[Problem]:
        demands = _demands([*self.spec.requirements, *self._labels_as_requirements()])
        tainted = {taint.key for taint in self.spec.taints or ()}
        admitted = _accelerated(demands) if self.spec.requirements and not tainted & _ACCELERATOR_TAINTS else []
        if admitted:
            yield ACCELERATED_BY_ACCIDENT.problem(
                "spec.requirements",
                f"admit accelerated instances ({', '.join(admitted)}), which are used when all else fails",
                f"require {INSTANCE_CATEGORY} In the categories that are wanted, for example 'c', 'm', 'r'",
            )
        if ARCH not in demands and only_accelerated(demands):
            yield from self._graviton_problems()

    def _type_problems(self) -> Iterator[Problem]:
        # Late: the list takes time to load.
        from automode_constructs.specs.pools.instance_types import admits_any

        if not self.spec.requirements or admits_any([*self.spec.requirements, *self._labels_as_requirements()]):
            return
        unlisted = any(
            problem.rule == UNLISTED_INSTANCES.id for item in self.spec.requirements for problem in item.warnings()
        )
        if not unlisted:
            yield NO_INSTANCE_TYPE.problem(
                "spec.requirements",
                "admit no instance type that is known here, so the pool launches no node unless AWS has a newer one",
                "loosen a requirement: automode estimate shows which types a pool admits",
            )

    def _graviton_problems(self) -> Iterator[Problem]:
        types = self.instance_types()
        arm, others = (
            [known.name for known in types if (known.architecture == "arm64") is graviton] for graviton in (True, False)
        )
        if arm and others:
            yield GRAVITON_BY_ACCIDENT.problem(
                "spec.requirements",
                f"leave {ARCH} open and admit accelerated types of both, {', '.join(arm[:3])} (arm64) beside "
                f"{', '.join(others[:3])} (amd64), between which the price decides: an image for one of them alone "
                "ends in an exec format error on the other",
                f"require {ARCH} In 'amd64', or In both where the images are for both",
            )

    def instance_types(self) -> tuple[InstanceType, ...]:
        """The instance types that the template admits, of those we know: cheapest first, then by name."""
        # Late: the list takes time to load, and most documents do without it.
        from automode_constructs.specs.pools.instance_types import admitted

        return admitted([*self.spec.requirements, *self._labels_as_requirements()])

    def _labels_as_requirements(self) -> list[Requirement]:
        node_labels = {} if self.metadata is None else self.metadata.labels or {}
        # Judged already, where they stand.
        return [
            Requirement.model_construct(key=key, operator="In", values=(value,)) for key, value in node_labels.items()
        ]


_ACCELERATOR_TAINTS = frozenset({"nvidia.com/gpu", "aws.amazon.com/neuron"})


def _accelerated(demands: Mapping[str, Sequence[Demand]]) -> list[str]:
    """The categories of accelerated instances that no requirement asks for or rules out."""
    chosen = {INSTANCE_CATEGORY, INSTANCE_FAMILY, INSTANCE_TYPE, CAPACITY_RESERVATION_ID, PLACEMENT_GROUP_ID}
    # NotIn also matches the nodes that have no GPU, and those with any other.
    if any(operator != "NotIn" for key in GPU_KEYS & demands.keys() for operator, _ in demands[key]) or any(
        operator == "In" for key in chosen & demands.keys() for operator, _ in demands[key]
    ):
        return []
    if any(operator == "In" and list(values) == ["reserved"] for operator, values in demands.get(CAPACITY_TYPE, ())):
        return []  # The reserved type is known.
    ruled_out = {
        value
        for operator, values in demands.get(INSTANCE_CATEGORY, ())
        for value in (ACCELERATED_CATEGORIES if any(is_token(value) for value in values) else values)
        if operator == "NotIn"
    }
    return [category for category in ACCELERATED_CATEGORIES if category not in ruled_out]


class NodePoolSpec(KubeModel):
    """A NodePool: which nodes Auto Mode may launch, how many, and when it removes them.

    Holds only what was set; the ``NodePool`` construct writes our defaults.

    Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode"; CRD ``nodepools.karpenter.sh``.
    """

    wrong_names: ClassVar[Mapping[str, str]] = _OF_THE_NODE_CLASS

    template: NodeClaimTemplate
    """What the pool's nodes are."""
    disruption: Disruption | None = None
    """When running nodes are removed or replaced. Default: see ``Disruption``."""
    limits: Mapping[str, Quantity] | None = None
    """The most the pool may hold of each resource (``cpu``, ``memory``, ``nvidia.com/gpu``, ``nodes``).

    Default: no limit; Karpenter checks it at intervals, so a pool can overshoot.
    """
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    """Which pool is tried first, 1 to 100, higher first. Default: 0, as Karpenter decides."""
    replicas: Annotated[int, Field(ge=0, le=MAX_EXACT_INTEGER)] | None = None
    """Makes a static pool of this many nodes. Cannot be added to or removed from an existing pool.

    Default: not set; the pool follows the pods.
    """

    def instance_types(self) -> tuple[InstanceType, ...]:
        """The instance types that the pool admits, of those we know: cheapest first, then by name.

        A pool may admit types newer than our list; ``facts.instance_types.as_of`` has the list's date.
        """
        return self.template.instance_types()

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        return (
            self._weight_problems,
            self._limit_problems,
            self._resource_problems,
            self._budget_problems,
        )

    def _resource_problems(self) -> Iterator[Problem]:
        limits = {name: limit for name, limit in (self.limits or {}).items() if not is_token(limit)}
        problems = [*limit_problems(limits)]
        if {"cpu", "memory"} & limits.keys():
            problems += room_problems(limits, self.instance_types())
        for problem in problems:
            yield problem.under("limits")

    def _budget_problems(self) -> Iterator[Problem]:
        disruption = self.disruption
        if disruption is None or disruption.budgets is None:
            return
        reasons = ["Drifted"]
        # Static pools are not consolidated, and `WhenEmpty` leaves underused nodes alone.
        if self.replicas is None and disruption.consolidate_after != "Never":
            policy = disruption.consolidation_policy
            reasons = ["Empty", *([] if policy == "WhenEmpty" else ["Underutilized"]), *reasons]
        for problem in budget_problems(disruption.budgets, reasons):
            yield problem.under("disruption.budgets")

    def _weight_problems(self) -> Iterator[Problem]:
        if self.replicas is not None and self.weight is not None:
            yield STATIC_POOL.problem("weight", "a static pool (with replicas) has no weight", "remove one of the two")

    def _limit_problems(self) -> Iterator[Problem]:
        if self.replicas is None:
            return
        limits = dict(self.limits or {})
        nodes = limits.pop("nodes", None)
        if limits:
            yield STATIC_POOL.problem(
                "limits",
                f"a static pool takes only the limit 'nodes', got {', '.join(sorted(limits))}",
                "remove the others",
            )
        most = None if nodes is None else number(nodes)
        if most is not None and most < self.replicas:
            yield STATIC_POOL_LIMIT.problem(
                "limits.nodes",
                f"{nodes} is less than the {self.replicas} nodes of the static pool",
                "set it above replicas, with room for nodes that are being replaced",
            )
        elif most is not None and most == self.replicas > 0:
            yield STATIC_POOL_NO_ROOM.problem(
                "limits.nodes",
                f"{nodes} leaves a static pool of as many nodes no room to replace one",
                "set it above replicas",
            )
