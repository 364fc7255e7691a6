"""What Kubernetes' controllers do: which pods a workload has, makes and stops.

Source: Kubernetes, ``pkg/controller/deployment``, ``replicaset``, ``statefulset``, ``daemon`` and ``job``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.simulation.node import Pod
from automode_constructs.simulation.pod_lifecycle import make, stop
from automode_constructs.simulation.pods import PodShape, pod_shape

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["KINDS", "Workload", "read_workload", "reconcile"]

KINDS = ("DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")
"""The kinds whose pods are simulated."""


@dataclass(eq=False, kw_only=True, slots=True)
class Workload:
    """A workload and its pods."""

    reference: str
    kind: str
    app: str
    namespace: str
    name: str
    replicas: int
    shape: PodShape
    template: str
    revision: int = 0
    revisions: dict[str, int] = field(default_factory=dict)
    """The number of each pod template that it had: one that comes back keeps its pods, as a ReplicaSet does."""
    surge: str | int = "25%"
    unavailable: str | int = "25%"
    recreate: bool = False
    ordered: bool = True
    on_delete: bool = False
    partition: int = 0
    """The first ordinal of a StatefulSet whose pod is replaced when the template changes."""
    completions: int = 1
    succeeded: int = 0
    deleted: bool = False
    is_made: bool = False
    """Whether a Pod without a controller was made: nobody makes it again."""
    pods: dict[int, Pod] = field(default_factory=dict)
    claim_templates: tuple[str, ...] = ()
    storage_classes: Mapping[str, str | None] = field(default_factory=dict)
    disturbed: list[str] = field(default_factory=list)
    """The causes that took pods which are not replaced yet."""

    @property
    def active(self) -> list[Pod]:
        """Its pods that are not about to stop."""
        return [pod for pod in self.pods.values() if not pod.stopping and not pod.gone and not pod.succeeded]


def read_workload(
    manifest: Mapping[str, Any], priorities: Mapping[str, tuple[int, bool]], before: Workload | None
) -> Workload:
    """Reads a workload; one that was there before keeps its pods.

    Raises:
        AutoModeError: for replicas and quantities that are none.
    """
    kind = str(manifest.get("kind"))
    metadata, spec = _mapping(manifest.get("metadata")), _mapping(manifest.get("spec"))
    namespace, name = str(metadata.get("namespace") or "default"), str(metadata.get("name"))
    where = f"{kind} {namespace}/{name}"
    template = manifest if kind == "Pod" else _mapping(spec.get("template"))
    text = json.dumps({"metadata": template.get("metadata"), "spec": template.get("spec")}, sort_keys=True, default=str)
    if kind == "Pod":
        text = json.dumps(spec, sort_keys=True, default=str)
    revisions = {} if before is None else before.revisions
    revision = revisions.get(text, len(revisions) + 1)
    claims = [item for item in spec.get("volumeClaimTemplates") or () if isinstance(item, Mapping)]
    shape = pod_shape(
        template,
        app=f"{namespace}/{name}",
        kind=kind,
        namespace=namespace,
        priorities=priorities,
        where=where,
        claim_templates=[str(_mapping(item.get("metadata")).get("name")) for item in claims],
        extra_labels={"pod-template-hash": str(revision)} if kind == "Deployment" else None,
    )
    strategy = _mapping(spec.get("strategy"))
    rolling = _mapping(strategy.get("rollingUpdate"))
    completions = spec.get("completions", spec.get("parallelism", 1))
    replicas = spec.get("parallelism", 1) if kind == "Job" else spec.get("replicas", 1)
    for field_name, value in (("replicas", replicas), ("completions", completions)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise AutoModeError.of(
                where, field=f"spec.{field_name}", message=f"needs a whole number, got {shown(value)}"
            )
    workload = (
        before
        if before is not None
        else Workload(
            reference=f"{kind}/{namespace}/{name}",
            kind=kind,
            app=f"{namespace}/{name}",
            namespace=namespace,
            name=name,
            replicas=0,
            shape=shape,
            template=text,
        )
    )
    workload.deleted = False
    workload.replicas = 1 if kind == "Pod" else replicas
    workload.template = text
    workload.shape = shape if workload.revision != revision else workload.shape
    workload.revision = workload.revisions[text] = revision
    workload.surge = rolling.get("maxSurge", "25%")
    workload.unavailable = rolling.get("maxUnavailable", "25%")
    workload.recreate = strategy.get("type") == "Recreate"
    workload.ordered = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    update = _mapping(spec.get("updateStrategy"))
    workload.on_delete = update.get("type") == "OnDelete"
    partition = _mapping(update.get("rollingUpdate")).get("partition")
    workload.partition = partition if isinstance(partition, int) else 0
    workload.completions = completions
    workload.claim_templates = tuple(str(_mapping(item.get("metadata")).get("name")) for item in claims)
    workload.storage_classes = {
        str(_mapping(item.get("metadata")).get("name")): _mapping(item.get("spec")).get("storageClassName")
        for item in claims
    } | {
        str(volume.get("name")): _mapping(
            _mapping(_mapping(volume["ephemeral"]).get("volumeClaimTemplate")).get("spec")
        ).get("storageClassName")
        for volume in _mapping(template.get("spec")).get("volumes") or ()
        if isinstance(volume, Mapping) and "ephemeral" in volume
    }
    return workload


def reconcile(world: World, workload: Workload) -> None:
    """Makes and stops pods until the workload has what its spec says, as far as its strategy allows now."""
    if workload.deleted:
        for pod in workload.active:
            stop(world, pod)
        return
    {
        "Deployment": _deployment,
        "ReplicaSet": _replica_set,
        "StatefulSet": _stateful_set,
        "DaemonSet": _daemon_set,
        "Job": _job,
        "Pod": _single,
    }[workload.kind](world, workload)


def _deployment(world: World, workload: Workload) -> None:
    active = workload.active
    new = [pod for pod in active if pod.revision == workload.revision]
    old = [pod for pod in active if pod.revision != workload.revision]
    if not old:
        _resize(world, workload, new)
        return
    if workload.recreate:
        for pod in old:
            stop(world, pod)
        if not [pod for pod in workload.pods.values() if pod.revision != workload.revision and not pod.gone]:
            _resize(world, workload, [])
        return
    surge = _share(workload.surge, workload.replicas, up=True)
    unavailable = _share(workload.unavailable, workload.replicas, up=False)
    if not surge and not unavailable:
        unavailable = 1
    wanted = min(workload.replicas - len(new), workload.replicas + surge - len(active))
    for _ in range(max(wanted, 0)):
        make(world, workload)
    new = [pod for pod in workload.active if pod.revision == workload.revision]
    for pod in _first_to_go(new)[: max(len(new) - workload.replicas, 0)]:
        stop(world, pod)
    least = workload.replicas - unavailable
    spare = len(old) + len(new) - least - sum(1 for pod in new if not pod.ready)
    idle = [pod for pod in old if not pod.ready]
    for pod in idle[: max(spare, 0)]:
        stop(world, pod)
    spare -= min(len(idle), max(spare, 0))
    available = sum(1 for pod in workload.active if pod.ready)
    busy = _first_to_go([pod for pod in old if pod.ready])
    for pod in busy[: max(min(spare, available - least), 0)]:
        stop(world, pod)


def _replica_set(world: World, workload: Workload) -> None:
    _resize(world, workload, workload.active)


def _resize(world: World, workload: Workload, active: list[Pod]) -> None:
    for _ in range(workload.replicas - len(active)):
        make(world, workload)
    for pod in _first_to_go(active)[: max(len(active) - workload.replicas, 0)]:
        stop(world, pod)


def _first_to_go(pods: list[Pod]) -> list[Pod]:
    """The order in which a ReplicaSet gives pods up: without a node, not ready, crowded nodes, the youngest."""
    crowd: dict[int, int] = {}
    for pod in pods:
        if pod.node is not None:
            crowd[pod.node.number] = crowd.get(pod.node.number, 0) + 1

    def rank(pod: Pod) -> tuple[bool, bool, float, int, float, int]:
        cost = pod.shape.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
        return (
            pod.node is not None,
            pod.ready,
            float(cost) if cost.lstrip("-").isdecimal() else 0.0,
            -crowd.get(pod.node.number, 0) if pod.node is not None else 0,
            -(pod.ready_at or 0),
            -pod.number,
        )

    return sorted(pods, key=rank)


def _stateful_set(world: World, workload: Workload) -> None:
    by_ordinal = {_ordinal(pod): pod for pod in workload.pods.values() if not pod.gone}
    for ordinal in range(workload.replicas):
        pod = by_ordinal.get(ordinal)
        if pod is None:
            make(world, workload, ordinal=ordinal)
            if workload.ordered:
                return
        elif workload.ordered and (pod.stopping or not pod.ready):
            return
    extra = sorted((ordinal for ordinal in by_ordinal if ordinal >= workload.replicas), reverse=True)
    for ordinal in extra:
        if by_ordinal[ordinal].stopping:
            if workload.ordered:
                return
            continue
        stop(world, by_ordinal[ordinal])
        if workload.ordered:
            return
    for ordinal in sorted(by_ordinal, reverse=True):
        pod = by_ordinal[ordinal]
        if workload.on_delete or ordinal < workload.partition or pod.stopping:
            return
        if pod.revision != workload.revision:
            stop(world, pod)
            return
        if not pod.ready:
            return


def _ordinal(pod: Pod) -> int:
    return int(pod.name.rpartition("-")[2])


def _daemon_set(world: World, workload: Workload) -> None:
    for orphan in [pod for pod in workload.active if pod.pinned is not None and pod.pinned.ended_at is not None]:
        stop(world, orphan)
    here = {pod.pinned.number: pod for pod in workload.active if pod.pinned is not None}
    for node in world.nodes:
        pod = here.get(node.number)
        wanted = node.ready_at is not None and world.runs_daemon(workload.shape, node)
        if pod is not None and ((pod.revision != workload.revision and not workload.on_delete) or not wanted):
            stop(world, pod)
            pod = None
        if pod is None and wanted:
            make(world, workload, node=node)


def _job(world: World, workload: Workload) -> None:
    active = workload.active
    wanted = min(workload.replicas, workload.completions - workload.succeeded)
    for _ in range(wanted - len(active)):
        make(world, workload)


def _single(world: World, workload: Workload) -> None:
    if not workload.is_made:
        workload.is_made = True
        make(world, workload)


def _share(value: object, replicas: int, *, up: bool) -> int:
    text = str(value)
    if text.endswith("%") and text[:-1].isdecimal():
        hundredths = replicas * int(text[:-1])
        return -(-hundredths // 100) if up else hundredths // 100
    return int(text) if text.isdecimal() else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
