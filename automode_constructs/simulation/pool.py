"""NodePools as Karpenter plans with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automode_constructs.simulation.catalogue import TypeSet
from automode_constructs.simulation.market import REGION_KEY, ZONE_KEY, Market, region_of
from automode_constructs.simulation.node import Taint, WhyNot
from automode_constructs.simulation.pods import Resources, amount
from automode_constructs.simulation.timeline import seconds_of
from automode_constructs.specs.labels import stable_key
from automode_constructs.specs.pools.label_values import LabelValues, narrowed, values_of
from automode_constructs.specs.pools.node_pool import NodePoolSpec

__all__ = ["CLASS_LABEL", "POOL_LABEL", "Budget", "Pool", "pool_from"]

POOL_LABEL = "karpenter.sh/nodepool"
CLASS_LABEL = "eks.amazonaws.com/nodeclass"

_DEFAULT_DISK = 80 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A disruption budget of a pool."""

    nodes: str
    reasons: frozenset[str] | None
    schedule: str | None
    duration_s: float

    def allowed(self, nodes: int) -> int:
        """How many of so many nodes may be disrupted at a time; shares are rounded up."""
        if self.nodes.endswith("%"):
            return -(-nodes * int(self.nodes[:-1]) // 100)
        return int(self.nodes)


@dataclass(eq=False, kw_only=True, slots=True)
class Pool:
    """A NodePool with its class, as Karpenter plans with it."""

    name: str
    requirements: dict[str, LabelValues]
    taints: tuple[Taint, ...]
    startup_taints: tuple[Taint, ...]
    weight: int
    limits: Resources
    replicas: int | None
    policy: str
    consolidate_after_s: float | None
    budgets: Sequence[Budget]
    expire_after_s: float | None
    grace_s: float
    node_class: str
    class_ready: bool
    min_values: Mapping[str, int]
    disk: int
    max_pods: int | None
    types: TypeSet
    zones: Sequence[str]
    labels: Mapping[str, str]
    digest: str
    """What makes nodes drift if it changes, except for requirements."""
    class_digest: str
    reservations: Sequence[str]
    unmet: Sequence[WhyNot] = ()
    """Why it admits no type, if it admits none."""

    @property
    def order(self) -> tuple[int, tuple[int, ...]]:
        """Sorts the heaviest first, then the last of the alphabet."""
        return (-self.weight, (*(-ord(letter) for letter in self.name), 1))


def pool_from(
    manifest: Mapping[str, Any],
    node_class: Mapping[str, Any] | None,
    market: Market,
    *,
    version: str,
) -> Pool:
    """Reads a NodePool and its class.

    Raises:
        AutoModeError: if the linter would refuse the pool.
    """
    name = str(_at(manifest, "metadata").get("name"))
    NodePoolSpec.from_manifest(_at(manifest, "spec"), where=f"NodePool {name}")
    spec = _at(manifest, "spec")
    template = _at(spec, "template")
    nodes = _at(template, "spec")
    class_name = str(_at(nodes, "nodeClassRef").get("name"))
    labels = {str(key): str(value) for key, value in _at(template, "metadata", "labels").items()}
    requirements: dict[str, LabelValues] = {}
    min_values: dict[str, int] = {}
    for item in nodes.get("requirements") or ():
        key = stable_key(str(item["key"]))
        values = values_of(str(item["operator"]), tuple(str(value) for value in item.get("values") or ()))
        requirements = narrowed(requirements, {key: values})
        if item.get("minValues"):
            min_values[key] = max(min_values.get(key, 0), int(item["minValues"]))
    zones_named = requirements.get(ZONE_KEY)
    if zones_named is not None:
        market.add_zones(sorted(zones_named.listed or ()))
    own = {POOL_LABEL: name, CLASS_LABEL: class_name, **labels}
    requirements = narrowed(requirements, {key: values_of("In", (value,)) for key, value in own.items()})
    regions = {region_of(zone) for zone in market.zones if zones_named is None or zones_named.has(zone)}
    requirements = narrowed(requirements, {REGION_KEY: values_of("In", tuple(sorted(regions)))})
    types, unmet = market.catalogue.every, []
    for key, values in requirements.items():
        if key in market.catalogue.label_keys:
            fit = market.catalogue.that_fit(key, values)
            if types and not types & fit:
                unmet.append(WhyNot(name, f"no instance type has {key} of {values}"))
            types &= fit
    disruption = _at(spec, "disruption")
    policy = disruption.get("consolidationPolicy")
    if policy is None:
        policy = "Balanced" if tuple(map(int, version.split("."))) >= (1, 37) else "WhenEmptyOrUnderutilized"
    after = disruption.get("consolidateAfter", "0s")
    expire = nodes.get("expireAfter", "336h")
    storage = _at(node_class or {}, "spec", "ephemeralStorage").get("size")
    return Pool(
        name=name,
        requirements=requirements,
        taints=_taints(nodes.get("taints")),
        startup_taints=_taints(nodes.get("startupTaints")),
        weight=int(spec.get("weight") or 0),
        limits={
            str(key): amount(str(key), value, f"NodePool {name}", f"limits.{key}")
            for key, value in _at(spec, "limits").items()
        },
        replicas=spec.get("replicas"),
        policy=policy,
        consolidate_after_s=None if after == "Never" else seconds_of(after),
        budgets=[_budget(item) for item in disruption.get("budgets", [{"nodes": "10%"}]) or ()],
        expire_after_s=None if expire == "Never" else seconds_of(expire),
        grace_s=seconds_of(nodes.get("terminationGracePeriod", "24h")) or 0,
        node_class=class_name,
        class_ready=node_class is not None,
        min_values=min_values,
        disk=_DEFAULT_DISK
        if storage is None
        else amount("ephemeral-storage", storage, f"NodeClass {class_name}", "size"),
        max_pods=_at(node_class or {}, "spec", "advancedCompute", "kubelet").get("maxPods"),
        types=types,
        zones=[zone for zone in market.zones if zones_named is None or zones_named.has(zone)],
        labels=labels,
        digest=_digest({key: value for key, value in template.items() if key != "spec"})
        + _digest({key: _comparable(value) for key, value in nodes.items() if key != "requirements" and value}),
        class_digest=_digest(_at(node_class or {}, "spec")),
        reservations=_reservations(node_class or {}),
        unmet=unmet,
    )


def _reservations(node_class: Mapping[str, Any]) -> list[str]:
    terms = _at(node_class, "spec").get("capacityReservationSelectorTerms") or ()
    return [str(term.get("id") or f"tags {_digest(_at(term, 'tags'))}") for term in terms if isinstance(term, Mapping)]


def _budget(item: Mapping[str, Any]) -> Budget:
    reasons = item.get("reasons")
    return Budget(
        nodes=str(item.get("nodes", "10%")),
        reasons=frozenset(map(str, reasons)) if reasons else None,
        schedule=item.get("schedule"),
        duration_s=seconds_of(item.get("duration", 0)) or 0,
    )


def _taints(raw: object) -> tuple[Taint, ...]:
    return tuple(
        (str(item.get("key")), str(item.get("value") or ""), str(item.get("effect")))
        for item in (raw if isinstance(raw, list) else ())
    )


def _digest(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _comparable(value: object) -> object:
    """A value of the template as Karpenter's hash compares it: lists without order, durations as times."""
    if isinstance(value, list):
        return sorted(map(_digest, value))
    seconds = seconds_of(value) if isinstance(value, str) else None
    return value if seconds is None else seconds


def _at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        found = value.get(key) if isinstance(value, Mapping) else None
        value = found if isinstance(found, Mapping) else {}
    return value
