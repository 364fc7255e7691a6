"""Changes that Kubernetes refuses on an existing object: the changed object needs a new name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.checks.document import kind_of
from automode_constructs.errors import Problem, shown
from automode_constructs.specs.rule import rule

__all__ = ["judge_change"]

STATIC_OR_DYNAMIC = rule(
    "automode:StaticOrDynamic",
    "NodePool",
    severity="error",
    sentence="A pool that exists stays static (with replicas) or dynamic (without).",
    source="CRD nodepools.karpenter.sh, spec",
    judged="change",
)
NODE_CLASS_KIND_CHANGED = rule(
    "automode:NodeClassKindChanged",
    "NodePool",
    severity="error",
    sentence="Group and kind of an existing pool's nodeClassRef do not change; its name may.",
    source="CRD nodepools.karpenter.sh, spec.template.spec.nodeClassRef",
    judged="change",
)
ROLE_CHANGED = rule(
    "automode:RoleChanged",
    "NodeClass",
    severity="warning",
    sentence="The role of an existing NodeClass does not change; nobody has confirmed that EKS still refuses that.",
    source="CRD nodeclasses.eks.amazonaws.com of February 2025, spec.role",
    judged="change",
)
IMMUTABLE_CLASS = rule(
    "automode:ImmutableClass",
    "StorageClass",
    "VolumeAttributesClass",
    severity="error",
    sentence="The driver of an existing class, its parameters and how it binds and reclaims volumes do not change.",
    source="Kubernetes, 'Storage Classes' and 'Volume Attributes Classes'",
    judged="change",
)

_IMMUTABLE = {
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "VolumeAttributesClass": ("driverName", "parameters"),
}
_NEW_NAME = "give the changed object another name"


def judge_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    """The parts of an update that the API server refuses, or may refuse.

    Args:
        old: the object as it is in the cluster.
        new: the object of the same kind and name that is to replace it.
    """
    kind = kind_of(new)
    if kind is None or kind_of(old) is None:
        return
    if kind.kind == "NodePool":
        before, after = (_at(document, "spec", "replicas") for document in (old, new))
        if (before is None) != (after is None):
            was, becomes = ("dynamic", "static") if before is None else ("static", "dynamic")
            yield STATIC_OR_DYNAMIC.problem("spec.replicas", f"the pool is {was} and would become {becomes}", _NEW_NAME)
        for name in ("group", "kind"):
            path = ("spec", "template", "spec", "nodeClassRef", name)
            yield from _changed(old, new, path, NODE_CLASS_KIND_CHANGED.problem)
    elif kind.kind == "NodeClass":
        yield from _changed(old, new, ("spec", "role"), ROLE_CHANGED.problem)
    for name in _IMMUTABLE.get(kind.kind, ()):
        yield from _changed(old, new, (name,), IMMUTABLE_CLASS.problem)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...], problem: Any) -> Iterator[Problem]:
    before, after = _at(old, *path), _at(new, *path)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*map(str, before), *map(str, after)}):
            yield from _changed(old, new, (*path, key), problem)
    elif before != after:
        yield problem(".".join(path), f"cannot change from {_text(before)} to {_text(after)}", _NEW_NAME)


def _text(value: object) -> str:
    return "nothing" if value is None else shown(value)


def _at(document: Any, *path: str) -> Any:
    for part in path:
        document = document.get(part) if isinstance(document, Mapping) else None
    return document
