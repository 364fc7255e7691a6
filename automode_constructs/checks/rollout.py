"""How many pods a workload can have: during an update, and under an autoscaler."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from automode_constructs.checks.accelerators import ACCELERATORS, accelerators_of
from automode_constructs.checks.placement import BUILT_IN_POOLS, Pods, Pool, pods_of, pool_of
from automode_constructs.errors import Problem, shown
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule

__all__ = ["pod_requests", "replicas_of", "rolling_update", "rollout_problems", "scaled_workloads", "surge_problems"]

SURGE_EXCEEDS_LIMIT = rule(
    "automode:SurgeExceedsLimit",
    "Deployment",
    "StatefulSet",
    severity="warning",
    sentence=(
        "Where one pool alone takes a workload's pods, the pool's limits hold its replicas and the pods that a rolling "
        "update adds (maxSurge, by default 25 %). Otherwise an update waits for old pods to end, and never ends where "
        "no pod may end first (maxUnavailable 0)."
    ),
    source="Kubernetes, 'Deployments', Rolling Update Deployment; Karpenter, 'NodePools', spec.limits",
    judged="tree",
)
SCALED_REPLICAS = rule(
    "automode:ScaledReplicas",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    severity="warning",
    sentence=(
        "A workload that a HorizontalPodAutoscaler or KEDA scales has no spec.replicas: every update of the manifest "
        "resets that number."
    ),
    source="Kubernetes, 'Horizontal Pod Autoscaling', Migrating Deployments and StatefulSets; KEDA, 'Scaling "
    "Deployments, StatefulSets & Custom Resources'",
    judged="tree",
)

_SCALERS = {
    ("autoscaling", "HorizontalPodAutoscaler"): ("", ""),
    ("keda.sh", "ScaledObject"): ("apps", "Deployment"),
    ("http.keda.sh", "HTTPScaledObject"): ("apps", "Deployment"),
}
"""Kinds that scale workloads, with the default group and kind of their target."""

_MOST = Decimal(2**63 - 1)
"""The largest quantity that Kubernetes knows."""


def rollout_problems(
    manifests: Sequence[Mapping[str, Any]], *, built_in_pools: Collection[str], whole: bool
) -> Iterator[tuple[int, Problem]]:
    """Problems with updates of a cluster's workloads; each with the index of its manifest.

    Args:
        manifests: the objects.
        built_in_pools: EKS's own pools that are on, or may be.
        whole: whether these are all objects of the cluster; if not, a pod that asks for nothing special may land on a
            pool that is not among them.
    """
    yield from _scaled_replicas(manifests)
    yield from _surges(manifests, built_in_pools, whole=whole)


def scaled_workloads(manifests: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], str]:
    """What scales a workload, as a function of its manifest: such as ``ScaledObject 'web'``, or ``""`` for nothing."""
    scalers: dict[tuple[str, str, str, str], str] = {}
    for manifest in manifests:
        default = _SCALERS.get((_group(manifest), str(manifest.get("kind"))))
        target = mapping_at(manifest, "spec", "scaleTargetRef")
        if default is None or not isinstance(target.get("name"), str):
            continue
        group = str(target["apiVersion"]).rpartition("/")[0] if target.get("apiVersion") else default[0]
        kind = str(target.get("kind") or default[1])
        scaler_text = f"{manifest['kind']} '{mapping_at(manifest, 'metadata').get('name')}'"
        scalers.setdefault((group, kind, _namespace(manifest), str(target["name"])), scaler_text)

    def scaler_of(manifest: Mapping[str, Any]) -> str:
        name = str(mapping_at(manifest, "metadata").get("name"))
        return scalers.get((_group(manifest), str(manifest.get("kind")), _namespace(manifest), name), "")

    return scaler_of


def _scaled_replicas(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Problem]]:
    scaler_of = scaled_workloads(manifests)
    for index, manifest in enumerate(manifests):
        kind, name = str(manifest.get("kind")), str(mapping_at(manifest, "metadata").get("name"))
        scaler = scaler_of(manifest)
        replicas = mapping_at(manifest, "spec").get("replicas")
        if scaler and replicas is not None:
            yield (
                index,
                SCALED_REPLICAS.problem(
                    "spec.replicas",
                    f"{scaler} scales {kind} '{name}', and every update of this manifest resets it to "
                    f"{shown(replicas)}",
                    "leave spec.replicas out (of a ModelServer: replicas=None)",
                ),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Workload:
    index: int
    manifest: Mapping[str, Any]
    pods: Pods
    requests: Mapping[str, Decimal]
    """What one of its pods requests."""

    @property
    def special(self) -> set[str]:
        """The requested resources that not every node has."""
        return {key for key in self.requests if "/" in key}

    def totals(self) -> dict[str, Decimal]:
        """What all its replicas request."""
        return {key: value * replicas_of(self.manifest) for key, value in self.requests.items()}


def _surges(
    manifests: Sequence[Mapping[str, Any]], built_in_pools: Collection[str], *, whole: bool
) -> Iterator[tuple[int, Problem]]:
    work: list[_Workload] = []
    for index, manifest in enumerate(manifests):
        pods = pods_of(_group(manifest), manifest)
        if pods is not None and manifest.get("kind") != "CronJob":
            requests = pod_requests(mapping_at(manifest, *pods.field.split(".")))
            work.append(_Workload(index=index, manifest=manifest, pods=pods, requests=requests))
    if not work:
        return
    pools: list[Pool] = []
    limits: dict[str, Mapping[str, Any]] = {}
    for manifest in manifests:
        if (_group(manifest), manifest.get("kind")) == ("karpenter.sh", "NodePool"):
            pool = pool_of(manifest)
            if pool is None:
                return  # The instance types it launches are not known.
            pools.append(pool)
            limits[pool.name] = mapping_at(manifest, "spec", "limits")
    limited = {resource for each in limits.values() for resource in each}
    pools += [BUILT_IN_POOLS[name] for name in BUILT_IN_POOLS if name in built_in_pools]
    bound: dict[str, list[_Workload]] = {}
    accelerators: dict[str, Mapping[str, int]] = {}
    for item in work:
        if limited.isdisjoint(item.requests):
            continue
        if not whole and not item.pods.selector and not any(item.pods.terms) and not item.special:
            continue  # A pool without taints probably exists outside these objects.
        if item.special & ACCELERATORS and not accelerators:
            accelerators = {pool.name: accelerators_of(pool) for pool in pools}
        fitting = _fitting(item, pools, accelerators)
        if len(fitting) == 1:
            bound.setdefault(fitting[0].name, []).append(item)
    for name, items in bound.items():
        together: dict[str, Decimal] = {}
        for key, value in (total for item in items for total in item.totals().items()):
            together[key] = together.get(key, Decimal(0)) + value
        for item in items:
            beside = {key: value - item.totals().get(key, Decimal(0)) for key, value in together.items()}
            for problem in surge_problems(item.manifest, pool=name, limits=limits.get(name, {}), beside=beside):
                yield item.index, problem


def _fitting(item: _Workload, pools: Iterable[Pool], accelerators: Mapping[str, Mapping[str, int]]) -> list[Pool]:
    """The pools that take the pods of a workload."""
    return [
        pool
        for pool in pools
        if item.pods.select(pool)
        and not item.pods.repelled_by(pool)
        and item.special & ACCELERATORS <= accelerators.get(pool.name, dict.fromkeys(ACCELERATORS)).keys()
    ]


def surge_problems(
    manifest: Mapping[str, Any],
    *,
    pool: str,
    limits: Mapping[str, Any],
    beside: Mapping[str, Decimal] = MappingProxyType({}),
) -> Iterator[Problem]:
    """Whether a pool's limits hold the replicas of a workload, and its surge.

    A limit counts whole nodes, so that pods that request more than it certainly do not fit.

    Args:
        manifest: a Deployment or StatefulSet that no other pool takes.
        pool: the pool's name.
        limits: the pool's limits by resource.
        beside: what other workloads of the pool request, by resource. Default: nothing.
    """
    if manifest.get("kind") not in {"Deployment", "StatefulSet"}:
        return
    replicas = replicas_of(manifest)
    surge, unavailable = rolling_update(manifest, replicas)
    for resource, each in pod_requests(mapping_at(manifest, "spec", "template", "spec")).items():
        limit = limits.get(resource)
        most = number(limit) if isinstance(limit, int | str) and not isinstance(limit, bool) else None
        if not replicas or not each or most is None or not most.is_finite():
            continue
        others = Decimal(beside.get(resource, 0))
        need = others + (replicas + surge) * each
        if need <= most:
            continue
        pods = f"its {replicas} replicas" + (f" and {surge} more during a rolling update" if surge else "")
        pods += f", with {_amount_text(resource, others)} of other workloads," if others else ""
        if others + replicas * each > most:
            outcome = "some of them never run"
        elif not unavailable and others + (replicas + 1) * each > most:
            outcome = "no update ever ends"
        else:
            outcome = "an update waits for old pods to end"
        mend = (
            "set maxSurge 0 and maxUnavailable 1 (of a ModelServer: strategy='Recreate')"
            if surge
            else "ask for fewer replicas"
        )
        yield SURGE_EXCEEDS_LIMIT.problem(
            "spec.replicas",
            f"{pods} need {_amount_text(resource, need)} {resource}, but NodePool '{pool}' is limited to {limit}: "
            f"{outcome}",
            f"raise its limits['{resource}'] to {_amount_text(resource, need)} or more, or {mend}",
        )


def _amount_text(resource: str, amount: Decimal) -> str:
    if resource == "memory" and amount >= 2**20:
        return f"{math.ceil(amount / 2**20)}Mi"
    return f"{amount.normalize():f}"


def rolling_update(manifest: Mapping[str, Any], replicas: int) -> tuple[int, int]:
    """How many pods an update may add, and how many it may remove first."""
    strategy = mapping_at(manifest, "spec", "strategy")
    if manifest.get("kind") != "Deployment" or strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return 0, replicas
    rolling = mapping_at(strategy, "rollingUpdate")
    surge = _share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    # With both zero the update would never progress, so Kubernetes removes one pod.
    return surge, unavailable if surge or unavailable else 1


def _share(value: object, replicas: int, *, up: bool) -> int:
    """A number of pods, or a percentage of them; any other value counts as 0, and Kubernetes refuses it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(value, 0)
    text = value.removesuffix("%") if isinstance(value, str) and value.endswith("%") else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        return 0
    return math.ceil(int(text) * replicas / 100) if up else int(text) * replicas // 100


def replicas_of(manifest: Mapping[str, Any]) -> int:
    """How many pods a workload has at a time, by its manifest."""
    field = "parallelism" if manifest.get("kind") == "Job" else "replicas"
    count = mapping_at(manifest, "spec").get(field) if manifest.get("kind") != "Pod" else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 1


def pod_requests(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a pod requests in all, by resource."""
    totals: dict[str, Decimal] = {}
    for container in _mappings(spec.get("containers")):
        for key, value in _of_container(container).items():
            totals[key] = totals.get(key, Decimal(0)) + value
    for container in _mappings(spec.get("initContainers")):
        for key, value in _of_container(container).items():
            totals[key] = max(totals.get(key, Decimal(0)), value)
    return totals


def _of_container(container: Mapping[str, Any]) -> dict[str, Decimal]:
    # A limit without a request is a request, as Kubernetes decides.
    quantities = {**mapping_at(container, "resources", "limits"), **mapping_at(container, "resources", "requests")}
    numbers = {str(key): number(value) for key, value in quantities.items() if isinstance(value, int | str)}
    return {key: min(value, _MOST) for key, value in numbers.items() if value is not None and value.is_finite()}


def _group(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0]


def _namespace(manifest: Mapping[str, Any]) -> str:
    namespace = str(mapping_at(manifest, "metadata").get("namespace") or "")
    return "" if namespace == "default" else namespace


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []
