"""When Karpenter plans nodes, and for which pods: it waits for a batch, and tries again what failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from automode_constructs.simulation.node import Pod
from automode_constructs.simulation.node_lifecycle import launch
from automode_constructs.simulation.planning import Claim, Plan, Planner
from automode_constructs.simulation.pool import Pool

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["ask_for_nodes", "min_values_hold", "plan"]


def ask_for_nodes(world: World) -> None:
    """Opens a batch if pods wait, as Karpenter waits for more of them."""
    if world.batch_open or world.planned_at_change == world.change or not (world.unbound or world.leaving()):
        return
    if not _pods_to_place(world):
        return
    world.batch_open = True
    world.batch_since = world.now
    world.batch_until = world.now + world.assumed.batch_idle_s
    world.last_pod_seen = max(world.unbound, default=0)
    world.at(world.batch_until, lambda: _close_batch(world))


def _close_batch(world: World) -> None:
    newest = max(world.unbound, default=0)
    since = world.batch_since or 0
    if newest > world.last_pod_seen and world.now - since < world.assumed.batch_max_s:
        world.last_pod_seen = newest
        until = min(world.now + world.assumed.batch_idle_s, since + world.assumed.batch_max_s)
        world.at(until, lambda: _close_batch(world))
        return
    world.batch_open = False
    pods = _pods_to_place(world)
    if not pods:
        return
    found = plan(world, pods)
    for pod in pods:
        pod.why = found.failed.get(pod.number, ())
    for node in {node.number: node for node in found.placed.values()}.values():
        node.nominated_until = world.now + world.assumed.nomination_s
    over = {pool.name for pool in world.pools.values() if _is_over_limits(world, pool)}
    launched = [None if claim.pool.name in over else launch(world, claim) for claim in found.claims]
    for pod in pods:
        if pod.number in found.failed:
            world.note("FailedScheduling", pod.name, "; ".join(map(str, found.failed[pod.number])) or "no node fits")
    world.planned_at_change = world.change
    if None in launched:
        world.planned_at_change = -1
    if found.failed or None in launched:
        # Tried again in a while, if anything has changed by then.
        world.at(world.now + world.assumed.retry_s, lambda: _retry(world))


def _is_over_limits(world: World, pool: Pool) -> bool:
    """Whether a pool has more than its limits allow, with the nodes that go: plans do not count these, launches do."""
    nodes = [node for node in world.nodes if node.pool == pool.name] if pool.limits else []
    return any(
        sum(1 if key == "nodes" else node.machine.capacity.get(key, 0) for node in nodes) > most
        for key, most in pool.limits.items()
    )


def _pods_to_place(world: World) -> list[Pod]:
    """The pods without a node, and those on nodes that go, if they may be evicted one day."""
    pods = world.pending()
    for node in world.leaving():
        pods += [pod for pod in node.workload_pods if not pod.stopping and world.can_be_moved(pod)]
    return pods


def _retry(world: World) -> None:
    if world.planned_at_change != world.change:
        ask_for_nodes(world)


def plan(world: World, pods: Sequence[Pod], *, without: Iterable[int] = (), is_simulation: bool = False) -> Plan:
    """Plans nodes for pods."""
    gone = set(without)
    nodes = [
        node
        for node in world.nodes
        if node.number not in gone and not node.marked and node.deleting_since is None and not node.lost
    ]
    batch = {pod.number: pod for pod in pods}
    if is_simulation:
        for pod in _pods_to_place(world):
            batch.setdefault(pod.number, pod)
    daemons = [each.shape for each in world.workloads.values() if each.kind == "DaemonSet" and not each.deleted]
    return Planner(
        pools=world.pools.values(),
        nodes=nodes,
        leaving=[node for node in world.nodes if node.marked or node.deleting_since is not None or node.number in gone],
        pods=list(batch.values()),
        daemons=daemons,
        market=world.market,
        namespaces=world.namespaces,
        now=world.now,
        counted_nodes=[
            node
            for node in world.nodes
            if node.number not in gone and not (node.marked or node.deleting_since is not None)
        ],
        soft_nodes_limit=world.assumed.soft_nodes_limit,
        reservations_are_strict=not is_simulation,
    ).solve()


def min_values_hold(world: World, claim: Claim) -> bool:
    """Whether the types of a planned node still have as many values as ``minValues`` asks for."""
    for key, least in claim.pool.min_values.items():
        values = claim.requirements.get(key)
        has = world.catalogue.values(key, claim.types) if key in world.catalogue.label_keys else claim.pool.zones
        if sum(1 for value in has if values is None or values.has(value)) < least:
            return False
    return True
