"""The order in which the objects of a cluster are created: prerequisites first, then kind by kind."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from typing import Any

from automode_constructs.checks.network_policies import POLICY_KINDS
from automode_constructs.checks.object_metadata import is_cluster_scoped
from automode_constructs.checks.placement import pods_of, pool_of
from automode_constructs.checks.whole_tree import ObjectKey, node_class_of, object_key
from automode_constructs.errors import AutoModeError
from automode_constructs.rendering.render import WEBHOOKS, WORKLOADS, RenderedObject, rank
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.traffic.network_policy import is_network_policy_switch

__all__ = ["companions", "in_order", "prerequisites"]

_WITHOUT_PODS = frozenset({"EndpointSlice", "Endpoints", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"})
"""Kinds that accompany workloads, run nothing themselves and need nothing that does not exist yet."""

_ONLY_WHERE_NAMED = frozenset({"ConfigMap", "PersistentVolumeClaim", "ServiceAccount"})
"""Kinds that affect only pods that name them."""

_GIVEN_LABELS = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that Kubernetes adds to pods besides those of their template."""


def prerequisites(objects: Sequence[RenderedObject]) -> list[set[int]]:
    """For each object, the indices of those that must exist before it.

    These are the ones that an ``add_dependency`` names, and the ones that it cannot exist without: its namespace, the
    CRD of its kind, the NodeClass of a NodePool, the policy of a ValidatingAdmissionPolicyBinding.
    """
    inside: dict[str, list[int]] = {}
    makers: dict[ObjectKey, int] = {}
    definitions: dict[tuple[str, str], int] = {}
    for index, item in enumerate(objects):
        for place in item.places:
            inside.setdefault(place, []).append(index)
        key = object_key(item.manifest)
        makers[key] = index
        if key.kind == "CustomResourceDefinition":
            spec = item.manifest.get("spec") or {}
            definitions[str(spec.get("group")), str((spec.get("names") or {}).get("kind"))] = index
    needed: list[set[int]] = []
    for index, item in enumerate(objects):
        key = object_key(item.manifest)
        before = {other for place in item.after for other in inside.get(place, ())}
        indispensable = (
            makers.get(ObjectKey("", "Namespace", "", key.namespace)),
            definitions.get((key.group, key.kind)),
            makers.get(ObjectKey("eks.amazonaws.com", "NodeClass", "", node_class_of(item.manifest) or ""))
            if key.kind == "NodePool"
            else None,
            makers.get(_policy_of(item.manifest)) if key.kind == "ValidatingAdmissionPolicyBinding" else None,
        )
        needed.append((before | {other for other in indispensable if other is not None}) - {index})
    return needed


def _policy_of(binding: Mapping[str, Any]) -> ObjectKey:
    name = str(mapping_at(binding, "spec").get("policyName"))
    return ObjectKey("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "", name)


def in_order(objects: Sequence[RenderedObject], needed: Sequence[set[int]]) -> list[int]:
    """The indices of all objects, ordered so that each comes after what it needs, and otherwise kind by kind.

    Raises:
        AutoModeError: if objects wait for each other; the error names them.
    """
    missing = [len(before) for before in needed]
    waiting: list[list[int]] = [[] for _ in objects]
    for index, before in enumerate(needed):
        for other in before:
            waiting[other].append(index)

    def entry(index: int) -> tuple[int, ObjectKey, int]:
        return rank(objects[index].manifest["kind"]), object_key(objects[index].manifest), index

    ready = [entry(index) for index, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)[-1]
        order.append(index)
        for follower in waiting[index]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, entry(follower))
    if len(order) < len(objects):
        raise _circle(objects, needed, set(range(len(objects))) - set(order))
    return order


def companions(objects: Sequence[RenderedObject]) -> list[set[int]]:
    """For each object, the indices of those that should exist before it and until it is deleted.

    Kubernetes accepts it without them, so they count only within a stack, and less than an ``add_dependency``.

    - A workload comes after the pools whose nodes may run its pods: a pool that is deleted first waits for pods that
      have nowhere to go.
    - It comes after the service account, ConfigMaps and claims that it names, after what applies to it without being
      named (quotas, roles, network policies that select it), after CRDs and classes.
    - An IngressClass comes after its parameters; network policies after the ConfigMap that turns them on; ingresses,
      routes and bindings after workloads, Services and configuration of their namespace; webhooks after everything
      else, which they would intercept.

    An unknown kind may depend on any of these, and comes after all of them.
    """
    mates = [_Mate(item) for item in objects]
    return [
        {other for other, its in enumerate(mates) if other != index and mine.comes_after(its)}
        for index, mine in enumerate(mates)
    ]


class _Mate:
    """The parts of an object that decide which others are its companions."""

    def __init__(self, item: RenderedObject) -> None:
        self.key = object_key(item.manifest)
        self.rank = rank(self.key.kind)
        self.manifest = item.manifest
        self.text = json.dumps(item.manifest)
        self.pods = pods_of(self.key.group, item.manifest)
        self.is_policy = (self.key.group, self.key.kind) in POLICY_KINDS
        self.pool = pool_of(item.manifest) if self.key.kind == "NodePool" else None

    def comes_after(self, other: _Mate) -> bool:
        if self.key.kind == "IngressClass":
            return other.key.kind == "IngressClassParams" and other.key.name in self.text
        if self.is_policy:
            return other.key.kind == "ConfigMap" and is_network_policy_switch(other.manifest)
        if self.rank < WORKLOADS or other.rank >= self.rank or self.key.kind in _WITHOUT_PODS:
            return False
        if self.key.kind in WEBHOOKS:
            return True
        if other.key.kind in ("Namespace", "NodeClass"):
            return False
        if other.key.kind == "NodePool":
            return self.rank == WORKLOADS and self._may_run_on(other)
        if not is_cluster_scoped(other.key.kind) and other.key.namespace != self.key.namespace:
            return False
        return self.rank > WORKLOADS or self._is_concerned_by(other)

    def _may_run_on(self, other: _Mate) -> bool:
        if self.pods is None or other.pool is None:
            return True
        # EKS itself adds the toleration for a device that a pod requests.
        repelled = [key for key in self.pods.repelled_by(other.pool) if key not in self.text]
        return not repelled and self.pods.select(other.pool)

    def _is_concerned_by(self, other: _Mate) -> bool:
        if self.pods is None:
            return True
        if other.key.kind in _ONLY_WHERE_NAMED:
            return other.key.name in self.text or other.key.name == "default"
        labels = mapping_at(self.manifest, "spec", "template", "metadata", "labels")
        if not other.is_policy or not labels:
            return True
        chosen = mapping_at(other.manifest, "spec", "podSelector", "matchLabels")
        return all(labels.get(key) == value for key, value in chosen.items() if key not in _GIVEN_LABELS)


def _circle(objects: Sequence[RenderedObject], needed: Sequence[set[int]], stuck: set[int]) -> AutoModeError:
    path = [min(stuck)]
    while path[-1] not in path[:-1]:
        # Every stuck object needs another stuck one.
        path.append(min(needed[path[-1]] & stuck))
    circle = [objects[index] for index in path[path.index(path[-1]) :]]
    names = [f"{object_key(item.manifest)} ({item.where})" for item in circle]
    return AutoModeError.of(
        "",
        field="",
        message="these objects wait for each other: " + ", which waits for ".join(names),
        cure="remove an add_dependency; a namespace, a CRD and a NodeClass always come before what needs them",
    )
