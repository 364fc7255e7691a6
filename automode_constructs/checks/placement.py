"""Which pods may land on the nodes of which pools, judging by their manifests.

If a manifest leaves a doubt (a token, a malformed field), the pod is assumed to fit. So a negative answer is always
right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard, get_args

from automode_constructs.facts.instances import category_of, family_of, size_of
from automode_constructs.specs.labels import (
    ARCH,
    CAPACITY_TYPE,
    COMPUTE_TYPE,
    INSTANCE_CATEGORY,
    INSTANCE_FAMILY,
    INSTANCE_GENERATION,
    INSTANCE_SIZE,
    INSTANCE_TYPE,
    stable_key,
)
from automode_constructs.specs.pools.admission import Demand, admits_nothing
from automode_constructs.specs.pools.label_values import LONGEST_NUMBER
from automode_constructs.specs.pools.requirement import Operator
from automode_constructs.tokens import is_token

__all__ = [
    "BUILT_IN_POOLS",
    "WORKLOADS",
    "LabelDemand",
    "Pods",
    "Pool",
    "daemon_pods",
    "is_near",
    "pods_of",
    "pool_of",
    "tolerates",
]

LabelDemand = tuple[str, Demand]
"""A label's key, and the condition on its value."""

_OPERATORS = frozenset(get_args(Operator))
_AWS_OR_KUBERNETES = ("amazonaws.com", "k8s.aws", "k8s.io", "karpenter.sh", "kubernetes.io")
_OTHER_NODES = frozenset({"eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name", "kubernetes.io/hostname"})
"""Labels by which a pod asks for nodes that no pool of Auto Mode launches."""

_OF_ONE_POOL = frozenset({"karpenter.sh/nodepool", "eks.amazonaws.com/nodeclass"})
"""Labels that name a node's pool and say nothing about the node itself."""

_TEMPLATES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
}
"""The path to the pods in each kind. DaemonSets are left out: no node is ever launched for their pods."""

WORKLOADS = tuple(kind for _, kind in _TEMPLATES)
"""The kinds whose pods have nodes launched for them."""


class Pool(NamedTuple):
    """The nodes of a NodePool."""

    name: str
    demands: Mapping[str, Sequence[Demand]]
    """The conditions on each label, by its present key."""
    taints: tuple[Mapping[str, Any], ...] = ()
    """The taints that keep pods away; ``PreferNoSchedule`` does not."""
    reluctant: bool = False
    """Whether a ``PreferNoSchedule`` taint has Karpenter try other pools first."""
    weight: int | None = None
    static: bool = False
    node_class: str | None = None

    def admits(self, labels: Iterable[LabelDemand]) -> bool:
        """Whether a node of the pool can have all the labels asked for."""
        by_key: dict[str, list[Demand]] = {}
        for key, demand in _with_implied(labels):
            by_key.setdefault(stable_key(key), []).append(demand)
        return all(self._admits(key, demands) for key, demands in by_key.items())

    def _admits(self, key: str, labels: Sequence[Demand]) -> bool:
        demands = self.demands.get(key)
        domain = key.partition("/")[0]
        if demands is None and (not domain.endswith(_AWS_OR_KUBERNETES) or domain == "karpenter.k8s.aws"):
            # A pool's nodes have no custom label that the pool does not set. Nodes of a static pool exist without
            # pods, so something may have labelled them.
            return self.static or all(
                operator in {"NotIn", "DoesNotExist"} or any(is_token(value) for value in values)
                for operator, values in labels
            )
        return not admits_nothing(key, [*(demands or ()), *labels])

    def listed(self, key: str) -> frozenset[str] | None:
        """The values that a requirement lists for a label; ``None`` if no requirement does, or not all are known."""
        for operator, values in self.demands.get(key, ()) if key not in _OF_ONE_POOL else ():
            if operator == "In" and not any(is_token(value) for value in values):
                return frozenset(values)
        return None

    def overlaps(self, other: Pool) -> bool:
        """Whether the same node could come from either pool."""
        keys = (self.demands.keys() | other.demands.keys()) - _OF_ONE_POOL
        return not any(admits_nothing(key, [*self.demands.get(key, ()), *other.demands.get(key, ())]) for key in keys)


class Pods(NamedTuple):
    """What the pods of a workload require of their node."""

    field: str
    """The path to the pods in the manifest."""
    selector: tuple[LabelDemand, ...] = ()
    """The conditions of ``nodeSelector`` on the node's labels."""
    terms: tuple[tuple[LabelDemand, ...], ...] = ((),)
    """The terms of the required node affinity: a node must meet every condition of at least one."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    """The tolerations of the manifest."""
    devices: frozenset[str] = frozenset()
    """The extended resources that a pod requests, such as ``nvidia.com/gpu``."""
    elsewhere: bool = False
    """Whether they keep off Auto Mode's nodes, without a name for others."""

    def select(self, pool: Pool) -> bool:
        """Whether a node of the pool can have the labels asked for."""
        return not self.elsewhere and any(pool.admits([*self.selector, *term]) for term in self.terms)

    def repelled_by(self, pool: Pool) -> list[str]:
        """The keys of the pool's taints that are not tolerated.

        EKS's API server adds a toleration for a taint ``NoSchedule`` that is named like a resource which the pod
        requests (admission plugin ExtendedResourceToleration).
        """
        added = ({"key": device, "operator": "Exists", "effect": "NoSchedule"} for device in self.devices)
        tolerations = [*self.tolerations, *added]
        return [
            str(taint.get("key"))
            for taint in pool.taints
            if not any(tolerates(toleration, taint) for toleration in tolerations)
        ]


def pool_of(manifest: Mapping[str, Any]) -> Pool | None:
    """A NodePool's nodes; ``None`` if its manifest is malformed."""
    nodes = _at(manifest, "spec", "template", "spec")
    name = _at(manifest, "metadata").get("name")
    requirements, taints = nodes.get("requirements"), nodes.get("taints") or []
    node_labels = _at(manifest, "spec", "template", "metadata").get("labels") or {}
    if not isinstance(name, str) or not isinstance(node_labels, Mapping):
        return None
    if not _are_mappings(requirements) or not _are_mappings(taints):
        return None
    demands: dict[str, list[Demand]] = {
        "karpenter.sh/nodepool": [("In", [name])],
        "kubernetes.io/os": [("In", ["linux"])],
        str(COMPUTE_TYPE): [("In", ["auto"])],
    }
    reference = _at(nodes, "nodeClassRef").get("name")
    if isinstance(reference, str):
        demands["eks.amazonaws.com/nodeclass"] = [("In", [reference])]
    for item in requirements:
        key, operator, values = item.get("key"), item.get("operator"), item.get("values") or []
        demand = _demand(operator, values)
        if not isinstance(key, str) or demand is None:
            return None
        demands.setdefault(stable_key(key), []).append(demand)
    for key, value in node_labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            return None
        demands.setdefault(stable_key(key), []).append(("In", [value]))
    weight, replicas = _at(manifest, "spec").get("weight"), _at(manifest, "spec").get("replicas")
    return Pool(
        name=name,
        demands=demands,
        taints=tuple(taint for taint in taints if taint.get("effect") != "PreferNoSchedule"),
        reluctant=any(taint.get("effect") == "PreferNoSchedule" for taint in taints),
        weight=weight if isinstance(weight, int) else None,
        static=replicas is not None,
        node_class=reference if isinstance(reference, str) else None,
    )


def pods_of(group: str, manifest: Mapping[str, Any]) -> Pods | None:
    """What a workload's pods require; ``None`` if it is not a workload, or leaves a doubt about its nodes."""
    path = _TEMPLATES.get((group, str(manifest.get("kind"))))
    return None if path is None else _pods_at(path, manifest)


def daemon_pods(manifest: Mapping[str, Any]) -> Pods | None:
    """What a DaemonSet's pods require; ``None`` if that leaves a doubt about its nodes."""
    return _pods_at(("spec", "template", "spec"), manifest)


def _pods_at(path: tuple[str, ...], manifest: Mapping[str, Any]) -> Pods | None:
    spec = _at(manifest, *path)
    selector, tolerations = spec.get("nodeSelector") or {}, spec.get("tolerations") or []
    if not spec or "nodeName" in spec or spec.get("schedulerName", "default-scheduler") != "default-scheduler":
        return None
    if not isinstance(selector, Mapping) or not _are_mappings(tolerations) or not _are_texts([*selector.values()]):
        return None
    conditions = tuple((str(key), ("In", (value,))) for key, value in selector.items())
    terms = _terms_of(spec)
    if terms is None or any(_names_other_nodes(key, demand) for term in (conditions, *terms) for key, demand in term):
        return None
    off = [any(_keeps_off(key, demand) for key, demand in (*conditions, *term)) for term in terms]
    if any(off) and not all(off):
        return None
    return Pods(
        field=".".join(path),
        selector=conditions,
        terms=terms,
        tolerations=tuple(tolerations),
        devices=frozenset(_devices(spec)),
        elsewhere=all(off),
    )


def _devices(spec: Mapping[str, Any]) -> Iterator[str]:
    """The extended resources that a pod requests: those with a domain that is not Kubernetes' own."""
    for field in ("containers", "initContainers"):
        containers = spec.get(field)
        for container in containers if _are_mappings(containers) else ():
            for kind in ("limits", "requests"):
                for key in _at(container, "resources", kind):
                    domain, slash, _ = str(key).rpartition("/")
                    if slash and not domain.endswith("kubernetes.io"):
                        yield str(key)


def _terms_of(spec: Mapping[str, Any]) -> tuple[tuple[LabelDemand, ...], ...] | None:
    """The terms of a pod's required node affinity; ``None`` if they cannot be read, or name a node."""
    required = _at(spec, "affinity", "nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return ((),)
    terms = required.get("nodeSelectorTerms") if isinstance(required, Mapping) else None
    if not _are_mappings(terms) or not terms:
        return None
    conditions_of_terms: list[tuple[LabelDemand, ...]] = []
    for term in terms:
        expressions = term.get("matchExpressions")
        if not _are_mappings(expressions) or not expressions or term.get("matchFields"):
            return None
        conditions: list[LabelDemand] = []
        for item in expressions:
            key, operator, values = item.get("key"), item.get("operator"), item.get("values") or []
            demand = _demand(operator, values)
            if (
                not isinstance(key, str)
                or is_token(key)
                or demand is None
                or (operator in {"In", "NotIn"} and not values)
            ):
                return None
            conditions.append((key, demand))
        conditions_of_terms.append(tuple(conditions))
    return tuple(conditions_of_terms)


def _names_other_nodes(key: str, demand: Demand) -> bool:
    """Whether this asks by name for a node, or for nodes that no pool of Auto Mode launches."""
    if stable_key(key) == COMPUTE_TYPE:
        return demand[0] == "In" and "auto" not in demand[1] and not any(map(is_token, demand[1]))
    return key in _OTHER_NODES and demand[0] not in {"NotIn", "DoesNotExist"}


def _keeps_off(key: str, demand: Demand) -> bool:
    """Whether this rules out Auto Mode's nodes without naming others."""
    return stable_key(key) == COMPUTE_TYPE and admits_nothing(COMPUTE_TYPE, [("In", ["auto"]), demand])


def _demand(operator: Any, values: Any) -> Demand | None:
    if not isinstance(operator, str) or operator not in _OPERATORS or not _are_texts(values):
        return None
    compares = operator in {"Gt", "Gte", "Lt", "Lte"}
    return None if compares and not (len(values) == 1 and _is_number(values[0])) else (operator, values)


def _built_in(name: str, *architectures: str, taint: str = "") -> Pool:
    return Pool(
        name=name,
        demands={
            "karpenter.sh/nodepool": [("In", [name])],
            "kubernetes.io/os": [("In", ["linux"])],
            "eks.amazonaws.com/nodeclass": [("In", ["default"])],
            str(COMPUTE_TYPE): [("In", ["auto"])],
            str(CAPACITY_TYPE): [("In", ["on-demand"])],
            str(INSTANCE_CATEGORY): [("In", ["c", "m", "r"])],
            str(INSTANCE_GENERATION): [("Gt", ["4"])],
            str(ARCH): [("In", architectures)],
        },
        taints=({"key": taint, "effect": "NoSchedule"},) if taint else (),
        node_class="default",
    )


BUILT_IN_POOLS = {
    "general-purpose": _built_in("general-purpose", "amd64"),
    "system": _built_in("system", "amd64", "arm64", taint="CriticalAddonsOnly"),
}
"""EKS's own pools. Source: EKS User Guide, "Enable or Disable Built-in NodePools"."""


def _with_implied(conditions: Iterable[LabelDemand]) -> Iterator[LabelDemand]:
    for key, (operator, values) in conditions:
        yield key, (operator, values)
        if operator != "In" or any(is_token(value) for value in values):
            continue
        families = list(values) if stable_key(key) == INSTANCE_FAMILY else []
        if stable_key(key) == INSTANCE_TYPE:
            families = [family_of(value) for value in values]
            yield INSTANCE_FAMILY, ("In", families)
            yield INSTANCE_SIZE, ("In", [size_of(value) for value in values])
        if families:
            yield INSTANCE_CATEGORY, ("In", [category_of(family) for family in families])


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether a toleration tolerates a taint."""
    key, effect, operator = toleration.get("key"), toleration.get("effect"), toleration.get("operator") or "Equal"
    if any(is_token(part) for part in (key, taint.get("key"), taint.get("value"), toleration.get("value"))):
        return True
    if effect and effect != taint.get("effect"):
        return False
    if not key:
        return bool(operator == "Exists")
    if key != taint.get("key"):
        return False
    return bool(operator != "Equal" or (toleration.get("value") or "") == (taint.get("value") or ""))


def is_near(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether a toleration that does not match a taint seems meant to: the same key, or a typo of it."""
    toleration_key, taint_key = str(toleration.get("key") or ""), str(taint.get("key"))
    domain, _, name = toleration_key.rpartition("/")
    taint_domain, _, taint_name = taint_key.rpartition("/")
    if domain == taint_domain:
        return _are_alike(name, taint_name)
    return name == taint_name and _are_alike(domain, taint_domain)


def _are_alike(one: str, other: str) -> bool:
    from difflib import SequenceMatcher  # late: only a finding needs it

    return SequenceMatcher(a=one.lower(), b=other.lower()).ratio() >= 0.75


def _at(manifest: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    at: Any = manifest
    for part in path:
        at = at.get(part) if isinstance(at, (dict, Mapping)) else None  # asked of a Mapping alone, it takes longer
    return at if isinstance(at, (dict, Mapping)) else {}


def _is_number(value: str) -> bool:
    return is_token(value) or (value.isascii() and value.isdecimal() and len(value) <= LONGEST_NUMBER)


def _are_mappings(value: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    return isinstance(value, (list, tuple)) and all(isinstance(item, (dict, Mapping)) for item in value)


def _are_texts(value: Any) -> TypeGuard[Sequence[str]]:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
