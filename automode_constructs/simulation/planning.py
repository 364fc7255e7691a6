"""Which nodes Karpenter makes for pods that have none.

The order of its decisions, as its source has it: the largest pods first; a pod goes to a node that exists, else to a
planned node with the fewest pods, else to a new node of the heaviest pool that takes it. Preferences count as demands
until nothing fits, and are then given up one by one.

Source: kubernetes-sigs/karpenter, ``pkg/controllers/provisioning/scheduling`` (``scheduler.go``, ``nodeclaim.go``,
``existingnode.go``, ``queue.go``, ``preferences.go``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from automode_constructs.simulation.catalogue import Catalogue, TypeSet
from automode_constructs.simulation.market import CAPACITY_KEY, OFFERING_KEYS, RESERVATION_KEY, ZONE_KEY, Market
from automode_constructs.simulation.node import Node, Pod, Taint, WhyNot, ports_clash
from automode_constructs.simulation.pods import HOSTNAME, PodShape, Resources
from automode_constructs.simulation.pool import Pool
from automode_constructs.simulation.topology import Topology, TopologyGroup
from automode_constructs.specs.pools.label_values import (
    LabelValues,
    agree,
    disagreement,
    narrowed,
    values_of,
)

__all__ = ["Claim", "Plan", "Planner"]

_IN_WORDS = {"spread": "topology spread", "affinity": "pod affinity", "anti": "pod anti-affinity"}


@dataclass(eq=False, slots=True)
class _DaemonGroup:
    """The types of a pool that run the same DaemonSets."""

    types: TypeSet
    overhead: Resources
    ports: frozenset[tuple[str, str, int]]


@dataclass(eq=False, slots=True)
class Claim:
    """A node that is planned."""

    pool: Pool
    host: str
    requirements: dict[str, LabelValues]
    types: TypeSet
    groups: list[_DaemonGroup]
    requests: Resources = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    ports: set[tuple[str, str, int]] = field(default_factory=set)
    reservations: tuple[str, ...] = ()
    why: list[WhyNot] = field(default_factory=list)
    merged: set[PodShape] = field(default_factory=set)
    full_for: set[PodShape] = field(default_factory=set)

    def total_requests(self) -> Resources:
        """What the pods request, with the least that DaemonSets take on one of its types."""
        least: Resources | None = None
        for group in self.groups:
            if group.types & self.types:
                if least is None:
                    least = dict(group.overhead)
                else:
                    least = {
                        key: min(least.get(key, 0), group.overhead.get(key, 0)) for key in {**least, **group.overhead}
                    }
        return _sum(self.requests, least or {})


@dataclass(eq=False, slots=True)
class _Existing:
    """A node that exists, with the pods that are planned on it."""

    node: Node
    taints: tuple[Taint, ...]
    labels: dict[str, LabelValues]
    free: Resources
    ports: set[tuple[str, str, int]]
    pods: list[Pod] = field(default_factory=list)
    full_for: set[PodShape] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The result of a planning run."""

    claims: Sequence[Claim]
    placed: Mapping[int, Node]
    """The existing node of a pod, by the pod's number."""
    failed: Mapping[int, Sequence[WhyNot]]
    """Why a pod fits nowhere, by its number."""


class Planner:
    """One planning run.

    Args:
        pools: the pools that may get new nodes.
        nodes: the nodes that pods may go to.
        leaving: the nodes that go, whose pods still count.
        pods: the pods to place.
        daemons: the shapes of all DaemonSets' pods.
        market: what EC2 has.
        namespaces: the labels of each namespace.
        now: seconds since the start.
        reservations_are_strict: whether a pod waits for a reservation rather than take something else.
    """

    def __init__(
        self,
        *,
        pools: Iterable[Pool],
        nodes: Iterable[Node],
        leaving: Sequence[Node],
        pods: Sequence[Pod],
        daemons: Sequence[PodShape],
        market: Market,
        namespaces: Mapping[str, Mapping[str, str]],
        now: float,
        counted_nodes: Iterable[Node],
        soft_nodes_limit: bool,
        reservations_are_strict: bool = True,
    ) -> None:
        """Gets ready to plan."""
        self._market = market
        self._catalogue: Catalogue = market.catalogue
        self._now = now
        self._pools = sorted((pool for pool in pools if pool.replicas is None), key=lambda pool: pool.order)
        self._daemons = daemons
        self._strict = reservations_are_strict
        self._soft_nodes_limit = soft_nodes_limit
        nodes = list(nodes)
        self._open = self._catalogue.label_keys | OFFERING_KEYS | {"topology.k8s.aws/zone-id"}
        self._topology = Topology([*self._pools], nodes, market, namespaces, pods, leaving)
        self._existing = [
            self._existing_node(node) for node in sorted(nodes, key=lambda node: (not node.is_initialized, node.number))
        ]
        self._claims: list[Claim] = []
        self._hosts = 0
        self._pods = pods
        self._tolerate = any(taint[2] == "PreferNoSchedule" for pool in self._pools for taint in pool.taints)
        self._left: dict[str, Resources] = {}
        for pool in self._pools:
            self._left[pool.name] = dict(pool.limits)
        for node in counted_nodes:
            left = self._left.get(node.pool)
            if left:
                for key in left:
                    left[key] -= 1 if key == "nodes" else node.machine.capacity.get(key, 0)
        self._reserved_by: dict[str, set[str]] = {}
        self._successes = 0
        self._first_free: dict[PodShape, int] = {}
        self._failed_at: dict[PodShape, tuple[int, list[WhyNot]]] = {}

    def solve(self) -> Plan:
        """Places the pods."""
        for pod in self._pods:
            self._topology.take_in(pod.shape)
        queue = deque(sorted(self._pods, key=_largest_first))
        pushed_at: dict[int, int] = {}
        placed: dict[int, Node] = {}
        failed: dict[int, list[WhyNot]] = {}
        while queue:
            pod = queue[0]
            if pushed_at.get(pod.number) == len(queue):
                break
            queue.popleft()
            why = self._place(pod, placed)
            if why is None:
                failed.pop(pod.number, None)
                self._successes += 1
            else:
                failed[pod.number] = why
                queue.append(pod)
                pushed_at[pod.number] = len(queue)
        return Plan(claims=self._claims, placed=placed, failed=failed)

    def _place(self, pod: Pod, placed: dict[int, Node]) -> list[WhyNot] | None:
        shape: PodShape = pod.shape
        known = self._failed_at.get(shape) if pod.zones is None else None
        if known is not None and known[0] == self._successes:
            return known[1]
        first: list[WhyNot] | None = None
        while True:
            why = self._add(pod, shape, placed)
            if why is None:
                return None
            # What the pod asked for at the last decides, once its preferences are given up.
            first = why
            relaxed = shape.relaxed(tolerate_preferences=self._tolerate)
            if relaxed is None or any(each.reason.startswith("waits for") for each in why):
                self._failed_at[pod.shape] = (self._successes, first)
                return first
            shape = relaxed
            self._topology.take_in(shape)

    def _add(self, pod: Pod, shape: PodShape, placed: dict[int, Node]) -> list[WhyNot] | None:
        zone = {} if pod.zones is None else {ZONE_KEY: values_of("In", tuple(sorted(pod.zones)))}
        first = self._first_free.get(shape, 0)
        while first < len(self._existing) and shape in self._existing[first].full_for:
            first += 1
        self._first_free[shape] = first
        for index in range(first, len(self._existing)):
            existing = self._existing[index]
            if shape not in existing.full_for and self._add_to_existing(pod, shape, existing, zone):
                placed[pod.number] = existing.node
                return None
        self._claims.sort(key=lambda claim: len(claim.pods))
        for claim in self._claims:
            if shape in claim.full_for:
                continue
            if self._add_to_claim(pod, shape, claim, zone) is None:
                return None
        return self._add_to_new(pod, shape, zone)

    def _existing_node(self, node: Node) -> _Existing:
        taints = node.taints  # Without startup taints: Karpenter expects that somebody removes them.
        labels = node.label_values
        free = {key: value - node.used.get(key, 0) for key, value in node.room.items()}
        here = {pod.owner for pod in node.pods.values() if pod.shape.kind == "DaemonSet"}
        for daemon in self._daemons:
            if daemon.app not in here and _daemon_fits(daemon, taints, labels, frozenset()):
                for key, value in daemon.requests.items():
                    free[key] = free.get(key, 0) - value
        self._topology.register_host(node.name)
        ports = {port for pod in node.pods.values() for port in pod.shape.host_ports}
        return _Existing(node=node, taints=taints, labels=labels, free=free, ports=ports)

    def _add_to_existing(self, pod: Pod, shape: PodShape, existing: _Existing, zone: Mapping[str, LabelValues]) -> bool:
        free = existing.free
        if (
            not shape.tolerates_all(existing.taints)
            or any(value > free.get(key, 0) for key, value in shape.requests.items())
            or (shape.host_ports and ports_clash(shape.host_ports, existing.ports))
            or not agree(existing.labels, shape.requirements)
        ):
            existing.full_for.add(shape)
            return False
        labels = narrowed(existing.labels, shape.requirements) if shape.requirements else existing.labels
        if zone:
            if not agree(labels, zone):
                return False
            labels = narrowed(labels, zone)
        if not self._topology.is_empty:
            found = self._topology.narrowing(shape, shape.strict_requirements, labels)
            if isinstance(found, TopologyGroup) or not agree(labels, found):
                return False
            labels = narrowed(labels, found)
            self._topology.record(shape, existing.taints, labels, frozenset())
        existing.pods.append(pod)
        for key, value in shape.requests.items():
            free[key] -= value
        existing.ports |= shape.host_ports
        return True

    def _add_to_claim(self, pod: Pod, shape: PodShape, claim: Claim, zone: Mapping[str, LabelValues]) -> WhyNot | None:
        pool = claim.pool
        if not shape.tolerates_all(pool.taints):
            claim.full_for.add(shape)
            return WhyNot(f"NodePool {pool.name}", f"taint {shape.untolerated(pool.taints)} is not tolerated")
        requirements = claim.requirements
        if shape not in claim.merged and shape.requirements:
            key = disagreement(requirements, shape.requirements, self._open)
            if key is not None:
                claim.full_for.add(shape)
                return WhyNot(f"NodePool {pool.name}", _wanted(key, shape.requirements, requirements))
            requirements = narrowed(requirements, shape.requirements)
        if zone:
            if not agree(requirements, zone, self._open):
                return WhyNot(f"NodePool {pool.name}", f"the pod's volume is in {zone[ZONE_KEY]}")
            requirements = narrowed(requirements, zone)
        if not self._topology.is_empty:
            found = self._topology.narrowing(shape, shape.strict_requirements, requirements)
            if isinstance(found, TopologyGroup):
                return WhyNot(f"NodePool {pool.name}", f"no {found.key} is left by its {_IN_WORDS[found.kind]}")
            if not agree(requirements, found, self._open):
                return WhyNot(f"NodePool {pool.name}", "topology rules contradict")
            requirements = narrowed(requirements, found)
        requests = _sum(claim.requests, shape.requests)
        types = self._types_for(claim, requirements, requests, shape)
        offered: TypeSet = 0
        reservations: tuple[str, ...] = ()
        if types:
            offered, reservations = self._offers(claim, requirements)
            types &= offered
        if types and pool.min_values:
            types = self._with_min_values(pool, requirements, types)
        if not types:
            why = self._why_no_type(claim, requirements, requests, shape, offered)
            if not zone and self._topology.is_empty:
                claim.full_for.add(shape)
            return why
        held = self._hold_reservations(claim, types, reservations)
        if held is None:
            return WhyNot(f"NodePool {pool.name}", "waits for a reservation that other nodes may still give back")
        claim.requirements = requirements
        claim.types = types
        claim.requests = requests
        claim.pods.append(pod)
        claim.merged.add(shape)
        claim.ports |= shape.host_ports
        claim.reservations = held
        if not self._topology.is_empty:
            self._topology.register_host(claim.host)
            self._topology.record(shape, pool.taints, requirements, self._open)
        return None

    def _types_for(
        self, claim: Claim, requirements: Mapping[str, LabelValues], requests: Resources, shape: PodShape
    ) -> TypeSet:
        types = claim.types
        if requirements is not claim.requirements:
            for key, values in requirements.items():
                if key in self._catalogue.label_keys and claim.requirements.get(key) != values:
                    types &= self._catalogue.that_fit(key, values)
        if requests.get("ephemeral-storage", 0) > claim.pool.disk:
            return 0
        fitting = 0
        for group in claim.groups:
            some = group.types & types
            if not some or (shape.host_ports and ports_clash(shape.host_ports, {*group.ports, *claim.ports})):
                continue
            wanted = _sum(requests, group.overhead) if group.overhead else requests
            if claim.pool.max_pods is not None and wanted["pods"] > claim.pool.max_pods:
                continue
            for key, value in wanted.items():
                if key != "ephemeral-storage":
                    some &= self._catalogue.with_room(key, value)
            fitting |= some
        return fitting

    def _offers(self, claim: Claim, requirements: Mapping[str, LabelValues]) -> tuple[TypeSet, tuple[str, ...]]:
        key = (
            requirements.get(ZONE_KEY),
            requirements.get(CAPACITY_KEY),
            requirements.get(RESERVATION_KEY),
            claim.pool.name,
        )
        known = self._offers_known.get(key)
        if known is None:
            known = self._offers_known[key] = self._market.offers(requirements, claim.pool.reservations, self._now)
        return known

    @cached_property
    def _offers_known(self) -> dict[object, tuple[TypeSet, tuple[str, ...]]]:
        return {}

    def _hold_reservations(self, claim: Claim, types: TypeSet, names: tuple[str, ...]) -> tuple[str, ...] | None:
        if not names and not claim.reservations:
            return ()
        compatible, held = False, []
        for name in names:
            reservation = self._market.reservations[name]
            if not reservation.types & types:
                continue
            compatible = True
            holders = self._reserved_by.setdefault(name, set())
            if claim.host in holders or len(holders) < reservation.left:
                held.append(name)
        if self._strict and not held and (compatible or claim.reservations):
            return None
        for name in claim.reservations:
            if name not in held:
                self._reserved_by[name].discard(claim.host)
        for name in held:
            self._reserved_by[name].add(claim.host)
        return tuple(held)

    def _with_min_values(self, pool: Pool, requirements: Mapping[str, LabelValues], types: TypeSet) -> TypeSet:
        for key, least in pool.min_values.items():
            if self._count_values(pool, requirements, types, key) < least:
                return 0
        return types

    def _count_values(self, pool: Pool, requirements: Mapping[str, LabelValues], types: TypeSet, key: str) -> int:
        values = requirements.get(key)
        if key in self._catalogue.label_keys:
            has = self._catalogue.values(key, types)
        elif key == ZONE_KEY:
            has = list(pool.zones)
        else:
            has = ["on-demand", "spot", "reserved"]
        return sum(1 for value in has if values is None or values.has(value))

    def _add_to_new(self, pod: Pod, shape: PodShape, zone: Mapping[str, LabelValues]) -> list[WhyNot] | None:
        reasons: list[WhyNot] = []
        if not self._pools:
            return [WhyNot("cluster", "no NodePool may get new nodes")]
        for pool in self._pools:
            where = f"NodePool {pool.name}"
            if not pool.class_ready:
                reasons.append(WhyNot(where, f"NodeClass {pool.node_class} does not exist"))
                continue
            if not pool.types:
                reasons.append(WhyNot(where, pool.unmet[0].reason if pool.unmet else "it admits no instance type"))
                continue
            left = self._left[pool.name]
            types = pool.types
            if left:
                if left.get("nodes", 1) <= 0:
                    reasons.append(WhyNot(where, "its limit on nodes is reached"))
                    continue
                for key, value in left.items():
                    if key != "nodes":
                        types &= self._catalogue.up_to(key, value)
                if not types:
                    reasons.append(WhyNot(where, f"every instance type would exceed its limits ({_some(left)} left)"))
                    continue
            claim = Claim(
                pool=pool,
                host=f"planned-{self._hosts}",
                requirements={**pool.requirements, HOSTNAME: values_of("In", (f"planned-{self._hosts}",))},
                types=types,
                groups=self._groups_of(pool),
            )
            self._hosts += 1
            why = self._add_to_claim(pod, shape, claim, zone)
            if why is not None:
                reasons.append(why)
                if why.reason.startswith("waits for"):
                    return reasons
                continue
            claim.why = reasons
            self._claims.append(claim)
            for key in left:
                if key == "nodes":
                    left[key] -= 0 if self._soft_nodes_limit else 1
                else:
                    left[key] -= max(machine.capacity.get(key, 0) for machine in self._catalogue.of(claim.types))
            return None
        return reasons

    def _groups_of(self, pool: Pool) -> list[_DaemonGroup]:
        known = self._groups_known.get(pool.name)
        if known is None:
            sets: list[tuple[TypeSet, list[PodShape]]] = [(pool.types, [])]
            for daemon in self._daemons:
                fits = self._daemon_types(daemon, pool)
                split = []
                for types, some in sets:
                    if types & fits:
                        split.append((types & fits, [*some, daemon]))
                    if types & ~fits:
                        split.append((types & ~fits, some))
                sets = split
            known = self._groups_known[pool.name] = [
                _DaemonGroup(
                    types=types,
                    overhead=_sum(*(daemon.requests for daemon in some)) if some else {},
                    ports=frozenset(port for daemon in some for port in daemon.host_ports),
                )
                for types, some in sets
            ]
        return known

    @cached_property
    def _groups_known(self) -> dict[str, list[_DaemonGroup]]:
        return {}

    def _daemon_types(self, daemon: PodShape, pool: Pool) -> TypeSet:
        """The types of a pool on whose nodes a DaemonSet's pods run."""
        hard = tuple(taint for taint in pool.taints if taint[2] != "PreferNoSchedule")
        if not daemon.tolerates_all(hard):
            return 0
        fits = 0
        for term in daemon.required or ({},):
            wanted = narrowed(dict(daemon.selector), term)
            if not agree(pool.requirements, wanted, self._open):
                continue
            types = pool.types
            for key, values in wanted.items():
                if key in self._catalogue.label_keys:
                    types &= self._catalogue.that_fit(key, values)
            fits |= types
        return fits

    def _why_no_type(
        self,
        claim: Claim,
        requirements: Mapping[str, LabelValues],
        requests: Resources,
        shape: PodShape,
        offered: TypeSet,
    ) -> WhyNot:
        """The demand that leaves no type."""
        where = f"NodePool {claim.pool.name}"
        types = claim.types
        for key, values in requirements.items():
            if key in self._catalogue.label_keys:
                fit = self._catalogue.that_fit(key, values)
                if types and not types & fit:
                    return WhyNot(where, f"no instance type left has {key} of {values}")
                types &= fit
        if requests.get("ephemeral-storage", 0) > claim.pool.disk:
            return WhyNot(where, "the pod requests more ephemeral storage than a node of its NodeClass has")
        overhead = claim.groups[0].overhead if claim.groups else {}
        if claim.pool.max_pods is not None and requests["pods"] > claim.pool.max_pods:
            return WhyNot(where, f"its NodeClass takes {claim.pool.max_pods} pods a node")
        for key, value in _sum(requests, overhead).items():
            if key == "ephemeral-storage":
                continue
            room = self._catalogue.with_room(key, value)
            if not types & room:
                most = max((machine.allocatable.get(key, 0) for machine in self._catalogue.of(types)), default=0)
                return WhyNot(
                    where, f"no instance type left has {_amount(key, value)} of {key}; the most is {_amount(key, most)}"
                )
            types &= room
        if shape.host_ports:
            return WhyNot(where, "its host ports are taken")
        if not types & offered:
            return WhyNot(where, "no offering of its zones and capacity types is left")
        if claim.pool.min_values:
            for key, least in claim.pool.min_values.items():
                has = self._count_values(claim.pool, requirements, types, key)
                if has < least:
                    return WhyNot(where, f"minValues asks for {least} values of {key}, and {has} are left")
        return WhyNot(where, "no instance type meets all demands at once")


def _daemon_fits(
    daemon: PodShape, taints: tuple[Taint, ...], labels: Mapping[str, LabelValues], open_labels: frozenset[str]
) -> bool:
    hard = tuple(taint for taint in taints if taint[2] != "PreferNoSchedule")
    if not daemon.tolerates_all(hard):
        return False
    return any(agree(labels, narrowed(dict(daemon.selector), term), open_labels) for term in daemon.required or ({},))


def _largest_first(pod: Pod) -> tuple[int, int, float, int]:
    requests = pod.shape.requests
    return (-requests.get("cpu", 0), -requests.get("memory", 0), pod.created, pod.number)


def _sum(*parts: Mapping[str, int]) -> Resources:
    total: Resources = dict(parts[0]) if parts else {}
    for part in parts[1:]:
        for key, value in part.items():
            total[key] = total.get(key, 0) + value
    return total


def _wanted(key: str, demands: Mapping[str, LabelValues], have: Mapping[str, LabelValues]) -> str:
    if key not in have:
        return f"its nodes have no label {key}, and the pod wants {demands[key]}"
    return f"the pod wants {key} of {demands[key]}, and the nodes have {have[key]}"


def _amount(key: str, value: int) -> str:
    if key == "cpu":
        return f"{value / 1000:g}"
    return f"{value / 1024**3:.1f}Gi" if key in {"memory", "ephemeral-storage"} else str(value)


def _some(left: Mapping[str, int]) -> str:
    return ", ".join(f"{key} {_amount(key, value)}" for key, value in left.items())
