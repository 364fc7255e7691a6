"""Nodes and their pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from automode_constructs.simulation.catalogue import Machine
from automode_constructs.simulation.choice import Choice
from automode_constructs.simulation.pods import HOSTNAME, PodShape, Resources
from automode_constructs.specs.pools.label_values import LabelValues, values_of

__all__ = ["DISRUPTED", "NOT_READY", "SMALL_POD", "Node", "Pod", "Taint", "WhyNot", "ports_clash"]

Taint = tuple[str, str, str]
"""Key, value and effect."""

DISRUPTED: Taint = ("karpenter.sh/disrupted", "", "NoSchedule")
NOT_READY: Taint = ("node.kubernetes.io/not-ready", "", "NoExecute")

SMALL_POD = {"cpu": 100, "memory": 200 * 1024**2}
"""What the scheduler takes a pod without requests for when it compares nodes."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a pool did not take a pod, or a type was left out."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


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
    pinned: Node | None = None
    """The only node that it may have, as a pod of a DaemonSet."""
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
    max_pods: int | None
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
    choice: Choice | None = None
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
    spent_usd: float = 0
    """What its instance cost until its price changed."""
    priced_since: float | None = None
    stalled_s: dict[str, float] = field(default_factory=dict)
    waits_to_drain: bool = False
    """Whether its drain is about to be tried again."""

    def __post_init__(self) -> None:
        """Works out what its pods may request."""
        self.room = {**self.machine.allocatable, "ephemeral-storage": self.disk}
        if self.max_pods is not None:
            self.room["pods"] = min(self.room["pods"], self.max_pods)
        self.relabel({})

    @property
    def name(self) -> str:
        """``n1``, ``n2`` ... in order of appearance."""
        return f"n{self.number}"

    def change_price(self, price: float, now: float) -> None:
        """From now on it costs so much an hour."""
        self.spent_usd = self.instance_usd(now)
        self.priced_since, self.price = now, price

    def instance_usd(self, now: float) -> float:
        """USD of its instance until now, or until its end."""
        since = self.created if self.priced_since is None else self.priced_since
        return self.spent_usd + self.price * ((now if self.ended_at is None else self.ended_at) - since) / 3600

    @property
    def is_initialized(self) -> bool:
        """Whether it is Ready and all its startup taints are gone."""
        return self.ready and not self.startup_taints

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

    def domain(self, key: str) -> str | None:
        """The value of a topology key."""
        return self.name if key == HOSTNAME else self.labels.get(key)

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
