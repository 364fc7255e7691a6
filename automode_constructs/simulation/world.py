"""The clock of the simulation: what happens to a cluster, second by second."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from automode_constructs.simulation.assumptions import Assumptions
from automode_constructs.simulation.binding import Binder
from automode_constructs.simulation.budgets import PodBudget
from automode_constructs.simulation.catalogue import catalogue_for
from automode_constructs.simulation.disruption import blocking_pod
from automode_constructs.simulation.disruption_loop import ask_for_a_look
from automode_constructs.simulation.market import Market
from automode_constructs.simulation.node import Node, Pod
from automode_constructs.simulation.node_lifecycle import drain
from automode_constructs.simulation.pods import PodShape
from automode_constructs.simulation.pool import Pool
from automode_constructs.simulation.provisioning import ask_for_nodes
from automode_constructs.simulation.timeline import Timeline
from automode_constructs.simulation.volumes import Volumes
from automode_constructs.simulation.workloads import Workload, reconcile
from automode_constructs.specs.pools.label_values import agree, narrowed

__all__ = ["Event", "Sample", "World"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Args:
        at: seconds since the start.
        kind: such as ``NodeReady``.
        subject: the node, pod or pool.
        message: what happened, in a sentence without its subject.
    """

    at: float
    kind: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How many pods nodes have from a moment on.

    Args:
        at: seconds since the start.
        pods: the nodes whose number of pods has changed, with it; DaemonSets apart.
        waiting: how many pods have no node.
    """

    at: float
    pods: Mapping[str, int]
    waiting: int


class Noting:
    """Assumptions, and which of them were looked at."""

    def __init__(self, assumptions: Assumptions) -> None:
        self.assumptions = assumptions
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(self.assumptions, name)


@dataclass(eq=False, slots=True)
class Totals:
    """What adds up over the whole simulation."""

    disturbed: dict[str, int] = field(default_factory=dict)
    """Pods that were moved, by what moved them."""
    pending_s: float = 0
    longest_pending_s: float = 0
    bound: int = 0
    stalled_s: dict[str, float] = field(default_factory=dict)
    """Seconds that nodes waited to drain, by what held them."""


class World:
    """A simulated cluster.

    Args:
        timeline: its manifests and what happens.
        assumptions: the figures that are assumed.
    """

    def __init__(self, timeline: Timeline, assumptions: Assumptions) -> None:
        """An empty cluster at the timeline's start."""
        self.timeline = timeline
        self.noting = Noting(assumptions)
        self.assumed: Any = self.noting
        self.catalogue = catalogue_for(assumptions)
        self.market = Market(self.catalogue, timeline.zones, assumptions)
        self.now = 0.0
        self.version = timeline.version
        self.pools: dict[str, Pool] = {}
        self.nodes: list[Node] = []
        self.ended: list[Node] = []
        self.workloads: dict[str, Workload] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.events: list[Event] = []
        self.samples: list[Sample] = []
        self.touched: dict[int, Node] = {}
        self.totals = Totals()
        self.volumes = Volumes(self.market)
        self.not_simulated: dict[str, str] = {}
        self.least_priority = 0
        self.manifests: dict[str, Mapping[str, Any]] = {}
        self.applied: dict[str, Mapping[str, Any]] = {}
        self.pool_versions: dict[str, str] = {}
        self.pod_budgets: dict[str, PodBudget] = {}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.pod_numbers = count(1)
        self.node_numbers = count(1)
        self.change = 0
        self.planned_at_change = -1
        self.batch_since: float | None = None
        self.batch_until = 0.0
        self.batch_open = False
        self.looks_at: float | None = None
        self.looked_at_change = -1
        self.command_waits = False
        self.dirty: dict[str, None] = {}
        self.unbound: dict[int, Pod] = {}
        self.repelling_shapes: dict[PodShape, int] = {}
        self.bound_at_change = -1
        self.drains: dict[int, Node] = {}
        self.last_pod_seen = 0

    def clock(self) -> datetime:
        """The time of day, in UTC."""
        return self.timeline.start + timedelta(seconds=self.now)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Does something later."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), action))

    def run_until(self, end: float) -> None:
        """Lets time pass."""
        self._settle()
        while self._heap and self._heap[0][0] <= end:
            when, _, action = heapq.heappop(self._heap)
            self.now = when
            action()
            # What happens at the same moment is seen together.
            while self._heap and self._heap[0][0] == when:
                heapq.heappop(self._heap)[2]()
            self._settle()
        self.now = end

    def note(self, kind: str, subject: str, message: str) -> None:
        """Writes an event down."""
        self.events.append(Event(at=round(self.now, 3), kind=kind, subject=subject, message=message))

    def changed(self) -> None:
        """Something changed that a decision may depend on."""
        self.change += 1

    def _settle(self) -> None:
        """Lets the controllers and the scheduler do what they do at once."""
        while True:
            while self.drains:
                drain(self, self.drains.pop(next(iter(self.drains))))
            while self.dirty:
                reference = next(iter(self.dirty))
                del self.dirty[reference]
                workload = self.workloads.get(reference)
                if workload is not None:
                    reconcile(self, workload)
                    if workload.deleted and not workload.pods:
                        del self.workloads[reference]
            if self.unbound and self.bound_at_change != self.change:
                self.bound_at_change = self.change
                Binder(self).bind_all([pod for pod in self.unbound.values() if self.can_be_scheduled(pod)])
            if not self.dirty and not self.drains:
                break
        self._take_a_sample()
        ask_for_nodes(self)
        ask_for_a_look(self)

    def _take_a_sample(self) -> None:
        """Writes down how many pods the nodes have whose pods have changed."""
        waiting = len(self.unbound)
        if self.touched or waiting != (self.samples[-1].waiting if self.samples else 0):
            pods = {
                node.name: sum(1 for pod in node.workload_pods if not pod.stopping) for node in self.touched.values()
            }
            self.touched.clear()
            self.samples.append(Sample(at=round(self.now, 3), pods=pods, waiting=waiting))

    def workload_of(self, pod: Pod) -> Workload | None:
        """The workload that a pod belongs to."""
        return self.workloads.get(f"{pod.shape.kind}/{pod.shape.app}")

    def repelling(self) -> Iterable[PodShape]:
        """The shapes of running pods that refuse others."""
        return self.repelling_shapes

    def pending(self) -> list[Pod]:
        """The pods without a node for which nodes are made: those of DaemonSets wait for their own."""
        return [pod for pod in self.unbound.values() if pod.pinned is None and self.can_be_scheduled(pod)]

    def leaving(self) -> list[Node]:
        """The nodes that go."""
        return [node for node in self.nodes if node.marked or node.deleting_since is not None]

    def waiting(self) -> list[Pod]:
        """All pods without a node."""
        return list(self.unbound.values())

    def can_be_scheduled(self, pod: Pod) -> bool:
        """Whether a pod waits for nothing but a node."""
        shape = pod.shape
        return (
            not pod.stopping
            and not shape.gates
            and shape.scheduler == "default-scheduler"
            and shape.node_name is None
            and self.volumes.missing(pod.claims) is None
        )

    def budget_holding(self, pod: Pod) -> str | None:
        """The PodDisruptionBudget that lets this pod not be evicted now; two of them, if a pod has two."""
        budgets = self._budgets_of(pod)
        if len(budgets) > 1:
            # The API server evicts no pod that has more than one.
            return " and ".join(budget.name for budget in budgets)
        for budget in budgets:
            expected, healthy = 0, 0
            for workload in self.workloads.values():
                if workload.namespace == budget.namespace and budget.selects(workload.shape.labels):
                    expected += workload.replicas
                    healthy += sum(1 for one in workload.active if one.ready)
            if not budget.allows(expected=expected, healthy=healthy, is_ready=pod.ready):
                return budget.name
        return None

    def is_do_not_disrupt(self, pod: Pod) -> bool:
        """Whether a pod's annotation holds its node now; a duration counts from the moment at which the pod starts."""
        return self.now - (self.now if pod.bound_at is None else pod.bound_at) < pod.shape.do_not_disrupt_s

    def can_be_moved(self, pod: Pod) -> bool:
        """Whether a pod of a node that goes needs a place elsewhere: not one that nothing will ever evict."""
        if self.is_do_not_disrupt(pod):
            return False
        budgets = self._budgets_of(pod)
        return len(budgets) < 2 and not any(budget.never_allows for budget in budgets)

    def _budgets_of(self, pod: Pod) -> list[PodBudget]:
        shape = pod.shape
        return [
            budget
            for budget in self.pod_budgets.values()
            if budget.namespace == shape.namespace and budget.selects(shape.labels)
        ]

    def runs_daemon(self, shape: PodShape, node: Node) -> bool:
        """Whether a DaemonSet's pod belongs on a node."""
        taints = tuple(taint for taint in (*node.taints, *node.startup_taints) if taint[2] != "PreferNoSchedule")
        if not shape.tolerates_all(taints):
            return False
        return any(agree(node.label_values, narrowed(dict(shape.selector), term)) for term in shape.required or ({},))

    def blocks(self) -> dict[str, str]:
        """What holds each node that Karpenter may not disrupt now."""
        found = {}
        for node in self.nodes:
            held = blocking_pod(self, node)
            if held is not None:
                found[node.name] = f"{held[1]} of {held[0].shape.app}"
        return found
