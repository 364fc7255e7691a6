"""Pods as EKS's API server leaves them: what each asks of a node, and what it gives up if no node has it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from typing import Any

from automode_constructs.checks.placement import tolerates
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.simulation.timeline import seconds_of
from automode_constructs.specs.labels import stable_key
from automode_constructs.specs.pools.label_values import LabelValues, narrowed, values_of
from automode_constructs.specs.quantity import number

__all__ = ["AffinityTerm", "PodShape", "Resources", "Selector", "Spread", "amount", "pod_shape", "selector_of"]

Resources = dict[str, int]
"""Amounts by resource: ``cpu`` in thousandths, everything else in whole units (memory in bytes)."""

HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; ``None`` in its place selects nothing, one without conditions everything."""

    labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        if any(labels.get(key) != value for key, value in self.labels):
            return False
        for key, operator, values in self.expressions:
            value = labels.get(key)
            fits = {
                "In": value in values,
                "NotIn": value not in values,
                "Exists": value is not None,
                "DoesNotExist": value is None,
            }
            if not fits.get(operator, False):
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A topology spread constraint."""

    key: str
    max_skew: int
    hard: bool
    selector: Selector | None
    min_domains: int | None = None
    honors_taints: bool = False
    honors_affinity: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityTerm:
    """A term of pod affinity or anti-affinity."""

    key: str
    selector: Selector | None
    namespaces: frozenset[str]
    """The namespaces named; the pod's own if it names none and selects none."""
    namespace_selector: Selector | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PodShape:
    """What all pods of one template have in common. A relaxed shape gives up preferences, one after the other."""

    app: str
    """Namespace and name of the workload."""
    kind: str
    namespace: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    requests: Resources
    selector: Mapping[str, LabelValues] = field(default_factory=dict)
    required: tuple[Mapping[str, LabelValues], ...] = ()
    preferred: tuple[tuple[int, Mapping[str, LabelValues]], ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()
    spread: tuple[Spread, ...] = ()
    affinity: tuple[AffinityTerm, ...] = ()
    preferred_affinity: tuple[tuple[int, AffinityTerm], ...] = ()
    anti_affinity: tuple[AffinityTerm, ...] = ()
    preferred_anti_affinity: tuple[tuple[int, AffinityTerm], ...] = ()
    host_ports: frozenset[tuple[str, str, int]] = frozenset()
    priority: int = 0
    preempts: bool = True
    claims: tuple[str, ...] = ()
    """Names of persistent volume claims; ``*`` stands for the pod's own name in a StatefulSet."""
    images: tuple[str, ...] = ()
    scheduler: str = "default-scheduler"
    node_name: str | None = None
    gates: bool = False
    tolerates_preferences: bool = False

    @cached_property
    def requirements(self) -> Mapping[str, LabelValues]:
        """The selector, the first required term and the heaviest preference."""
        preference = self.preferred[0][1] if self.preferred else {}
        return narrowed(dict(self.strict_requirements), preference)

    @cached_property
    def strict_requirements(self) -> Mapping[str, LabelValues]:
        """The same without the preference."""
        return narrowed(dict(self.selector), self.required[0] if self.required else {})

    @cached_property
    def do_not_disrupt_s(self) -> float:
        """For how long its node is left alone for its sake: for ever with "true", else as long as the value says."""
        value = self.annotations.get("karpenter.sh/do-not-disrupt")
        return math.inf if value == "true" else seconds_of(value) or 0

    @cached_property
    def eviction_cost(self) -> float:
        """Karpenter's measure of how much it disturbs to move a pod: 1, more or less by deletion cost and priority."""
        cost = 1.0
        with suppress(ValueError):
            cost += float(self.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")) / 2**27
        return min(max(cost + self.priority / 2**25, -10.0), 10.0)

    @cached_property
    def tolerated(self) -> dict[tuple[tuple[str, str, str], ...], bool]:
        """A memory for ``tolerates_all``."""
        return {}

    def tolerates_all(self, taints: tuple[tuple[str, str, str], ...]) -> bool:
        """Whether it tolerates all these taints (key, value, effect)."""
        known = self.tolerated.get(taints)
        if known is None:
            known = self.tolerated[taints] = self.untolerated(taints) is None
        return known

    def untolerated(self, taints: tuple[tuple[str, str, str], ...]) -> str | None:
        """The key of the first taint that it does not tolerate."""
        for key, value, effect in taints:
            if effect == "PreferNoSchedule" and self.tolerates_preferences:
                continue
            taint = {"key": key, "value": value, "effect": effect}
            if not any(tolerates(toleration, taint) for toleration in self.tolerations):
                return key
        return None

    def relaxed(self, *, tolerate_preferences: bool) -> PodShape | None:
        """The shape with one demand less, as Karpenter gives them up in turn; ``None`` if none is left."""
        memory = self._relaxed
        if tolerate_preferences not in memory:
            memory[tolerate_preferences] = self._without_next(tolerate_preferences=tolerate_preferences)
        return memory[tolerate_preferences]

    @cached_property
    def _relaxed(self) -> dict[bool, PodShape | None]:
        return {}

    def _without_next(self, *, tolerate_preferences: bool) -> PodShape | None:
        if len(self.required) > 1:
            return replace(self, required=self.required[1:])
        if self.preferred_affinity:
            return replace(self, preferred_affinity=self.preferred_affinity[1:])
        if self.preferred_anti_affinity:
            return replace(self, preferred_anti_affinity=self.preferred_anti_affinity[1:])
        if self.preferred:
            return replace(self, preferred=self.preferred[1:])
        soft = next((index for index, each in enumerate(self.spread) if not each.hard), None)
        if soft is not None:
            return replace(self, spread=self.spread[:soft] + self.spread[soft + 1 :])
        if tolerate_preferences and not self.tolerates_preferences:
            return replace(self, tolerates_preferences=True)
        return None


def amount(resource: str, quantity: object, where: str, at: str) -> int:
    """A quantity as ``Resources`` have it.

    Raises:
        AutoModeError: if it is no quantity.
    """
    value = number(quantity) if isinstance(quantity, int | str) and not isinstance(quantity, bool) else None
    if value is None or value < 0:
        if isinstance(quantity, float) and quantity >= 0:
            value = Decimal(str(quantity))
        else:
            raise AutoModeError.of(
                where, field=at, message=f"{shown(quantity)} is no quantity", cure="write '500m' or '1Gi'"
            )
    scaled = value * 1000 if resource == "cpu" else value
    return int(scaled.to_integral_value(ROUND_CEILING))


def selector_of(raw: Any) -> Selector | None:
    """A label selector; ``None`` if there is none."""
    if not isinstance(raw, Mapping):
        return None
    expressions = tuple(
        (str(item.get("key")), str(item.get("operator")), tuple(map(str, item.get("values") or ())))
        for item in raw.get("matchExpressions") or ()
        if isinstance(item, Mapping)
    )
    labels = tuple(sorted((str(key), str(value)) for key, value in _mapping(raw.get("matchLabels")).items()))
    return Selector(labels, expressions)


def pod_shape(
    template: Mapping[str, Any],
    *,
    app: str,
    kind: str,
    namespace: str,
    priorities: Mapping[str, tuple[int, bool]],
    where: str,
    claim_templates: Sequence[str] = (),
    extra_labels: Mapping[str, str] | None = None,
) -> PodShape:
    """Reads a pod template.

    Args:
        template: ``metadata`` and ``spec`` of the pods.
        app: namespace and name of the workload.
        kind: the workload's kind.
        namespace: where the pods live.
        priorities: value and whether it preempts, by the name of each PriorityClass; ``""`` is the default.
        where: what errors name as the place.
        claim_templates: names of a StatefulSet's volume claim templates.
        extra_labels: labels that the workload's controller adds.

    Raises:
        AutoModeError: for quantities and operators that are none.
    """
    metadata, spec = _mapping(template.get("metadata")), _mapping(template.get("spec"))
    labels = {str(key): str(value) for key, value in _mapping(metadata.get("labels")).items()} | dict(
        extra_labels or {}
    )
    requests = _requests(spec, where)
    devices = [key for key in requests if "/" in key and not key.rpartition("/")[0].endswith("kubernetes.io")]
    added = [{"key": device, "operator": "Exists", "effect": "NoSchedule"} for device in devices]
    node_affinity = _mapping(_mapping(spec.get("affinity")).get("nodeAffinity"))
    required = _mapping(node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    preferred = [
        (int(item.get("weight") or 1), _conditions(_mapping(item.get("preference")), where))
        for item in _mappings(node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution"))
    ]
    affinity, soft_affinity = _terms(_mapping(spec.get("affinity")).get("podAffinity"), namespace, labels)
    anti, soft_anti = _terms(_mapping(spec.get("affinity")).get("podAntiAffinity"), namespace, labels)
    class_name = str(spec.get("priorityClassName") or "")
    priority, preempts = priorities.get(class_name, priorities.get("", (0, True)))
    containers = [*_mappings(spec.get("containers")), *_mappings(spec.get("initContainers"))]
    return PodShape(
        app=app,
        kind=kind,
        namespace=namespace,
        labels=labels,
        annotations={str(key): str(value) for key, value in _mapping(metadata.get("annotations")).items()},
        requests=requests,
        selector={
            stable_key(str(key)): values_of("In", (str(value),))
            for key, value in _mapping(spec.get("nodeSelector")).items()
        },
        required=tuple(_conditions(term, where) for term in _mappings(required.get("nodeSelectorTerms"))),
        preferred=tuple(sorted(preferred, key=lambda item: -item[0])),
        tolerations=(*_mappings(spec.get("tolerations")), *added),
        spread=tuple(_spread(item, labels) for item in _mappings(spec.get("topologySpreadConstraints"))),
        affinity=affinity,
        preferred_affinity=soft_affinity,
        anti_affinity=anti,
        preferred_anti_affinity=soft_anti,
        host_ports=frozenset(_host_ports(spec)),
        priority=int(spec["priority"]) if isinstance(spec.get("priority"), int) else priority,
        preempts=preempts,
        claims=(*_claims(spec), *(f"{name}-*" for name in claim_templates)),
        images=tuple(dict.fromkeys(str(each["image"]) for each in containers if each.get("image"))),
        scheduler=str(spec.get("schedulerName") or "default-scheduler"),
        node_name=spec.get("nodeName"),
        gates=bool(spec.get("schedulingGates")),
    )


def _requests(spec: Mapping[str, Any], where: str) -> Resources:
    steady: Resources = {}
    for container in _mappings(spec.get("containers")):
        _add(steady, _container_requests(container, where))
    sidecars: Resources = {}
    largest: Resources = {}
    for container in _mappings(spec.get("initContainers")):
        own = _container_requests(container, where)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, own)
            own = {}
        for key, value in {**sidecars, **{name: own.get(name, 0) + sidecars.get(name, 0) for name in own}}.items():
            largest[key] = max(largest.get(key, 0), value)
    _add(steady, sidecars)
    total = {key: max(steady.get(key, 0), largest.get(key, 0)) for key in {**steady, **largest}}
    # Resources of the pod as a whole: its limits count only where no container requests anything.
    asked = _mapping(_mapping(spec.get("resources")).get("requests"))
    total |= {key: value for key, value in _container_requests(spec, where).items() if key in asked or key not in total}
    for key, value in _mapping(spec.get("overhead")).items():
        total[key] = total.get(key, 0) + amount(key, value, where, f"overhead.{key}")
    return {**{key: value for key, value in total.items() if value}, "pods": 1}


def _container_requests(container: Mapping[str, Any], where: str) -> Resources:
    resources = _mapping(container.get("resources"))
    wanted = {**_mapping(resources.get("limits")), **_mapping(resources.get("requests"))}
    name = container.get("name") or "spec"
    return {str(key): amount(str(key), value, where, f"{name}.resources.{key}") for key, value in wanted.items()}


def _add(total: Resources, more: Mapping[str, int]) -> None:
    for key, value in more.items():
        total[key] = total.get(key, 0) + value


def _conditions(term: Mapping[str, Any], where: str) -> Mapping[str, LabelValues]:
    found: dict[str, LabelValues] = {}
    for item in (*_mappings(term.get("matchExpressions")), *_mappings(term.get("matchFields"))):
        key, operator = str(item.get("key")), str(item.get("operator"))
        values = tuple(str(value) for value in item.get("values") or ())
        if operator not in {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"} or (
            operator in {"Gt", "Lt"} and not (len(values) == 1 and values[0].isdecimal())
        ):
            raise AutoModeError.of(
                where,
                field=f"nodeAffinity '{key}'",
                message=f"operator {shown(operator)} with values {shown(list(values))} is no condition",
            )
        found = narrowed(found, {stable_key(key): values_of(operator, values)})
    return found


def _spread(item: Mapping[str, Any], labels: Mapping[str, str]) -> Spread:
    return Spread(
        key=str(item.get("topologyKey")),
        max_skew=int(item.get("maxSkew") or 1),
        hard=item.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        selector=_with_own_labels(item, labels),
        min_domains=item.get("minDomains"),
        honors_taints=item.get("nodeTaintsPolicy") == "Honor",
        honors_affinity=item.get("nodeAffinityPolicy", "Honor") == "Honor",
    )


def _with_own_labels(item: Mapping[str, Any], labels: Mapping[str, str]) -> Selector | None:
    """The selector of a constraint, with the values that the pod itself has of the labels that it names."""
    selector = selector_of(item.get("labelSelector"))
    if selector is None:
        return None
    own = [
        (key, operator, (labels[key],))
        for field_name, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in item.get(field_name) or ()
        if key in labels
    ]
    return Selector(selector.labels, (*selector.expressions, *own))


def _terms(
    raw: Any, namespace: str, labels: Mapping[str, str]
) -> tuple[tuple[AffinityTerm, ...], tuple[tuple[int, AffinityTerm], ...]]:
    affinity = _mapping(raw)
    hard = [
        _term(item, namespace, labels)
        for item in _mappings(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    ]
    soft = [
        (int(item.get("weight") or 1), _term(_mapping(item.get("podAffinityTerm")), namespace, labels))
        for item in _mappings(affinity.get("preferredDuringSchedulingIgnoredDuringExecution"))
    ]
    return tuple(hard), tuple(sorted(soft, key=lambda item: -item[0]))


def _term(item: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> AffinityTerm:
    named = frozenset(map(str, item.get("namespaces") or ()))
    selected = selector_of(item.get("namespaceSelector"))
    return AffinityTerm(
        key=str(item.get("topologyKey")),
        selector=_with_own_labels(item, labels),
        namespaces=named if named or selected is not None else frozenset([namespace]),
        namespace_selector=selected,
    )


def _host_ports(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    for container in (*_mappings(spec.get("containers")), *_mappings(spec.get("initContainers"))):
        for port in _mappings(container.get("ports")):
            host = port.get("hostPort") or (port.get("containerPort") if spec.get("hostNetwork") else None)
            if isinstance(host, int):
                yield str(port.get("hostIP") or "0.0.0.0"), str(port.get("protocol") or "TCP"), host  # noqa: S104


def _claims(spec: Mapping[str, Any]) -> Iterator[str]:
    for volume in _mappings(spec.get("volumes")):
        claim = _mapping(volume.get("persistentVolumeClaim")).get("claimName")
        if claim:
            yield str(claim)
        elif "ephemeral" in volume:
            yield f"{volume.get('name')}-*"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
