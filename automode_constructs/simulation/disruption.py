"""Which nodes Karpenter removes or replaces, and why: empty, drifted and underused ones, as budgets allow.

It tries one reason after the other (empty, drifted in static pools, drifted, several underused, one underused) and does
the first thing that it finds. What it does to empty and underused nodes is checked again after some seconds.

Source: kubernetes-sigs/karpenter, ``pkg/controllers/disruption``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from automode_constructs.simulation.catalogue import TypeSet
from automode_constructs.simulation.market import CAPACITY_KEY, ZONE_KEY
from automode_constructs.simulation.node import Node, Pod
from automode_constructs.simulation.node_lifecycle import static_claim
from automode_constructs.simulation.planning import Claim, Plan
from automode_constructs.simulation.pool import Pool
from automode_constructs.simulation.provisioning import min_values_hold
from automode_constructs.simulation.provisioning import plan as plan_nodes
from automode_constructs.specs.pools.cron import is_active
from automode_constructs.specs.pools.label_values import values_of

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["Command", "Look", "allowed_disruptions", "is_candidate", "is_consolidatable", "look", "still_holds"]

_MOST_AT_ONCE = 100
_ENOUGH_SPOT_TYPES = 15
_BALANCE = 2
"""Karpenter's BalancedK: a move must save at least half the share of cost that it has of the pool's disruption."""


@dataclass(eq=False, slots=True, kw_only=True)
class Command:
    """Nodes to remove, and the nodes that take their place."""

    reason: str
    nodes: list[Node]
    claims: list[Claim] = field(default_factory=list)
    waits: bool = False
    """Whether it is checked again before it is carried out."""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found, and whether a budget held something back."""

    command: Command | None
    held_by_budget: frozenset[str] = frozenset()
    """The pools whose budgets held something back."""


def allowed_disruptions(world: World, pool: Pool, reason: str) -> int:
    """How many nodes of a pool may be disrupted now for a reason, less those that are."""
    nodes = [node for node in world.nodes if node.pool == pool.name and node.ready_at is not None]
    busy = sum(1 for node in nodes if node.lost or node.marked or node.deleting_since is not None)
    allowed = len(nodes)
    now = world.clock()
    for budget in pool.budgets:
        if budget.reasons is not None and reason not in budget.reasons:
            continue
        if budget.schedule is not None and not is_active(budget.schedule, timedelta(seconds=budget.duration_s), now):
            continue
        allowed = min(allowed, budget.allowed(len(nodes)))
    return max(allowed - busy, 0)


def is_candidate(world: World, node: Node, *, eventual: bool = False) -> bool:
    """Whether a node may be disrupted at all: it is up, expects no pod, and no pod on it refuses."""
    if not node.ready or node.lost or node.marked or node.deleting_since is not None:
        return False
    if node.startup_taints or node.nominated_until > world.now or node.pool not in world.pools:
        return False
    if node.annotations.get("karpenter.sh/do-not-disrupt") == "true":
        return False
    return eventual or blocking_pod(world, node) is None


def blocking_pod(world: World, node: Node) -> tuple[Pod, str] | None:
    """The first pod that holds its node, and why."""
    for pod in node.pods.values():
        if pod.stopping:
            continue
        if world.is_do_not_disrupt(pod):
            return pod, "do-not-disrupt"
        budget = world.budget_holding(pod)
        if budget is not None:
            return pod, f"PodDisruptionBudget {budget}"
    return None


def is_consolidatable(world: World, node: Node) -> bool:
    """Whether a node has been quiet for as long as its pool asks."""
    at = consolidatable_at(world, node)
    return at is not None and world.now >= at


def consolidatable_at(world: World, node: Node) -> float | None:
    """When a node will have been quiet for long enough; ``None`` for never."""
    pool = world.pools.get(node.pool)
    if pool is None or pool.consolidate_after_s is None or node.ready_at is None or pool.replicas is not None:
        return None
    return max(node.ready_at, node.last_pod_event or 0) + pool.consolidate_after_s


def look(world: World) -> Look:
    """Looks for the first thing to do."""
    held: set[str] = set()
    for method in (_empty, _drifted_static, _drifted, _several, _single):
        command = method(world, held)
        if command is not None:
            return Look(command=command, held_by_budget=frozenset(held))
    return Look(command=None, held_by_budget=frozenset(held))


def still_holds(world: World, command: Command) -> Command | None:
    """The command, as far as it still holds after the wait; ``None`` if it does not."""
    left: dict[str, int] = {}
    nodes = []
    for node in command.nodes:
        pool = world.pools.get(node.pool)
        if pool is None or not is_candidate(world, node) or not is_consolidatable(world, node):
            continue
        if _is_empty(node) != (command.kind == "empty"):
            continue
        left.setdefault(pool.name, allowed_disruptions(world, pool, command.reason))
        if left[pool.name] <= 0:
            continue
        left[pool.name] -= 1
        nodes.append(node)
    if command.kind == "empty":
        return Command(reason=command.reason, nodes=nodes, kind="empty") if nodes else None
    if len(nodes) != len(command.nodes):
        return None
    plan = _without(world, nodes)
    if plan is None or len(plan.claims) != len(command.claims):
        return None
    if command.claims and command.claims[0].types & ~plan.claims[0].types:
        return None
    return command


def _is_empty(node: Node) -> bool:
    return not any(
        pod.shape.eviction_cost > 0 for pod in node.pods.values() if pod.shape.kind != "DaemonSet" and not pod.stopping
    )


def _cost(node: Node) -> float:
    return 1.0 + sum(
        max(0.0, pod.shape.eviction_cost)
        for pod in node.pods.values()
        if pod.shape.kind != "DaemonSet" and not pod.stopping
    )


def _by_savings(nodes: Iterable[Node]) -> list[Node]:
    """The nodes that save most for the least disturbance first; of equal ones the youngest."""
    return sorted(nodes, key=lambda node: (-node.price / _cost(node), -node.number))


def _within_budget(world: World, nodes: Sequence[Node], reason: str, held: set[str]) -> list[Node]:
    left: dict[str, int] = {}
    allowed = []
    for node in nodes:
        pool = world.pools[node.pool]
        left.setdefault(pool.name, allowed_disruptions(world, pool, reason))
        if left[pool.name] <= 0:
            held.add(pool.name)
            continue
        left[pool.name] -= 1
        allowed.append(node)
    return allowed


def _empty(world: World, held: set[str]) -> Command | None:
    nodes = [
        node for node in world.nodes if _is_empty(node) and is_candidate(world, node) and is_consolidatable(world, node)
    ]
    allowed = _within_budget(world, _by_savings(nodes), "Empty", held)
    return Command(reason="Empty", nodes=allowed, waits=True, kind="empty") if allowed else None


def _drifted_static(world: World, held: set[str]) -> Command | None:
    nodes = [
        node
        for node in world.nodes
        if node.drifted and _is_static(world, node) and is_candidate(world, node, eventual=True)
    ]
    for node in _within_budget(world, sorted(nodes, key=_drift_order), "Drifted", held):
        pool = world.pools[node.pool]
        most = pool.limits.get("nodes")
        if most is not None and sum(1 for each in world.nodes if each.pool == pool.name) >= most:
            continue
        return Command(reason="Drifted", nodes=[node], claims=[static_claim(world, pool)], kind="static")
    return None


def _drifted(world: World, held: set[str]) -> Command | None:
    nodes = [
        node
        for node in world.nodes
        if node.drifted and not _is_static(world, node) and is_candidate(world, node, eventual=node.grace_s > 0)
    ]
    ordered = sorted(nodes, key=lambda node: (not _is_empty(node), *_drift_order(node)))
    for node in ordered:
        if not _within_budget(world, [node], "Drifted", held):
            continue
        plan = _without(world, [node])
        if plan is not None:
            return Command(reason="Drifted", nodes=[node], claims=list(plan.claims), kind="drift")
    return None


def _drift_order(node: Node) -> tuple[float, int]:
    return node.drifted_at, node.number


def _is_static(world: World, node: Node) -> bool:
    pool = world.pools.get(node.pool)
    return pool is not None and pool.replicas is not None


def _underused(world: World) -> list[Node]:
    return [
        node
        for node in world.nodes
        if node.pool in world.pools
        and world.pools[node.pool].policy != "WhenEmpty"
        and not _is_empty(node)
        and is_candidate(world, node)
        and is_consolidatable(world, node)
    ]


def _several(world: World, held: set[str]) -> Command | None:
    nodes = _within_budget(world, _by_savings(_underused(world)), "Underutilized", held)
    if len(nodes) < 2:
        return None
    low, high = 1, min(len(nodes), _MOST_AT_ONCE) - 1 if len(nodes) <= _MOST_AT_ONCE else _MOST_AT_ONCE
    best: Command | None = None
    while low <= high:
        middle = (low + high) // 2
        some = nodes[: middle + 1]
        command = _consolidation(world, some)
        if command is not None and command.claims:
            types = _without_same_type(world, command.claims[0], some)
            command.claims[0].types = types
            if not types:
                command = None
        if command is not None and _is_balanced(world, command):
            best, low = command, middle + 1
        else:
            high = middle - 1
    return best


def _single(world: World, held: set[str]) -> Command | None:
    for node in _by_savings(_underused(world)):
        if not _within_budget(world, [node], "Underutilized", held):
            continue
        command = _consolidation(world, [node])
        if command is not None and _is_balanced(world, command):
            return command
    return None


def _consolidation(world: World, nodes: list[Node]) -> Command | None:
    plan = _without(world, nodes)
    if plan is None or len(plan.claims) > 1:
        return None
    command = Command(reason="Underutilized", nodes=list(nodes), waits=True, kind="underused")
    if not plan.claims:
        return command
    claim = plan.claims[0]
    price = sum(node.price for node in nodes)
    kinds = claim.requirements.get(CAPACITY_KEY)
    spot_allowed = kinds is None or kinds.has("spot")
    if all(node.capacity_type == "spot" for node in nodes) and spot_allowed:
        if not world.assumed.spot_to_spot:
            return None
        claim.requirements[CAPACITY_KEY] = values_of("In", ("spot",))
        claim.types = _cheaper(world, claim, price)
        few = claim.types.bit_count() < _ENOUGH_SPOT_TYPES and len(nodes) == 1
        return None if few or not claim.types else _with_claim(command, claim)
    claim.types = _cheaper(world, claim, price)
    if not claim.types or not min_values_hold(world, claim):
        return None
    if spot_allowed and (kinds is None or kinds.has("on-demand")) and not claim.reservations:
        claim.requirements[CAPACITY_KEY] = values_of("In", ("spot",))
    return _with_claim(command, claim)


def _with_claim(command: Command, claim: Claim) -> Command:
    command.claims = [claim]
    return command


def _cheaper(world: World, claim: Claim, price: float) -> TypeSet:
    """The types of a planned node that cost less, launched as they would be: reserved, then Spot, then on demand."""
    kinds, zones = claim.requirements.get(CAPACITY_KEY), claim.requirements.get(ZONE_KEY)
    allowed = [zone for zone in world.market.zones if zones is None or zones.has(zone)]
    left, cheaper = claim.types, 0
    for kind in ("reserved",) if claim.reservations else ("spot", "on-demand"):
        if kinds is not None and not kinds.has(kind):
            continue
        there = left
        if kind != "reserved":
            there = 0
            for zone in allowed:
                there |= world.market.seen(kind, zone, world.now)
        for machine in world.catalogue.of(left & there):
            if machine.is_priced and world.market.price(machine, kind) < price:
                cheaper |= 1 << machine.index
        left &= ~there
    return cheaper


def _without_same_type(world: World, claim: Claim, nodes: Sequence[Node]) -> TypeSet:
    """The types cheaper than the cheapest node that is among them: keeping that node would be the better move."""
    prices = [node.price for node in nodes if claim.types >> node.machine.index & 1]
    return _cheaper(world, claim, min(prices)) if prices else claim.types


def _without(world: World, nodes: Sequence[Node]) -> Plan | None:
    """The plan for the pods of nodes without them; ``None`` if one of these pods would be left without a node."""
    gone = {node.number for node in nodes}
    pods = [pod for node in nodes for pod in node.workload_pods if not pod.stopping and world.can_be_moved(pod)]
    plan = plan_nodes(world, pods, without=gone, is_simulation=True)
    pending = {pod.number for pod in world.pending()}
    if any(number not in pending for number in plan.failed):
        return None
    moved = {pod.number for pod in pods}
    for number, node in plan.placed.items():
        if number in moved and not node.is_initialized:
            return None
    return plan


def _is_balanced(world: World, command: Command) -> bool:
    """Whether every pool of policy Balanced finds the move worth its disturbance."""
    by_pool: dict[str, list[Node]] = {}
    for node in command.nodes:
        by_pool.setdefault(node.pool, []).append(node)
    source = sum(node.price for node in command.nodes)
    new = sum(
        world.market.price(world.catalogue.cheapest(claim.types), _kind_of(claim))
        for claim in command.claims
        if claim.types
    )
    for name, nodes in by_pool.items():
        if world.pools[name].policy != "Balanced":
            continue
        every = [node for node in world.nodes if node.pool == name]
        cost, disruption = sum(node.price for node in every), sum(_cost(node) for node in every)
        if cost <= 0 or disruption <= 0:
            return False
        savings = source - new
        if len(by_pool) > 1 and source > 0:
            savings *= sum(node.price for node in nodes) / source
        saved, disturbed = savings / cost, sum(_cost(node) for node in nodes) / disruption
        if saved <= 0 or saved / disturbed < 1 / _BALANCE:
            return False
    return True


def _kind_of(claim: Claim) -> str:
    kinds = claim.requirements.get(CAPACITY_KEY)
    return "spot" if kinds is None or kinds.has("spot") else "on-demand"
