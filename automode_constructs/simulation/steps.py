"""What the steps of a timeline do to the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from automode_constructs.errors import AutoModeError, did_you_mean, nearest
from automode_constructs.simulation.budgets import pod_budget_from
from automode_constructs.simulation.market import CAPACITY_KEY, RESERVATION_KEY
from automode_constructs.simulation.node_lifecycle import (
    end,
    get_node_ready,
    keep_static_pools,
    look_for_drift,
    lose_contact,
)
from automode_constructs.simulation.pod_lifecycle import look_again_at_pods_of
from automode_constructs.simulation.pool import pool_from
from automode_constructs.simulation.timeline import EVERYTHING, Step
from automode_constructs.simulation.workloads import KINDS, read_workload

if TYPE_CHECKING:
    from automode_constructs.simulation.world import World

__all__ = ["MOST_PODS", "apply_manifest", "do", "reference_of"]


MOST_PODS = 50_000
"""The most pods of a workload: a plan takes time for each pod, and a slip of the finger must not take hours."""


_LISTED = 20
_SCALABLE = ("Deployment", "ReplicaSet", "StatefulSet")


def do(world: World, step: Step, where: str) -> None:
    """Carries a step out.

    Raises:
        AutoModeError: if it names what is not there, or a manifest is wrong.
    """
    world.note("Step", where, str(step))
    match step.verb:
        case "apply":
            for each in step.subject:
                if each == EVERYTHING:
                    for manifest in sorted(world.timeline.objects, key=_read_first):
                        apply_manifest(world, world.manifests[reference_of(manifest)])
                else:
                    apply_manifest(world, each if isinstance(each, Mapping) else _found(each, world.manifests, where))
        case "scale":
            manifest = _found(step.subject, world.applied, where)
            if manifest.get("kind") not in _SCALABLE:
                message = f"{step.subject} has no replicas to scale"
                raise AutoModeError.of(where, field="", message=message, cure=f"scale a {', '.join(_SCALABLE)}")
            apply_manifest(world, _merged(manifest, {"spec": {"replicas": step.value}}))
        case "patch":
            apply_manifest(world, _patched(_found(step.subject, world.applied, where), step, where))
        case "delete":
            _delete(world, step.subject, where)
        case "interrupt_spot":
            _check_choice(world, step.subject, where)
            _interrupt(world, step.subject)
        case "zone_outage":
            _check_zone(world, step.subject, where)
            _zone_outage(world, step.subject)
        case "zone_recovery":
            _check_zone(world, step.subject, where)
            _zone_recovery(world, step.subject)
        case "capacity_shortage" | "capacity_return":
            _check_choice(world, step.subject, where)
            world.market.set_shortage(step.subject, short=step.verb == "capacity_shortage")
            world.changed()
        case "reservation_end":
            problem = "is in no NodeClass that was applied"
            _check_name(step.subject, world.market.reservations, "reservation_end", problem, where)
            _end_reservation(world, step.subject)
        case "upgrade":
            _upgrade(world, step.subject)


def _patched(manifest: Mapping[str, Any], step: Step, where: str) -> Mapping[str, Any]:
    patched: Mapping[str, Any] = _merged(manifest, step.value)
    for key in ("metadata", "spec"):
        if key in manifest and not isinstance(patched.get(key), Mapping):
            raise AutoModeError.of(
                f"{where}: {step.subject}",
                field=key,
                message="the patch leaves no mapping here",
                cure="patch its fields",
            )
    return patched


def _read_first(manifest: Mapping[str, Any]) -> bool:
    """Sorts what others are read with to the front."""
    return manifest.get("kind") not in {"Namespace", "PriorityClass", "StorageClass", "PersistentVolume"}


def _found(reference: str, known: Mapping[str, Mapping[str, Any]], where: str) -> Mapping[str, Any]:
    """The manifest that a reference names."""
    for candidate in _candidates(reference):
        if candidate in known:
            return known[candidate]
    cure = _meant(reference, known) if known else "apply it first"
    raise AutoModeError.of(where, field="", message=f"there is no {reference}", cure=cure)


def _meant(name: str, known: Iterable[str]) -> str:
    """The cure for a name that is not known: all known ones, or the nearest if they are many."""
    names = list(known)
    if len(names) <= _LISTED:
        return did_you_mean(name, names)
    return nearest(name, names) or f"known are {', '.join(names[:5])}"


def _check_choice(world: World, choice: Mapping[str, Any], where: str) -> None:
    names = [machine.name for machine in world.catalogue.machines]
    if choice.get("instance_type") is not None:
        _check_name(choice["instance_type"], names, "instance_type", "is not in the catalogue", where)
    if choice.get("zone") is not None:
        _check_zone(world, choice["zone"], where)
    if choice.get("pool") is not None:
        _check_name(choice["pool"], world.pools, "pool", "is no NodePool", where)


def _check_zone(world: World, zone: str, where: str) -> None:
    _check_name(zone, world.market.zones, "zone", "is no zone of the cluster or of a pool", where)


def _check_name(name: str, names: Iterable[str], field: str, problem: str, where: str) -> None:
    known = list(names)
    if name not in known:
        cure = _meant(name, known) if known else ""
        raise AutoModeError.of(where, field=field, message=f"'{name}' {problem}", cure=cure)


def apply_manifest(world: World, manifest: Mapping[str, Any]) -> None:
    """Applies an object, as ``kubectl apply`` does."""
    reference = reference_of(manifest)
    kind = str(manifest.get("kind"))
    world.applied[reference] = manifest
    world.manifests[reference] = manifest
    name = str(manifest.get("metadata", {}).get("name"))
    if kind == "NodePool":
        world.pool_versions.setdefault(name, world.version)
        _read_pools(world, name)
    elif kind == "NodeClass":
        _read_pools(world)
    elif kind in KINDS:
        before = world.workloads.get(reference)
        workload = read_workload(manifest, _priorities(world), before)
        if workload.replicas > MOST_PODS:
            message = f"{workload.replicas} pods are more than the {MOST_PODS} of a workload that are simulated"
            raise AutoModeError.of(reference, field="", message=message)
        world.workloads[reference] = workload
        world.dirty[reference] = None
    elif kind == "PodDisruptionBudget":
        world.pod_budgets[reference] = pod_budget_from(manifest)
    elif kind == "Namespace":
        labels = manifest.get("metadata", {}).get("labels") or {}
        world.namespaces[name] = {"kubernetes.io/metadata.name": name, **labels}
    elif kind in {"PersistentVolumeClaim", "PersistentVolume", "StorageClass"}:
        world.volumes.apply(manifest)
        for pod in world.unbound.values():
            pod.zones = world.volumes.zones_of(pod.claims)
    elif kind == "CronJob":
        world.not_simulated[reference] = "its Jobs are not started: apply a Job at the time that you mean"
    elif kind in {"HorizontalPodAutoscaler", "ScaledObject"}:
        world.not_simulated[reference] = "nothing scales by itself: write scale steps"
    world.changed()


def _priorities(world: World) -> dict[str, tuple[int, bool]]:
    found = {"system-cluster-critical": (2_000_000_000, True), "system-node-critical": (2_000_001_000, True)}
    for manifest in world.applied.values():
        if manifest.get("kind") == "PriorityClass":
            value = (int(manifest.get("value") or 0), manifest.get("preemptionPolicy") != "Never")
            found[str(manifest.get("metadata", {}).get("name"))] = value
            if manifest.get("globalDefault"):
                found[""] = value
    return found


def _read_pools(world: World, only: str | None = None) -> None:
    for manifest in list(world.applied.values()):
        if manifest.get("kind") != "NodePool":
            continue
        name = str(manifest.get("metadata", {}).get("name"))
        reference = manifest.get("spec", {}).get("template", {}).get("spec", {}).get("nodeClassRef", {}).get("name")
        if only not in (None, name):
            continue
        node_class = world.applied.get(f"NodeClass/{reference}")
        if node_class is None and reference == "default":
            node_class = {}  # EKS makes the class of its built-in pools.
        pool = pool_from(
            manifest,
            node_class,
            world.market,
            version=world.pool_versions[name],
        )
        for reservation in pool.reservations:
            world.market.add_reservation(reservation, count=5, types=world.catalogue.every, zones=world.market.zones)
        world.pools[name] = pool
    world.at(world.now + world.assumed.drift_s, lambda: look_for_drift(world))
    world.at(world.now, lambda: keep_static_pools(world))


def _delete(world: World, reference: str, where: str) -> None:
    kind, _, name = reference.partition("/")
    if kind in {"Node", "NodeClaim"}:
        node = next((node for node in world.nodes if node.name == name), None)
        if node is None:
            raise AutoModeError.of(where, field="", message=f"there is no {reference}")
        end(world, node, "deleted by hand")
        return
    manifest = _found(reference, world.applied, where)
    found = reference_of(manifest)
    del world.applied[found]
    if kind == "NodePool":
        world.pools.pop(name, None)
        for node in world.nodes:
            if node.pool == name:
                end(world, node, "its NodePool was deleted")
    elif kind == "NodeClass":
        _read_pools(world)
    elif kind == "PodDisruptionBudget":
        world.pod_budgets.pop(found, None)
    elif found in world.workloads:
        world.workloads[found].deleted = True
        world.dirty[found] = None
    world.changed()


def _interrupt(world: World, choice: Mapping[str, Any]) -> None:
    nodes = [
        node
        for node in world.nodes
        if node.capacity_type == "spot"
        and node.deleting_since is None
        and choice.get("pool") in (None, node.pool)
        and choice.get("zone") in (None, node.zone)
        and choice.get("instance_type") in (None, node.machine.name)
        and choice.get("node") in (None, node.name)
    ]
    for node in nodes[: choice.get("count", len(nodes))]:
        # Karpenter takes the notice as a sign that there is no capacity of this kind.
        until = world.now + world.assumed.shortage_memory_s
        world.market.remember_shortage("spot", node.zone, 1 << node.machine.index, until)
        world.note("SpotInterrupted", node.name, f"EC2 takes the instance back in {world.assumed.spot_notice_s:g} s")
        end(world, node, "Spot interruption", deadline=world.now + world.assumed.spot_notice_s)


def _zone_outage(world: World, zone: str) -> None:
    world.market.dead_zones.add(zone)
    for node in world.nodes:
        if node.zone == zone:
            world.at(world.now + world.assumed.not_ready_s, partial(lose_contact, world, node))
    world.changed()


def _zone_recovery(world: World, zone: str) -> None:
    world.market.dead_zones.discard(zone)
    for node in world.nodes:
        if node.zone == zone and node.ready_at is None:
            world.at(max(world.now, node.created + world.assumed.node_start_s), partial(get_node_ready, world, node))
        if node.zone == zone and node.lost:
            node.lost = False
            for pod in node.pods.values():
                pod.ready = pod.ready_at is not None
            look_again_at_pods_of(world, node)
            world.note("NodeReady", node.name, "is back with its zone")
    world.changed()


def _end_reservation(world: World, name: str) -> None:
    reservation = world.market.reservations.get(name)
    if reservation is not None:
        reservation.ended = True
    for node in world.nodes:
        if node.reservation == name:
            node.reservation = None
            node.capacity_type = "on-demand"
            node.change_price(world.market.price(node.machine, "on-demand"), world.now)
            node.labels.pop(RESERVATION_KEY, None)
            node.relabel({CAPACITY_KEY: "on-demand"})
            world.note("ReservationEnded", node.name, f"{name} has ended: the node costs its on-demand price")
    world.at(world.now + world.assumed.drift_s, lambda: look_for_drift(world))
    world.changed()


def _upgrade(world: World, version: str) -> None:
    world.version = version
    world.at(world.now + world.assumed.drift_s, lambda: look_for_drift(world))
    world.changed()


def reference_of(manifest: Mapping[str, Any]) -> str:
    """``Kind/namespace/name``, or ``Kind/name`` for what has no namespace.

    Raises:
        AutoModeError: for a manifest without kind or name.
    """
    metadata = manifest.get("metadata") or {}
    if not manifest.get("kind") or not metadata.get("name"):
        raise AutoModeError.of("objects", field="", message="a manifest has no kind or no metadata.name")
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
