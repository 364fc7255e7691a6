"""The life of a node: launched, ready, drained, gone; and the nodes of static pools."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from automode_constructs.simulation.choice import Choice
from automode_constructs.simulation.market import (
    CAPACITY_KEY,
    OFFERING_KEYS,
    REGION_KEY,
    RESERVATION_KEY,
    ZONE_KEY,
    Offering,
    region_of,
)
from automode_constructs.simulation.node import DISRUPTED, Node
from automode_constructs.simulation.planning import Claim
from automode_constructs.simulation.pod_lifecycle import disturb, forget, look_again_at_pods_of, remove, stop
from automode_constructs.simulation.pods import HOSTNAME
from automode_constructs.simulation.pool import CLASS_LABEL, POOL_LABEL, Pool
from automode_constructs.specs.labels import KNOWN_LABELS
from automode_constructs.specs.pools.label_values import agree, values_of

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = [
    "drain",
    "end",
    "get_node_ready",
    "keep_static_pools",
    "launch",
    "look_for_drift",
    "lose_contact",
    "lose_instance",
    "static_claim",
]


def launch(world: World, claim: Claim) -> Node | None:
    """Launches a planned node; ``None`` if EC2 has none of its types."""
    requirements = dict(claim.requirements)
    if claim.reservations:
        requirements[CAPACITY_KEY] = values_of("In", ("reserved",))
    offering = next(world.market.launches(claim.types, requirements, claim.reservations, world.now), None)
    pool = claim.pool
    if offering is None:
        _note_shortage(world, claim)
        return None
    node = _node(world, claim, offering)
    world.nodes.append(node)
    if offering.reservation is not None:
        world.market.reservations[offering.reservation].used += 1
    kind = offering.capacity_type
    apps = ", ".join(dict.fromkeys(pod.shape.app for pod in claim.pods))
    world.note(
        "NodeLaunched",
        node.name,
        f"{offering.machine.name} ({kind}) in {offering.zone} for {apps or 'its static pool'}, NodePool {pool.name}, "
        f"the cheapest of {node.types_offered} types",
    )
    world.at(world.now + world.assumed.node_start_s, lambda: get_node_ready(world, node))
    if node.expire_after_s is not None:
        world.at(world.now + node.expire_after_s, lambda: _expire(world, node))
    world.changed()
    return node


def _note_shortage(world: World, claim: Claim) -> None:
    zones, kinds = claim.requirements.get(ZONE_KEY), claim.requirements.get(CAPACITY_KEY)
    until = world.now + world.assumed.shortage_memory_s
    for zone in world.market.zones:
        for kind in ("on-demand", "spot"):
            if (zones is None or zones.has(zone)) and (kinds is None or kinds.has(kind)):
                world.market.remember_shortage(kind, zone, claim.types, until)
    world.note("InsufficientCapacity", f"NodePool {claim.pool.name}", "EC2 has none of the types that the pods fit")
    world.at(until, world.changed)
    world.changed()


def _node(world: World, claim: Claim, offering: Offering) -> Node:
    pool = claim.pool
    labels = {
        **offering.machine.labels,
        ZONE_KEY: offering.zone,
        REGION_KEY: region_of(offering.zone),
        CAPACITY_KEY: offering.capacity_type,
        POOL_LABEL: pool.name,
        CLASS_LABEL: pool.node_class,
    }
    if offering.reservation is not None:
        labels[RESERVATION_KEY] = offering.reservation
    for key, values in claim.requirements.items():
        if key in labels or key in OFFERING_KEYS or key == HOSTNAME:
            continue
        if values.listed:
            labels[key] = min(values.listed)
        elif values.but and key not in KNOWN_LABELS:
            labels[key] = values.any_number()  # Karpenter makes a value up for a label of the user's own.
    template = world.applied.get(f"NodePool/{pool.name}", {}).get("spec", {}).get("template", {})
    return Node(
        number=next(world.node_numbers),
        pool=pool.name,
        machine=offering.machine,
        capacity_type=offering.capacity_type,
        zone=offering.zone,
        price=offering.price,
        reservation=offering.reservation,
        labels=labels,
        taints=pool.taints,
        startup_taints=pool.startup_taints,
        created=world.now,
        disk=_disk(world, pool, offering),
        max_pods=pool.max_pods,
        digest=pool.digest,
        class_digest=pool.class_digest,
        version=world.version,
        expire_after_s=pool.expire_after_s,
        grace_s=pool.grace_s,
        types_offered=min(claim.types.bit_count(), 600),
        choice=Choice(
            catalogue=world.catalogue,
            machine=offering.machine,
            pool=pool.requirements,
            requirements=dict(claim.requirements),
            requests=claim.total_requests(),
            types=claim.types,
        ),
        requests=claim.total_requests(),
        why=list(claim.why),
        planned_for=[pod.name for pod in claim.pods],
        annotations=(template.get("metadata") or {}).get("annotations") or {},
    )


def _disk(world: World, pool: Pool, offering: Offering) -> int:
    local = (offering.machine.type.local_nvme_gb or 0) * 10**9
    return local if world.assumed.local_disk_for_pods and local > pool.disk else pool.disk


def get_node_ready(world: World, node: Node) -> None:
    """A node is Ready, unless it is already, or its zone is out."""
    if node.ended_at is not None or node.ready_at is not None or node.zone in world.market.dead_zones:
        return
    node.ready, node.ready_at = True, world.now
    world.note("NodeReady", node.name, f"after {world.now - node.created:g} s")
    for workload in world.workloads.values():
        if workload.kind == "DaemonSet":
            world.dirty[workload.reference] = None
    world.changed()


def _expire(world: World, node: Node) -> None:
    if node.deleting_since is None and node.ended_at is None:
        world.note("Expired", node.name, f"is {node.expire_after_s:g} s old")
        end(world, node, "expiry")


def end(world: World, node: Node, reason: str, *, deadline: float | None = None) -> None:
    """Begins to drain a node and to end it; its pods are replaced as they go."""
    if node.deleting_since is not None or node.ended_at is not None:
        if deadline is not None and node.deadline is not None and deadline < node.deadline:
            node.deadline = deadline
            world.at(deadline, lambda: _force(world, node))
        return
    node.deleting_since = world.now
    node.reason = node.reason or reason
    node.deadline = world.now + node.grace_s if deadline is None else min(deadline, world.now + node.grace_s)
    world.note("NodeDraining", node.name, node.reason)
    world.at(node.deadline, lambda: _force(world, node))
    world.at(world.now, lambda: drain(world, node))
    world.changed()


def drain(world: World, node: Node) -> None:
    """Evicts what can be evicted; what budgets hold is tried again."""
    if node.ended_at is not None or node.deleting_since is None:
        return
    left = [pod for pod in node.workload_pods if not pod.shape.tolerates_all((DISRUPTED,))]
    if not left:
        _drained(world, node)
        return
    held = []
    for pod in left:
        if pod.stopping:
            continue
        budget = world.budget_holding(pod)
        cause = "do-not-disrupt" if world.is_do_not_disrupt(pod) else budget and f"PodDisruptionBudget {budget}"
        if cause:
            held.append(cause)
            continue
        disturb(world, pod, node.reason)
        stop(world, pod)
    if held:
        cause = held[0]
        if cause not in node.stalled_s:
            node.stalled_s[cause] = 0
            world.note("DrainStalled", node.name, f"{cause} holds a pod")
        if node.waits_to_drain:
            return
        node.waits_to_drain = True
        node.stalled_s[cause] += world.assumed.eviction_retry_s
        world.totals.stalled_s[cause] = world.totals.stalled_s.get(cause, 0) + world.assumed.eviction_retry_s
        _try_again(world, node)


def _try_again(world: World, node: Node) -> None:
    """Looks at a held drain again: soon, and then only when something has changed."""
    change = world.change

    def again() -> None:
        if world.change != change or node.ended_at is not None:
            node.waits_to_drain = False
            drain(world, node)
        else:
            for cause in list(node.stalled_s)[-1:]:
                node.stalled_s[cause] += world.assumed.eviction_retry_s
                world.totals.stalled_s[cause] += world.assumed.eviction_retry_s
            world.at(world.now + world.assumed.eviction_retry_s, again)

    world.at(world.now + world.assumed.eviction_retry_s, again)


def _force(world: World, node: Node) -> None:
    """The grace period is over: what is left is stopped, budget or not."""
    if node.ended_at is not None or node.deleting_since is None or node.deadline is None or world.now < node.deadline:
        return
    for pod in node.workload_pods:
        if not pod.stopping:
            disturb(world, pod, f"{node.reason} (grace period over)")
            stop(world, pod)
    if node.reason == "Spot interruption":
        lose_instance(world, node)
    else:
        _drained(world, node)


def _drained(world: World, node: Node) -> None:
    if node.deadline is not None and node.deadline != math.inf:
        node.deadline = math.inf
        world.at(world.now + world.assumed.node_end_s, lambda: lose_instance(world, node))


def lose_instance(world: World, node: Node) -> None:
    """The instance of a node is gone, and its pods with it."""
    if node.ended_at is not None:
        return
    node.ended_at = world.now
    node.ready = False
    world.nodes.remove(node)
    world.ended.append(node)
    for pod in list(node.pods.values()):
        if not pod.stopping and pod.shape.kind != "DaemonSet":
            disturb(world, pod, node.reason or "lost node")
        if not pod.stopping:
            pod.stopping = True
            forget(world, pod)
        remove(world, pod)
    if node.reservation is not None:
        world.market.reservations[node.reservation].used -= 1
    world.note("NodeEnded", node.name, node.reason or "lost")
    world.at(world.now, lambda: keep_static_pools(world))
    world.changed()


def keep_static_pools(world: World) -> None:
    """Launches and ends nodes until each static pool has as many as it asks for."""
    for pool in world.pools.values():
        if pool.replicas is None or not pool.class_ready:
            continue
        nodes = [
            node for node in world.nodes if node.pool == pool.name and node.deleting_since is None and not node.marked
        ]
        replacing = sum(
            1 for node in world.nodes if node.pool == pool.name and node.marked and node.deleting_since is None
        )
        most = pool.limits.get("nodes", pool.replicas + len(nodes))
        missing = min(
            pool.replicas - replacing - len(nodes), most - sum(1 for node in world.nodes if node.pool == pool.name)
        )
        for _ in range(missing):
            if launch(world, static_claim(world, pool)) is None:
                world.at(world.now + world.assumed.shortage_memory_s, lambda: keep_static_pools(world))
                break
        surplus = len(nodes) + replacing - pool.replicas
        for node in sorted(nodes, key=_least_loss)[: max(surplus, 0)]:
            end(world, node, "fewer replicas")


def look_for_drift(world: World) -> None:
    """Looks which nodes are no longer as their pool, class and version say."""
    for node in world.nodes:
        pool = world.pools.get(node.pool)
        if pool is None or node.deleting_since is not None:
            continue
        drifted = ""
        if node.digest != pool.digest:
            drifted = "the pool's template changed"
        elif not agree(node.label_values, pool.requirements):
            drifted = "it no longer meets the pool's requirements"
        elif node.class_digest != pool.class_digest:
            drifted = "its NodeClass changed"
        elif node.version != world.version:
            drifted = f"its image is of Kubernetes {node.version}"
        if drifted and not node.drifted:
            node.drifted_at = world.now
            world.note("Drifted", node.name, drifted)
        node.drifted = drifted
    world.changed()


def lose_contact(world: World, node: Node) -> None:
    """A node of a dead zone counts as not ready, and is replaced when EC2's status checks fail for long enough."""
    if node.zone not in world.market.dead_zones or node.ended_at is not None:
        return
    node.lost = True
    for pod in node.pods.values():
        pod.ready = False
    world.note("NodeNotReady", node.name, f"zone {node.zone} is out")
    look_again_at_pods_of(world, node)
    world.at(world.now + world.assumed.status_checks_s - world.assumed.not_ready_s, lambda: _replace_lost(world, node))


def _replace_lost(world: World, node: Node) -> None:
    if node.lost and node.ended_at is None:
        node.reason = "zone outage"
        lose_instance(world, node)


def static_claim(world: World, pool: Pool) -> Claim:
    """A planned node of a static pool."""
    types, reservations = world.market.offers(pool.requirements, pool.reservations, world.now)
    return Claim(
        pool=pool,
        host="static",
        requirements=dict(pool.requirements),
        types=pool.types & types,
        groups=[],
        reservations=reservations,
    )


def _least_loss(node: Node) -> tuple[bool, bool, float, int]:
    pods = node.workload_pods
    cost = sum(max(0.0, pod.shape.eviction_cost) for pod in pods)
    return bool(pods), any(pod.shape.do_not_disrupt_s for pod in pods), cost, node.number
