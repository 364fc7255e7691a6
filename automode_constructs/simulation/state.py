"""The state of the simulated cluster: pools, nodes, pods, and the capacity that EC2 has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automode_constructs.errors import AutoModeError
from automode_constructs.simulation.assumptions import Assumptions
from automode_constructs.simulation.catalogue import Catalogue, Machine, TypeSet
from automode_constructs.simulation.pods import HOSTNAME, PodShape, Resources, amount
from automode_constructs.simulation.timeline import seconds_of
from automode_constructs.specs.labels import CAPACITY_RESERVATION_ID, CAPACITY_TYPE, ZONE, stable_key
from automode_constructs.specs.pools.label_values import LabelValues, narrowed, values_of
from automode_constructs.specs.pools.node_pool import NodePoolSpec

__all__ = ["Budget", "Market", "Node", "Offering", "Pod", "Pool", "Taint", "WhyNot", "pool_from"]

Taint = tuple[str, str, str]
"""Key, value and effect."""

DISRUPTED: Taint = ("karpenter.sh/disrupted", "", "NoSchedule")
NOT_READY: Taint = ("node.kubernetes.io/not-ready", "", "NoExecute")

POOL_LABEL = "karpenter.sh/nodepool"
CLASS_LABEL = "eks.amazonaws.com/nodeclass"
ZONE_KEY = str(ZONE)
CAPACITY_KEY = str(CAPACITY_TYPE)
RESERVATION_KEY = str(CAPACITY_RESERVATION_ID)
OFFERING_KEYS = frozenset({ZONE_KEY, CAPACITY_KEY, RESERVATION_KEY})

SMALL_POD = {"cpu": 100, "memory": 200 * 1024**2}
"""What the scheduler takes a pod without requests for when it compares nodes."""

_GIB = 1024**3
_DEFAULT_DISK = 80 * _GIB


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a pool did not take a pod, or a type was left out."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


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
        return (-self.weight, tuple(-ord(letter) for letter in self.name) + (1,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What a node can be launched as."""

    machine: Machine
    capacity_type: str
    zone: str
    price: float
    reservation: str | None = None


class Market:
    """What EC2 has to offer: on demand and Spot in each zone, and reservations."""

    def __init__(self, catalogue: Catalogue, zones: Sequence[str], assumptions: Assumptions) -> None:
        """Everything is there at first."""
        self.catalogue = catalogue
        self.zones = list(zones)
        self._assumptions = assumptions
        self._short: dict[tuple[str, str], TypeSet] = {}
        self.dead_zones: set[str] = set()
        self._forgotten_at: dict[tuple[str, str], list[tuple[float, TypeSet]]] = {}
        self.reservations: dict[str, _Reservation] = {}
        self.version = 0

    def add_zones(self, zones: Iterable[str]) -> None:
        """Adds zones that pools name."""
        for zone in zones:
            if zone not in self.zones:
                self.zones.append(zone)

    def add_reservation(self, name: str, *, count: int, types: TypeSet, zones: Sequence[str]) -> None:
        """A reservation of so many instances of each of these types."""
        if name not in self.reservations:
            self.reservations[name] = _Reservation(count=count, types=types, zones=tuple(zones))

    def seen(self, capacity_type: str, zone: str, now: float) -> TypeSet:
        """The types that Karpenter believes there are."""
        hidden = 0
        for until, types in self._forgotten_at.get((capacity_type, zone), ()):
            if until > now:
                hidden |= types
        return self.catalogue.every & ~hidden

    def there(self, capacity_type: str, zone: str) -> TypeSet:
        """The types that there are."""
        if zone in self.dead_zones:
            return 0
        return self.catalogue.every & ~self._short.get((capacity_type, zone), 0)

    def set_shortage(self, choice: Mapping[str, Any], *, short: bool) -> None:
        """Takes capacity away, or gives it back."""
        types = self.catalogue.every
        if choice.get("instance_type"):
            types = 1 << self.catalogue.named(str(choice["instance_type"])).index
        for capacity_type in ("on-demand", "spot"):
            if choice.get("capacity_type") not in (None, capacity_type):
                continue
            for zone in self.zones:
                if choice.get("zone") in (None, zone):
                    before = self._short.get((capacity_type, zone), 0)
                    self._short[capacity_type, zone] = before | types if short else before & ~types
        self.version += 1

    def remember_shortage(self, capacity_type: str, zone: str, types: TypeSet, until: float) -> None:
        """Karpenter leaves these alone for a while."""
        self._forgotten_at.setdefault((capacity_type, zone), []).append((until, types))
        self.version += 1

    def offers(
        self, requirements: Mapping[str, LabelValues], reservations: Sequence[str], now: float
    ) -> tuple[TypeSet, tuple[str, ...]]:
        """The types with an offering that meets the requirements, and the reservations among them that have room."""
        zones, kinds = requirements.get(ZONE_KEY), requirements.get(CAPACITY_KEY)
        wanted = requirements.get(RESERVATION_KEY)
        types = 0
        for zone in self.zones:
            if zones is not None and not zones.has(zone):
                continue
            for kind in ("on-demand", "spot"):
                if (kinds is None or kinds.has(kind)) and (wanted is None or wanted.may_be_absent):
                    types |= self.seen(kind, zone, now)
        found: list[str] = []
        if kinds is None or kinds.has("reserved"):
            for name in reservations:
                reservation = self.reservations.get(name)
                if reservation is None or not reservation.left or not (wanted is None or wanted.has(name)):
                    continue
                if any(zones is None or zones.has(zone) for zone in reservation.zones):
                    types |= reservation.types
                    found.append(name)
        return types, tuple(found)

    def price(self, machine: Machine, capacity_type: str) -> float:
        """USD an hour."""
        share = {"spot": self._assumptions.spot_price_share, "reserved": self._assumptions.reserved_price_share}
        return machine.price * share.get(capacity_type, 1)

    def launches(
        self, types: TypeSet, requirements: Mapping[str, LabelValues], reservations: Sequence[str]
    ) -> Iterator[Offering]:
        """The offerings that a launch tries, in order: reserved, then Spot, then on demand, the cheapest first."""
        zones, kinds = requirements.get(ZONE_KEY), requirements.get(CAPACITY_KEY)
        allowed = [zone for zone in self.zones if zones is None or zones.has(zone)]
        if kinds is None or kinds.has("reserved"):
            for machine in self.catalogue.of(types):
                for name in reservations:
                    reservation = self.reservations.get(name)
                    if reservation is None or not reservation.left or not reservation.types >> machine.index & 1:
                        continue
                    for zone in allowed:
                        if zone in reservation.zones and zone not in self.dead_zones:
                            yield self._offering(machine, "reserved", zone, name)
        for kind in ("spot", "on-demand"):
            if kinds is not None and not kinds.has(kind):
                continue
            there = {zone: self.there(kind, zone) for zone in allowed}
            some = 0
            for each in there.values():
                some |= each
            for machine in self.catalogue.of(types & some):
                for zone in allowed:
                    if there[zone] >> machine.index & 1:
                        yield self._offering(machine, kind, zone)

    def _offering(self, machine: Machine, kind: str, zone: str, reservation: str | None = None) -> Offering:
        return Offering(
            machine=machine, capacity_type=kind, zone=zone, price=self.price(machine, kind), reservation=reservation
        )


@dataclass(kw_only=True, slots=True)
class _Reservation:
    count: int
    types: TypeSet
    zones: tuple[str, ...]
    used: int = 0
    ended: bool = False

    @property
    def left(self) -> int:
        return 0 if self.ended else self.count - self.used


@dataclass(eq=False, slots=True, kw_only=True)
class Pod:
    """A pod."""

    number: int
    name: str
    shape: PodShape
    owner: str
    created: float
    revision: int = 0
    node: Node | None = None
    bound_at: float | None = None
    ready_at: float | None = None
    ready: bool = False
    gone: bool = False
    stopping: bool = False
    zones: frozenset[str] | None = None
    """The zones that its volumes allow; ``None`` for all."""
    claims: tuple[str, ...] = ()
    """Its persistent volume claims, by namespace and name."""
    why: Sequence[WhyNot] = ()
    disturbed_by: str = ""
    """What moved the pod that it replaces, if Karpenter or EC2 did."""
    succeeded: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class Node:
    """A node, from the NodeClaim on."""

    number: int
    pool: str
    machine: Machine
    capacity_type: str
    zone: str
    price: float
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    created: float
    disk: int
    digest: str
    class_digest: str
    version: str
    expire_after_s: float | None
    grace_s: float
    reservation: str | None = None
    startup_taints: tuple[Taint, ...] = ()
    pods: dict[int, Pod] = field(default_factory=dict)
    used: Resources = field(default_factory=dict)
    ready_at: float | None = None
    ready: bool = False
    lost: bool = False
    marked: bool = False
    """Chosen for disruption: no pod is placed on it any more."""
    deleting_since: float | None = None
    deadline: float | None = None
    reason: str = ""
    ended_at: float | None = None
    last_pod_event: float | None = None
    nominated_until: float = -1.0
    drifted: str = ""
    drifted_at: float = 0.0
    types_offered: int = 0
    requests: Resources = field(default_factory=dict)
    why: Sequence[WhyNot] = ()
    planned_for: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    room: Resources = field(default_factory=dict)
    label_values: dict[str, LabelValues] = field(default_factory=dict)
    """Its labels, as demands are compared with them."""
    images: set[str] = field(default_factory=set)
    running: dict[PodShape, int] = field(default_factory=dict)
    """How many pods of each shape it has that are not about to stop."""
    load: dict[str, int] = field(default_factory=dict)
    """CPU and memory that its pods request; one without requests counts as a small one."""
    stalled_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Works out what its pods may request."""
        self.room = {**self.machine.allocatable, "ephemeral-storage": self.disk}
        self.relabel({})

    @property
    def name(self) -> str:
        """``n1``, ``n2`` ... in order of appearance."""
        return f"n{self.number}"

    def relabel(self, labels: Mapping[str, str]) -> None:
        """Changes labels."""
        self.labels.update(labels)
        self.label_values = {key: values_of("In", (value,)) for key, value in self.labels.items()}
        self.label_values[HOSTNAME] = values_of("In", (self.name,))

    @property
    def effective_taints(self) -> tuple[Taint, ...]:
        """The taints that a pod meets now."""
        taints = self.taints
        if self.startup_taints:
            taints = (*taints, *self.startup_taints)
        if self.marked or self.deleting_since is not None:
            taints = (*taints, DISRUPTED)
        if self.lost or not self.ready:
            taints = (*taints, NOT_READY)
        return taints

    def has_room_for(self, shape: PodShape) -> bool:
        """Whether its free resources and ports suffice."""
        used, room = self.used, self.room
        for key, value in shape.requests.items():
            if used.get(key, 0) + value > room.get(key, 0):
                return False
        return not shape.host_ports or not any(_clash(shape, pod.shape) for pod in self.pods.values())

    def add(self, pod: Pod) -> None:
        """Puts a pod on it."""
        self.pods[pod.number] = pod
        pod.node = self
        shape = pod.shape
        for key, value in shape.requests.items():
            self.used[key] = self.used.get(key, 0) + value
        for key, least in SMALL_POD.items():
            self.load[key] = self.load.get(key, 0) + shape.requests.get(key, least)
        self.running[shape] = self.running.get(shape, 0) + 1

    def remove(self, pod: Pod) -> None:
        """Takes a pod from it."""
        if self.pods.pop(pod.number, None) is not None:
            for key, value in pod.shape.requests.items():
                self.used[key] -= value
            for key, least in SMALL_POD.items():
                self.load[key] -= pod.shape.requests.get(key, least)
            if not pod.stopping:
                self.forget(pod)

    def forget(self, pod: Pod) -> None:
        """Does not count a pod any more that is about to stop."""
        self.running[pod.shape] -= 1
        if not self.running[pod.shape]:
            del self.running[pod.shape]

    @property
    def workload_pods(self) -> list[Pod]:
        """Its pods without those of DaemonSets."""
        return [pod for pod in self.pods.values() if pod.shape.kind != "DaemonSet"]


def ports_clash(ports: Iterable[tuple[str, str, int]], others: Iterable[tuple[str, str, int]]) -> bool:
    """Whether two sets of host ports claim the same port."""
    for address, protocol, port in ports:
        for other_address, other_protocol, other_port in others:
            if (protocol, port) == (other_protocol, other_port) and (
                address == other_address or "0.0.0.0" in (address, other_address)  # noqa: S104
            ):
                return True
    return False


def _clash(one: PodShape, other: PodShape) -> bool:
    return bool(other.host_ports) and ports_clash(one.host_ports, other.host_ports)


def pool_from(
    manifest: Mapping[str, Any],
    node_class: Mapping[str, Any] | None,
    market: Market,
    *,
    version: str,
    assumptions: Assumptions,
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
        budgets=[_budget(item) for item in disruption.get("budgets") or [{"nodes": "10%"}]],
        expire_after_s=None if expire == "Never" else seconds_of(expire),
        grace_s=seconds_of(nodes.get("terminationGracePeriod", "24h")) or 0,
        node_class=class_name,
        class_ready=node_class is not None,
        min_values=min_values,
        disk=_DEFAULT_DISK
        if storage is None
        else amount("ephemeral-storage", storage, f"NodeClass {class_name}", "size"),
        types=types,
        zones=[zone for zone in market.zones if zones_named is None or zones_named.has(zone)],
        labels=labels,
        digest=_digest({key: value for key, value in template.items() if key != "spec"})
        + _digest({key: value for key, value in nodes.items() if key != "requirements"}),
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


def _at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        found = value.get(key) if isinstance(value, Mapping) else None
        value = found if isinstance(found, Mapping) else {}
    return value


def refused(where: str, field_name: str, message: str, cure: str = "") -> AutoModeError:
    """An error with one problem."""
    return AutoModeError.of(where, field=field_name, message=message, cure=cure)
