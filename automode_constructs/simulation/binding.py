"""Which node Kubernetes' scheduler binds a pod to: it sees only nodes that are there, not Karpenter's plans.

Source: Kubernetes, ``pkg/scheduler``: the default filters, and of the scores those for resources, spread, preferences
and taints. It breaks ties at random; here the older node wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automode_constructs.simulation.market import ZONE_KEY
from automode_constructs.simulation.node import SMALL_POD, Node, Pod
from automode_constructs.simulation.pod_lifecycle import bind, preempt
from automode_constructs.simulation.pods import HOSTNAME, AffinityTerm, PodShape, Selector, Spread
from automode_constructs.specs.pools.label_values import agree

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["Binder"]

_FEW_NODES = 100
"""With more nodes than this the scheduler stops looking once it has found enough."""

_DEFAULT_SPREAD = ((HOSTNAME, 3), (ZONE_KEY, 5))
"""The soft spread that a workload gets which sets none."""


class Binder:
    """Binds pending pods to the nodes of a moment."""

    def __init__(self, world: World) -> None:
        """Looks at the nodes that take pods."""
        self._world = world
        self._nodes = [
            node
            for node in world.nodes
            if node.ready and not node.lost and not node.marked and node.deleting_since is None
        ]
        self._full: dict[PodShape, set[int]] = {}
        self._counts: dict[object, dict[str, int]] = {}
        self._hopeless: set[PodShape] = set()
        self._start = 0

    def bind_all(self, pods: Sequence[Pod]) -> None:
        """Binds what can be bound, the most important first."""
        if not self._nodes:
            return
        for pod in sorted(pods, key=lambda one: (-one.shape.priority, one.created, one.number)):
            if pod.shape in self._hopeless and pod.zones is None and pod.pinned is None:
                continue
            node = self._node_for(pod)
            if node is None:
                if not self._preempt(pod):
                    self._give_up(pod.shape, pod)
                continue
            bind(self._world, pod, node)
            self._note(pod, node)

    def _give_up(self, shape: PodShape, pod: Pod) -> None:
        if (
            pod.zones is None
            and pod.pinned is None
            and not shape.affinity
            and not shape.anti_affinity
            and not any(each.hard for each in shape.spread)
        ):
            self._hopeless.add(shape)

    def _node_for(self, pod: Pod) -> Node | None:
        feasible = self._feasible(pod)
        if len(feasible) <= 1:
            return feasible[0] if feasible else None
        scores = self._scores(pod.shape, feasible)
        best = max(range(len(feasible)), key=lambda index: (scores[index], -feasible[index].number))
        return feasible[best]

    def _feasible(self, pod: Pod) -> list[Node]:
        shape = pod.shape
        full = self._full.setdefault(shape, set())
        total = len(self._nodes)
        enough = total if total <= _FEW_NODES else max(_FEW_NODES, total * max(50 - total // 125, 5) // 100)
        found: list[Node] = []
        for offset in range(total):
            node = self._nodes[(self._start + offset) % total] if total > _FEW_NODES else self._nodes[offset]
            if node.number in full or pod.pinned not in (None, node):
                continue
            if not self._fits(shape, node) or not node.has_room_for(shape):
                full.add(node.number)
                continue
            if pod.zones is not None and node.zone not in pod.zones:
                continue
            if not self._topology_allows(shape, node):
                continue
            found.append(node)
            if len(found) >= enough:
                self._start = (self._start + offset + 1) % total
                break
        return found

    def _fits(self, shape: PodShape, node: Node) -> bool:
        hard = tuple(taint for taint in node.effective_taints if taint[2] != "PreferNoSchedule")
        if not shape.tolerates_all(hard):
            return False
        labels = node.label_values
        if not agree(labels, shape.selector):
            return False
        return not shape.required or any(agree(labels, term) for term in shape.required)

    def _topology_allows(self, shape: PodShape, node: Node) -> bool:
        for spread in shape.spread:
            if spread.hard and not self._spread_allows(shape, spread, node):
                return False
        for term in shape.affinity:
            if not self._affinity_allows(shape, term, node):
                return False
        for term in shape.anti_affinity:
            domain = node.domain(term.key)
            if domain is not None and self._count(term).get(domain, 0):
                return False
        return not any(
            self._repels(other, term, shape, node) for other in self._world.repelling() for term in other.anti_affinity
        )

    def _spread_allows(self, shape: PodShape, spread: Spread, node: Node) -> bool:
        domain = node.domain(spread.key)
        if domain is None:
            return False
        counts = self._spread_count(shape, spread)
        least = min(counts.values(), default=0)
        if spread.min_domains is not None and len(counts) < spread.min_domains:
            least = 0
        own = 1 if spread.selector is not None and spread.selector.selects(shape.labels) else 0
        return counts.get(domain, 0) + own - least <= spread.max_skew

    def _spread_count(self, shape: PodShape, spread: Spread) -> dict[str, int]:
        key = (shape, spread)
        known = self._counts.get(key)
        if known is None:
            known = {}
            for node in self._world.nodes:
                domain = node.domain(spread.key)
                if domain is None or not node.ready:
                    continue
                if spread.honors_affinity and not self._selected(shape, node):
                    continue
                if spread.honors_taints and not shape.tolerates_all(node.effective_taints):
                    continue
                known[domain] = known.get(domain, 0) + sum(
                    number
                    for other, number in node.running.items()
                    if other.namespace == shape.namespace
                    and spread.selector is not None
                    and spread.selector.selects(other.labels)
                )
            self._counts[key] = known
        return known

    def _selected(self, shape: PodShape, node: Node) -> bool:
        labels = node.label_values
        return agree(labels, shape.selector) and (
            not shape.required or any(agree(labels, term) for term in shape.required)
        )

    def _affinity_allows(self, shape: PodShape, term: AffinityTerm, node: Node) -> bool:
        domain = node.domain(term.key)
        if domain is None:
            return False
        counts = self._count(term)
        if counts.get(domain, 0):
            return True
        own = (
            term.selector is not None and term.selector.selects(shape.labels) and self._in_spaces(term, shape.namespace)
        )
        return own and not any(counts.values())

    def _count(self, term: AffinityTerm) -> dict[str, int]:
        known = self._counts.get(term)
        if known is None:
            known = {}
            for node in self._world.nodes:
                domain = node.domain(term.key)
                if domain is not None:
                    known[domain] = known.get(domain, 0) + sum(
                        number for other, number in node.running.items() if self._selects(term, other)
                    )
            self._counts[term] = known
        return known

    def _selects(self, term: AffinityTerm, shape: PodShape) -> bool:
        return (
            term.selector is not None and self._in_spaces(term, shape.namespace) and term.selector.selects(shape.labels)
        )

    def _in_spaces(self, term: AffinityTerm, namespace: str) -> bool:
        if namespace in term.namespaces:
            return True
        labels = self._world.namespaces.get(namespace, {})
        return term.namespace_selector is not None and term.namespace_selector.selects(labels)

    def _repels(self, other: PodShape, term: AffinityTerm, shape: PodShape, node: Node) -> bool:
        """Whether pods that refuse such pods are in the node's domain."""
        if not self._selects(term, shape):
            return False
        domain = node.domain(term.key)
        return domain is not None and any(
            other in each.running for each in self._world.nodes if each.domain(term.key) == domain
        )

    def _note(self, pod: Pod, node: Node) -> None:
        shape = pod.shape
        for key, counts in self._counts.items():
            if isinstance(key, AffinityTerm):
                domain = node.domain(key.key)
                if domain is not None and self._selects(key, shape):
                    counts[domain] = counts.get(domain, 0) + 1
            elif isinstance(key, tuple):
                owner, spread = key
                domain = node.domain(spread.key)
                if (
                    domain is not None
                    and domain in counts
                    and owner.namespace == shape.namespace
                    and spread.selector is not None
                    and spread.selector.selects(shape.labels)
                ):
                    counts[domain] += 1

    def _scores(self, shape: PodShape, nodes: Sequence[Node]) -> list[float]:
        totals = [self._resource_score(shape, node) for node in nodes]
        soft = [spread for spread in shape.spread if not spread.hard]
        if not shape.spread and shape.kind in {"Deployment", "ReplicaSet", "StatefulSet"}:
            soft = [
                Spread(key=key, max_skew=skew, hard=False, selector=_own_labels(shape)) for key, skew in _DEFAULT_SPREAD
            ]
        if soft:
            _add_scaled(totals, [self._crowd(shape, soft, node) for node in nodes], weight=2, reverse=True)
        if shape.preferred:
            wishes = [
                float(sum(weight for weight, term in shape.preferred if agree(node.label_values, term)))
                for node in nodes
            ]
            _add_scaled(totals, wishes, weight=2)
        if shape.preferred_affinity or shape.preferred_anti_affinity:
            _add_scaled(totals, [self._neighbours(shape, node) for node in nodes], weight=2)
        reluctant = [
            float(
                sum(
                    1
                    for taint in node.taints
                    if taint[2] == "PreferNoSchedule" and shape.untolerated((taint,)) is not None
                )
            )
            for node in nodes
        ]
        if any(reluctant):
            _add_scaled(totals, reluctant, weight=3, reverse=True)
        return [round(total, 6) for total in totals]

    def _resource_score(self, shape: PodShape, node: Node) -> float:
        shares: list[float] = []
        for key, least in SMALL_POD.items():
            room = node.room.get(key, 0)
            # Pods without requests count as small ones here.
            used = node.load.get(key, 0) + shape.requests.get(key, least)
            shares.append(min(used / room, 1.0) if room else 1.0)
        mean = sum(shares) / len(shares)
        deviation = math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
        return (1 - mean) * 100 + (1 - deviation) * 100

    def _crowd(self, shape: PodShape, spreads: Sequence[Spread], node: Node) -> float:
        crowd = 0.0
        for spread in spreads:
            domain = node.domain(spread.key)
            if domain is not None:
                crowd += self._spread_count(shape, spread).get(domain, 0) + spread.max_skew - 1
        return crowd

    def _neighbours(self, shape: PodShape, node: Node) -> float:
        liked = 0.0
        for weight, term in shape.preferred_affinity:
            liked += weight * self._count(term).get(node.domain(term.key) or "", 0)
        for weight, term in shape.preferred_anti_affinity:
            liked -= weight * self._count(term).get(node.domain(term.key) or "", 0)
        return liked

    def _preempt(self, pod: Pod) -> bool:
        """Stops less important pods where that makes room, as few and as unimportant as possible."""
        shape = pod.shape
        if not shape.preempts or shape.priority <= self._world.least_priority:
            return False
        best: tuple[tuple[int, int, int, int], Node, list[Pod]] | None = None
        for node in self._nodes:
            if (
                pod.pinned not in (None, node)
                or not self._fits(shape, node)
                or (pod.zones is not None and node.zone not in pod.zones)
            ):
                continue
            lower = [each for each in node.pods.values() if each.shape.priority < shape.priority and not each.stopping]
            if not lower:
                continue
            victims = _victims(shape, node, lower)
            if victims is None:
                continue
            broken = sum(1 for victim in victims if self._world.budget_holding(victim) is not None)
            highest = max(victim.shape.priority for victim in victims)
            rank = (broken, highest, len(victims), node.number)
            if best is None or rank < best[0]:
                best = (rank, node, victims)
        if best is None:
            return False
        _, node, victims = best
        for victim in victims:
            preempt(self._world, victim, pod)
        self._full.clear()
        self._counts.clear()
        if node.has_room_for(shape) and self._topology_allows(shape, node):
            bind(self._world, pod, node)
            self._note(pod, node)
        return True


def _victims(shape: PodShape, node: Node, lower: list[Pod]) -> list[Pod] | None:
    used = dict(node.used)
    for victim in lower:
        for key, value in victim.shape.requests.items():
            used[key] -= value

    def fits() -> bool:
        return all(used.get(key, 0) + value <= node.room.get(key, 0) for key, value in shape.requests.items())

    if not fits():
        return None
    victims: list[Pod] = []
    for candidate in sorted(lower, key=lambda one: (-one.shape.priority, one.bound_at or 0)):
        for key, value in candidate.shape.requests.items():
            used[key] += value
        if not fits():
            victims.append(candidate)
            for key, value in candidate.shape.requests.items():
                used[key] -= value
    return victims


def _own_labels(shape: PodShape) -> Selector:
    return Selector(tuple(sorted((key, value) for key, value in shape.labels.items() if key != "pod-template-hash")))


def _add_scaled(totals: list[float], raw: Sequence[float], *, weight: float, reverse: bool = False) -> None:
    low, high = min(raw), max(raw)
    for index, value in enumerate(raw):
        if high == low:
            share = 1.0 if reverse else 0.0
        else:
            share = (high - value) / (high - low) if reverse else (value - low) / (high - low)
        totals[index] += weight * share * 100
