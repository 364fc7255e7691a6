"""What no single object can show: a name used twice, a pool whose NodeClass is nowhere, a workload without a pool."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from automode_constructs.checks.device_plugin import DEVICE_PLUGIN, device_plugin_problems
from automode_constructs.checks.placement import BUILT_IN_POOLS, Asked, Pods, Pool, is_near, pods_of, pool_of, tolerates
from automode_constructs.checks.pool_order import ACCELERATED_POOL_FIRST, accelerated_first_problems
from automode_constructs.checks.rollout import rollout_problems
from automode_constructs.checks.weight_streaming import streaming_problems
from automode_constructs.errors import Problem
from automode_constructs.facts.regions import zone_kind
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.pools.admission import admits_nothing
from automode_constructs.specs.pools.labels import CAPACITY_TYPE, ZONE
from automode_constructs.specs.rule import RULES, Rule, Severity, rule
from automode_constructs.specs.traffic.network_load_balancer import is_network_load_balancer
from automode_constructs.tokens import is_token

__all__ = ["ObjectKey", "TreeFinding", "TreeObject", "is_cluster_scoped", "judge_tree", "node_class_of", "object_key"]


_NOT_ALL_KNOWN = "not all charts of the cluster are known"
_POOLS_PAGE = "EKS User Guide, 'Create a Node Pool for EKS Auto Mode'"

DUPLICATE_OBJECT = rule(
    "automode:DuplicateObject",
    "all",
    severity="error",
    sentence="Each object of a cluster is made once.",
    source="Kubernetes, 'Object Names and IDs'",
    warning_where="files are judged, which may be of several clusters",
    judged="tree",
)
NODE_CLASS_NOT_FOUND = rule(
    "automode:NodeClassNotFound",
    "NodePool",
    severity="error",
    sentence="A pool's NodeClass exists.",
    source=_POOLS_PAGE,
    warning_where=_NOT_ALL_KNOWN,
    judged="tree",
)
NAMESPACE_NOT_FOUND = rule(
    "automode:NamespaceNotFound",
    "all",
    severity="warning",
    sentence="An object's namespace is made by one of the cluster's charts.",
    source="Kubernetes, 'Namespaces'",
    judged="tree",
)
WORKLOAD_FITS_NO_POOL = rule(
    "automode:WorkloadFitsNoPool",
    *("CronJob", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"),
    severity="error",
    sentence="A pod's nodeSelector, required node affinity and tolerations fit at least one pool.",
    source="Karpenter, 'Scheduling'; Kubernetes, 'Taints and Tolerations'",
    warning_where=f"{_NOT_ALL_KNOWN}, or it has nodes that are not Auto Mode's",
    judged="tree",
)
TAINT_NOBODY_TOLERATES = rule(
    "automode:TaintNobodyTolerates",
    "NodePool",
    severity="warning",
    sentence=(
        "Where no workload tolerates a pool's taints, none tolerates what is nearly one of them and no pool's taint. "
        "A tainted pool that nobody uses yet is fine."
    ),
    source="Kubernetes, 'Taints and Tolerations'",
    judged="tree",
)
NO_POOL_FOR_ORDINARY_PODS = rule(
    "automode:NoPoolForOrdinaryPods",
    "NodePool",
    severity="warning",
    sentence="One pool at least has no taints, for pods that tolerate none, such as those of add-ons.",
    source="EKS User Guide, 'Enable or Disable Built-in NodePools'",
    judged="tree",
)
EQUAL_WEIGHTS = rule(
    "automode:EqualWeights",
    "NodePool",
    severity="warning",
    sentence="Pools that could launch the same node and have weights have different ones.",
    source="Karpenter, 'NodePools', spec.weight",
    judged="tree",
)
NLB_IN_LOCAL_ZONE = rule(
    "automode:NlbInLocalZone",
    "Service",
    severity="warning",
    sentence="Pods in a Local Zone are reached by an Application Load Balancer: Network Load Balancers are not there.",
    source="AWS Local Zones, 'Features'",
    judged="tree",
)
RESERVED_NOT_ADMITTED = rule(
    "automode:ReservedNotAdmitted",
    "NodePool",
    severity="error",
    sentence="Where a NodeClass selects capacity reservations, one of its pools admits capacity type reserved.",
    source="EKS User Guide, 'Control deployment of workloads into Capacity Reservations'",
    warning_where=_NOT_ALL_KNOWN,
    judged="tree",
)

POLICY_NAMES = rule(
    "automode:PolicyNames",
    "ApplicationNetworkPolicy",
    severity="error",
    sentence="An ApplicationNetworkPolicy and a NetworkPolicy of one namespace have different names: else both break.",
    source="EKS User Guide, 'Use Network Policies with EKS Auto Mode'",
    judged="tree",
)

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterNetworkPolicy",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "IngressClassParams",
        "MutatingWebhookConfiguration",
        "Namespace",
        "NodeClass",
        "NodePool",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttributesClass",
        "VolumeSnapshotClass",
        "VolumeSnapshotContent",
    }
)

_AFFINITY = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_ALWAYS_THERE = frozenset({"kube-node-lease", "kube-public", "kube-system"})
"""The namespaces of every cluster besides ``default``."""


@dataclass(frozen=True, order=True, slots=True)
class ObjectKey:
    """What makes a Kubernetes object the one it is: group, kind, namespace, name.

    The namespace is empty for ``default`` and for kinds that know none, however the manifest puts it.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f" in namespace '{self.namespace}'" if self.namespace else ""
        return f"{self.kind} '{self.name}'{place}"


def object_key(manifest: Mapping[str, Any]) -> ObjectKey:
    """The key of a manifest; the version does not count, since it names the same object."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    api_version = str(manifest.get("apiVersion", ""))
    kind = str(manifest.get("kind", ""))
    namespace = str(metadata.get("namespace") or "")
    return ObjectKey(
        group=api_version.rpartition("/")[0],
        kind=kind,
        # One object must have one key: this is what tells duplicates, and what logical ids are made of.
        namespace="" if namespace == "default" or kind in _CLUSTER_SCOPED else namespace,
        name=str(metadata.get("name") or ""),
    )


def is_cluster_scoped(kind: str) -> bool:
    """Whether a kind is known to have no namespace."""
    return kind in _CLUSTER_SCOPED


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeObject:
    """A manifest and where it was made."""

    where: str
    manifest: Mapping[str, Any]
    external_node_class: str | None = None
    """The NodeClass a pool knowingly takes from elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeFinding:
    """What the tree shows, with the rule's stable id."""

    rule: str
    severity: Severity
    index: int
    """Which of the objects judged it is about."""
    where: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else str(self.problem)


def judge_tree(
    objects: Sequence[TreeObject],
    *,
    default_node_class: bool,
    whole: bool,
    node_classes: Collection[str] = (),
    built_in_pools: Collection[str] | None = None,
    other_nodes: bool = False,
) -> list[TreeFinding]:
    """Judges all objects of one cluster together.

    Args:
        objects: every manifest that goes to the cluster.
        default_node_class: whether EKS makes the NodeClass ``default`` (it does beside a built-in pool).
        whole: whether these are all objects of the cluster; if not, what is missing is a warning.
        node_classes: NodeClasses known to exist already.
        built_in_pools: EKS's own pools that are on. Default: not known; both may be where ``default_node_class`` says
            that one is.
        other_nodes: whether the cluster has nodes that are not Auto Mode's, which may take what no pool does.
            Default: False.
    """
    keys = [object_key(item.manifest) for item in objects]
    known = {*node_classes, *(["default"] if default_node_class else [])}
    findings = [*_duplicates(objects, keys), *_pools_without_class(objects, keys, known, whole=whole)]
    findings += _equal_policy_names(objects, keys)
    findings += _device_plugins(objects)
    findings += _streamers(objects)
    findings += _network_load_balancers_in_local_zones(objects, keys)
    if whole:
        findings += _unknown_namespaces(objects, keys)
    if built_in_pools is None:
        built_in_pools = list(BUILT_IN_POOLS) if default_node_class else []
    pools = [
        (index, pool_of(item.manifest))
        for index, (item, key) in enumerate(zip(objects, keys, strict=True))
        if (key.group, key.kind) == ("karpenter.sh", "NodePool")
    ]
    read = [(index, pool) for index, pool in pools if pool is not None]
    findings += _reservations_without_pool(objects, read, whole=whole)
    findings += _equal_weights(objects, read)
    findings += _rollouts(objects, built_in_pools, whole=whole)
    findings += _accelerated_first(objects, read, built_in_pools)
    if len(read) < len(pools):
        return findings  # What the others launch is not known.
    work = [
        (index, pods)
        for index, (item, key) in enumerate(zip(objects, keys, strict=True))
        if (pods := pods_of(key.group, item.manifest)) is not None
    ]
    all_pools = [
        *(pool for _, pool in read),
        *(BUILT_IN_POOLS[name] for name in BUILT_IN_POOLS if name in built_in_pools),
    ]
    findings += _stranded(objects, keys, work, all_pools, certain=whole and not other_nodes, whole=whole)
    if whole and read:
        findings += _nearly_tolerated(objects, keys, read, all_pools, work)
        if all(pool.taints for pool in all_pools) and not other_nodes:
            findings.append(_nothing_for_ordinary_pods(objects, read))
    return findings


def _finding(
    broken: Rule,
    objects: Sequence[TreeObject],
    index: int,
    field: str,
    message: str,
    cure: str,
    severity: Severity | None = None,
) -> TreeFinding:
    return TreeFinding(
        rule=broken.id,
        severity=severity or broken.severity,
        index=index,
        where=objects[index].where,
        problem=broken.problem(field, message, cure),
    )


def _equal_policy_names(objects: Sequence[TreeObject], keys: Sequence[ObjectKey]) -> Iterator[TreeFinding]:
    ordinary = {
        (key.namespace, key.name) for key in keys if (key.group, key.kind) == ("networking.k8s.io", "NetworkPolicy")
    }
    for index, key in enumerate(keys):
        ours = (key.group, key.kind) == ("networking.k8s.aws", "ApplicationNetworkPolicy")
        if ours and (key.namespace, key.name) in ordinary:
            yield _finding(
                POLICY_NAMES,
                objects,
                index,
                "metadata.name",
                f"a NetworkPolicy is called '{key.name}' too, so that neither holds",
                "give one of them another name",
            )


def _device_plugins(objects: Sequence[TreeObject]) -> Iterator[TreeFinding]:
    for index, item in enumerate(objects):
        for problem in device_plugin_problems(item.manifest):
            yield _finding(DEVICE_PLUGIN, objects, index, problem.field, problem.message, problem.cure)


def _streamers(objects: Sequence[TreeObject]) -> Iterator[TreeFinding]:
    for index, item in enumerate(objects):
        for problem in streaming_problems(item.manifest):
            yield _finding(RULES[problem.rule], objects, index, problem.field, problem.message, problem.cure)


def _rollouts(objects: Sequence[TreeObject], built_in_pools: Collection[str], *, whole: bool) -> Iterator[TreeFinding]:
    manifests = [item.manifest for item in objects]
    for index, problem in rollout_problems(manifests, built_in_pools=built_in_pools, whole=whole):
        yield _finding(RULES[problem.rule], objects, index, problem.field, problem.message, problem.cure)


def _network_load_balancers_in_local_zones(
    objects: Sequence[TreeObject], keys: Sequence[ObjectKey]
) -> Iterator[TreeFinding]:
    local: list[tuple[ObjectKey, Mapping[str, Any], str]] = []
    for item, key in zip(objects, keys, strict=True):
        pods = pods_of(key.group, item.manifest)
        zones = [] if pods is None else [demand[1][0] for label, demand in pods.selector if label == ZONE]
        if pods is not None and zones and zone_kind(zones[0]) == "local-zone":
            *template, _ = pods.field.split(".")
            local.append((key, mapping_at(item.manifest, *template, "metadata", "labels"), zones[0]))
    if not local:
        return
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if (key.group, key.kind) != ("", "Service") or not is_network_load_balancer(item.manifest):
            continue
        selector = mapping_at(item.manifest, "spec", "selector")
        for workload, pod_labels, zone in local:
            same = workload.namespace == key.namespace and selector
            if same and all(pod_labels.get(label) == value for label, value in selector.items()):
                yield _finding(
                    NLB_IN_LOCAL_ZONE,
                    objects,
                    index,
                    "spec.type",
                    f"{workload} is in the Local Zone '{zone}', which has no Network Load Balancers",
                    "use an Ingress of an IngressClass whose IngressClassParams name the zone's subnet",
                )


def _stranded(
    objects: Sequence[TreeObject],
    keys: Sequence[ObjectKey],
    work: Sequence[tuple[int, Pods]],
    pools: Sequence[Pool],
    *,
    certain: bool,
    whole: bool,
) -> Iterator[TreeFinding]:
    if not pools:
        return  # They come from elsewhere.
    for index, pods in work:
        if not pods.selector and not any(pods.terms) and not whole:
            continue  # A pool without taints is likely to be among those that we do not see.
        fitting = [pool for pool in pools if pods.select(pool)]
        if any(not pods.repelled_by(pool) for pool in fitting):
            continue
        if fitting:
            told = "; ".join(f"'{pool.name}' has {', '.join(pods.repelled_by(pool))}" for pool in fitting[:3])
            field, why = "tolerations", f"it does not tolerate the taints of the pools that fit otherwise ({told})"
            cure = "add tolerations, or a pool without taints"
        else:
            by_selector = not any(pool.admits(pods.selector) for pool in pools)
            field = "nodeSelector" if by_selector else _AFFINITY
            why = "no pool makes nodes with " + (
                _asked(pods.selector)
                if by_selector
                else " or ".join(_asked([*pods.selector, *one]) for one in pods.terms)
            )
            cure = f"correct the {field.partition('.')[0]}, or set these labels or requirements in a pool"
        yield _finding(
            WORKLOAD_FITS_NO_POOL,
            objects,
            index,
            f"{pods.field}.{field}",
            f"{keys[index]} fits no pool: {why}",
            cure,
            "error" if certain else "warning",
        )


def _asked(labels: Iterable[Asked]) -> str:
    return ", ".join(
        f"{key}={values[0]}"
        if operator == "In" and len(values) == 1
        else f"{key} {operator} {', '.join(values[:5])}".rstrip()
        for key, (operator, values) in labels
    )


def _nearly_tolerated(
    objects: Sequence[TreeObject],
    keys: Sequence[ObjectKey],
    pools: Sequence[tuple[int, Pool]],
    all_pools: Sequence[Pool],
    work: Sequence[tuple[int, Pods]],
) -> Iterator[TreeFinding]:
    taints = [taint for pool in all_pools for taint in pool.taints]
    lost = {
        str(toleration): (index, toleration)
        for index, pods in reversed(work)  # so that the first workload is named
        for toleration in pods.tolerations
        if not any(tolerates(toleration, taint) for taint in taints)
    }
    for index, pool in pools if lost else ():
        if not pool.taints or any(not pods.repelled_by(pool) for _, pods in work):
            continue
        for maker, toleration in lost.values():
            near = [taint for taint in pool.taints if is_near(toleration, taint)]
            if near:
                yield _finding(
                    TAINT_NOBODY_TOLERATES,
                    objects,
                    index,
                    "spec.template.spec.taints",
                    f"no workload of this cluster's charts tolerates {_told(near[0])} of NodePool '{pool.name}', but "
                    f"{keys[maker]} tolerates {_told(toleration)}, which no pool has",
                    "correct the toleration or the taint",
                )
                break


def _told(taint: Mapping[str, Any]) -> str:
    """A taint or a toleration as ``kubectl taint`` writes it."""
    value, effect = taint.get("value"), taint.get("effect")
    return f"{taint.get('key')}{f'={value}' if value else ''}{f':{effect}' if effect else ''}"


def _nothing_for_ordinary_pods(objects: Sequence[TreeObject], pools: Sequence[tuple[int, Pool]]) -> TreeFinding:
    return _finding(
        NO_POOL_FOR_ORDINARY_PODS,
        objects,
        pools[0][0],
        "spec.template.spec.taints",
        "every pool of the cluster has taints, so that pods without tolerations, such as those of add-ons, never run",
        "turn general-purpose on, or add a pool without taints",
    )


def _equal_weights(objects: Sequence[TreeObject], pools: Sequence[tuple[int, Pool]]) -> Iterator[TreeFinding]:
    alike: dict[tuple[int, tuple[str, ...]], list[tuple[int, Pool]]] = {}
    for index, pool in pools:
        if pool.weight is not None:
            alike.setdefault((pool.weight, tuple(sorted(map(str, pool.taints)))), []).append((index, pool))
    rivals = [rival for group in alike.values() for rival in _rivals(group)]
    for index, pool, other in sorted(rivals, key=itemgetter(0)):
        yield _finding(
            EQUAL_WEIGHTS,
            objects,
            index,
            "spec.weight",
            f"NodePools '{pool.name}' and '{other.name}' have weight {pool.weight} and could launch the same "
            "node, so that their names decide which comes first",
            "give them different weights, or none",
        )


def _accelerated_first(
    objects: Sequence[TreeObject], pools: Sequence[tuple[int, Pool]], built_in_pools: Collection[str]
) -> Iterator[TreeFinding]:
    for index, problem in accelerated_first_problems(pools, built_in_pools):
        yield _finding(ACCELERATED_POOL_FIRST, objects, index, problem.field, problem.message, problem.cure)


def _rivals(pools: Sequence[tuple[int, Pool]]) -> Iterator[tuple[int, Pool, Pool]]:
    """Each pool that could launch a node of one before it, with the first such."""
    # Not each with each: pools that list other values of one label have no node in common.
    key = _telling_label([pool for _, pool in pools])
    before: dict[str | None, list[tuple[int, Pool]]] = {}
    for place, (index, pool) in enumerate(pools):
        values = pool.listed(key)
        near = pools[:place] if values is None else _in_turn(before.get(value, ()) for value in (None, *values))
        other = next((earlier for _, earlier in near if pool.overlaps(earlier)), None)
        if other is not None:
            yield index, pool, other
        for value in (None,) if values is None else values:
            before.setdefault(value, []).append((index, pool))


def _in_turn(shelves: Iterable[Sequence[tuple[int, Pool]]]) -> Iterator[tuple[int, Pool]]:
    return heapq.merge(*shelves, key=itemgetter(0))


def _telling_label(pools: Sequence[Pool]) -> str:
    """The label by which a pool is held against the fewest others."""
    shelves: dict[str, Counter[str]] = {}
    listed: Counter[str] = Counter()
    for pool in pools:
        for key in pool.demands:
            values = pool.listed(key)
            shelves.setdefault(key, Counter()).update(values or ())
            listed[key] += values is not None
    return min(shelves, key=lambda key: max(shelves[key].values(), default=0) - listed[key])


def _reservations_without_pool(
    objects: Sequence[TreeObject], pools: Sequence[tuple[int, Pool]], *, whole: bool
) -> Iterator[TreeFinding]:
    for item in objects:
        spec = item.manifest.get("spec")
        terms = spec.get("capacityReservationSelectorTerms") if isinstance(spec, Mapping) else None
        if item.manifest.get("kind") != "NodeClass" or not terms:
            continue
        name = object_key(item.manifest).name
        users = [(index, pool) for index, pool in pools if pool.node_class == name]
        if users and all(
            admits_nothing(CAPACITY_TYPE, [*pool.demands.get(CAPACITY_TYPE, ()), ("In", ["reserved"])])
            for _, pool in users
        ):
            index, pool = users[0]
            yield _finding(
                RESERVED_NOT_ADMITTED,
                objects,
                index,
                "spec.template.spec.requirements",
                f"NodeClass '{name}' selects capacity reservations, but NodePool '{pool.name}' does not admit the "
                f"capacity type reserved, so that they are never used",
                f"add reserved to the values of {CAPACITY_TYPE}",
                None if whole else "warning",
            )


def _duplicates(objects: Sequence[TreeObject], keys: Sequence[ObjectKey]) -> Iterator[TreeFinding]:
    first: dict[ObjectKey, str] = {}
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if key in first:
            yield _finding(
                DUPLICATE_OBJECT,
                objects,
                index,
                "metadata.name",
                f"{key} is also made by {first[key]}",
                "give one of them another name, or deliver it once",
            )
        first.setdefault(key, item.where)


def _pools_without_class(
    objects: Sequence[TreeObject], keys: Sequence[ObjectKey], known: Collection[str], *, whole: bool
) -> Iterator[TreeFinding]:
    made = {key.name for key in keys if (key.group, key.kind) == ("eks.amazonaws.com", "NodeClass")}.union(known)
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if (key.group, key.kind) != ("karpenter.sh", "NodePool"):
            continue
        name = node_class_of(item.manifest)
        if name is None or name in made or name == item.external_node_class or is_token(name):
            continue
        yield _finding(
            NODE_CLASS_NOT_FOUND,
            objects,
            index,
            "spec.template.spec.nodeClassRef.name",
            f"no chart of this cluster makes the NodeClass '{name}', so that {key} never launches a node",
            (
                "EKS makes it only beside a built-in pool: turn one on, or give the pool a NodeClass of its own"
                if name == "default"
                else "deliver it with one of the charts, or say NodeClass.from_name(..., made_elsewhere=True)"
            ),
            "error" if whole else "warning",
        )


def _unknown_namespaces(objects: Sequence[TreeObject], keys: Sequence[ObjectKey]) -> Iterator[TreeFinding]:
    known = {key.name for key in keys if (key.group, key.kind) == ("", "Namespace")} | _ALWAYS_THERE
    for index, key in enumerate(keys):
        if not key.namespace or key.namespace in known or is_token(key.namespace):
            continue
        known |= {key.namespace}  # Once a namespace is enough.
        yield _finding(
            NAMESPACE_NOT_FOUND,
            objects,
            index,
            "metadata.namespace",
            f"no chart of this cluster makes the namespace '{key.namespace}'",
            "add a Namespace object, or acknowledge this if something else makes it",
        )


def node_class_of(manifest: Mapping[str, Any]) -> str | None:
    """The name of the NodeClass that a NodePool refers to; ``None`` without one, or for another kind of class."""
    reference = manifest.get("spec")
    for part in ("template", "spec", "nodeClassRef"):
        reference = reference.get(part) if isinstance(reference, Mapping) else None
    if not isinstance(reference, Mapping) or reference.get("kind", "NodeClass") != "NodeClass":
        return None
    name = reference.get("name")
    return name if isinstance(name, str) else None
