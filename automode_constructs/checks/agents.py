"""Agents that every node should run: the pools where one would not, and the startup taints that wait for one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from automode_constructs.checks.placement import BUILT_IN_POOLS, LabelDemand, Pods, Pool, daemon_pods
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.labels import ARCH, stable_key
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["AGENT_PRIORITY", "EVERY_NODE", "REMOVES_STARTUP_TAINT", "agent_problems"]

EVERY_NODE = "automode-constructs/every-node"
"""Annotation of a DaemonSet, ``true`` where it is meant for every node: then a pool without it is an error."""

REMOVES_STARTUP_TAINT = "automode-constructs/removes-startup-taint"
"""Annotation of a DaemonSet with the key of the startup taint that it removes from a node when it is ready."""

AGENT_PRIORITY = "system-node-critical"
"""The priority class of what a node cannot do without; Kubernetes has it in every cluster."""

AGENT_MISSES_POOL = rule(
    "automode:AgentMissesPool",
    "DaemonSet",
    severity="error",
    sentence="An agent that is meant for every node runs on all nodes that any pool may launch.",
    source="Kubernetes, 'DaemonSet', taints and tolerations; Karpenter, scheduler.go (daemon overhead)",
    warning_where=f"the DaemonSet has the priority class {AGENT_PRIORITY} but not the annotation {EVERY_NODE}, or the "
    "pool is EKS's own and not known to be on",
    judged="tree",
)
STARTUP_TAINT_STAYS = rule(
    "automode:StartupTaintStays",
    "NodePool",
    severity="warning",
    sentence="Something removes each startup taint of a pool: until then its nodes count as not initialized.",
    source="Karpenter, 'NodePools', spec.template.spec.startupTaints",
    judged="tree",
)
PODS_BEFORE_AGENT = rule(
    "automode:PodsBeforeAgent",
    "DaemonSet",
    "NodePool",
    severity="warning",
    sentence="Where an agent removes a startup taint, each pool has that taint: otherwise pods start before the agent.",
    source="Karpenter, 'NodePools', spec.template.spec.startupTaints",
    judged="tree",
)

_AFFINITY = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_NEGATIONS = {
    "In": "NotIn",
    "NotIn": "In",
    "Exists": "DoesNotExist",
    "DoesNotExist": "Exists",
    "Gt": "Lte",
    "Lte": "Gt",
    "Lt": "Gte",
    "Gte": "Lt",
}
_MOST_COMBINATIONS = 64
"""Of conditions that a node may break, one of each term; with more, the pod is taken to fit."""


def agent_problems(
    manifests: Sequence[Mapping[str, Any]],
    pools: Mapping[int, Pool],
    built_in_pools: Collection[str],
    *,
    whole: bool,
) -> Iterator[tuple[int, Problem]]:
    """Pools where an agent would not run, or would run late; each problem with the index of its manifest.

    Args:
        manifests: the objects of a cluster.
        pools: the NodePools among them that can be read, by their index.
        built_in_pools: the names of EKS's own pools that are on.
        whole: whether these are all objects of the cluster.
    """
    agents = [(index, manifest) for index, manifest in enumerate(manifests) if _is_agent(manifest)]
    own = [pool for name, pool in BUILT_IN_POOLS.items() if name in built_in_pools]
    for index, manifest in agents:
        pods, marked = daemon_pods(manifest), _annotations(manifest).get(EVERY_NODE) == "true"
        # Without the mark, one that selects nodes means some nodes: those with a GPU, those with EFA.
        if pods is not None and (marked or not (pods.selector or any(pods.terms))):
            for pool in [*pools.values(), *own]:
                certain = marked and (whole or pool not in own)
                yield from ((index, problem) for problem in _misses(manifest, pods, pool, certain=certain))
    removed: dict[str, str] = {}
    for index, manifest in agents:
        key = _annotations(manifest).get(REMOVES_STARTUP_TAINT)
        if not isinstance(key, str):
            continue
        removed.setdefault(key, _text(manifest))
        if own:
            names = ", ".join(pool.name for pool in own)
            yield (
                index,
                PODS_BEFORE_AGENT.problem(
                    "metadata.annotations",
                    f"EKS's own pools ({names}) have no startup taint '{key}', so their nodes run pods before "
                    f"{_text(manifest)} is ready",
                    "turn them off and make pools of your own with that taint, or acknowledge this",
                ),
            )
    yield from _startup_taints(manifests, pools, removed, whole=whole)


def _startup_taints(
    manifests: Sequence[Mapping[str, Any]], pools: Mapping[int, Pool], removed: Mapping[str, str], *, whole: bool
) -> Iterator[tuple[int, Problem]]:
    field = "spec.template.spec.startupTaints"
    for index, pool in pools.items():
        taints = mapping_at(manifests[index], "spec", "template", "spec").get("startupTaints") or ()
        keys = [str(taint.get("key")) for taint in taints if isinstance(taint, Mapping)]
        if any(is_token(key) for key in keys):
            continue
        for key, agent in removed.items():
            if key not in keys:
                yield (
                    index,
                    PODS_BEFORE_AGENT.problem(
                        field,
                        f"NodePool '{pool.name}' has no startup taint '{key}', so its nodes run pods before {agent} "
                        "is ready",
                        f"add Taint(key='{key}', effect='NoSchedule') to startup_taints",
                    ),
                )
        for key in keys if whole else ():
            if key not in removed:
                yield (
                    index,
                    STARTUP_TAINT_STAYS.problem(
                        field,
                        f"no DaemonSet of these objects says that it removes '{key}' of NodePool '{pool.name}'; a node "
                        "that keeps it takes no pods and never becomes Initialized",
                        f"give the DaemonSet that removes it the annotation {REMOVES_STARTUP_TAINT}: {key}, remove the "
                        "taint, or acknowledge this if something else removes it",
                    ),
                )


def _misses(manifest: Mapping[str, Any], pods: Pods, pool: Pool, *, certain: bool) -> Iterator[Problem]:
    if pods.elsewhere:
        field, why, cure = _AFFINITY, "it keeps off the nodes of Auto Mode", "remove that condition"
    elif keys := pods.repelled_by(pool):
        field, why = "tolerations", f"it does not tolerate {', '.join(keys)}"
        cure = "tolerate everything: {operator: Exists}"
    elif not pods.select(pool):
        field, why = _field(pods), "no node of that pool has the labels that it asks for"
        cure = "remove those conditions"
    elif broken := _broken(pods, pool):
        field, cure = _field(pods), "remove that condition, or narrow the pool"
        why = f"that pool may launch nodes without {broken}"
        if broken.startswith(f"{ARCH} "):
            cure = "use an image for amd64 and arm64, or narrow the pool"
    else:
        return
    yield AGENT_MISSES_POOL.problem(
        f"{pods.field}.{field}",
        f"{_text(manifest)} does not run on every node of NodePool '{pool.name}': {why}",
        cure,
        severity="error" if certain else "warning",
    )


def _field(pods: Pods) -> str:
    return _AFFINITY if any(pods.terms) else "nodeSelector"


def _broken(pods: Pods, pool: Pool) -> str:
    """The condition of the pods that a node of the pool may break, as text; ``""`` if none can be."""
    for key, demand in pods.selector:
        if _may_break(pool, [(key, demand)]):
            return _condition(key, demand)
    combinations = 1
    for term in pods.terms:
        combinations *= len(term)
    if not 0 < combinations <= _MOST_COMBINATIONS:
        return ""
    # A node is left out only if it breaks one condition of every term.
    for chosen in product(*pods.terms):
        if _may_break(pool, chosen):
            return " or ".join(dict.fromkeys(_condition(key, demand) for key, demand in chosen))
    return ""


def _may_break(pool: Pool, conditions: Sequence[LabelDemand]) -> bool:
    broken: list[LabelDemand] = []
    for key, (operator, values) in conditions:
        if operator not in _NEGATIONS or any(is_token(value) for value in values):
            return False
        # A node without the label breaks ``In`` too: a pool's own labels are on all of its nodes.
        broken.append((key, (_NEGATIONS[operator], values)))
    return pool.admits(broken) and _launches(pool, broken)


def _launches(pool: Pool, more: Sequence[LabelDemand]) -> bool:
    """Whether an instance type is left for a pool with further conditions; yes where not all types are known."""
    # Imported late: the list takes time to load, and few objects need it.
    from automode_constructs.specs.pools.instance_types import admitted, only_known_types

    requirements: list[Requirement] = []
    conditions = [(key, demand) for key, demands in pool.demands.items() for demand in demands]
    for key, (operator, values) in (*conditions, *more):
        # What no pool may require (its own name) says nothing of the type.
        with suppress(AutoModeError):
            requirements.append(
                Requirement.from_manifest({"key": stable_key(key), "operator": operator, "values": list(values)})
            )
    return bool(admitted(requirements)) or not only_known_types(requirements)


def _condition(key: str, demand: tuple[str, Sequence[str]]) -> str:
    return f"{key} {demand[0]} {', '.join(demand[1])}".rstrip()


def _is_agent(manifest: Mapping[str, Any]) -> bool:
    if manifest.get("kind") != "DaemonSet" or manifest.get("apiVersion") != "apps/v1":
        return False
    pod = mapping_at(manifest, "spec", "template", "spec")
    known = {EVERY_NODE, REMOVES_STARTUP_TAINT} & _annotations(manifest).keys()
    return bool(known) or pod.get("priorityClassName") == AGENT_PRIORITY


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping_at(manifest, "metadata", "annotations")


def _text(manifest: Mapping[str, Any]) -> str:
    return f"DaemonSet '{mapping_at(manifest, 'metadata').get('name')}'"
