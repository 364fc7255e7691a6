"""What ResourceQuotas and LimitRanges of a namespace make of its workloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from automode_constructs.checks.placement import pods_of
from automode_constructs.checks.rollout import pod_requests, replicas_of, rolling_update
from automode_constructs.errors import Problem, Severity, shown
from automode_constructs.specs.fields import is_quantity
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.quantity import canonical, number
from automode_constructs.specs.rule import rule

__all__ = ["quota_device_problems", "quota_problems"]

_WORKLOADS = ("CronJob", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")
_PAGE = "Kubernetes, 'Resource Quotas'"

QUOTA_EXCEEDED = rule(
    "automode:QuotaExceeded",
    *_WORKLOADS,
    severity="error",
    sentence="The pods of a namespace's workloads together request no more than its ResourceQuota allows.",
    source=_PAGE,
    judged="tree",
)
QUOTA_STOPS_UPDATES = rule(
    "automode:QuotaStopsUpdates",
    "Deployment",
    severity="warning",
    sentence=(
        "Where no pod of a Deployment may end before its successor runs (maxUnavailable 0; 25 % of fewer than four "
        "replicas is none), its namespace's ResourceQuota has room for one more pod. Otherwise no update ever ends."
    ),
    source=f"{_PAGE}; Kubernetes, 'Deployments', Rolling Update Deployment",
    judged="tree",
)
QUOTA_NEEDS_REQUESTS = rule(
    "automode:QuotaNeedsRequests",
    *_WORKLOADS,
    severity="error",
    sentence="Where a ResourceQuota counts CPU or memory, each container requests it, or a LimitRange does so for it.",
    source=f"{_PAGE}, Requests compared to Limits",
    warning_where="not all charts of the cluster are known",
    judged="tree",
)
LIMIT_RANGE = rule(
    "automode:LimitRange",
    *_WORKLOADS,
    severity="error",
    sentence=(
        "A container's requests and limits lie between min and max of its namespace's LimitRange, and a request "
        "without a limit is no more than the default limit, which the container gets."
    ),
    source="Kubernetes, 'Limit Ranges'",
    judged="tree",
)
QUOTA_DEVICE = rule(
    "automode:QuotaDevice",
    "ResourceQuota",
    severity="error",
    sentence="A ResourceQuota counts devices by requests.<device>, such as requests.nvidia.com/gpu.",
    source=f"{_PAGE}, Resource Quota For Extended Resources",
    stricter="The API server takes other names of devices, and counts nothing by them.",
)

_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}
_REQUIRED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
"""What each container has to state if a quota counts it."""
_OBJECTS = ("count/", "requests.")
"""How a quota's key begins if a slash in it is part of a longer name that Kubernetes knows."""


def quota_device_problems(quota: Mapping[str, Any]) -> Iterator[Problem]:
    """Devices that a ResourceQuota names in a form by which nothing is counted."""
    for key in mapping_at(quota, "spec", "hard"):
        name = str(key)
        device = name.removeprefix("limits.")
        domain = device.partition("/")[0]
        if "/" not in name or name.startswith(_OBJECTS) or ".storageclass.storage.k8s.io/" in name:
            continue
        if domain.endswith((".deviceclass.resource.k8s.io", ".volumeattributesclass.storage.k8s.io")):
            continue
        yield QUOTA_DEVICE.problem(
            f"spec.hard[{shown(name)}]",
            f"{shown(name)} counts nothing: of devices, only requests are counted",
            f"write 'requests.{device}'",
        )


@dataclass(frozen=True, slots=True)
class _Range:
    """What the LimitRanges of a namespace say of containers."""

    requests: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    least: dict[str, Any] = field(default_factory=dict)
    most: dict[str, Any] = field(default_factory=dict)

    def add(self, item: Mapping[str, Any]) -> None:
        """Adds an item of type Container, completed as the API server does it."""
        least, most = dict(mapping_at(item, "min")), dict(mapping_at(item, "max"))
        limits = {**most, **mapping_at(item, "default")}
        requests = {**least, **limits, **mapping_at(item, "defaultRequest")}
        for mine, its in ((self.requests, requests), (self.limits, limits), (self.least, least), (self.most, most)):
            for name, value in its.items():
                mine.setdefault(name, value)

    def completed(self, container: Mapping[str, Any]) -> dict[str, Any]:
        """A container with its defaults."""
        own_limits = mapping_at(container, "resources", "limits")
        requests = {**self.requests, **own_limits, **mapping_at(container, "resources", "requests")}
        return {**container, "resources": {"requests": requests, "limits": {**self.limits, **own_limits}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workload:
    index: int
    manifest: Mapping[str, Any]
    path: str
    """The path to its pods."""
    usage: Mapping[str, Decimal]
    """What one of its pods uses, by the keys of a quota."""

    def __str__(self) -> str:
        return f"{self.manifest.get('kind')} '{mapping_at(self.manifest, 'metadata').get('name')}'"


def quota_problems(manifests: Sequence[Mapping[str, Any]], *, whole: bool) -> Iterator[tuple[int, Problem]]:
    """Workloads whose pods a quota or a LimitRange of their namespace keeps out; each with the index of its manifest.

    Args:
        manifests: the objects.
        whole: whether these are all objects of the cluster; if not, a LimitRange may be elsewhere.
    """
    quotas: dict[str, list[Mapping[str, Any]]] = {}
    ranges: dict[str, _Range] = {}
    for manifest in manifests:
        match _key(manifest):
            # A quota with scopes counts only some pods.
            case ("", "ResourceQuota") if not mapping_at(manifest, "spec").keys() & {"scopes", "scopeSelector"}:
                quotas.setdefault(_namespace(manifest), []).append(manifest)
            case ("", "LimitRange"):
                for item in _mappings(mapping_at(manifest, "spec").get("limits")):
                    if item.get("type") == "Container":
                        ranges.setdefault(_namespace(manifest), _Range()).add(item)
    if not quotas and not ranges:
        return
    by_namespace: dict[str, list[_Workload]] = {}
    for index, manifest in enumerate(manifests):
        namespace = _namespace(manifest)
        pods = pods_of(_key(manifest)[0], manifest) if namespace in {*quotas, *ranges} else None
        if pods is None:
            continue
        spec = mapping_at(manifest, *pods.field.split("."))
        limits = ranges.get(namespace, _Range())
        for problem in _range_problems(spec, pods.field, limits, namespace):
            yield index, problem
        severity: Severity | None = None if whole or namespace in ranges else "warning"
        for quota in quotas.get(namespace, ()):
            for problem in _missing(spec, pods.field, limits, quota, severity):
                yield index, problem
        completed = {name: [limits.completed(one) for one in _mappings(spec.get(name))] for name in _CONTAINERS}
        by_namespace.setdefault(namespace, []).append(
            _Workload(index=index, manifest=manifest, path=pods.field, usage=_usage({**spec, **completed}))
        )
    for namespace, workloads in by_namespace.items():
        for quota in quotas.get(namespace, ()):
            yield from _exceeded(workloads, quota)


_CONTAINERS = ("containers", "initContainers")


def _usage(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a pod uses, by the keys of a quota."""
    usage = {f"requests.{name}": amount for name, amount in pod_requests(spec).items()}
    only_limits = {
        name: [
            {**one, "resources": {"requests": mapping_at(one, "resources", "limits")}}
            for one in _mappings(spec.get(name))
        ]
        for name in _CONTAINERS
    }
    usage |= {f"limits.{name}": amount for name, amount in pod_requests(only_limits).items()}
    for kind in ("requests", "limits"):
        # What is set for the whole pod counts instead of its containers.
        for name, value in mapping_at(spec, "resources", kind).items():
            amount = _number(value)
            if amount is not None:
                usage[f"{kind}.{name}"] = amount
    return {**usage, "pods": Decimal(1)}


def _exceeded(workloads: Sequence[_Workload], quota: Mapping[str, Any]) -> Iterator[tuple[int, Problem]]:
    name = mapping_at(quota, "metadata").get("name")
    for key, allowed in mapping_at(quota, "spec", "hard").items():
        most, counted = _number(allowed), _ALIASES.get(str(key), str(key))
        if most is None:
            continue
        others = Decimal(0)
        for workload in workloads:
            alone = workload.manifest.get("kind") == "CronJob"  # It runs at some time, by itself.
            replicas = 1 if alone else replicas_of(workload.manifest)
            needed = workload.usage.get(counted, Decimal(0)) * replicas
            beside = Decimal(0) if alone or needed > most else others
            if needed and needed + beside > most:
                yield workload.index, _too_much(workload, replicas, str(key), needed, beside, f"'{name}'", allowed)
            elif not alone:
                others += needed
        for workload in workloads:
            each = workload.usage.get(counted, Decimal(0))
            if others <= most < others + each and _waits_for_room(workload.manifest):
                yield (
                    workload.index,
                    QUOTA_STOPS_UPDATES.problem(
                        "spec.strategy",
                        f"an update of {workload} starts a new pod before an old one ends, and ResourceQuota '{name}' "
                        f"has no room for it: {_text(str(key), others)} of {allowed} {key} are in use, and a pod needs "
                        f"{_text(str(key), each)}",
                        f"set maxSurge 0 and maxUnavailable 1, or raise the quota to {_text(str(key), others + each)} "
                        "or more",
                    ),
                )


def _waits_for_room(manifest: Mapping[str, Any]) -> bool:
    """Whether an update of a workload removes no pod before it has added one."""
    replicas = replicas_of(manifest)
    surge, unavailable = rolling_update(manifest, replicas)
    return manifest.get("kind") == "Deployment" and replicas > 0 and surge > 0 and not unavailable


def _too_much(
    workload: _Workload, replicas: int, key: str, needed: Decimal, beside: Decimal, quota: str, allowed: object
) -> Problem:
    total = _text(key, needed + beside)
    pods = "its pod needs" if replicas == 1 else f"its {replicas} pods need"
    others = f", and other workloads of the namespace {_text(key, beside)}" if beside else ""
    many = replicas > 1 and workload.manifest.get("kind") in ("Deployment", "ReplicaSet", "StatefulSet")
    return QUOTA_EXCEEDED.problem(
        "spec.replicas" if many else f"{workload.path}.containers",
        f"{pods} {_text(key, needed)} of {key}{others}, but ResourceQuota {quota} of namespace "
        f"'{_namespace(workload.manifest)}' allows {allowed}, so the API server refuses pods of {workload}",
        f"ask for less, or raise the quota to {total} or more",
    )


def _text(key: str, amount: Decimal) -> str:
    if key.endswith(("memory", "storage")) and amount >= 2**20 and amount == amount.to_integral_value():
        return canonical(f"{int(amount) // 1024}Ki") if amount % 1024 == 0 else str(int(amount))
    return f"{amount.normalize():f}"


def _missing(
    spec: Mapping[str, Any], path: str, limits: _Range, quota: Mapping[str, Any], severity: Severity | None
) -> Iterator[Problem]:
    """The containers that do not state what a quota counts."""
    hard = {_ALIASES.get(str(key), str(key)) for key in mapping_at(quota, "spec", "hard")}
    name = mapping_at(quota, "metadata").get("name")
    for key in _REQUIRED:
        kind, _, resource = key.partition(".")
        if key not in hard or resource in mapping_at(spec, "resources", kind):
            continue
        default = "defaultRequest" if kind == "requests" else "default"
        for containers in _CONTAINERS:
            for position, container in enumerate(_mappings(spec.get(containers))):
                if resource not in mapping_at(limits.completed(container), "resources", kind):
                    yield QUOTA_NEEDS_REQUESTS.problem(
                        f"{path}.{containers}[{position}].resources.{kind}",
                        f"has no {resource}, which ResourceQuota '{name}' counts, so the API server refuses the pod",
                        f"write it, or give the namespace a LimitRange with {default}",
                        severity=severity,
                    )


def _range_problems(spec: Mapping[str, Any], path: str, limits: _Range, namespace: str) -> Iterator[Problem]:
    of_namespace = f"the LimitRange of namespace '{namespace}'"
    for name in _CONTAINERS:
        for position, container in enumerate(_mappings(spec.get(name))):
            completed = mapping_at(limits.completed(container), "resources")
            own = mapping_at(container, "resources", "limits")
            field = f"{path}.{name}[{position}].resources"
            for resource, value in mapping_at(completed, "requests").items():
                request, limit = _number(value), _number(mapping_at(completed, "limits").get(resource))
                if request is not None and limit is not None and resource not in own and request > limit:
                    yield LIMIT_RANGE.problem(
                        f"{field}.requests[{shown(resource)}]",
                        f"{shown(value)} is more than {shown(limits.limits[resource])}, the limit that {of_namespace} "
                        "gives a container without one, so the API server refuses the pod",
                        f"write limits[{shown(resource)}] too",
                    )
                least = _number(limits.least.get(resource))
                if request is not None and least is not None and request < least:
                    yield LIMIT_RANGE.problem(
                        f"{field}.requests[{shown(resource)}]",
                        f"{shown(value)} is less than {shown(limits.least[resource])}, the least of {of_namespace}",
                        "request more",
                    )
            for resource, value in own.items():
                limit, most = _number(value), _number(limits.most.get(resource))
                if limit is not None and most is not None and limit > most:
                    yield LIMIT_RANGE.problem(
                        f"{field}.limits[{shown(resource)}]",
                        f"{shown(value)} is more than {shown(limits.most[resource])}, the most of {of_namespace}",
                        "lower it",
                    )


def _number(value: object) -> Decimal | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | str)
        or (isinstance(value, str) and not is_quantity(value))
    ):
        return None
    amount = number(value)
    return amount if amount is not None and amount.is_finite() else None


def _key(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(mapping_at(manifest, "metadata").get("namespace") or "default")


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
