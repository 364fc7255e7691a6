"""A requirement of a NodePool: which label values its nodes may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Cure, Edit, Problem, did_you_mean, meant_by, shown
from automode_constructs.facts.instances import (
    CATEGORIES,
    FAMILIES,
    FAMILIES_AS_OF,
    NEVER_LAUNCHED_SIZES,
    category_of,
    family_of,
    near,
    size_of,
)
from automode_constructs.facts.regions import region_of_zone, zone_kind
from automode_constructs.specs.fields import LabelKey, LabelValue, TokenListOf
from automode_constructs.specs.labels import (
    INSTANCE_CATEGORY,
    INSTANCE_CPU,
    INSTANCE_FAMILY,
    INSTANCE_SIZE,
    INSTANCE_TYPE,
    KNOWN_LABELS,
    ZONE,
    NumberLabel,
    stable_key,
)
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.zone_names import wrong_with_zone
from automode_constructs.tokens import is_list_token, is_token

__all__ = ["ZONE_OF_ANOTHER_REGION", "Operator", "Requirement", "is_karpenters_own"]

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"]

_CRD = "CRD nodepools.karpenter.sh"
_PAGE = "EKS User Guide, 'Create a Node Pool for EKS Auto Mode'"
_INSTANCES_PAGE = "EKS User Guide, 'Learn about Amazon EKS Auto Mode Managed instances'"

RESTRICTED_LABEL = rule(
    "automode:RestrictedLabel",
    "NodePool",
    severity="error",
    sentence="No pool sets or requires kubernetes.io/hostname or, but for capacity-type, labels of karpenter.sh.",
    source=_CRD,
)
OPERATOR_VALUES = rule(
    "automode:OperatorValues",
    "NodePool",
    severity="error",
    sentence="In and NotIn have values, Exists and DoesNotExist none, Gt, Lt, Gte and Lte one whole number.",
    source=_CRD,
    stricter="Karpenter ignores values beside Exists and DoesNotExist, and a NotIn without any: neither is meant.",
)
MIN_VALUES = rule(
    "automode:MinValues",
    "NodePool",
    severity="error",
    sentence="Operator In has as many values as minValues asks for.",
    source=_CRD,
)
OPEN_SOURCE_KARPENTER_LABEL = rule(
    "automode:OpenSourceKarpenterLabel",
    "NodePool",
    severity="error",
    sentence="Requirements name Auto Mode's labels of eks.amazonaws.com, not karpenter.k8s.aws, which no node has.",
    source=_PAGE,
    stricter="The CRD is shared with open-source Karpenter, whose nodes have these labels; Auto Mode's have not.",
)
WINDOWS = rule(
    "automode:Windows",
    "NodePool",
    severity="error",
    sentence="Auto Mode launches Linux only, so that no requirement asks for Windows.",
    source=_PAGE,
    stricter="The CRD takes any label; such a pool never launches a node.",
)
UNKNOWN_LABEL = rule(
    "automode:UnknownLabel",
    "NodePool",
    severity="warning",
    sentence="Labels of AWS's and Kubernetes' domains are spelt as documented.",
    source=_PAGE,
)
LABEL_VALUE = rule(
    "automode:LabelValue",
    "NodePool",
    severity="error",
    sentence="A requirement names at least one value that its label can have.",
    source=_PAGE,
    stricter="The CRD takes any value; such a pool never launches a node.",
)
SOME_LABEL_VALUES = rule(
    "automode:SomeLabelValues",
    "NodePool",
    severity="warning",
    sentence="Every value of a requirement is one that its label can have.",
    source=_PAGE,
)
ZONE_OF_ANOTHER_REGION = rule(
    "automode:ZoneOfAnotherRegion",
    *("CronJob", "Deployment", "Job", "NodePool", "Pod", "ReplicaSet", "StatefulSet", "StorageClass"),
    severity="warning",
    sentence="The zones that a cluster's objects name are all in the cluster's Region.",
    source="Amazon EC2 User Guide, 'Regions and Zones'",
)
COMPARED_TEXT = rule(
    "automode:ComparedText",
    "NodePool",
    severity="warning",
    sentence="Gt, Lt, Gte and Lte compare numbers, so that they fit only labels whose values are numbers.",
    source=_CRD,
)
INSTANCES_TOO_SMALL = rule(
    "automode:InstancesTooSmall",
    "NodePool",
    severity="error",
    sentence="A pool admits instances of more than one vCPU that are not nano, micro or small.",
    source=_INSTANCES_PAGE,
    stricter="The CRD takes any value; such a pool never launches a node.",
)
SOME_INSTANCES_TOO_SMALL = rule(
    "automode:SomeInstancesTooSmall",
    "NodePool",
    severity="warning",
    sentence="A pool names only instances that Auto Mode launches: none that are nano, micro or small.",
    source=_INSTANCES_PAGE,
)
UNLISTED_INSTANCES = rule(
    "automode:UnlistedInstances",
    "NodePool",
    severity="warning",
    sentence="Instance categories, families and types are among those that Auto Mode lists; the list grows.",
    source=_INSTANCES_PAGE,
)

_REGION = "topology.kubernetes.io/region"
_UNLISTED_BUT_REAL = frozenset(
    {
        "eks.amazonaws.com/nodeclass",
        "kubernetes.io/os",
        "node.kubernetes.io/windows-build",
        "topology.k8s.aws/zone-id",
        _REGION,
    }
)
"""Keys that nodes have, although AWS's table of labels does not list them."""

_WATCHED_DOMAINS = frozenset({"eks.amazonaws.com", "kubernetes.io", "node.kubernetes.io", "topology.kubernetes.io"})
_OTHER_NAMES = {"x86": "amd64", "x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "ondemand": "on-demand"}
"""What people write, and the value that they mean."""

_ZONE_ID = "topology.k8s.aws/zone-id"
_EXCLUDING = frozenset({"NotIn", "DoesNotExist"})
_COMPARISONS = frozenset({"Gt", "Lt", "Gte", "Lte"})
_OPEN_SOURCE_DOMAIN = "karpenter.k8s.aws"


class Requirement(KubeModel):
    """What a NodePool demands of one label of its nodes; see ``specs.labels`` for keys that build it.

    Values of labels with a closed set (``kubernetes.io/arch``, ``karpenter.sh/capacity-type`` ...) are checked; open
    sets, such as instance families and GPU names, never refuse a value.

    Source: CRD ``nodepools.karpenter.sh``, ``spec.template.spec.requirements``.
    """

    key: LabelKey
    """The label's key, at most 316 characters."""
    operator: Operator
    """How the label's value is compared with ``values``."""
    values: TokenListOf[LabelValue] | None = None
    """Text values; none for ``Exists`` and ``DoesNotExist``, one whole number for ``Gt``, ``Lt``, ``Gte``, ``Lte``."""
    min_values: Annotated[int, Field(ge=1, le=50)] | None = None
    """The minimum number of different values that must remain possible (1 to 50).

    Default: not set; Karpenter asks for none.
    """

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        return (self._key_problems, self._operator_problems, self._value_problems, self._instance_problems)

    def _operator_problems(self) -> Iterator[Problem]:
        values = self.values or ()
        if self.operator in {"In", "NotIn"} and not values:
            yield OPERATOR_VALUES.problem("values", f"operator {self.operator} needs at least one value")
        if self.operator in {"Exists", "DoesNotExist"} and values:
            yield OPERATOR_VALUES.problem("values", f"operator {self.operator} takes no values, got {len(values)}")
        if self.operator in _COMPARISONS:
            number = values[0] if len(values) == 1 else ""
            if not is_token(number) and re.fullmatch(r"[0-9]{1,18}", number) is None:
                found = shown(values[0]) if len(values) == 1 else f"{len(values)} values"
                yield OPERATOR_VALUES.problem(
                    "values", f"operator {self.operator} needs exactly one whole number of at least 0, got {found}"
                )
        if (
            self.min_values is not None
            and self.operator == "In"
            and not is_list_token(values)
            and len(values) < self.min_values
        ):
            yield MIN_VALUES.problem(
                "min_values",
                f"{self.min_values} is more than the number of values given ({len(values)})",
                "lower it or add values",
            )

    def _key_problems(self) -> Iterator[Problem]:
        domain, _, name = self.key.rpartition("/")
        if is_karpenters_own(self.key):
            yield RESTRICTED_LABEL.problem(
                "key", f"'{self.key}' cannot be a requirement", _right_key(name) or "Karpenter sets it itself"
            )
        elif domain == _OPEN_SOURCE_DOMAIN:
            yield OPEN_SOURCE_KARPENTER_LABEL.problem(
                "key",
                f"'{self.key}' is a label of open-source Karpenter, which no node of Auto Mode has",
                _right_key(name) or "Auto Mode has no such label: require the instance family or type",
            )
        elif stable_key(self.key) == self.key and self.key not in KNOWN_LABELS and self.key not in _UNLISTED_BUT_REAL:
            cure = _right_key(name, domain) if domain else ""
            outcome = "it may exclude nothing" if self.operator in _EXCLUDING else "no node may fit"
            if domain == "eks.amazonaws.com":
                yield UNKNOWN_LABEL.problem(
                    "key",
                    f"'{self.key}' is not among the labels that AWS documents, so {outcome}",
                    cure or "acknowledge this if it is a newer one",
                )
            elif cure:
                yield UNKNOWN_LABEL.problem(
                    "key", f"'{self.key}' is a label that Auto Mode's nodes do not get, so {outcome}", cure
                )

    def _value_problems(self) -> Iterator[Problem]:
        values = self.values or ()
        key = stable_key(self.key)
        label = KNOWN_LABELS.get(key)
        if key in {ZONE, _REGION, _ZONE_ID} and self.operator in {"In", "NotIn"}:
            yield from self._place_problems(key)
            return
        if _asks_for_windows(key, self.operator, values):
            yield WINDOWS.problem(
                "key" if key == "node.kubernetes.io/windows-build" else "values",
                "Auto Mode launches Linux only, so that this admits nothing",
                "remove the requirement",
            )
        if label is None:
            return
        if self.operator in _COMPARISONS and not isinstance(label, NumberLabel):
            yield COMPARED_TEXT.problem(
                "operator",
                f"{self.operator} compares numbers, and '{key}' is a text, so that no node fits",
                "use In or NotIn",
            )
        if self.operator not in {"In", "NotIn"}:
            return
        wrong = [value for value in values if not label.can_be(value)]
        if not wrong:
            return
        listed = ", ".join(shown(value) for value in wrong[:5])
        cure = "give whole numbers"
        if label.choices:
            meant = {value: _OTHER_NAMES.get(value, value) for value in wrong}
            first = next((value for value in wrong if meant_by(meant[value], label.choices)), wrong[0])
            cure = did_you_mean(meant[first], label.choices, edits="value").at(f"[{values.index(first)}]")
        if self.operator == "In" and len(wrong) == len(values):
            yield LABEL_VALUE.problem("values", f"'{key}' is never {listed}, so that this admits nothing", cure)
        else:
            yield SOME_LABEL_VALUES.problem("values", f"'{key}' is never {listed}, which has no effect", cure)

    def _place_problems(self, key: str) -> Iterator[Problem]:
        values = self.values or ()
        if key == ZONE:
            wrong = {value: found for value in values if (found := wrong_with_zone(value))[0]}
        elif key == _ZONE_ID:
            cure = f"write the zone's id, such as 'use1-az1', or require {ZONE}"
            wrong = {value: ("a zone's name", cure) for value in values if zone_kind(value) != "unknown"}
        else:
            wrong = {
                value: ("a zone", f"write '{region_of_zone(value)}'")
                for value in values
                if not is_token(value) and zone_kind(value) != "unknown"
            }
        if wrong:
            listed = ", ".join(f"{shown(value)} ({what})" for value, (what, _) in [*wrong.items()][:5])
            (_, cure), *_ = wrong.values()
            if self.operator == "In" and len(wrong) == len(values):
                yield LABEL_VALUE.problem("values", f"'{key}' is never {listed}, so that this admits nothing", cure)
            else:
                yield SOME_LABEL_VALUES.problem("values", f"'{key}' is never {listed}, which has no effect", cure)
        regions = {region: value for value in values if (region := region_of_zone(value)) is not None}
        if key == ZONE and self.operator == "In" and len(regions) > 1:
            places = ", ".join(f"{shown(value)} in {region}" for region, value in regions.items())
            yield ZONE_OF_ANOTHER_REGION.problem(
                "values",
                f"are zones of several Regions ({places}), and the nodes of a cluster are in one, so that some admit "
                "nothing",
                "leave the zones of other Regions out",
            )

    def _instance_problems(self) -> Iterator[Problem]:
        values = self.values or ()
        key = stable_key(self.key)
        if key == INSTANCE_CPU:
            yield from self._cpu_problems(values)
        if self.operator != "In" or is_list_token(values):
            return
        if key in {INSTANCE_SIZE, INSTANCE_TYPE}:
            small = [value for value in values if (size_of(value) or value) in NEVER_LAUNCHED_SIZES]
            if small:
                broken = INSTANCES_TOO_SMALL if len(small) == len(values) else SOME_INSTANCES_TOO_SMALL
                yield broken.problem(
                    "values", f"Auto Mode never launches {', '.join(small[:5])}", "the smallest size is medium or large"
                )
        lists: dict[str, frozenset[str]] = {
            INSTANCE_CATEGORY: CATEGORIES,
            INSTANCE_FAMILY: FAMILIES,
            INSTANCE_TYPE: FAMILIES,
        }
        listed = lists.get(key)
        if listed is None:
            return
        named = {value: family_of(value) if key == INSTANCE_TYPE else value for value in values if not is_token(value)}
        unlisted = [value for value, part in named.items() if part not in listed]
        if unlisted:
            first = named[unlisted[0]]
            # A family in place of a category, say: the other list knows it.
            cure = f"did you mean '{category_of(first)}'?" if listed is CATEGORIES and first in FAMILIES else ""
            yield UNLISTED_INSTANCES.problem(
                "values",
                f"{', '.join(unlisted[:5])}: not in Auto Mode's list of {FAMILIES_AS_OF}, so it may launch none",
                cure or near(first, listed) or "acknowledge this if Auto Mode has it by now",
            )

    def _cpu_problems(self, values: Sequence[str]) -> Iterator[Problem]:
        numbers = [int(value) for value in values if value.isascii() and value.isdecimal()]
        if not values or len(numbers) < len(values):
            return
        highest = max(numbers) - (self.operator == "Lt")
        if self.operator in {"In", "Lt", "Lte"} and highest <= 1:
            yield INSTANCES_TOO_SMALL.problem(
                "values", "Auto Mode launches no instance of less than 2 vCPU", "admit 2 and more"
            )


def is_karpenters_own(key: str) -> bool:
    """Whether a node label belongs to Karpenter or the kubelet, so that no pool may set or require it."""
    if key == "kubernetes.io/hostname":
        return True
    return key.split("/")[0].endswith("karpenter.sh") and key != "karpenter.sh/capacity-type"


def _right_key(name: str, domain: str = "") -> Cure:
    """The cure for a key with this name: the nearest known one, or ``""``."""
    by_name = {key.rpartition("/")[2]: key for key in (*KNOWN_LABELS, "kubernetes.io/os")}
    if domain and domain not in _WATCHED_DOMAINS:
        # A user's own domain, unless it is a typo of one of these.
        meant = by_name.get(name, "")
        right = meant.rpartition("/")[0]
        if not meant or not near(domain, [right]):
            return Cure("")
        return Cure(f"did you mean '{meant}'?", _key_edit(meant) if meant_by(domain, [right]) else None)
    if name in by_name:
        return Cure(f"use '{by_name[name]}'", _key_edit(by_name[name]))
    starts = [known for known in by_name if len(known) > 2 and name.startswith(known)]
    guess = near(name, by_name) or (f"did you mean '{starts[0]}'?" if starts else "")
    words = re.sub(r"'(.*)'", lambda match: f"'{by_name[match[1]]}'", guess)
    meant = by_name.get(meant_by(name, by_name), "")
    return Cure(words, _key_edit(meant) if meant and f"'{meant}'" in words else None)


def _key_edit(key: str) -> Edit:
    return Edit(what="value", to=key)


def _asks_for_windows(key: str, operator: str, values: Sequence[str]) -> bool:
    if key == "node.kubernetes.io/windows-build":
        return operator not in {"DoesNotExist", "NotIn"}
    if key != "kubernetes.io/os" or any(is_token(value) for value in values):
        return False
    return (operator == "In" and bool(values) and "linux" not in values) or (operator == "NotIn" and "linux" in values)
