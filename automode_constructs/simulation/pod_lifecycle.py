"""The life of a pod: made, bound, ready, stopped, gone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from automode_constructs.inference.cold_start import estimate_cold_start
from automode_constructs.simulation.node import Node, Pod

if TYPE_CHECKING:
    from automode_constructs.simulation.workloads import Workload
    from automode_constructs.simulation.world import World

__all__ = ["bind", "disturb", "forget", "look_again_at_pods_of", "make", "preempt", "remove", "stop"]


def make(world: World, workload: Workload, *, node: Node | None = None, ordinal: int | None = None) -> None:
    """Makes a pod of a workload."""
    number = next(world.pod_numbers)
    suffix = ordinal if ordinal is not None else number
    name = workload.name if workload.kind == "Pod" else f"{workload.name}-{suffix}"
    pod = Pod(
        number=number,
        name=name,
        shape=workload.shape,
        owner=workload.app if workload.kind == "DaemonSet" else workload.reference,
        created=world.now,
        revision=workload.revision,
    )
    ordinal_name = name.removeprefix(workload.name + "-")
    pod.claims = tuple(
        f"{workload.namespace}/{claim.replace('*', name if ordinal is not None else ordinal_name)}"
        for claim in workload.shape.claims
    )
    for claim in pod.claims:
        world.volumes.make_claim(claim, workload.storage_classes)
    pod.zones = world.volumes.zones_of(pod.claims)
    if workload.disturbed:
        pod.disturbed_by = workload.disturbed.pop()
    workload.pods[number] = pod
    pod.pinned = node
    if node is not None and not node.lost and node.has_room_for(pod.shape):
        bind(world, pod, node)
    else:
        world.unbound[number] = pod
        world.least_priority = min(world.least_priority, pod.shape.priority)
    world.changed()


def bind(world: World, pod: Pod, node: Node) -> None:
    """Puts a pod on a node, where its images are pulled and its containers start."""
    node.add(pod)
    if pod.shape.anti_affinity:
        world.repelling_shapes[pod.shape] = world.repelling_shapes.get(pod.shape, 0) + 1
    pod.bound_at = world.now
    world.unbound.pop(pod.number, None)
    if pod.shape.kind != "DaemonSet":
        world.touched[node.number] = node
        note_pod_event(world, node)
        world.totals.bound += 1
        waited = world.now - pod.created
        world.totals.pending_s += waited
        world.totals.longest_pending_s = max(world.totals.longest_pending_s, waited)
    if pod.claims:
        world.volumes.bind(pod.claims, node.zone)
        for other in world.unbound.values():
            if not set(other.claims).isdisjoint(pod.claims):
                other.zones = world.volumes.zones_of(other.claims)
    if 0 < pod.shape.do_not_disrupt_s < math.inf:
        world.at(world.now + pod.shape.do_not_disrupt_s, world.changed)
    ready = world.now + _pull_seconds(world, pod, node) + world.assumed.pod_start_s
    ready += world.timeline.starts.get(f"{pod.shape.kind}/{pod.shape.app}", 0)
    world.at(ready, lambda: get_ready(world, pod)) if ready > world.now else get_ready(world, pod)
    world.changed()


def _pull_seconds(world: World, pod: Pod, node: Node) -> float:
    seconds = 0.0
    for image in pod.shape.images:
        if image in node.images:
            continue
        node.images.add(image)
        size = world.timeline.images.get(image)
        if size is None:
            size = world.assumed.image_bytes
        if size > 0:
            pull = estimate_cold_start(
                instance_type=node.machine.type, image_bytes=size, weight_bytes=1, weights=None
            ).pull
            seconds += size / 70e6 if pull is None else (pull.low + pull.high) / 2
    return seconds


def get_ready(world: World, pod: Pod) -> None:
    if pod.gone or pod.stopping or pod.node is None:
        return
    pod.ready, pod.ready_at = True, world.now
    for taint in pod.node.startup_taints:
        if pod.shape.kind == "DaemonSet" and any(
            toleration.get("key") == taint[0] for toleration in pod.shape.tolerations
        ):
            pod.node.startup_taints = tuple(other for other in pod.node.startup_taints if other != taint)
    workload = world.workload_of(pod)
    if workload is not None:
        world.dirty[workload.reference] = None
        if workload.kind == "Job":
            runs = world.timeline.durations.get(workload.reference)
            end = world.now + (world.assumed.job_s if runs is None else runs)
            world.at(end, lambda: _succeed(world, pod, workload))
    world.changed()


def _succeed(world: World, pod: Pod, workload: Workload) -> None:
    if pod.gone or pod.stopping:
        return
    workload.succeeded += 1
    pod.succeeded = True
    remove(world, pod)


def stop(world: World, pod: Pod) -> None:
    """Asks a pod to stop."""
    if pod.stopping or pod.gone:
        return
    pod.stopping = True
    pod.ready = False
    forget(world, pod)
    if pod.node is None:
        remove(world, pod)
        return
    if pod.shape.kind != "DaemonSet":
        note_pod_event(world, pod.node)
    workload = world.workload_of(pod)
    if workload is not None:
        world.dirty[workload.reference] = None
    stops = world.assumed.pod_stop_s
    if pod.node.lost and pod.shape.kind == "StatefulSet":
        return  # Nobody can say that it has stopped until its node is gone.
    world.at(world.now + stops, lambda: remove(world, pod)) if stops else remove(world, pod)
    world.changed()


def forget(world: World, pod: Pod) -> None:
    """Counts a pod no more that is about to stop."""
    if pod.node is not None:
        world.touched[pod.node.number] = pod.node
        pod.node.forget(pod)
        if pod.shape.anti_affinity:
            _release(world, pod)


def _release(world: World, pod: Pod) -> None:
    world.repelling_shapes[pod.shape] -= 1
    if not world.repelling_shapes[pod.shape]:
        del world.repelling_shapes[pod.shape]


def remove(world: World, pod: Pod) -> None:
    """A pod is gone."""
    if pod.gone:
        return
    pod.gone = True
    world.unbound.pop(pod.number, None)
    node = pod.node
    if not pod.stopping and node is not None and pod.shape.anti_affinity:
        _release(world, pod)
    if node is not None:
        world.touched[node.number] = node
        if not pod.stopping and pod.shape.kind != "DaemonSet":
            note_pod_event(world, node)
        node.remove(pod)
        if node.deleting_since is not None and node.ended_at is None:
            world.drains[node.number] = node
    workload = world.workload_of(pod)
    if workload is not None:
        workload.pods.pop(pod.number, None)
        world.dirty[workload.reference] = None
    world.changed()


def look_again_at_pods_of(world: World, node: Node) -> None:
    """Lets the controllers look again at the workloads of a node."""
    for pod in node.pods.values():
        workload = world.workload_of(pod)
        if workload is not None:
            world.dirty[workload.reference] = None
    world.changed()


def note_pod_event(world: World, node: Node) -> None:
    if node.last_pod_event is None or world.now - node.last_pod_event >= world.assumed.pod_event_window_s:
        node.last_pod_event = world.now


def disturb(world: World, pod: Pod, cause: str) -> None:
    """Counts a pod that is moved, and remembers why for the one that replaces it."""
    world.totals.disturbed[cause] = world.totals.disturbed.get(cause, 0) + 1
    workload = world.workload_of(pod)
    if workload is not None:
        workload.disturbed.append(cause)


def preempt(world: World, victim: Pod, by: Pod) -> None:
    """Stops a pod for a more important one."""
    world.note("Preempted", victim.name, f"makes room for {by.name}, which has a higher priority")
    disturb(world, victim, "preemption")
    stop(world, victim)
