"""Problems between objects: a duplicate name, a pool without its NodeClass, a workload without a pool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from automode_constructs.checks.network_policies import POLICY_KINDS, enforcement_problems
from automode_constructs.checks.object_metadata import is_cluster_scoped, metadata_problems
from automode_constructs.checks.placement import (
    BUILT_IN_POOLS,
    WORKLOADS,
    LabelDemand,
    Pods,
    Pool,
    is_near,
    pods_of,
    pool_of,
    tolerates,
)
from automode_constructs.checks.pool_order import accelerated_first_problems
from automode_constructs.errors import Problem
from automode_constructs.facts.regions import zone_kind
from automode_constructs.specs.labels import CAPACITY_TYPE, ZONE
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.pools.admission import admits_nothing
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ownership import is_network_load_balancer
from automode_constructs.tokens import is_token

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["ObjectKey", "TreeFinding", "TreeObject", "judge_tree", "node_class_of", "object_key"]


_NOT_ALL_KNOWN = "not all charts of the cluster are known"
_OF_FILES = "the input is files, which may belong to several clusters"
_POOLS_PAGE = "EKS User Guide, 'Create a Node Pool for EKS Auto Mode'"

DUPLICATE_OBJECT = rule(
    "automode:DuplicateObject",
    "all",
    severity="error",
    sentence="Each object of a cluster is created once.",
    source="Kubernetes, 'Object Names and IDs'",
    warning_where=_OF_FILES,
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
    sentence="One of the cluster's charts creates the namespace of each object.",
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
        "If no workload tolerates a pool's taints, no workload has a toleration that is nearly one of them and matches "
        "no pool. A tainted pool that nobody uses yet is fine."
    ),
    source="Kubernetes, 'Taints and Tolerations'",
    judged="tree",
)
NO_POOL_FOR_ORDINARY_PODS = rule(
    "automode:NoPoolForOrdinaryPods",
    "NodePool",
    severity="warning",
    sentence="At least one pool has no taints, for pods without tolerations, such as those of add-ons.",
    source="EKS User Guide, 'Enable or Disable Built-in NodePools'",
    judged="tree",
)
EQUAL_WEIGHTS = rule(
    "automode:EqualWeights",
    "NodePool",
    severity="warning",
    sentence="Pools with weights that could launch the same node have different weights.",
    source="Karpenter, 'NodePools', spec.weight",
    judged="tree",
)
NLB_IN_LOCAL_ZONE = rule(
    "automode:NlbInLocalZone",
    "Service",
    severity="warning",
    sentence="An Application Load Balancer leads to pods in a Local Zone, which has no Network Load Balancers.",
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
    sentence=(
        "An ApplicationNetworkPolicy and a NetworkPolicy of one namespace have different names: otherwise both break."
    ),
    source="EKS User Guide, 'Use Network Policies with EKS Auto Mode'",
    warning_where=_OF_FILES,
    judged="tree",
)

# A check looks at the objects of its kinds, and loads its module if there are any.
_NODE_POOL = ("karpenter.sh", "NodePool")
_SCALERS = ("HTTPScaledObject", "HorizontalPodAutoscaler", "ScaledObject")
_AFFINITY = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_ALWAYS_THERE = frozenset({"kube-node-lease", "kube-public", "kube-system"})
"""The namespaces of every cluster besides ``default``."""


class ObjectKey(NamedTuple):
    """The identity of a Kubernetes object: group, kind, namespace, name.

    The namespace is empty for ``default`` and for cluster-scoped kinds, however the manifest writes it.
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
        namespace="" if namespace == "default" or is_cluster_scoped(kind) else namespace,
        name=str(metadata.get("name") or ""),
    )


class TreeObject(NamedTuple):
    """A manifest and where it was created."""

    where: str | Callable[[], str]
    """The place, or what finds it, if that takes time."""
    manifest: Mapping[str, Any]
    external_node_class: str | None = None
    """The NodeClass a pool knowingly takes from elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeFinding(Problem):
    """A problem found in the tree, and the object it is about."""

    index: int
    """The object's index among those that were checked."""


def judge_tree(
    objects: Sequence[TreeObject],
    *,
    default_node_class: bool,
    whole: bool,
    node_classes: Collection[str] = (),
    built_in_pools: Collection[str] | None = None,
    other_nodes: bool = False,
    ip_family: str | None = None,
    region: str | None = None,
    files: bool = False,
) -> list[TreeFinding]:
    """Checks all objects of one cluster together.

    Args:
        objects: every manifest that goes to the cluster.
        default_node_class: whether EKS makes the NodeClass ``default`` (it does beside a built-in pool).
        whole: whether these are all objects of the cluster; if not, a missing object is only a warning.
        node_classes: names of NodeClasses that already exist.
        built_in_pools: EKS's own pools that are on. Default: not known; both may be where ``default_node_class`` says
            that one is.
        other_nodes: whether the cluster has nodes that are not Auto Mode's, which may take what no pool does.
            Default: False.
        ip_family: the address family of pods and services; for ``ipv6``, load balancers of IPv4 are errors. Default:
            not known.
        region: the cluster's Region. Default: not known.
        files: whether the objects come from files, so that each has already been checked by itself. Unless ``whole``,
            they may belong to several clusters: then everything is a warning, and an object is missing only if the
            files hold others of its kind. Default: False.
    """
    if built_in_pools is None:
        built_in_pools = list(BUILT_IN_POOLS) if default_node_class else []
    tree = _Tree(
        objects,
        whole=whole,
        node_classes=frozenset([*node_classes, *(["default"] if default_node_class else [])]),
        built_in_pools=built_in_pools,
        other_nodes=other_nodes,
        ip_family=ip_family,
        region=region,
        files=files,
    )
    findings = [finding for check in _CHECKS for finding in check(tree)]
    return [replace(finding, severity="warning") for finding in findings] if files and not whole else findings


class _Member:
    """An object of the tree, read once."""

    def __init__(self, index: int, item: TreeObject) -> None:
        self.index = index
        self._where = item.where
        self.manifest = item.manifest
        self.external_node_class = item.external_node_class
        self.key = object_key(item.manifest)
        self.kind = (self.key.group, self.key.kind)
        self.pool = pool_of(item.manifest) if self.kind == _NODE_POOL else None
        self.pods = pods_of(self.key.group, item.manifest)

    @property
    def where(self) -> str:
        """Where the object was created."""
        return self._where if isinstance(self._where, str) else self._where()

    def finding(self, problem: Problem) -> TreeFinding:
        """A problem of this object."""
        return TreeFinding(
            field=problem.field,
            message=problem.message,
            cure=problem.cure,
            rule=problem.rule,
            severity=problem.severity,
            where=self.where,
            index=self.index,
        )


class _Tree:
    """The objects of a cluster, and what else is known about it."""

    def __init__(
        self,
        objects: Sequence[TreeObject],
        *,
        whole: bool,
        node_classes: frozenset[str],
        built_in_pools: Collection[str],
        other_nodes: bool,
        ip_family: str | None,
        region: str | None,
        files: bool,
    ) -> None:
        self.members = [_Member(index, item) for index, item in enumerate(objects)]
        self._by_kind: dict[str, list[_Member]] = {}
        for member in self.members:
            self._by_kind.setdefault(member.key.kind, []).append(member)
        self.whole = whole
        self.node_classes = node_classes
        self.built_in_pools = built_in_pools
        self.other_nodes = other_nodes
        self.ip_family = ip_family
        self.region = region
        self.files = files
        self.pools = [(member, member.pool) for member in self.members if member.pool is not None]
        """The NodePools that can be read."""
        self.all_pools = [
            *(pool for _, pool in self.pools),
            *(pool for name, pool in BUILT_IN_POOLS.items() if name in built_in_pools),
        ]
        """The NodePools that can be read, and EKS's built-in pools that are on."""
        self.launches_are_known = len(self.pools) == len(self.of_kind(*_NODE_POOL))
        """Whether every NodePool can be read."""
        self.work = [(member, member.pods) for member in self.members if member.pods is not None]
        """The workloads."""

    def of_kind(self, group: str, kind: str) -> list[_Member]:
        return [member for member in self._by_kind.get(kind, ()) if member.key.group == group]

    def of_kinds(self, *kinds: str) -> list[_Member]:
        """The objects of some kinds, of whatever group, in their order."""
        found = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        return found[0] if len(found) == 1 else sorted(chain(*found), key=lambda member: member.index)

    @cached_property
    def duplicates(self) -> list[tuple[_Member, _Member]]:
        """The duplicate objects, each with the first one of the same key."""
        first: dict[ObjectKey, _Member] = {}
        pairs = [(member, first.setdefault(member.key, member)) for member in self.members]
        return [(member, earlier) for member, earlier in pairs if member is not earlier]

    @property
    def may_be_several(self) -> bool:
        """Whether these may be the objects of several clusters, so two of them may never be together."""
        return self.files and not self.whole and bool(self.duplicates)

    @property
    def maker(self) -> str:
        """Who does not make a missing object, as the beginning of a sentence."""
        return "none of these files defines" if self.files else "no chart of this cluster creates"

    @property
    def members_text(self) -> str:
        """What these objects are."""
        return "these files" if self.files else "this cluster's charts"

    @property
    def addition(self) -> str:
        """How a missing object is added."""
        if self.files:
            return "add it" if self.whole else "add it, unless it is in the cluster already"
        return "deliver it with one of the charts"


def _duplicates(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.may_be_several:
        for member, earlier in tree.duplicates:
            yield member.finding(
                DUPLICATE_OBJECT.problem(
                    "metadata.name",
                    f"{member.key} is also created by {earlier.where}",
                    "give one of them another name, or deliver it once",
                )
            )
        return
    # The files of a second cluster hold little else: one finding for each two files.
    pairs: dict[tuple[str, str], list[tuple[_Member, _Member]]] = {}
    for member, earlier in tree.duplicates:
        pairs.setdefault((_file_of(member), _file_of(earlier)), []).append((member, earlier))
    for (member, earlier), *others in pairs.values():
        more = f" and {len(others)} more are" if others else " is"
        yield member.finding(
            DUPLICATE_OBJECT.problem(
                "metadata.name",
                f"{member.key}{more} also created by {earlier.where}, and in one cluster the one applied last wins",
                "give one of them another name, or lint the files of each cluster by themselves",
            )
        )


def _file_of(member: _Member) -> str:
    return member.where.rpartition(":")[0]


def _pools_without_class(tree: _Tree) -> Iterator[TreeFinding]:
    node_classes = {member.key.name for member in tree.of_kind("eks.amazonaws.com", "NodeClass")}
    if tree.files and not tree.whole and (not node_classes or any("{" in name for name in node_classes)):
        return  # The classes are defined elsewhere, or a name is filled in later.
    for member in tree.of_kind(*_NODE_POOL):
        name = node_class_of(member.manifest)
        if (
            name is None
            or name in node_classes | tree.node_classes
            or name == member.external_node_class
            or is_token(name)
        ):
            continue
        from difflib import get_close_matches  # late: only a finding needs it

        near = get_close_matches(name, sorted(node_classes), n=1, cutoff=0.75)
        cure = tree.addition + ("" if tree.files else ", or write NodeClass.from_name(..., made_elsewhere=True)")
        if name == "default":
            cure = "EKS creates it only beside a built-in pool: turn one on, or give the pool its own NodeClass"
        elif near:
            cure = f"did you mean '{near[0]}'?" + ("" if tree.files else f" Otherwise {cure}")
        yield member.finding(
            NODE_CLASS_NOT_FOUND.problem(
                "spec.template.spec.nodeClassRef.name",
                f"{tree.maker} the NodeClass '{name}', so {member.key} never launches a node",
                cure,
                severity="error" if tree.whole else "warning",
            )
        )


def _equal_policy_names(tree: _Tree) -> Iterator[TreeFinding]:
    if tree.may_be_several:
        return
    ordinary = {
        (member.key.namespace, member.key.name) for member in tree.of_kind("networking.k8s.io", "NetworkPolicy")
    }
    for member in tree.of_kind("networking.k8s.aws", "ApplicationNetworkPolicy"):
        if (member.key.namespace, member.key.name) in ordinary:
            yield member.finding(
                POLICY_NAMES.problem(
                    "metadata.name",
                    f"a NetworkPolicy is also called '{member.key.name}', so neither takes effect",
                    "give one of them another name",
                )
            )


def _policies_nobody_enforces(tree: _Tree) -> Iterator[TreeFinding]:
    members = tree.of_kinds("ConfigMap", "NodeClass", *(kind for _, kind in POLICY_KINDS))
    objects = [(str(member.key), member.manifest) for member in members]
    for index, problem in enforcement_problems(objects, whole=tree.whole, files=tree.files):
        yield members[index].finding(problem)


def _objects_by_themselves(tree: _Tree) -> Iterator[TreeFinding]:
    """Problems in objects of other kinds, which no construct has checked."""
    if tree.files:
        return
    from automode_constructs.checks.built_in_agents import built_in_agent_problems
    from automode_constructs.checks.device_plugin import device_plugin_problems
    from automode_constructs.checks.kubernetes_objects import kubernetes_problems
    from automode_constructs.checks.weight_streaming import streaming_problems

    judges = (
        metadata_problems,
        kubernetes_problems,
        device_plugin_problems,
        built_in_agent_problems,
        streaming_problems,
    )
    for judge in judges:
        for member in tree.members:
            yield from map(member.finding, judge(member.manifest))


def _network_load_balancers_in_local_zones(tree: _Tree) -> Iterator[TreeFinding]:
    local: list[tuple[ObjectKey, Mapping[str, Any], str]] = []
    for member, pods in tree.work:
        zones = [demand[1][0] for label, demand in pods.selector if label == ZONE]
        if zones and zone_kind(zones[0]) == "local-zone":
            *template, _ = pods.field.split(".")
            local.append((member.key, mapping_at(member.manifest, *template, "metadata", "labels"), zones[0]))
    if not local or tree.may_be_several:
        return
    for member in tree.of_kind("", "Service"):
        if not is_network_load_balancer(member.manifest):
            continue
        selector = mapping_at(member.manifest, "spec", "selector")
        for workload, pod_labels, zone in local:
            same = workload.namespace == member.key.namespace and selector
            if same and all(pod_labels.get(label) == value for label, value in selector.items()):
                yield member.finding(
                    NLB_IN_LOCAL_ZONE.problem(
                        "spec.type",
                        f"{workload} is in the Local Zone '{zone}', which has no Network Load Balancers",
                        "use an Ingress of an IngressClass whose IngressClassParams name the zone's subnet",
                    )
                )


def _unknown_namespaces(tree: _Tree) -> Iterator[TreeFinding]:
    namespaces = {member.key.name for member in tree.of_kind("", "Namespace")} | _ALWAYS_THERE
    for member in tree.members if tree.whole else ():
        namespace = member.key.namespace
        if not namespace or namespace in namespaces or is_token(namespace):
            continue
        namespaces |= {namespace}  # Once for each namespace is enough.
        yield member.finding(
            NAMESPACE_NOT_FOUND.problem(
                "metadata.namespace",
                f"{tree.maker} the namespace '{namespace}', so the API server refuses this object",
                "add a Namespace object, or acknowledge this if something else creates it",
            )
        )


def _reservations_without_pool(tree: _Tree) -> Iterator[TreeFinding]:
    for node_class in tree.of_kinds("NodeClass"):
        if not mapping_at(node_class.manifest, "spec").get("capacityReservationSelectorTerms"):
            continue
        name = node_class.key.name
        users = [(member, pool) for member, pool in tree.pools if pool.node_class == name]
        if users and all(
            admits_nothing(CAPACITY_TYPE, [*pool.demands.get(CAPACITY_TYPE, ()), ("In", ["reserved"])])
            for _, pool in users
        ):
            member, pool = users[0]
            yield member.finding(
                RESERVED_NOT_ADMITTED.problem(
                    "spec.template.spec.requirements",
                    f"NodeClass '{name}' selects capacity reservations, but NodePool '{pool.name}' does not admit the "
                    f"capacity type reserved, so they are never used",
                    f"add reserved to the values of {CAPACITY_TYPE}",
                    severity="error" if tree.whole else "warning",
                )
            )


def _equal_weights(tree: _Tree) -> Iterator[TreeFinding]:
    if tree.may_be_several:
        return
    alike: dict[tuple[int, tuple[str, ...]], list[tuple[_Member, Pool]]] = {}
    for member, pool in tree.pools:
        if pool.weight is not None:
            alike.setdefault((pool.weight, tuple(sorted(map(str, pool.taints)))), []).append((member, pool))
    rivals = [rival for group in alike.values() for rival in _rivals(group)]
    for member, pool, other in sorted(rivals, key=lambda rival: rival[0].index):
        yield member.finding(
            EQUAL_WEIGHTS.problem(
                "spec.weight",
                f"NodePools '{pool.name}' and '{other.name}' have weight {pool.weight} and could launch the same "
                "node, so their names decide which comes first",
                "give them different weights, or none",
            )
        )


def _rivals(pools: Sequence[tuple[_Member, Pool]]) -> Iterator[tuple[_Member, Pool, Pool]]:
    """Each pool that could launch a node of an earlier pool, with the first such pool."""
    # Most pairs list other values of one label, which is quick to see: 0.1 s for 1,000 pools, 2 s without.
    listed = [{key: values for key in pool.demands if (values := pool.listed(key)) is not None} for _, pool in pools]
    for place, (member, pool) in enumerate(pools):
        mine = listed[place]
        for (_, earlier), theirs in zip(pools[:place], listed, strict=False):
            apart = any(values.isdisjoint(theirs[key]) for key, values in mine.items() if key in theirs)
            if not apart and pool.overlaps(earlier):
                yield member, pool, earlier
                break


def _rollouts(tree: _Tree) -> Iterator[TreeFinding]:
    # A scaler may name an object of any kind.
    members = tree.members if tree.of_kinds(*_SCALERS) else tree.of_kinds(*WORKLOADS, "NodePool") if tree.work else []
    if not members:
        return
    from automode_constructs.checks.rollout import rollout_problems

    manifests = [member.manifest for member in members]
    for index, problem in rollout_problems(manifests, built_in_pools=tree.built_in_pools, whole=tree.whole):
        yield members[index].finding(problem)


def _accelerated_first(tree: _Tree) -> Iterator[TreeFinding]:
    pools = [(member.index, pool) for member, pool in tree.pools]
    for index, problem in accelerated_first_problems(pools, tree.built_in_pools):
        yield tree.members[index].finding(problem)


def _references(tree: _Tree) -> Iterator[TreeFinding]:
    members = tree.of_kinds(
        *("Ingress", "IngressClass", "IngressClassParams", "PersistentVolumeClaim", "Service", "StatefulSet"),
        *("StorageClass", "TargetGroupBinding", "VolumeAttributesClass"),
    )
    if not members or tree.may_be_several:
        return
    from automode_constructs.checks.missing_references import missing_reference_problems
    from automode_constructs.checks.references import reference_problems

    manifests = [member.manifest for member in members]
    # An app may know all of its own charts and not what people or other tools create beside them.
    certain = tree.whole and tree.files
    missing = missing_reference_problems(
        manifests, whole=tree.whole, certain=certain, maker=tree.maker, addition=tree.addition
    )
    for index, problem in (*missing, *reference_problems(manifests)):
        yield members[index].finding(problem)


def _pinned_pods(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.of_kinds("PodDisruptionBudget") or tree.may_be_several:
        return
    from automode_constructs.checks.pinned_pods import pinned_pod_problems

    members = tree.of_kinds("PodDisruptionBudget", *WORKLOADS, *_SCALERS)
    for index, problem in pinned_pod_problems([member.manifest for member in members]):
        yield members[index].finding(problem)


def _quotas(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.of_kinds("LimitRange", "ResourceQuota") or tree.may_be_several:
        return
    from automode_constructs.checks.quotas import quota_problems

    members = tree.of_kinds("LimitRange", "ResourceQuota", *WORKLOADS)
    for index, problem in quota_problems([member.manifest for member in members], whole=tree.whole):
        yield members[index].finding(problem)


def _team_nodes(tree: _Tree) -> Iterator[TreeFinding]:
    # Whose pods are strangers is known by their namespaces alone.
    if not tree.pools or not (tree.whole or tree.of_kinds("Namespace")) or tree.may_be_several:
        return
    from automode_constructs.checks.team_nodes import team_node_problems

    pools = [(member.index, pool) for member, pool in tree.pools]
    for index, problem in team_node_problems([member.manifest for member in tree.members], pools, whole=tree.whole):
        yield tree.members[index].finding(problem)


def _load_balancers(tree: _Tree) -> Iterator[TreeFinding]:
    members = tree.of_kinds("Ingress", "IngressClass", "IngressClassParams", "Service", "TargetGroupBinding")
    if not members or tree.may_be_several:
        return
    from automode_constructs.checks.load_balancers import load_balancer_problems

    manifests = [member.manifest for member in members]
    for index, problem in load_balancer_problems(manifests, ipv6=tree.ip_family == "ipv6"):
        yield members[index].finding(problem)


def _zones(tree: _Tree) -> Iterator[TreeFinding]:
    members = tree.of_kinds("NodePool", "PersistentVolume", "PersistentVolumeClaim", "StorageClass", *WORKLOADS)
    if not members or tree.may_be_several:
        return
    from automode_constructs.checks.zones import volume_zone_problems, zone_problems

    manifests = [member.manifest for member in members]
    pods = {number: member.pods for number, member in enumerate(members) if member.pods is not None}
    pools = tree.all_pools if tree.launches_are_known and (tree.pools or tree.whole) else []
    problems = zone_problems(manifests, pods, region=tree.region, whole=tree.whole)
    for index, problem in (*problems, *volume_zone_problems(manifests, pods, pools)):
        yield members[index].finding(problem)


def _stranded(tree: _Tree) -> Iterator[TreeFinding]:
    if (
        not tree.work
        or not tree.launches_are_known
        or not (tree.pools if tree.files and not tree.whole else tree.all_pools)
    ):
        return  # The nodes for the pods are not known, or come from elsewhere.
    from automode_constructs.checks.accelerators import ACCELERATORS, accelerators_of

    accelerators = {
        pool.name: accelerators_of(pool)
        for pool in tree.all_pools
        if any(pods.devices & ACCELERATORS for _, pods in tree.work)
    }
    for member, pods in tree.work:
        if pods.elsewhere:
            if tree.whole and not tree.other_nodes:
                yield _off_auto_mode(member, pods)
            continue
        if not pods.selector and not any(pods.terms) and not pods.devices and not tree.whole:
            continue  # A pool without taints probably exists outside these objects.
        selected = [pool for pool in tree.all_pools if pods.select(pool)]
        wanted = _accelerators_wanted(member, pods)
        fitting = [
            pool
            for pool in selected
            if all(accelerators[pool.name].get(device, 0) >= count for device, count in wanted.items())
        ]
        if any(not pods.repelled_by(pool) for pool in fitting):
            continue
        if fitting:
            taints = "; ".join(f"'{pool.name}' has {', '.join(pods.repelled_by(pool))}" for pool in fitting[:3])
            field, why = "tolerations", f"it does not tolerate the taints of the pools that would fit ({taints})"
            cure = "add tolerations, or a pool without taints"
        elif selected:
            devices = ", ".join(f"{count} {device}" for device, count in sorted(wanted.items()))
            field, why = "containers", f"no pool that would fit launches nodes with {devices}"
            cure = "add a pool of instances that have them, or correct the request"
        else:
            by_selector = not any(pool.admits(pods.selector) for pool in tree.all_pools)
            field = "nodeSelector" if by_selector else _AFFINITY
            why = "no pool launches nodes with " + (
                _condition_text(pods.selector)
                if by_selector
                else " or ".join(_condition_text([*pods.selector, *one]) for one in pods.terms)
            )
            cure = f"correct the {field.partition('.')[0]}, or set these labels or requirements in a pool"
        yield member.finding(
            WORKLOAD_FITS_NO_POOL.problem(
                f"{pods.field}.{field}",
                f"{member.key} fits no pool: {why}",
                cure,
                severity="error" if tree.whole and not tree.other_nodes else "warning",
            )
        )


def _off_auto_mode(member: _Member, pods: Pods) -> TreeFinding:
    return member.finding(
        WORKLOAD_FITS_NO_POOL.problem(
            f"{pods.field}.{_AFFINITY if any(pods.terms) else 'nodeSelector'}",
            f"{member.key} keeps off the nodes of Auto Mode, and no others are known, so it runs nowhere",
            "let it run on Auto Mode's nodes, or acknowledge this if the cluster has other nodes",
            severity="warning",
        )
    )


def _accelerators_wanted(member: _Member, pods: Pods) -> dict[str, Decimal]:
    """The accelerators that a pod of a workload requests, with their number."""
    from automode_constructs.checks.accelerators import ACCELERATORS
    from automode_constructs.checks.rollout import pod_requests

    if not pods.devices & ACCELERATORS:
        return {}
    requests = pod_requests(mapping_at(member.manifest, *pods.field.split(".")))
    return {device: requests[device] for device in ACCELERATORS & requests.keys()}


def _without_device(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.work:
        return
    from automode_constructs.checks.accelerators import device_request_problems

    known = tree.launches_are_known and (tree.whole or bool(tree.pools))
    for member, pods in tree.work:
        problems = device_request_problems(member.manifest, pods, tree.all_pools, all_pools_known=known)
        yield from map(member.finding, problems)


def _agents(tree: _Tree) -> Iterator[TreeFinding]:
    if tree.may_be_several or not (tree.of_kinds("DaemonSet") or _has_startup_taints(tree)):
        return
    from automode_constructs.checks.agents import agent_problems

    manifests = [member.manifest for member in tree.members]
    pools = {member.index: pool for member, pool in tree.pools}
    # Of files alone it is not known whether EKS's own pools are on.
    built_in_pools = () if tree.files and not tree.whole else tree.built_in_pools
    for index, problem in agent_problems(manifests, pools, built_in_pools, whole=tree.whole):
        yield tree.members[index].finding(problem)


def _has_startup_taints(tree: _Tree) -> bool:
    pools = tree.of_kinds("NodePool")
    return any("startupTaints" in mapping_at(pool.manifest, "spec", "template", "spec") for pool in pools)


def _condition_text(labels: Iterable[LabelDemand]) -> str:
    return ", ".join(
        f"{key}={values[0]}"
        if operator == "In" and len(values) == 1
        else f"{key} {operator} {', '.join(values[:5])}".rstrip()
        for key, (operator, values) in labels
    )


def _nearly_tolerated(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.whole or not tree.launches_are_known:
        return
    taints = [taint for pool in tree.all_pools for taint in pool.taints]
    unmatched = {
        str(toleration): (member.key, toleration)
        for member, pods in reversed(tree.work)  # so that the first workload is named
        for toleration in pods.tolerations
        if not any(tolerates(toleration, taint) for taint in taints)
    }
    for member, pool in tree.pools if unmatched else ():
        if not pool.taints or any(not pods.repelled_by(pool) for _, pods in tree.work):
            continue
        for maker, toleration in unmatched.values():
            near = [taint for taint in pool.taints if is_near(toleration, taint)]
            if near:
                yield member.finding(
                    TAINT_NOBODY_TOLERATES.problem(
                        "spec.template.spec.taints",
                        f"no workload of {tree.members_text} tolerates {_taint_text(near[0])} of NodePool "
                        f"'{pool.name}', but {maker} tolerates {_taint_text(toleration)}, which no pool has",
                        "correct the toleration or the taint",
                    )
                )
                break


def _taint_text(taint: Mapping[str, Any]) -> str:
    """A taint or a toleration as ``kubectl taint`` writes it."""
    value, effect = taint.get("value"), taint.get("effect")
    return f"{taint.get('key')}{f'={value}' if value else ''}{f':{effect}' if effect else ''}"


def _nothing_for_ordinary_pods(tree: _Tree) -> Iterator[TreeFinding]:
    if not tree.whole or not tree.launches_are_known or not tree.pools or tree.other_nodes:
        return
    if all(pool.taints for pool in tree.all_pools):
        member, _ = tree.pools[0]
        yield member.finding(
            NO_POOL_FOR_ORDINARY_PODS.problem(
                "spec.template.spec.taints",
                "every pool of the cluster has taints, so pods without tolerations, such as those of add-ons, "
                "never run",
                "turn general-purpose on, or add a pool without taints",
            )
        )


_CHECKS: tuple[Callable[[_Tree], Iterator[TreeFinding]], ...] = (
    _duplicates,
    _pools_without_class,
    _equal_policy_names,
    _policies_nobody_enforces,
    _objects_by_themselves,
    _network_load_balancers_in_local_zones,
    _unknown_namespaces,
    _reservations_without_pool,
    _equal_weights,
    _rollouts,
    _accelerated_first,
    _references,
    _pinned_pods,
    _quotas,
    _team_nodes,
    _load_balancers,
    _zones,
    _stranded,
    _without_device,
    _nearly_tolerated,
    _agents,
    _nothing_for_ordinary_pods,
)


def node_class_of(manifest: Mapping[str, Any]) -> str | None:
    """The name of the NodeClass that a NodePool refers to; ``None`` without one, or for another kind of class."""
    reference = mapping_at(manifest, "spec", "template", "spec", "nodeClassRef")
    name = reference.get("name")
    return name if isinstance(name, str) and reference.get("kind", "NodeClass") == "NodeClass" else None
