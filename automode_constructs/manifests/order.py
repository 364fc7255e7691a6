"""The order in which the objects of a cluster are made: what must be there first, then kind by kind."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.rendering import RenderedObject, rank
from automode_constructs.specs.whole_tree import ObjectKey, node_class_of, object_key

__all__ = ["in_order", "in_waves", "prerequisites"]


def prerequisites(objects: Sequence[RenderedObject]) -> list[set[int]]:
    """For each object the indices of those that must be there before it.

    These are the ones an ``add_dependency`` names, and the ones it cannot be without: its namespace, the CRD of its
    kind, the NodeClass of a NodePool.
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
        )
        needed.append((before | {other for other in indispensable if other is not None}) - {index})
    return needed


def in_order(objects: Sequence[RenderedObject], needed: Sequence[set[int]]) -> list[int]:
    """The indices of all objects so that none comes before what it needs, and kind by kind where that leaves a choice.

    Raises:
        AutoModeError: when objects wait for each other, naming them.
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


def in_waves(order: Sequence[int], objects: Sequence[RenderedObject], needed: Sequence[set[int]]) -> list[list[int]]:
    """Cuts an order into waves: of one rank each, and without an object that needs another one of its wave."""
    ranks = [rank(item.manifest["kind"]) for item in objects]
    waves: list[list[int]] = []
    for index in order:
        wave = waves[-1] if waves else []
        if wave and ranks[wave[0]] == ranks[index] and needed[index].isdisjoint(wave):
            wave.append(index)
        else:
            waves.append([index])
    return waves


def _circle(objects: Sequence[RenderedObject], needed: Sequence[set[int]], stuck: set[int]) -> AutoModeError:
    path = [min(stuck)]
    while path[-1] not in path[:-1]:
        # Every object that is stuck needs another one that is.
        path.append(min(needed[path[-1]] & stuck))
    circle = [objects[index] for index in path[path.index(path[-1]) :]]
    names = [f"{object_key(item.manifest)} ({item.where})" for item in circle]
    return AutoModeError.of(
        "",
        "",
        "these objects wait for each other: " + ", which waits for ".join(names),
        "remove an add_dependency; a namespace, a CRD and a NodeClass always come before what needs them",
    )
