"""The clock of the simulation: what happens to a cluster, second by second."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from automode_constructs.errors import AutoModeError, did_you_mean
from automode_constructs.inference.cold_start import estimate_cold_start
from automode_constructs.simulation.assumptions import Assumptions
from automode_constructs.simulation.binding import Binder
from automode_constructs.simulation.budgets import PodBudget, pod_budget_from
from automode_constructs.simulation.catalogue import catalogue_for
from automode_constructs.simulation.disruption import (
    Command,
    blocking_pod,
    consolidatable_at,
    look,
    still_holds,
)
from automode_constructs.simulation.planning import Claim, Plan, Planner
from automode_constructs.simulation.pods import HOSTNAME, PodShape
from automode_constructs.simulation.state import (
    CAPACITY_KEY,
    CLASS_LABEL,
    DISRUPTED,
    OFFERING_KEYS,
    POOL_LABEL,
    RESERVATION_KEY,
    ZONE_KEY,
    Market,
    Node,
    Offering,
    Pod,
    Pool,
    pool_from,
)
from automode_constructs.simulation.timeline import Step, Timeline
from automode_constructs.simulation.volumes import Volumes
from automode_constructs.simulation.workloads import KINDS, Workload, read_workload, reconcile
from automode_constructs.specs.pools.label_values import agree, narrowed, values_of

__all__ = ["Event", "World"]

_EVENTS_OF = {
    "Expired": "Forceful",
    "Spot interruption": "Forceful",
}


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


class _Noting:
    """Assumptions, and which of them were looked at."""

    def __init__(self, assumptions: Assumptions) -> None:
        self._assumptions = assumptions
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(self._assumptions, name)


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
        self.noting = _Noting(assumptions)
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
        self.totals = Totals()
        self.volumes = Volumes(self.market)
        self.not_simulated: dict[str, str] = {}
        self.least_priority = 0
        self._manifests: dict[str, Mapping[str, Any]] = {}
        for manifest in timeline.objects:
            self._manifests.setdefault(reference_of(manifest), manifest)
        self._applied: dict[str, Mapping[str, Any]] = {}
        self._pool_versions: dict[str, str] = {}
        self._budgets: dict[str, PodBudget] = {}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._pod_numbers = count(1)
        self._node_numbers = count(1)
        self._change = 0
        self._planned_at_change = -1
        self._batch_since: float | None = None
        self._batch_until = 0.0
        self._batch_open = False
        self._looks_at: float | None = None
        self._looked_at_change = -1
        self._command_waits = False
        self._dirty: dict[str, None] = {}
        self._unbound: dict[int, Pod] = {}
        self._repelling: dict[PodShape, int] = {}

    # Time ------------------------------------------------------------------------------------------------------------

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
        self._change += 1

    def _settle(self) -> None:
        """Lets the controllers and the scheduler do what they do at once."""
        while True:
            while self._dirty:
                reference = next(iter(self._dirty))
                del self._dirty[reference]
                workload = self.workloads.get(reference)
                if workload is not None:
                    reconcile(self, workload)
                    if workload.deleted and not workload.pods:
                        del self.workloads[reference]
            if self._unbound and self._bound_at_change != self._change:
                self._bound_at_change = self._change
                Binder(self).bind_all([pod for pod in self._unbound.values() if self._can_be_scheduled(pod)])
                if self._dirty:
                    continue
            break
        self._ask_for_nodes()
        self._ask_for_a_look()

    _bound_at_change = -1

    # Steps -----------------------------------------------------------------------------------------------------------

    def do(self, step: Step, where: str) -> None:
        """Carries a step out.

        Raises:
            AutoModeError: if it names what is not there, or a manifest is wrong.
        """
        self.note("Step", where, str(step))
        match step.verb:
            case "apply":
                for reference in step.subject:
                    self._apply(self._find(reference, self._manifests, where))
            case "scale":
                manifest = self._find(step.subject, self._applied, where)
                self._apply(_merged(manifest, {"spec": {"replicas": step.value}}))
            case "patch":
                self._apply(_merged(self._find(step.subject, self._applied, where), step.value))
            case "delete":
                self._delete(step.subject, where)
            case "interrupt_spot":
                self._interrupt(step.subject)
            case "zone_outage":
                self._zone_outage(step.subject)
            case "zone_recovery":
                self._zone_recovery(step.subject)
            case "capacity_shortage" | "capacity_return":
                self._check_choice(step.subject, where)
                self.market.set_shortage(step.subject, short=step.verb == "capacity_shortage")
                self.changed()
            case "reservation_end":
                self._end_reservation(step.subject)
            case "upgrade":
                self._upgrade(step.subject)

    def _find(self, reference: str, known: Mapping[str, Mapping[str, Any]], where: str) -> Mapping[str, Any]:
        """The manifest that a reference names."""
        for candidate in _candidates(reference):
            if candidate in known:
                return known[candidate]
        cure = did_you_mean(reference, list(known)) or f"known are {', '.join(list(known)[:5])}"
        raise AutoModeError.of(where, field="", message=f"there is no {reference}", cure=cure)

    def _check_choice(self, choice: Mapping[str, Any], where: str) -> None:
        name = choice.get("instance_type")
        names = [machine.name for machine in self.catalogue.machines]
        if name is not None and name not in names:
            raise AutoModeError.of(
                where,
                field="instance_type",
                message=f"'{name}' is not in the catalogue",
                cure=did_you_mean(str(name), names),
            )

    def _apply(self, manifest: Mapping[str, Any]) -> None:
        reference = reference_of(manifest)
        kind = str(manifest.get("kind"))
        self._applied[reference] = manifest
        self._manifests[reference] = manifest
        name = str(manifest.get("metadata", {}).get("name"))
        namespace = str(manifest.get("metadata", {}).get("namespace") or "default")
        if kind == "NodePool":
            self._pool_versions.setdefault(name, self.version)
            self._read_pools(name)
        elif kind == "NodeClass":
            self._read_pools()
        elif kind in KINDS:
            before = self.workloads.get(reference)
            workload = read_workload(manifest, self._priorities(), before)
            self.workloads[reference] = workload
            self.volumes.make_known(namespace, manifest)
            self._dirty[reference] = None
        elif kind == "PodDisruptionBudget":
            self._budgets[reference] = pod_budget_from(manifest)
        elif kind == "Namespace":
            labels = manifest.get("metadata", {}).get("labels") or {}
            self.namespaces[name] = {"kubernetes.io/metadata.name": name, **labels}
        elif kind in {"PersistentVolumeClaim", "PersistentVolume", "StorageClass"}:
            self.volumes.apply(manifest)
        elif kind == "CronJob":
            self.not_simulated[reference] = "its Jobs are not started: apply a Job at the time that you mean"
        elif kind in {"HorizontalPodAutoscaler", "ScaledObject"}:
            self.not_simulated[reference] = "nothing scales by itself: write scale steps"
        self.changed()

    def _priorities(self) -> dict[str, tuple[int, bool]]:
        found = {"system-cluster-critical": (2_000_000_000, True), "system-node-critical": (2_000_001_000, True)}
        for manifest in self._applied.values():
            if manifest.get("kind") == "PriorityClass":
                value = (int(manifest.get("value") or 0), manifest.get("preemptionPolicy") != "Never")
                found[str(manifest.get("metadata", {}).get("name"))] = value
                if manifest.get("globalDefault"):
                    found[""] = value
        return found

    def _read_pools(self, only: str | None = None) -> None:
        for manifest in list(self._applied.values()):
            if manifest.get("kind") != "NodePool":
                continue
            name = str(manifest.get("metadata", {}).get("name"))
            reference = manifest.get("spec", {}).get("template", {}).get("spec", {}).get("nodeClassRef", {}).get("name")
            if only not in (None, name):
                continue
            node_class = self._applied.get(f"NodeClass/{reference}")
            if node_class is None and reference == "default":
                node_class = {}  # EKS makes the class of its built-in pools.
            pool = pool_from(
                manifest,
                node_class,
                self.market,
                version=self._pool_versions[name],
                assumptions=self.noting._assumptions,
            )
            for reservation in pool.reservations:
                self.market.add_reservation(reservation, count=5, types=self.catalogue.every, zones=self.market.zones)
            self.pools[name] = pool
        self.at(self.now + self.assumed.drift_s, self._look_for_drift)
        self.at(self.now, self._keep_static_pools)

    def _delete(self, reference: str, where: str) -> None:
        kind, _, name = reference.partition("/")
        if kind in {"Node", "NodeClaim"}:
            node = next((node for node in self.nodes if node.name == name), None)
            if node is None:
                raise AutoModeError.of(where, field="", message=f"there is no {reference}")
            self.end(node, "deleted by hand")
            return
        manifest = self._find(reference, self._applied, where)
        found = reference_of(manifest)
        del self._applied[found]
        if kind == "NodePool":
            self.pools.pop(name, None)
            for node in self.nodes:
                if node.pool == name:
                    self.end(node, "its NodePool was deleted")
        elif kind == "NodeClass":
            self._read_pools()
        elif kind == "PodDisruptionBudget":
            self._budgets.pop(found, None)
        elif found in self.workloads:
            self.workloads[found].deleted = True
            self._dirty[found] = None
        self.changed()

    def _interrupt(self, choice: Mapping[str, Any]) -> None:
        nodes = [
            node
            for node in self.nodes
            if node.capacity_type == "spot"
            and node.deleting_since is None
            and choice.get("pool") in (None, node.pool)
            and choice.get("zone") in (None, node.zone)
            and choice.get("instance_type") in (None, node.machine.name)
            and choice.get("node") in (None, node.name)
        ]
        for node in nodes[: choice.get("count", len(nodes))]:
            self.note("SpotInterrupted", node.name, f"EC2 takes the instance back in {self.assumed.spot_notice_s:g} s")
            self.end(node, "Spot interruption", deadline=self.now + self.assumed.spot_notice_s)

    def _zone_outage(self, zone: str) -> None:
        self.market.dead_zones.add(zone)
        for node in self.nodes:
            if node.zone == zone:
                self.at(self.now + self.assumed.not_ready_s, lambda node=node: self._lose(node))
        self.changed()

    def _lose(self, node: Node) -> None:
        if node.zone not in self.market.dead_zones or node.ended_at is not None:
            return
        node.lost = True
        for pod in node.pods.values():
            pod.ready = False
        self.note("NodeNotReady", node.name, f"zone {node.zone} is out")
        self._touch(node)
        self.at(self.now + self.assumed.unreachable_s, lambda: self._abandon(node))
        self.at(self.now + self.assumed.repair_s, lambda: self._repair(node))

    def _abandon(self, node: Node) -> None:
        if not node.lost or node.ended_at is not None:
            return
        for pod in list(node.pods.values()):
            if pod.shape.kind not in {"DaemonSet", "StatefulSet"}:
                self._disturb(pod, "zone outage")
                self.stop(pod)

    def _repair(self, node: Node) -> None:
        if node.lost and node.ended_at is None:
            self.note("NodeRepaired", node.name, "was not ready for too long and is replaced")
            self._gone(node)

    def _zone_recovery(self, zone: str) -> None:
        self.market.dead_zones.discard(zone)
        for node in self.nodes:
            if node.zone == zone and node.lost:
                node.lost = False
                for pod in node.pods.values():
                    pod.ready = pod.ready_at is not None
                self._touch(node)
                self.note("NodeReady", node.name, "is back with its zone")
        self.changed()

    def _end_reservation(self, name: str) -> None:
        reservation = self.market.reservations.get(name)
        if reservation is not None:
            reservation.ended = True
        for node in self.nodes:
            if node.reservation == name:
                node.reservation = None
                node.capacity_type = "on-demand"
                node.price = self.market.price(node.machine, "on-demand")
                node.labels.pop(RESERVATION_KEY, None)
                node.relabel({CAPACITY_KEY: "on-demand"})
                self.note("ReservationEnded", node.name, f"{name} has ended: the node costs its on-demand price")
        self.at(self.now + self.assumed.drift_s, self._look_for_drift)
        self.changed()

    def _upgrade(self, version: str) -> None:
        self.version = version
        self.at(self.now + self.assumed.drift_s, self._look_for_drift)
        self.changed()

    # Pods ------------------------------------------------------------------------------------------------------------

    def make(self, workload: Workload, *, node: Node | None = None, ordinal: int | None = None) -> None:
        """Makes a pod of a workload."""
        number = next(self._pod_numbers)
        suffix = ordinal if ordinal is not None else number
        name = workload.name if workload.kind == "Pod" else f"{workload.name}-{suffix}"
        pod = Pod(
            number=number,
            name=name,
            shape=workload.shape,
            owner=workload.app if workload.kind == "DaemonSet" else workload.reference,
            created=self.now,
            revision=workload.revision,
        )
        ordinal_name = name.removeprefix(workload.name + "-")
        pod.claims = tuple(
            f"{workload.namespace}/{claim.replace('*', name if ordinal is not None else ordinal_name)}"
            for claim in workload.shape.claims
        )
        for claim in pod.claims:
            self.volumes.make_claim(claim, workload.storage_classes)
        pod.zones = self.volumes.zones_of(pod.claims)
        if workload.disturbed:
            pod.disturbed_by = workload.disturbed.pop()
        workload.pods[number] = pod
        if node is None:
            self._unbound[number] = pod
            self.least_priority = min(self.least_priority, pod.shape.priority)
        else:
            self.bind(pod, node)
        self.changed()

    def bind(self, pod: Pod, node: Node) -> None:
        """Puts a pod on a node, where its images are pulled and its containers start."""
        node.add(pod)
        if pod.shape.anti_affinity:
            self._repelling[pod.shape] = self._repelling.get(pod.shape, 0) + 1
        pod.bound_at = self.now
        self._unbound.pop(pod.number, None)
        if pod.shape.kind != "DaemonSet":
            self._pod_event(node)
            self.totals.bound += 1
            waited = self.now - pod.created
            self.totals.pending_s += waited
            self.totals.longest_pending_s = max(self.totals.longest_pending_s, waited)
        self.volumes.bind(pod.claims, node.zone)
        ready = self.now + self._pull_seconds(pod, node) + self.assumed.pod_start_s
        ready += self.timeline.starts.get(self._reference(pod), 0)
        self.at(ready, lambda: self._get_ready(pod)) if ready > self.now else self._get_ready(pod)
        self.changed()

    def _reference(self, pod: Pod) -> str:
        return f"{pod.shape.kind}/{pod.shape.app}"

    def _pull_seconds(self, pod: Pod, node: Node) -> float:
        seconds = 0.0
        for image in pod.shape.images:
            if image in node.images:
                continue
            node.images.add(image)
            size = self.timeline.images.get(image)
            if size is None:
                size = self.assumed.image_bytes
            if size > 0:
                pull = estimate_cold_start(
                    instance_type=node.machine.type, image_bytes=size, weight_bytes=1, weights=None
                ).pull
                seconds += size / 70e6 if pull is None else (pull.low + pull.high) / 2
        return seconds

    def _get_ready(self, pod: Pod) -> None:
        if pod.gone or pod.stopping or pod.node is None:
            return
        pod.ready, pod.ready_at = True, self.now
        for taint in pod.node.startup_taints:
            if pod.shape.kind == "DaemonSet" and any(
                toleration.get("key") == taint[0] for toleration in pod.shape.tolerations
            ):
                pod.node.startup_taints = tuple(other for other in pod.node.startup_taints if other != taint)
        workload = self._workload_of(pod)
        if workload is not None:
            self._dirty[workload.reference] = None
            if workload.kind == "Job":
                runs = self.timeline.durations.get(workload.reference)
                end = self.now + (self.assumed.job_s if runs is None else runs)
                self.at(end, lambda: self._succeed(pod, workload))
        self.changed()

    def _succeed(self, pod: Pod, workload: Workload) -> None:
        if pod.gone or pod.stopping:
            return
        workload.succeeded += 1
        pod.succeeded = True
        self._remove(pod)

    def stop(self, pod: Pod) -> None:
        """Asks a pod to stop."""
        if pod.stopping or pod.gone:
            return
        pod.stopping = True
        pod.ready = False
        self._forget(pod)
        if pod.node is None:
            self._remove(pod)
            return
        if pod.shape.kind != "DaemonSet":
            self._pod_event(pod.node)
        workload = self._workload_of(pod)
        if workload is not None:
            self._dirty[workload.reference] = None
        stops = self.assumed.pod_stop_s
        if pod.node.lost and pod.shape.kind == "StatefulSet":
            return  # Nobody can say that it has stopped until its node is gone.
        self.at(self.now + stops, lambda: self._remove(pod)) if stops else self._remove(pod)
        self.changed()

    def _forget(self, pod: Pod) -> None:
        """Counts a pod no more that is about to stop."""
        if pod.node is not None:
            pod.node.forget(pod)
            if pod.shape.anti_affinity:
                self._release(pod)

    def _release(self, pod: Pod) -> None:
        self._repelling[pod.shape] -= 1
        if not self._repelling[pod.shape]:
            del self._repelling[pod.shape]

    def _remove(self, pod: Pod) -> None:
        if pod.gone:
            return
        pod.gone = True
        self._unbound.pop(pod.number, None)
        node = pod.node
        if not pod.stopping and node is not None and pod.shape.anti_affinity:
            self._release(pod)
        if node is not None:
            if not pod.stopping and pod.shape.kind != "DaemonSet":
                self._pod_event(node)
            node.remove(pod)
            if node.deleting_since is not None and node.ended_at is None:
                self.at(self.now, lambda: self._drain(node))
        workload = self._workload_of(pod)
        if workload is not None:
            workload.pods.pop(pod.number, None)
            self._dirty[workload.reference] = None
        self.changed()

    def _workload_of(self, pod: Pod) -> Workload | None:
        return self.workloads.get(f"{pod.shape.kind}/{pod.shape.app}")

    def _touch(self, node: Node) -> None:
        for pod in node.pods.values():
            workload = self._workload_of(pod)
            if workload is not None:
                self._dirty[workload.reference] = None
        self.changed()

    def _pod_event(self, node: Node) -> None:
        if node.last_pod_event is None or self.now - node.last_pod_event >= self.assumed.pod_event_window_s:
            node.last_pod_event = self.now

    def _disturb(self, pod: Pod, cause: str) -> None:
        self.totals.disturbed[cause] = self.totals.disturbed.get(cause, 0) + 1
        workload = self._workload_of(pod)
        if workload is not None:
            workload.disturbed.append(cause)

    def preempt(self, victim: Pod, by: Pod) -> None:
        """Stops a pod for a more important one."""
        self.note("Preempted", victim.name, f"makes room for {by.name}, which has a higher priority")
        self._disturb(victim, "preemption")
        self.stop(victim)

    def repelling(self) -> Iterable[PodShape]:
        """The shapes of running pods that refuse others."""
        return self._repelling

    def pending(self) -> list[Pod]:
        """The pods without a node that wait for one."""
        return [pod for pod in self._unbound.values() if self._can_be_scheduled(pod)]

    def waiting(self) -> list[Pod]:
        """All pods without a node."""
        return list(self._unbound.values())

    def _can_be_scheduled(self, pod: Pod) -> bool:
        shape = pod.shape
        return (
            not pod.stopping
            and not shape.gates
            and shape.scheduler == "default-scheduler"
            and shape.node_name is None
            and self.volumes.missing(pod.claims) is None
        )

    def budget_holding(self, pod: Pod) -> str | None:
        """The PodDisruptionBudget that lets this pod not be evicted now."""
        for budget in self._budgets.values():
            if budget.namespace != pod.shape.namespace or not budget.selects(pod.shape.labels):
                continue
            expected, healthy = 0, 0
            for workload in self.workloads.values():
                if workload.namespace == budget.namespace and budget.selects(workload.shape.labels):
                    expected += workload.replicas
                    healthy += sum(1 for one in workload.active if one.ready)
            if not budget.allows(expected=expected, healthy=healthy, is_ready=pod.ready):
                return budget.name
        return None

    def can_be_moved(self, pod: Pod) -> bool:
        """Whether a pod of a node that goes may be evicted now, so that it needs a place elsewhere."""
        return not pod.shape.is_do_not_disrupt and self.budget_holding(pod) is None

    def runs_daemon(self, shape: PodShape, node: Node) -> bool:
        """Whether a DaemonSet's pod belongs on a node."""
        taints = tuple(taint for taint in (*node.taints, *node.startup_taints) if taint[2] != "PreferNoSchedule")
        if not shape.tolerates_all(taints):
            return False
        return any(agree(node.label_values, narrowed(dict(shape.selector), term)) for term in shape.required or ({},))

    # Nodes -----------------------------------------------------------------------------------------------------------

    def _ask_for_nodes(self) -> None:
        """Opens a batch if pods wait, as Karpenter waits for more of them."""
        if not self._unbound or self._batch_open or self._planned_at_change == self._change or not self.pending():
            return
        self._batch_open = True
        self._batch_since = self.now
        self._batch_until = self.now + self.assumed.batch_idle_s
        self._last_pod_seen = max(self._unbound)
        self.at(self._batch_until, self._close_batch)

    _last_pod_seen = 0

    def _close_batch(self) -> None:
        newest = max(self._unbound, default=0)
        since = self._batch_since or 0
        if newest > self._last_pod_seen and self.now - since < self.assumed.batch_max_s:
            self._last_pod_seen = newest
            until = min(self.now + self.assumed.batch_idle_s, since + self.assumed.batch_max_s)
            self.at(until, self._close_batch)
            return
        self._batch_open = False
        pods = self.pending()
        if not pods:
            return
        for node in self.nodes:
            if node.marked or node.deleting_since is not None:
                pods += [pod for pod in node.workload_pods if not pod.stopping and self.can_be_moved(pod)]
        plan = self.plan(pods)
        for pod in pods:
            pod.why = plan.failed.get(pod.number, ())
        for node in {node.number: node for node in plan.placed.values()}.values():
            node.nominated_until = self.now + self.assumed.nomination_s
        for claim in plan.claims:
            self.launch(claim)
        for pod in pods:
            if pod.number in plan.failed:
                self.note("FailedScheduling", pod.name, "; ".join(map(str, plan.failed[pod.number])) or "no node fits")
        self._planned_at_change = self._change
        if plan.failed:
            # Tried again in a while, if anything has changed by then.
            self.at(self.now + self.assumed.retry_s, self._retry)

    def _retry(self) -> None:
        if self._planned_at_change != self._change:
            self._ask_for_nodes()

    def plan(self, pods: Sequence[Pod], *, without: Iterable[int] = (), is_simulation: bool = False) -> Plan:
        """Plans nodes for pods."""
        gone = set(without)
        nodes = [
            node
            for node in self.nodes
            if node.number not in gone and not node.marked and node.deleting_since is None and not node.lost
        ]
        batch = {pod.number: pod for pod in pods}
        if is_simulation:
            for pod in self.pending():
                batch.setdefault(pod.number, pod)
            for node in self.nodes:
                if node.marked or node.deleting_since is not None:
                    for pod in node.workload_pods:
                        if not pod.stopping and self.can_be_moved(pod):
                            batch.setdefault(pod.number, pod)
        daemons = [each.shape for each in self.workloads.values() if each.kind == "DaemonSet" and not each.deleted]
        return Planner(
            pools=self.pools.values(),
            nodes=nodes,
            leaving=[
                node for node in self.nodes if node.marked or node.deleting_since is not None or node.number in gone
            ],
            pods=list(batch.values()),
            daemons=daemons,
            market=self.market,
            namespaces=self.namespaces,
            now=self.now,
            counted_nodes=[node for node in self.nodes if node.number not in gone],
            soft_nodes_limit=self.assumed.soft_nodes_limit,
            reservations_are_strict=not is_simulation,
        ).solve()

    def static_claim(self, pool: Pool) -> Claim:
        """A planned node of a static pool."""
        types, reservations = self.market.offers(pool.requirements, pool.reservations, self.now)
        return Claim(
            pool=pool,
            host="static",
            requirements=dict(pool.requirements),
            types=pool.types & types,
            groups=[],
            reservations=reservations,
        )

    def planner_min_values_hold(self, claim: Claim) -> bool:
        """Whether the types of a planned node still have as many values as ``minValues`` asks for."""
        for key, least in claim.pool.min_values.items():
            values = claim.requirements.get(key)
            has = self.catalogue.values(key, claim.types) if key in self.catalogue.label_keys else claim.pool.zones
            if sum(1 for value in has if values is None or values.has(value)) < least:
                return False
        return True

    def launch(self, claim: Claim) -> Node | None:
        """Launches a planned node; ``None`` if EC2 has none of its types."""
        requirements = dict(claim.requirements)
        if claim.reservations:
            requirements[CAPACITY_KEY] = values_of("In", ("reserved",))
        offering = next(self.market.launches(claim.types, requirements, claim.reservations), None)
        pool = claim.pool
        if offering is None:
            self._note_shortage(claim)
            return None
        node = self._node(claim, offering)
        self.nodes.append(node)
        if offering.reservation is not None:
            self.market.reservations[offering.reservation].used += 1
        kind = offering.capacity_type
        apps = ", ".join(dict.fromkeys(pod.shape.app for pod in claim.pods))
        self.note(
            "NodeLaunched",
            node.name,
            f"{offering.machine.name} ({kind}) in {offering.zone} for {apps or 'its static pool'}, NodePool {pool.name}, "
            f"the cheapest of {node.types_offered} types",
        )
        self.at(self.now + self.assumed.node_start_s, lambda: self._node_ready(node))
        if node.expire_after_s is not None:
            self.at(self.now + node.expire_after_s, lambda: self._expire(node))
        self.changed()
        return node

    def _note_shortage(self, claim: Claim) -> None:
        zones, kinds = claim.requirements.get(ZONE_KEY), claim.requirements.get(CAPACITY_KEY)
        until = self.now + self.assumed.shortage_memory_s
        for zone in self.market.zones:
            for kind in ("on-demand", "spot"):
                if (zones is None or zones.has(zone)) and (kinds is None or kinds.has(kind)):
                    self.market.remember_shortage(kind, zone, claim.types, until)
        self.note("InsufficientCapacity", f"NodePool {claim.pool.name}", "EC2 has none of the types that the pods fit")
        self.at(until, self.changed)
        self.changed()

    def _node(self, claim: Claim, offering: Offering) -> Node:
        pool = claim.pool
        labels = {
            **offering.machine.labels,
            ZONE_KEY: offering.zone,
            "topology.kubernetes.io/region": offering.zone.rstrip("abcdefgh"),
            CAPACITY_KEY: offering.capacity_type,
            POOL_LABEL: pool.name,
            CLASS_LABEL: pool.node_class,
        }
        if offering.reservation is not None:
            labels[RESERVATION_KEY] = offering.reservation
        for key, values in claim.requirements.items():
            if key not in labels and key not in OFFERING_KEYS and key != HOSTNAME and values.listed:
                labels[key] = min(values.listed)
        template = self._applied.get(f"NodePool/{pool.name}", {}).get("spec", {}).get("template", {})
        return Node(
            number=next(self._node_numbers),
            pool=pool.name,
            machine=offering.machine,
            capacity_type=offering.capacity_type,
            zone=offering.zone,
            price=offering.price,
            reservation=offering.reservation,
            labels=labels,
            taints=pool.taints,
            startup_taints=pool.startup_taints,
            created=self.now,
            disk=self._disk(pool, offering),
            digest=pool.digest,
            class_digest=pool.class_digest,
            version=self.version,
            expire_after_s=pool.expire_after_s,
            grace_s=pool.grace_s,
            types_offered=min(claim.types.bit_count(), 600),
            requests=claim.total_requests(),
            why=list(claim.why),
            planned_for=[pod.name for pod in claim.pods],
            annotations=(template.get("metadata") or {}).get("annotations") or {},
        )

    def _disk(self, pool: Pool, offering: Offering) -> int:
        local = (offering.machine.type.local_nvme_gb or 0) * 10**9
        return local if self.assumed.local_disk_for_pods and local > pool.disk else pool.disk

    def _node_ready(self, node: Node) -> None:
        if node.ended_at is not None or node.zone in self.market.dead_zones:
            return
        node.ready, node.ready_at = True, self.now
        self.note("NodeReady", node.name, f"after {self.now - node.created:g} s")
        for workload in self.workloads.values():
            if workload.kind == "DaemonSet":
                self._dirty[workload.reference] = None
        self.changed()

    def _expire(self, node: Node) -> None:
        if node.deleting_since is None and node.ended_at is None:
            self.note("Expired", node.name, f"is {node.expire_after_s:g} s old")
            self.end(node, "expiry")

    def end(self, node: Node, reason: str, *, deadline: float | None = None) -> None:
        """Begins to drain a node and to end it; its pods are replaced as they go."""
        if node.deleting_since is not None or node.ended_at is not None:
            if deadline is not None and node.deadline is not None and deadline < node.deadline:
                node.deadline = deadline
                self.at(deadline, lambda: self._force(node))
            return
        node.deleting_since = self.now
        node.reason = node.reason or reason
        node.deadline = self.now + node.grace_s if deadline is None else min(deadline, self.now + node.grace_s)
        self.note("NodeDraining", node.name, node.reason)
        self.at(node.deadline, lambda: self._force(node))
        self.at(self.now, lambda: self._drain(node))
        self.changed()

    def _drain(self, node: Node) -> None:
        """Evicts what can be evicted; what budgets hold is tried again."""
        if node.ended_at is not None or node.deleting_since is None:
            return
        left = [pod for pod in node.workload_pods if not pod.shape.tolerates_all((DISRUPTED,))]
        if not left:
            self._drained(node)
            return
        held = []
        for pod in left:
            if pod.stopping:
                continue
            budget = self.budget_holding(pod)
            cause = "do-not-disrupt" if pod.shape.is_do_not_disrupt else budget and f"PodDisruptionBudget {budget}"
            if cause:
                held.append(cause)
                continue
            self._disturb(pod, node.reason)
            self.stop(pod)
        if held:
            cause = held[0]
            if cause not in node.stalled_s:
                node.stalled_s[cause] = 0
                self.note("DrainStalled", node.name, f"{cause} holds a pod")
            node.stalled_s[cause] += self.assumed.eviction_retry_s
            self.totals.stalled_s[cause] = self.totals.stalled_s.get(cause, 0) + self.assumed.eviction_retry_s
            self._try_again(node)

    def _try_again(self, node: Node) -> None:
        """Looks at a held drain again: soon, and then only when something has changed."""
        change = self._change

        def again() -> None:
            if self._change != change or node.ended_at is not None:
                self._drain(node)
            else:
                for cause in list(node.stalled_s)[-1:]:
                    node.stalled_s[cause] += self.assumed.eviction_retry_s
                    self.totals.stalled_s[cause] += self.assumed.eviction_retry_s
                self.at(self.now + self.assumed.eviction_retry_s, again)

        self.at(self.now + self.assumed.eviction_retry_s, again)

    def _force(self, node: Node) -> None:
        """The grace period is over: what is left is stopped, budget or not."""
        if (
            node.ended_at is not None
            or node.deleting_since is None
            or node.deadline is None
            or self.now < node.deadline
        ):
            return
        for pod in node.workload_pods:
            if not pod.stopping:
                self._disturb(pod, f"{node.reason} (grace period over)")
                self.stop(pod)
        if node.reason == "Spot interruption":
            self._gone(node)
        else:
            self._drained(node)

    def _drained(self, node: Node) -> None:
        if node.deadline is not None and node.deadline != math.inf:
            node.deadline = math.inf
            self.at(self.now + self.assumed.node_end_s, lambda: self._gone(node))

    def _gone(self, node: Node) -> None:
        if node.ended_at is not None:
            return
        node.ended_at = self.now
        node.ready = False
        self.nodes.remove(node)
        self.ended.append(node)
        for pod in list(node.pods.values()):
            if not pod.stopping and pod.shape.kind != "DaemonSet":
                self._disturb(pod, node.reason or "lost node")
            if not pod.stopping:
                pod.stopping = True
                self._forget(pod)
            self._remove(pod)
        if node.reservation is not None:
            self.market.reservations[node.reservation].used -= 1
        self.note("NodeEnded", node.name, node.reason or "lost")
        self.at(self.now, self._keep_static_pools)
        self.changed()

    def _keep_static_pools(self) -> None:
        for pool in self.pools.values():
            if pool.replicas is None or not pool.class_ready:
                continue
            nodes = [
                node
                for node in self.nodes
                if node.pool == pool.name and node.deleting_since is None and not node.marked
            ]
            replacing = sum(
                1 for node in self.nodes if node.pool == pool.name and node.marked and node.deleting_since is None
            )
            most = pool.limits.get("nodes", pool.replicas + len(nodes))
            missing = min(
                pool.replicas - replacing - len(nodes), most - sum(1 for node in self.nodes if node.pool == pool.name)
            )
            for _ in range(missing):
                if self.launch(self.static_claim(pool)) is None:
                    self.at(self.now + self.assumed.shortage_memory_s, self._keep_static_pools)
                    break
            surplus = len(nodes) + replacing - pool.replicas
            for node in sorted(nodes, key=_least_loss)[: max(surplus, 0)]:
                self.end(node, "fewer replicas")

    # Disruption ------------------------------------------------------------------------------------------------------

    def _look_for_drift(self) -> None:
        for node in self.nodes:
            pool = self.pools.get(node.pool)
            if pool is None or node.deleting_since is not None:
                continue
            drifted = ""
            if node.digest != pool.digest:
                drifted = "the pool's template changed"
            elif not agree(node.label_values, pool.requirements):
                drifted = "it no longer meets the pool's requirements"
            elif node.class_digest != pool.class_digest:
                drifted = "its NodeClass changed"
            elif node.version != self.version:
                drifted = f"its image is of Kubernetes {node.version}"
            if drifted and not node.drifted:
                node.drifted_at = self.now
                self.note("Drifted", node.name, drifted)
            node.drifted = drifted
        self.changed()

    def _ask_for_a_look(self) -> None:
        """The next look for nodes to disrupt is at the next tick of its clock, if there is anything new to see."""
        if (
            self._looks_at is not None
            or self._command_waits
            or self._looked_at_change == self._change
            or not self.nodes
        ):
            return
        poll = self.assumed.disruption_poll_s
        self._look_at((math.floor(self.now / poll) + 1) * poll)

    def _look_at(self, when: float) -> None:
        if self._looks_at is None or when < self._looks_at:
            self._looks_at = when
            self.at(when, self._look)

    def _look(self) -> None:
        if self._looks_at is None or self.now < self._looks_at:
            return
        self._looks_at = None
        if self._command_waits:
            return
        found = look(self)
        self._looked_at_change = self._change
        if found.command is not None:
            if found.command.waits:
                self._command_waits = True
                command = found.command
                self.at(self.now + self.assumed.validation_s, lambda: self._check(command))
            else:
                self._start(found.command)
            return
        soon = [at for node in self.nodes if (at := consolidatable_at(self, node)) is not None and at > self.now]
        nominated = [node.nominated_until for node in self.nodes if node.nominated_until > self.now]
        waits = [min(each) for each in (soon, nominated) if each]
        if any(budget.schedule for name in found.held_by_budget for budget in self.pools[name].budgets):
            waits.append(self.now + 60 - self.now % 60)
        if waits:
            poll = self.assumed.disruption_poll_s
            self._look_at(max(math.ceil(min(waits) / poll) * poll, self.now + poll))

    def _check(self, command: Command) -> None:
        self._command_waits = False
        valid = still_holds(self, command)
        self._looked_at_change = -1
        if valid is not None:
            self._start(valid)
        self.changed()

    def _start(self, command: Command) -> None:
        """Launches the replacements, and drains the nodes once these are up."""
        for node in command.nodes:
            node.marked = True
            node.reason = command.reason
            what = f"is replaced: {command.reason}" if command.claims else f"is removed: {command.reason}"
            self.note("Disrupted", node.name, f"{what}{f' ({node.drifted})' if node.drifted else ''}")
        replacements = []
        for claim in command.claims:
            node_or_none = self.launch(claim)
            if node_or_none is None:
                for node in command.nodes:
                    node.marked, node.reason = False, ""
                    self.note("DisruptionFailed", node.name, "EC2 has no replacement")
                self.changed()
                return
            replacements.append(node_or_none)
        self._finish(command.nodes, replacements)
        self.changed()

    def _finish(self, nodes: Sequence[Node], replacements: Sequence[Node]) -> None:
        if any(not node.ready and node.ended_at is None for node in replacements):
            self.at(self.now + 1, lambda: self._finish(nodes, replacements))
            return
        for node in nodes:
            self.end(node, node.reason)

    def blocks(self) -> dict[str, str]:
        """What holds each node that Karpenter may not disrupt now."""
        found = {}
        for node in self.nodes:
            held = blocking_pod(self, node)
            if held is not None:
                found[node.name] = f"{held[1]} of {held[0].shape.app}"
        return found


def _least_loss(node: Node) -> tuple[bool, bool, float, int]:
    pods = node.workload_pods
    cost = sum(max(0.0, pod.shape.eviction_cost) for pod in pods)
    return bool(pods), any(pod.shape.is_do_not_disrupt for pod in pods), cost, node.number


def reference_of(manifest: Mapping[str, Any]) -> str:
    """``Kind/namespace/name``, or ``Kind/name`` for what has no namespace."""
    metadata = manifest.get("metadata") or {}
    kind, name = str(manifest.get("kind")), str(metadata.get("name"))
    namespace = metadata.get("namespace") or ("default" if kind in _NAMESPACED else None)
    return f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"


_NAMESPACED = frozenset({*KINDS, "CronJob", "PersistentVolumeClaim", "PodDisruptionBudget", "Service", "ConfigMap"})


def _candidates(reference: str) -> list[str]:
    kind, _, name = reference.partition("/")
    return [reference] if "/" in name else [reference, f"{kind}/default/{name}"]


def _merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
