"""PodDisruptionBudgets that let no pod be evicted, so that its node can never drain in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.checks.rollout import replicas_of, scaled_workloads
from automode_constructs.errors import Problem, shown
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.rule import rule

__all__ = ["pinned_pod_problems"]

PINNED_PODS = rule(
    "automode:PinnedPods",
    "PodDisruptionBudget",
    severity="warning",
    sentence="A PodDisruptionBudget lets at least one pod of each workload be evicted, so that its node can drain.",
    source="Kubernetes, 'Specifying a Disruption Budget for your Application'; Karpenter, 'Disruption', PDBs",
    judged="tree",
)

_WORKLOADS = frozenset({("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet")})


def pinned_pod_problems(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Problem]]:
    """Budgets under which no pod of a workload may ever be evicted; each problem with the index of its manifest."""
    workloads = [manifest for manifest in manifests if _kind(manifest) in _WORKLOADS]
    scaled = scaled_workloads(manifests)
    for index, manifest in enumerate(manifests):
        if _kind(manifest) != ("policy", "PodDisruptionBudget"):
            continue
        spec = mapping_at(manifest, "spec")
        chosen = [
            workload
            for workload in workloads
            if _namespace(workload) == _namespace(manifest)
            and _selects(spec.get("selector"), mapping_at(workload, "spec", "template", "metadata", "labels"))
        ]
        if any(scaled(workload) for workload in chosen) and not _holds_all(spec):
            continue  # With more replicas there may be room.
        replicas = sum(map(replicas_of, chosen))
        field, least = _least(spec, replicas)
        if not field or not replicas or least < replicas:
            continue
        names = " and ".join(f"{workload['kind']} '{_name(workload)}'" for workload in chosen[:3])
        pods = "replica" if replicas == 1 else "replicas"
        yield (
            index,
            PINNED_PODS.problem(
                f"spec.{field}",
                f"{shown(spec[field])} lets no pod of {names} ({replicas} {pods}) be evicted, so Karpenter does not "
                "consolidate their nodes, and a node that must go waits until its terminationGracePeriod (24h, unless "
                "the pool sets it) ends them",
                f"write maxUnavailable: 1{'' if replicas > 1 else ', or run more replicas'}",
            ),
        )


def _holds_all(spec: Mapping[str, Any]) -> bool:
    """Whether no number of replicas leaves room."""
    return spec.get("maxUnavailable") in (0, "0", "0%") or spec.get("minAvailable") == "100%"


def _least(spec: Mapping[str, Any], replicas: int) -> tuple[str, int]:
    """The field that decides, and how many pods must stay; an empty field where neither can be read."""
    for field in ("minAvailable", "maxUnavailable"):
        pods = _pods(spec.get(field), replicas)
        if pods is not None:
            return field, pods if field == "minAvailable" else replicas - pods
    return "", 0


def _pods(value: object, replicas: int) -> int | None:
    """A number of pods, or a share of them, which Kubernetes rounds up."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.removesuffix("%") if isinstance(value, str) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        return None
    return math.ceil(int(text) * replicas / 100) if value != text else int(text)


def _selects(selector: object, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector certainly chooses these labels."""
    if not isinstance(selector, Mapping):
        return False
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(wanted, Mapping) or not isinstance(expressions, (list, tuple)):
        return False
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        isinstance(one, Mapping) and _meets(one, labels) for one in expressions
    )


def _meets(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def _kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))


def _name(manifest: Mapping[str, Any]) -> str:
    return str(mapping_at(manifest, "metadata").get("name"))


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(mapping_at(manifest, "metadata").get("namespace") or "default")
