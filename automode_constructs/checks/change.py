"""Changes that Kubernetes refuses on an existing object: it needs a new name, or to be created again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import is_quantity
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.object_changes import made_anew
from automode_constructs.specs.quantity import canonical, number
from automode_constructs.specs.rule import Rule, rule
from automode_constructs.specs.traffic.ownership import NLB_CLASS

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

IMMUTABLE_FIELD = rule(
    "automode:ImmutableField",
    *("ClusterRoleBinding", "ConfigMap", "DaemonSet", "Deployment", "GatewayClass", "IngressClass", "Job"),
    *("PersistentVolume", "PersistentVolumeClaim", "PriorityClass", "ReplicaSet", "RoleBinding", "Secret", "Service"),
    "StatefulSet",
    severity="error",
    sentence="Fields that Kubernetes fixes when it creates an object do not change.",
    source="Kubernetes, validation of updates, kind by kind; Gateway API, CRD of GatewayClass",
    judged="change",
)
TARGET_GROUP_BINDING_CHANGED = rule(
    "automode:TargetGroupBindingChanged",
    "TargetGroupBinding",
    severity="warning",
    sentence="An existing TargetGroupBinding keeps its target group; whether EKS refuses a change is not documented.",
    source="kubernetes-sigs/aws-load-balancer-controller, webhook of TargetGroupBinding",
    judged="change",
)

_NEW_NAME = "give the changed object another name"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fixed:
    """A field that does not change.

    Args:
        path: the field.
        kept: whether the API server keeps the old value if the new object leaves it, or a part of it, out, since it or
            a controller chose it. Default: False; leaving it out is a change.
        default: the value that a field has which is left out. Default: none.
    """

    path: tuple[str, ...]
    kept: bool = False
    default: Any = None


def _fixed(path: str, *, kept: bool = False, default: Any = None) -> _Fixed:
    return _Fixed(path=tuple(path.split(".")), kept=kept, default=default)


_SELECTOR = (_fixed("spec.selector"),)
_RBAC = "rbac.authorization.k8s.io"
_ROLE = (_fixed("roleRef.apiGroup", default=_RBAC), _fixed("roleRef.kind"), _fixed("roleRef.name"))
_FIELDS: Mapping[tuple[str, str], tuple[_Fixed, ...]] = {
    ("", "PersistentVolume"): (_fixed("spec.csi", kept=True),),
    ("", "PersistentVolumeClaim"): (
        *(_fixed(f"spec.{name}", kept=True) for name in ("accessModes", "dataSource", "dataSourceRef", "selector")),
        *(_fixed(f"spec.{name}", kept=True) for name in ("storageClassName", "volumeName")),
        _fixed("spec.volumeMode", default="Filesystem"),
    ),
    ("", "Secret"): (_fixed("type", default="Opaque"),),
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "ReplicaSet"): _SELECTOR,
    ("apps", "StatefulSet"): (
        *_SELECTOR,
        _fixed("spec.serviceName", default=""),
        _fixed("spec.podManagementPolicy", default="OrderedReady"),
        _fixed("spec.volumeClaimTemplates", kept=True),
    ),
    ("eks.amazonaws.com", "TargetGroupBinding"): (
        _fixed("spec.targetGroupARN"),
        _fixed("spec.targetType", kept=True),
        _fixed("spec.vpcID", kept=True),
    ),
    ("gateway.networking.k8s.io", "GatewayClass"): (_fixed("spec.controllerName"),),
    ("networking.k8s.io", "IngressClass"): (_fixed("spec.controller"),),
    (_RBAC, "ClusterRoleBinding"): _ROLE,
    (_RBAC, "RoleBinding"): _ROLE,
    ("scheduling.k8s.io", "PriorityClass"): (
        _fixed("value", default=0),
        _fixed("preemptionPolicy", default="PreemptLowerPriority"),
    ),
    ("storage.k8s.io", "StorageClass"): (
        _fixed("provisioner"),
        _fixed("parameters"),
        _fixed("reclaimPolicy", default="Delete"),
        _fixed("volumeBindingMode", default="Immediate"),
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): (_fixed("driverName"), _fixed("parameters")),
}
"""The fields of a kind that never change; what hangs on other fields has a function of its own."""

_RULES: Mapping[str, Rule] = {
    "StorageClass": IMMUTABLE_CLASS,
    "VolumeAttributesClass": IMMUTABLE_CLASS,
    "TargetGroupBinding": TARGET_GROUP_BINDING_CHANGED,
}


def judge_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    """The parts of an update that the API server refuses, or may refuse.

    Args:
        old: the object as it is in the cluster, or as it was applied.
        new: the object of the same kind and name that is to replace it.
    """
    key = _key(new)
    if key != _key(old):
        return
    broken, cure = _RULES.get(key[1], IMMUTABLE_FIELD), _cure(key[1])
    for fixed in _FIELDS.get(key, ()):
        before, after = _at(old, *fixed.path), _at(new, *fixed.path)
        if fixed.kept and after is None:
            continue
        before, after = (fixed.default if value is None else value for value in (before, after))
        yield from _changed(before, after, ".".join(fixed.path), broken, cure, kept=fixed.kept)
    if key in _JUDGES:
        yield from _JUDGES[key](old, new)


def _cure(kind: str) -> str:
    return _NEW_NAME if kind in {"StorageClass", "VolumeAttributesClass"} else made_anew(kind)


def _node_pool(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    before, after = (_at(document, "spec", "replicas") for document in (old, new))
    if (before is None) != (after is None):
        was, becomes = ("dynamic", "static") if before is None else ("static", "dynamic")
        yield STATIC_OR_DYNAMIC.problem("spec.replicas", f"the pool is {was} and would become {becomes}", _NEW_NAME)
    for name in ("group", "kind"):
        path = ("spec", "template", "spec", "nodeClassRef", name)
        yield from _changed(_at(old, *path), _at(new, *path), ".".join(path), NODE_CLASS_KIND_CHANGED, _NEW_NAME)


def _node_class(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _changed(_at(old, "spec", "role"), _at(new, "spec", "role"), "spec.role", ROLE_CHANGED, _NEW_NAME)


def _service(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    was, becomes = mapping_at(old, "spec"), mapping_at(new, "spec")
    if "ExternalName" not in (was.get("type"), becomes.get("type")) and becomes.get("clusterIP"):
        yield from _kept(was.get("clusterIP"), becomes.get("clusterIP"), "spec.clusterIP", "Service")
    if was.get("type") == becomes.get("type") == "LoadBalancer":
        before, after = was.get("loadBalancerClass"), becomes.get("loadBalancerClass")
        # A file may leave the class to EKS; an object as the cluster returns it has none only if nobody chose one.
        if not (before is None and after == NLB_CLASS and _at(old, "metadata", "uid") is None):
            yield from _kept(before, after, "spec.loadBalancerClass", "Service")


def _job(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    was, becomes = mapping_at(old, "spec"), mapping_at(new, "spec")
    yield from _kept(was.get("selector"), becomes.get("selector"), "spec.selector", "Job")
    before, after = (spec.get("completionMode") or "NonIndexed" for spec in (was, becomes))
    yield from _changed(before, after, "spec.completionMode", IMMUTABLE_FIELD, made_anew("Job"))
    if before == after == "NonIndexed":
        yield from _kept(was.get("completions"), becomes.get("completions"), "spec.completions", "Job")
    if was.get("suspend") is not True:  # a Job that waits may be placed anew
        yield from _kept(was.get("template"), becomes.get("template"), "spec.template", "Job")


def _claim(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    path = ("spec", "resources", "requests", "storage")
    before, after = _at(old, "status", "capacity", "storage") or _at(old, *path), _at(new, *path)
    sizes = [
        number(value) if isinstance(value, int | str) and is_quantity(str(value)) else None for value in (before, after)
    ]
    if sizes[0] is not None and sizes[1] is not None and sizes[1] < sizes[0]:
        yield IMMUTABLE_FIELD.problem(
            ".".join(path),
            f"cannot shrink from {shown(before)} to {shown(after)}",
            f"write {before} or more, or copy the data to a new claim",
        )


def _sealed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    if old.get("immutable") is not True:
        return
    kind = str(new.get("kind"))
    for name in ("immutable", "data", "binaryData"):
        before, after = old.get(name), new.get(name)
        if name != "data" or "stringData" not in new:
            yield from _changed(before, after, name, IMMUTABLE_FIELD, made_anew(kind))


_JUDGES: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Problem]]] = {
    ("", "ConfigMap"): _sealed,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Secret"): _sealed,
    ("", "Service"): _service,
    ("batch", "Job"): _job,
    ("eks.amazonaws.com", "NodeClass"): _node_class,
    ("karpenter.sh", "NodePool"): _node_pool,
}

_DEFAULTS = {
    "defaultMode": 420,
    "dnsPolicy": "ClusterFirst",
    "failureThreshold": 3,
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "protocol": "TCP",
    "schedulerName": "default-scheduler",
    "scheme": "HTTP",
    "successThreshold": 1,
    "terminationGracePeriodSeconds": 30,
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "timeoutSeconds": 1,
    "volumeMode": "Filesystem",
}
"""What Kubernetes writes into pods and claims where nothing stands."""


_PLAIN_NAME = re.compile(r"\w+")


def _kept(before: Any, after: Any, path: str, kind: str) -> Iterator[Problem]:
    if after is not None:
        yield from _changed(before, after, path, IMMUTABLE_FIELD, made_anew(kind), kept=True)


def _changed(before: Any, after: Any, path: str, broken: Rule, cure: str, *, kept: bool = False) -> Iterator[Problem]:
    """The parts of a value that change.

    Args:
        before: the old value.
        after: the new value.
        path: the field.
        broken: the rule.
        cure: the cure.
        kept: whether parts that the new value leaves out stay as they are.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*map(str, after), *(() if kept else map(str, before))}):
            if not (kept and after.get(key) is None):
                old = before.get(key, _DEFAULTS.get(key) if kept else None)
                place = f"{path}.{key}" if _PLAIN_NAME.fullmatch(key) else f"{path}[{shown(key)}]"
                yield from _changed(old, after.get(key), place, broken, cure, kept=kept)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changed(old, new, f"{path}[{index}]", broken, cure, kept=kept)
    elif not _is_same(before, after):
        yield broken.problem(path, f"cannot change from {_text(before)} to {_text(after)}", cure)


def _is_same(before: Any, after: Any) -> bool:
    if before == after or (_is_empty(before) and _is_empty(after)):
        return True
    numbers = [value for value in (before, after) if isinstance(value, int | str) and not isinstance(value, bool)]
    return len(numbers) == 2 and canonical(numbers[0]) == canonical(numbers[1])


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", {}, [])


def _text(value: object) -> str:
    return "nothing" if value is None else shown(value)


def _key(document: Mapping[str, Any]) -> tuple[str, str]:
    return str(document.get("apiVersion", "")).rpartition("/")[0], str(document.get("kind", ""))


def _at(document: Any, *path: str) -> Any:
    for part in path:
        document = document.get(part) if isinstance(document, Mapping) else None
    return document
